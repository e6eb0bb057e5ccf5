package index

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	"savepoint/chunk"
)

// Sizes of a sorter, in bytes.
const (
	rowLen     = 48               // chunk ID, then pack, block, offset and length
	extentRows = 8 << 10 / rowLen // rows that are written at once
	bucketAim  = 1 << 20          // what a bucket should hold
	bucketMost = 16 << 20         // what is sorted in memory
	maxBuckets = 1024             // of which each has a buffer of an extent
	extentLen  = int64(extentRows * rowLen)
)

// sorter brings rows into order on disk. Chunk IDs are keyed hashes and spread evenly, so rows go into buckets by their
// first bits; a bucket is small enough to be sorted in memory, and buckets come one after the other. That is one pass
// for any number of rows where a merge of sorted runs needs one for each factor of its fan-in. Should IDs not be
// spread, a bucket that is too large is sorted by a sorter of its own, on the bits that follow.
type sorter struct {
	dir     string
	file    *os.File
	skip    int // bits that all rows have in common
	bits    int // that choose the bucket
	buckets []bucket
	rows    int64 // that were added
	end     int64
	spare   []byte
	refs    []rowRef
}

// bucket holds rows in extents of the file, all of which are full but the last, and behind them in memory.
type bucket struct {
	buf     []byte
	extents []int64
	size    int64 // bytes in the extents
}

