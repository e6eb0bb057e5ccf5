package index

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// counts says how much a database holds.
type counts struct {
	entries, packs, segments int64
}

// database is an open Badger database, a base or a delta.
type database struct {
	dir  string
	db   *badger.DB
	txn  *badger.Txn // reads all that was ever committed; it may be used by any number of goroutines, since it only gets
	lock *os.File    // of a base: held while it is open
	next uint32      // of a base: the first ordinal that it does not use
	made time.Time   // of a base: when it was built
	counts
	bad atomic.Bool // bytes were met that are not as they were written
}

// settings are what a base and a delta have in common; docs/decisions/0010-badger.md has the measurements.
func settings(dir string) badger.Options {
	o := badger.DefaultOptions(dir).
		WithLogger(nil).
		WithMetricsEnabled(false).
		WithDetectConflicts(false).
		WithBypassLockGuard(true). // the folder is locked by us, from before it is verified
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMemTableSize(1 << 20).
		WithValueThreshold(4 * pieceLen).
		WithValueLogFileSize(1 << 20).
		WithNumMemtables(1).
		WithNumGoroutines(1)
	o.TableSizeMultiplier = 1
	return o
}

// openReadOnly opens a sealed folder, the seal of which was verified just now.
func openReadOnly(dir string, s *seal) (d *database, err error) {
	defer guard(&err)()
	db, err := badger.OpenManaged(settings(dir).WithReadOnly(true).WithNumCompactors(0))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w: %w", dir, ErrDamaged, err)
	}
	d = &database{dir: dir, db: db, next: s.Next, made: time.Unix(0, s.Built), counts: counts{s.Entries, s.Packs, s.Segments}}
	d.txn = db.NewTransactionAt(math.MaxUint64, false)
	return d, nil
}

// name returns the name of the folder.
func (d *database) name() string { return filepath.Base(d.dir) }

func (d *database) close() error {
	d.txn.Discard()
	return d.db.Close()
}

// guard turns a panic into ErrDamaged: Badger slices what it has read before it verifies it, and its tables are mapped,
// so that a read error of the disk is a fault. Use it as defer guard(&err)().
func guard(err *error) func() {
	old := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(old)
		if r := recover(); r != nil {
			*err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}
}

// get calls fn with the value of a key, which is valid until fn returns. It may miss a key that is there, in a block
// that is damaged; confirm tells.
func (d *database) get(key []byte, fn func(value []byte) error) (found bool, err error) {
	if d.bad.Load() {
		return false, ErrDamaged
	}
	defer func() {
		if errors.Is(err, ErrDamaged) {
			d.bad.Store(true)
		}
	}()
	defer guard(&err)()
	item, err := d.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return true, item.Value(fn)
}

// iterate calls fn for each key with the prefix until it returns false. Key and value are valid
// until fn returns.
func (d *database) iterate(prefix byte, fn func(key, value []byte) (bool, error)) (err error) {
	defer func() {
		if errors.Is(err, ErrDamaged) {
			d.bad.Store(true)
		}
	}()
	c := d.cursor(prefix, nil)
	defer c.close()
	for c.valid() {
		if more, err := fn(c.key, c.value); err != nil || !more {
			return err
		}
		c.next()
	}
	return c.err
}

// places appends the places of a chunk to dst.
func (d *database) places(key []byte, dst []place) ([]place, bool, error) {
	found, err := d.get(key, func(value []byte) error {
		var err error
		dst, err = parsePlaces(dst, value)
		return err
	})
	return dst, found, err
}

// cursor reads keys with a prefix in order. The key has no prefix any more.
type cursor struct {
	d          *database
	it         *badger.Iterator
	prefix     byte
	key, value []byte // of the current pair; nil at the end
	err        error
}

func (d *database) cursor(prefix byte, from []byte) *cursor {
	c := &cursor{d: d, prefix: prefix}
	defer guard(&c.err)()
	o := badger.DefaultIteratorOptions
	o.PrefetchValues = false // they are beside the keys; and it would read on goroutines of its own
	c.it = d.db.NewTransactionAt(math.MaxUint64, false).NewIterator(o)
	c.it.Seek(append([]byte{prefix}, from...))
	c.load()
	return c
}

func (c *cursor) valid() bool { return c.key != nil }

func (c *cursor) next() {
	defer guard(&c.err)()
	c.key = nil
	c.it.Next()
	c.load()
}

func (c *cursor) load() {
	c.key = nil
	if !c.it.Valid() {
		return
	}
	item := c.it.Item()
	key := item.Key()
	if key[0] != c.prefix {
		return
	}
	c.err = item.Value(func(v []byte) error {
		c.value = v
		return nil
	})
	if c.err == nil {
		c.key = key[1:]
	}
}

func (c *cursor) close() {
	if c.it != nil {
		var err error
		defer guard(&err)()
		c.it.Close()
	}
}
