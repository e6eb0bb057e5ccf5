package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sys/unix"

	"savepoint/repo/record"
)

// slot is the place of a delta that this Index has for itself.
type slot struct {
	name string
	lock *os.File
}

// maxSlots is how many processes can have a delta; there is no harm in a higher number.
const maxSlots = 1024

// delta is what was added since the base was built.
type delta struct {
	*database
	writable bool
	ts       uint64 // of the last batch
}

// takeSlot takes the first slot that nobody has.
func (x *Index) takeSlot() (*slot, error) {
	for i := range maxSlots {
		name := deltaPrefix + strconv.Itoa(i)
		lock, err := tryLock(x.path(name+lockSuffix), os.O_RDWR|os.O_CREATE, unix.LOCK_EX)
		if err != nil {
			return nil, fmt.Errorf("take a delta of the index: %w", err)
		}
		if lock != nil {
			return &slot{name, lock}, nil
		}
	}
	return nil, fmt.Errorf("take a delta of the index: all %d are in use", maxSlots)
}

// sweepDeltas removes deltas that nobody has open and that do not continue the base: they would lie there until as many
// processes run at once again.
func (x *Index) sweepDeltas() {
	dirs, _ := filepath.Glob(x.path(deltaPrefix + "*"))
	for _, dir := range dirs {
		name := filepath.Base(dir)
		if strings.HasSuffix(name, lockSuffix) || name == x.slot.name {
			continue
		}
		lock, err := tryLock(dir+lockSuffix, os.O_RDWR|os.O_CREATE, unix.LOCK_EX)
		if err != nil || lock == nil {
			continue
		}
		if s, err := readSeal(dir); err != nil || s.Base != x.baseID || s.Repo != x.repo() {
			os.RemoveAll(dir)
		}
		lock.Close()
	}
}

// openDelta opens the delta of the slot to be read, if it continues the base.
func (x *Index) openDelta() error {
	s, d, err := x.openSealed(x.slot.name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // there is none, or its process was killed
		return x.removeDelta()
	case err != nil && mended(err):
		return x.setAside(x.slot.name, err)
	case err != nil:
		return fmt.Errorf("open delta of the index: %w", err)
	case s.Base != x.baseID || s.Next < x.next:
		return errors.Join(d.close(), x.removeDelta())
	}
	x.delta, x.next = &delta{database: d, ts: d.db.MaxVersion()}, s.Next
	return nil
}

// removeDelta removes the files of the delta, which is not open.
func (x *Index) removeDelta() error {
	if err := os.RemoveAll(x.path(x.slot.name)); err != nil {
		return fmt.Errorf("empty delta of the index: %w", err)
	}
	return nil
}

// dropDelta closes the delta and removes it. Whoever calls it holds mu or is the only user.
func (x *Index) dropDelta() error {
	var err error
	if x.delta != nil {
		err = x.delta.close()
		x.delta = nil
	}
	return errors.Join(err, x.removeDelta())
}

// closeDelta closes the delta so that it can be opened again.
func (x *Index) closeDelta() error {
	d := x.delta
	x.delta = nil
	err := d.close()
	if !d.writable {
		return err
	}
	if err != nil || d.bad.Load() || d.segments == 0 {
		return errors.Join(err, x.removeDelta())
	}
	return writeSeal(d.dir, seal{Version: formatVersion, Repo: x.repo(), Base: x.baseID,
		Entries: d.entries, Packs: d.packs, Segments: d.segments, Next: x.next})
}

// writeDelta opens the delta to be written to. From then on a crash costs it.
func (x *Index) writeDelta() (err error) {
	d := x.delta
	if d != nil && d.writable {
		return nil
	}
	var c counts
	x.mu.Lock()
	defer x.mu.Unlock()
	if d != nil {
		c = d.counts
		x.delta = nil
		if err := d.close(); err != nil {
			return errors.Join(err, x.removeDelta())
		}
		if err := removeSeal(d.dir); err != nil {
			return err
		}
	} else if err := x.removeDelta(); err != nil {
		return err
	}
	defer guard(&err)()
	dir := x.path(x.slot.name)
	db, err := badger.OpenManaged(settings(dir).WithMemTableSize(4 << 20).WithNumMemtables(2).WithNumCompactors(2))
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	x.delta = &delta{database: &database{dir: dir, db: db, counts: c}, writable: true, ts: db.MaxVersion()}
	x.delta.txn = db.NewTransactionAt(math.MaxUint64, false)
	return nil
}