// newSorter makes one for about so many rows, whose file in dir has no name, so that it goes when it is closed.
func newSorter(dir string, rows int64, skip int) (*sorter, error) {
	f, err := os.CreateTemp(dir, ".tmp-rows-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	s := &sorter{dir: dir, file: f, skip: skip}
	for n := rows * rowLen / bucketAim; n > 0 && 1<<s.bits < maxBuckets; n /= 2 {
		s.bits++
	}
	s.buckets = make([]bucket, 1<<s.bits)
	return s, nil
}

func (s *sorter) close() error { return s.file.Close() }

func (s *sorter) bucket(id []byte) *bucket {
	if s.bits == 0 {
		return &s.buckets[0]
	}
	var w [8]byte
	copy(w[:], id[min(s.skip/8, len(id)):])
	return &s.buckets[binary.BigEndian.Uint64(w[:])<<(s.skip%8)>>(64-s.bits)]
}

// add takes in the place of a chunk.
func (s *sorter) add(id *chunk.ID, p place) error {
	b := s.bucket(id[:])
	at := len(b.buf)
	if at == int(extentLen) {
		if err := s.spill(b); err != nil {
			return err
		}
		at = 0
	}
	if cap(b.buf) == 0 {
		b.buf = make([]byte, 0, extentLen)
	}
	s.rows++
	b.buf = b.buf[:at+rowLen]
	row := b.buf[at:]
	copy(row, id[:])
	binary.BigEndian.PutUint32(row[32:], p.pack)
	binary.BigEndian.PutUint32(row[36:], p.block)
	binary.BigEndian.PutUint32(row[40:], p.offset)
	binary.BigEndian.PutUint32(row[44:], p.length)
	return nil
}

func (s *sorter) spill(b *bucket) error {
	if _, err := s.file.WriteAt(b.buf, s.end); err != nil {
		return fmt.Errorf("write rows to be sorted: %w", err)
	}
	b.extents = append(b.extents, s.end)
	b.size += int64(len(b.buf))
	s.end += int64(len(b.buf))
	b.buf = b.buf[:0]
	return nil
}

// seal writes what is left in memory, which is wanted for other things now.
func (s *sorter) seal() error {
	for i := range s.buckets {
		b := &s.buckets[i]
		if len(b.buf) > 0 {
			if err := s.spill(b); err != nil {
				return err
			}
		}
		b.buf = nil
	}
	return nil
}

func rowPlace(row []byte) place {
	return place{binary.BigEndian.Uint32(row[32:]), binary.BigEndian.Uint32(row[36:]), binary.BigEndian.Uint32(row[40:]), binary.BigEndian.Uint32(row[44:])}
}

// each calls yield with rows in order, many at a time, which are valid until it returns. The next rows are sorted
// meanwhile. No row may be added any more, and it may be called once.
func (s *sorter) each(yield func(rows []byte) error) error {
	if err := s.seal(); err != nil {
		return err
	}
	type result struct {
		rows []byte
		err  error
	}
	free, sorted, stop := make(chan []byte, 2), make(chan result), make(chan struct{})
	free <- nil
	free <- nil
	go func() {
		defer close(sorted)
		send := func(r result) bool {
			select {
			case sorted <- r:
				return true
			case <-stop:
				return false
			}
		}
		err := s.sortAll(free, stop, func(rows []byte) bool { return send(result{rows: rows}) })
		if err != nil {
			send(result{err: err})
		}
	}()
	defer func() {
		close(stop)
		for range sorted {
		}
	}()
	for r := range sorted {
		if r.err != nil {
			return r.err
		}
		if err := yield(r.rows); err != nil {
			return err
		}
		free <- r.rows
	}
	return nil
}

// sortAll sends the rows of each bucket, sorted, in buffers that come from free, until send returns false.
func (s *sorter) sortAll(free <-chan []byte, stop <-chan struct{}, send func([]byte) bool) error {
	for i := range s.buckets {
		b := &s.buckets[i]
		if b.size == 0 {
			continue
		}
		if b.size > bucketMost && s.skip+s.bits < 256 {
			if ok, err := s.split(b, free, stop, send); err != nil || !ok {
				return err
			}
			continue
		}
		var buf []byte
		select {
		case buf = <-free:
		case <-stop:
			return nil
		}
		rows, err := s.load(b, buf)
		if err != nil {
			return err
		}
		if !send(s.sorted(rows)) {
			return nil
		}
	}
	return nil
}

// split sorts a bucket that is too large by the bits after those that all its rows have in common.
func (s *sorter) split(b *bucket, free <-chan []byte, stop <-chan struct{}, send func([]byte) bool) (bool, error) {
	sub, err := newSorter(s.dir, b.size/rowLen, s.skip+s.bits)
	if err != nil {
		return false, err
	}
	defer sub.close()
	page := make([]byte, extentLen)
	for i := range b.extents {
		rows, err := s.read(b, i, page)
		if err != nil {
			return false, err
		}
		for r := range slices.Chunk(rows, rowLen) {
			if err := sub.add((*chunk.ID)(r), rowPlace(r)); err != nil {
				return false, err
			}
		}
	}
	if err := sub.seal(); err != nil {
		return false, err
	}
	ok := true
	err = sub.sortAll(free, stop, func(rows []byte) bool { ok = send(rows); return ok })
	return ok, err
}

// read reads extent i of a bucket into the start of buf.
func (s *sorter) read(b *bucket, i int, buf []byte) ([]byte, error) {
	buf = buf[:min(extentLen, b.size-int64(i)*extentLen)]
	if _, err := s.file.ReadAt(buf, b.extents[i]); err != nil {
		return nil, fmt.Errorf("read rows to be sorted: %w", err)
	}
	return buf, nil
}

// load reads a bucket into buf, which it may replace.
func (s *sorter) load(b *bucket, buf []byte) ([]byte, error) {
	buf = slices.Grow(buf[:0], int(b.size))[:b.size]
	for i := range b.extents {
		if _, err := s.read(b, i, buf[int64(i)*extentLen:]); err != nil {
			return nil, err
		}
	}
	b.extents = nil
	return buf, nil
}

// rowRef stands for a row while rows are sorted.
type rowRef struct {
	first uint64 // the start of the chunk ID, which decides nearly all comparisons
	at    uint32
}

// sorted returns rows in order, in the memory of those sorted before; that of rows is taken for the next.
func (s *sorter) sorted(rows []byte) []byte {
	refs := slices.Grow(s.refs[:0], len(rows)/rowLen)
	for at := 0; at < len(rows); at += rowLen {
		refs = append(refs, rowRef{binary.BigEndian.Uint64(rows[at:]), uint32(at)})
	}
	slices.SortFunc(refs, func(a, b rowRef) int {
		if a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		return bytes.Compare(rows[a.at:][:rowLen], rows[b.at:][:rowLen])
	})
	out := slices.Grow(s.spare[:0], len(rows))
	for _, r := range refs {
		out = append(out, rows[r.at:][:rowLen]...)
	}
	s.refs, s.spare = refs, rows
	return out
}
