package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/ristretto/v2/z"
)

// Sizes of a writer, in bytes.
const (
	batchLen   = 64 << 10
	smallTable = 1 << 20
	largeTable = 8 << 20
	leastEntry = 40 // what a pair takes at least, in a batch and in a table
)

// patience is for how many milliseconds a table is waited for.
const patience = 10_000

// manyTables is how many tables a base may have before they are made larger: each takes a file descriptor, and time to
// open; but memory while it is made.
const manyTables = 1024

// minFree is how much room must be left on the file system while something is written: pages of a file that is mapped
// get their place on the disk when they are written, and there is no error but a signal when there is none.
const minFree = 64 << 20

// writer writes the database of a base, keys in order. Two goroutines of its own and Badger's do the work.
type writer struct {
	dir   string
	free  func() error // says when the disk gets full
	db    *badger.DB
	sw    *badger.StreamWriter
	batch *batch
	last  []byte
	full  chan *batch
	empty chan *batch
	done  chan error

	most int64 // keys that may be on their way to a table
	sent int64 // keys that Badger has
	made int64 // keys that are known to be in tables
}

// batch is what is handed to Badger at once.
type batch struct {
	z    *z.Buffer
	keys int64
}

// newWriter begins a database in dir that will take about size bytes.
func newWriter(dir string, size int64, free func() error) (*writer, error) {
	table := int64(smallTable)
	for size/table > manyTables && table < largeTable {
		table *= 2
	}
	db, err := badger.OpenManaged(settings(dir).
		WithBaseTableSize(table).
		WithNumCompactors(0).
		WithChecksumVerificationMode(options.NoVerification))
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", dir, err)
	}
	w := &writer{dir: dir, free: free, db: db, sw: db.NewStreamWriter(), full: make(chan *batch, 1), empty: make(chan *batch, 3), done: make(chan error, 1)}
	w.most = table/leastEntry + 6*batchLen/leastEntry
	if err := w.sw.Prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("make %s: %w", dir, err), db.Close())
	}
	for range 3 {
		w.empty <- &batch{z: z.NewBuffer(batchLen+2*pieceLen, "index")}
	}
	w.batch = <-w.empty
	go w.run()
	return w, nil
}

func (w *writer) run() {
	var err error
	for b := range w.full {
		if err == nil {
			err = w.free()
		}
		if err == nil {
			err = w.sw.Write(b.z)
		}
		if w.sent += b.keys; err == nil {
			w.wait()
		}
		b.z.Reset()
		b.keys = 0
		w.empty <- b
	}
	w.done <- err
}

// wait waits until no more than one table is being made while the next is filled. Badger makes up to 16 at once, each
// in some 6 MiB, when the disk or the processors are busy. What is being filled and the batches that wait hold fewer
// keys than most, so it ends; unless a table could not be made, which Flush will tell.
func (w *writer) wait() {
	for try := 0; w.sent-w.made > w.most && try < patience; try++ {
		made := int64(0)
		for _, t := range w.db.Tables() {
			made += int64(t.KeyCount)
		}
		if made > w.made {
			w.made, try = made, 0
		} else {
			time.Sleep(time.Millisecond)
		}
	}
}

// put adds a pair, which it copies. Keys must ascend: Badger ends the process when they do not.
func (w *writer) put(key, value []byte) error {
	if bytes.Compare(w.last, key) >= 0 {
		return fmt.Errorf("key %x after %x: %w", key, w.last, ErrDamaged)
	}
	w.last = append(w.last[:0], key...)
	n := 1 + uvarintLen(len(key)) + len(key) + 1 + uvarintLen(len(value)) + len(value) + 4
	b := w.batch.z.SliceAllocate(n)[:0]
	// A KV of badgerpb4.proto: key, value, version 1, stream 1.
	b = append(binary.AppendUvarint(append(b, 1<<3|2), uint64(len(key))), key...)
	b = append(binary.AppendUvarint(append(b, 2<<3|2), uint64(len(value))), value...)
	_ = append(b, 4<<3, 1, 10<<3, 1)
	w.batch.keys++
	if w.batch.z.LenNoPadding() < batchLen {
		return nil
	}
	w.full <- w.batch
	w.batch = <-w.empty
	return nil
}

func uvarintLen(n int) int {
	l := 1
	for ; n >= 1<<7; n >>= 7 {
		l++
	}
	return l
}

// finish ends the database with its last key and closes it.
func (w *writer) finish() error {
	if err := w.put([]byte{keyEnd}, []byte{formatVersion}); err != nil {
		return errors.Join(err, w.cancel())
	}
	w.full <- w.batch
	close(w.full)
	if err := <-w.done; err != nil {
		w.sw.Cancel()
		return errors.Join(err, w.db.Close())
	}
	if err := w.sw.Flush(); err != nil {
		return errors.Join(err, w.db.Close())
	}
	if err := w.db.Close(); err != nil {
		return err
	}
	return w.sweep()
}

// cancel ends the database without finishing it.
func (w *writer) cancel() error {
	close(w.full)
	<-w.done
	w.sw.Cancel()
	return w.db.Close()
}

// sweep removes what Badger makes for writing: a base is never written to.
func (w *writer) sweep() error {
	names, err := fileNames(w.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") || name == badger.ManifestFilename {
			continue
		}
		if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
			return err
		}
	}
	return nil
}
