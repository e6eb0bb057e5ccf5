package index

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"savepoint/repo/record"
)

// maxOrdinal is the highest ordinal of a pack: 64 million packs of 32 MiB are 2 PiB. The bits above it in a
// Location.Pack say from which base on the ordinal counts.
const (
	ordinalBits = 26
	maxOrdinal  = 1<<ordinalBits - 1
)

// Options say whose index it is.
type Options struct {
	// Repo is the ID of the repository. An index of another one is set aside.
	Repo [16]byte
	// Logger hears what is set aside and why. Nil: nobody.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return o
}

// Index says where the chunks of one kind of packs lie. All methods may be called by any number of goroutines; Sync,
// SetLive and Add wait for one another, lookups wait for none of them.
type Index struct {
	dir  string
	o    Options
	free func(dir string) (int64, error) // bytes that may be written
	few  int64                           // chunks that a delta may hold however small its base is

	applying sync.Mutex // held by whoever changes what follows
	segs     map[record.ID]*segment
	listed   map[record.ID]bool
	slot     *slot
	built    string // ID of the last base that this Index built

	mu     sync.RWMutex // held to read or set what follows; never while anything is built
	base   *database    // nil: none
	baseID string       // of the base that is open or was last; empty: none
	delta  *delta       // nil: it holds nothing
	next   uint32       // the first free ordinal
	tag    uint32       // counts the times that ordinals changed their meaning
	live   bitmap
	closed bool

	cache packCache
}

// Open opens the index in dir, which it makes if need be. It never fails for what building again mends: what is
// damaged, or of another version or repository, is set aside. Nothing is live, and so nothing is there, before Sync and
// SetLive. It fails with ErrNoSpace, or with the file system's error when the folder cannot be used.
func Open(dir string, o Options) (*Index, error) { return open(dir, o, smallDelta, freeBytes) }

func open(dir string, o Options, few int64, free func(string) (int64, error)) (*Index, error) {
	x := &Index{dir: dir, o: o.withDefaults(), few: few, free: free}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the index: %w", err)
	}
	x.tidy()
	if err := x.room(0); err != nil {
		return nil, err
	}
	if err := x.openParts(); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// openParts opens the base that is current and the delta of a free slot.
func (x *Index) openParts() error {
	base, s, err := x.openBase()
	if err != nil {
		return err
	}
	x.setBase(base, s)
	if x.slot, err = x.takeSlot(); err != nil {
		return err
	}
	x.sweepDeltas()
	return x.openDelta()
}

// setBase puts a base, nil for none, in the place of the one before, which the caller closes. mu must be held once the
// index is in use.
func (x *Index) setBase(base *database, s *seal) {
	x.base, x.baseID, x.next = base, "", 0
	if base != nil {
		x.baseID, x.next = s.ID, s.Next
	}
}

// Close ends the use of the index. What was added is kept.
func (x *Index) Close() error {
	x.applying.Lock()
	defer x.applying.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil
	}
	x.closed = true
	var errs []error
	if x.delta != nil {
		errs = append(errs, x.closeDelta())
	}
	if x.base != nil {
		errs = append(errs, x.closeBase(x.base))
	}
	if x.slot != nil {
		errs = append(errs, x.slot.lock.Close())
	}
	x.base, x.delta, x.slot, x.segs, x.live = nil, nil, nil, nil, nil
	return errors.Join(errs...)
}

func (x *Index) path(name string) string { return filepath.Join(x.dir, name) }

func (x *Index) repo() string { return hex.EncodeToString(x.o.Repo[:]) }

// load reads the applied segments, once.
func (x *Index) load() error {
	if x.segs != nil {
		return nil
	}
	segs := map[record.ID]*segment{}
	for _, d := range x.parts() {
		n, err := int64(0), error(nil)
		if n, err = d.loadSegments(segs); err == nil && n != d.segments {
			d.bad.Store(true)
			err = fmt.Errorf("%d segments, not %d: %w", n, d.segments, ErrDamaged)
		}
		if err != nil {
			return err
		}
	}
	x.segs = segs
	return nil
}

// parts returns the databases that are open.
func (x *Index) parts() []*database {
	var parts []*database
	if x.base != nil {
		parts = append(parts, x.base)
	}
	if x.delta != nil {
		parts = append(parts, x.delta.database)
	}
	return parts
}

func (d *database) loadSegments(segs map[record.ID]*segment) (int64, error) {
	n := int64(0)
	var j joiner
	err := d.iterate(keySegment, func(key, value []byte) (bool, error) {
		id, b, err := j.add(key, value)
		if err != nil || b == nil {
			return err == nil, err
		}
		if len(id) != len(record.ID{}) {
			return false, fmt.Errorf("segment ID of %d bytes: %w", len(id), ErrDamaged)
		}
		segs[record.ID(id)], err = parseSegment(b)
		n++
		return err == nil, err
	})
	return n, err
}