// apply adds a segment to the delta and returns the ordinals of its packs. After an error the delta is gone.
func (x *Index) apply(l Listed, s *record.Segment) (err error) {
	if err := x.room(int64(s.Len())*entryGuess + int64(len(s.Packs))*packFixed); err != nil {
		return err
	}
	if err := x.writeDelta(); err != nil {
		return err
	}
	next, c := x.next, x.delta.counts
	g, err := x.applyTo(x.delta, l, s, &next, &c)
	if err != nil {
		x.delta.bad.Store(true) // it may hold part of the segment; Sync drops it
		return fmt.Errorf("add to the index: %w", err)
	}
	x.mu.Lock()
	x.next, x.delta.counts = next, c
	x.mu.Unlock()
	x.segs[l.ID] = g
	return nil
}

func (x *Index) applyTo(d *delta, l Listed, s *record.Segment, next *uint32, c *counts) (g *segment, err error) {
	defer guard(&err)()
	ordinals, fresh, err := x.ordinals(s, next)
	if err != nil {
		return nil, err
	}
	d.ts++
	wb := d.db.NewWriteBatchAt(d.ts)
	defer wb.Cancel()
	n, err := d.putEntries(wb, s, ordinals, fresh)
	if err != nil {
		return nil, err
	}
	c.entries += n
	for i := range s.Packs {
		if !fresh[i] {
			continue
		}
		p := &s.Packs[i]
		if err := wb.Set(packIDKey(&p.ID), binary.BigEndian.AppendUint32(nil, ordinals[i])); err != nil {
			return nil, err
		}
		if err := pieces(packKey(ordinals[i]), appendPack(nil, p), wb.Set); err != nil {
			return nil, err
		}
		c.packs++
	}
	g = newSegment(l, s, ordinals)
	if err := pieces(segmentKey(l.ID), g.encode(), wb.Set); err != nil {
		return nil, err
	}
	if err := wb.Flush(); err != nil {
		return nil, err
	}
	d.db.SetDiscardTs(d.ts)
	c.segments++
	return g, nil
}

// ordinals returns the ordinal of each pack of a segment, and which of them are new.
func (x *Index) ordinals(s *record.Segment, next *uint32) (ordinals []uint32, fresh []bool, err error) {
	ordinals, fresh = make([]uint32, len(s.Packs)), make([]bool, len(s.Packs))
	for i := range s.Packs {
		var known bool
		ordinals[i], known, err = x.ordinal(packIDKey(&s.Packs[i].ID))
		if err != nil {
			return nil, nil, err
		}
		if known {
			continue
		}
		if *next > maxOrdinal {
			return nil, nil, fmt.Errorf("more than %d packs", maxOrdinal)
		}
		ordinals[i], fresh[i] = *next, true
		*next++
	}
	return ordinals, fresh, nil
}

// ordinal returns the ordinal of a pack that the base or the delta knows.
func (x *Index) ordinal(key []byte) (o uint32, known bool, err error) {
	for _, d := range x.parts() {
		known, err = d.get(key, func(v []byte) error {
			if len(v) != 4 {
				return fmt.Errorf("ordinal of %d bytes: %w", len(v), ErrDamaged)
			}
			o = binary.BigEndian.Uint32(v)
			return nil
		})
		if known || err != nil {
			return o, known, err
		}
	}
	return 0, false, nil
}

// putEntries adds the chunks of new packs and returns how many chunks are new.
func (d *delta) putEntries(wb *badger.WriteBatch, s *record.Segment, ordinals []uint32, fresh []bool) (int64, error) {
	n := int64(0)
	var places []place
	for i := 0; i < s.Len(); {
		id := s.Chunk(i)
		key := chunkKey(nil, &id)
		var fresher []place
		for ; i < s.Len() && s.Chunk(i) == id; i++ {
			if p, e := s.Entry(i); fresh[p] {
				fresher = addPlace(fresher, place{ordinals[p], e.Block, e.Offset, e.Length})
			}
		}
		if len(fresher) == 0 {
			continue
		}
		var found bool
		var err error
		if places, found, err = d.places(key, places[:0]); err != nil {
			return n, err
		}
		if !found {
			n++
		}
		for _, p := range fresher {
			places = addPlace(places, p)
		}
		if err := wb.Set(key, appendPlaces(nil, places)); err != nil {
			return n, err
		}
	}
	return n, nil
}

// addPlace adds a place in a pack that has none yet, if there is room for it.
func addPlace(places []place, p place) []place {
	if len(places) == maxPlaces || slices.ContainsFunc(places, func(q place) bool { return q.pack == p.pack }) {
		return places
	}
	return append(places, p)
}
