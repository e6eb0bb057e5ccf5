package index

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// builder gathers segments for a new base.
type builder struct {
	x     *Index
	dir   string
	rows  *sorter
	spool *spool // new packs in order of ordinal
	packs map[pack.ID]uint32
	segs  map[record.ID]*segment
	next  uint32
	from  origin
}

// origin is what a new base begins with.
type origin int

const (
	fromBase    origin = iota // what the base and the delta hold is merged
	fromNothing               // it is not
)

// build makes a new base of the segments, and of what it begins with, and goes on with it. Packs that no listed segment
// names are dropped. The lock of builders must be held.
func (x *Index) build(ctx context.Context, segments []Listed, read Reader, from origin) error {
	b, err := x.newBuilder(segments, from)
	if err != nil {
		return err
	}
	defer b.close()
	readErr := readAhead(ctx, segments, read, b.take)
	if err := ctx.Err(); err != nil {
		return err
	}
	if readErr != nil && (from == fromNothing || len(b.segs) == 0) {
		return readErr
	}
	// What was read until then is kept, since reading it took long.
	if err := b.write(ctx); err != nil {
		return errors.Join(fmt.Errorf("build the index: %w", err), readErr)
	}
	if err := b.publish(); err != nil {
		return errors.Join(err, readErr)
	}
	return readErr
}

func (x *Index) newBuilder(segments []Listed, from origin) (*builder, error) {
	b := &builder{x: x, dir: x.path(building), packs: map[pack.ID]uint32{}, segs: map[record.ID]*segment{}, from: from}
	rows, have := guessEntries(segments), int64(0)
	if from == fromBase {
		b.next = x.next
		for _, d := range x.parts() {
			have += d.entries
		}
	}
	if err := x.room(rows*rowLen + (rows+have)*entryGuess); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(b.dir); err != nil {
		return nil, err
	}
	if err := os.Mkdir(b.dir, 0o700); err != nil {
		return nil, fmt.Errorf("build the index: %w", err)
	}
	var err error
	if b.rows, err = newSorter(x.dir, rows, 0); err == nil {
		b.spool, err = newSpool(x.dir)
	}
	if err != nil {
		b.close()
		return nil, fmt.Errorf("build the index: %w", err)
	}
	return b, nil
}

// close removes what is left of a build.
func (b *builder) close() {
	if b.rows != nil {
		b.rows.close()
	}
	if b.spool != nil {
		b.spool.close()
	}
	os.RemoveAll(b.dir)
}

// take takes in a segment: the entries of the packs that are new, the packs, and itself.
func (b *builder) take(l Listed, s *record.Segment) error {
	ordinals, fresh, some := make([]uint32, len(s.Packs)), make([]bool, len(s.Packs)), false
	for i := range s.Packs {
		var err error
		if ordinals[i], fresh[i], err = b.ordinal(&s.Packs[i]); err != nil {
			return err
		}
		some = some || fresh[i]
	}
	b.segs[l.ID] = newSegment(l, s, ordinals)
	if !some {
		return nil
	}
	if err := b.x.room(int64(s.Len()) * rowLen); err != nil {
		return err
	}
	for i := range s.Len() {
		p, e := s.Entry(i)
		if !fresh[p] {
			continue
		}
		if err := b.rows.add(&e.Chunk, place{ordinals[p], e.Block, e.Offset, e.Length}); err != nil {
			return err
		}
	}
	return nil
}

// ordinal returns the ordinal of a pack, a new one if it is not known.
func (b *builder) ordinal(p *record.SegmentPackInfo) (o uint32, fresh bool, err error) {
	o, known := b.packs[p.ID]
	if !known && b.from == fromBase {
		o, known, err = b.x.ordinal(packIDKey(&p.ID))
	}
	if known || err != nil {
		return o, false, err
	}
	if b.next > maxOrdinal {
		return 0, false, fmt.Errorf("more than %d packs", maxOrdinal)
	}
	o = b.next
	b.next++
	b.packs[p.ID] = o
	return o, true, b.spool.add(o, p)
}

// publish makes the database that was written the current base and goes on with it.
func (b *builder) publish() error {
	x := b.x
	name, err := x.nextBase()
	if err != nil {
		return err
	}
	if err := os.Rename(b.dir, x.path(name)); err != nil {
		return fmt.Errorf("publish base of the index: %w", err)
	}
	if err := syncDir(x.dir); err != nil {
		return err
	}
	if err := writeDurable(x.path(currentName), []byte(name+"\n")); err != nil {
		return fmt.Errorf("publish base of the index: %w", err)
	}
	base, s, err := x.openBase()
	if err == nil && base == nil {
		err = fmt.Errorf("new base of the index: %w", ErrDamaged)
	}
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if b.from == fromNothing {
		x.renumber()
	}
	err = x.replaceBase(base, s)
	x.built = s.ID
	x.segs = nil // those of the new base are read when they are needed
	return errors.Join(err, x.load())
}

func randomID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
