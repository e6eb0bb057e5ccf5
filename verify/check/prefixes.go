package check

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"sync"

	"savepoint/chunk"
	"savepoint/repo/pack"
)

// prefix stands for a chunk here: the first six bytes of its ID, and two that come from its length, so that a chunk of another length is
// another. IDs are keyed hashes, so nobody can choose two that begin alike, and how lengths are mixed is another secret of each run: that a
// chunk which is lost is taken for another one has a chance of the number of chunks in 2^64.
type prefix uint64

// keying makes prefixes.
type keying struct{ odd uint64 }

func newKeying() keying { return keying{rand.Uint64() | 1} }

// data returns the prefix of a chunk of data.
func (k keying) data(id *chunk.ID, length uint64) prefix {
	return prefixOf(id)&^mixed | prefix(length*k.odd>>48)
}

// mixed are the bits of a prefix of data that come from the length.
const mixed prefix = 1<<16 - 1

// alike reports whether two prefixes of data are of one chunk, but for its length.
func alike(a, b prefix) bool { return (a^b)&^mixed == 0 }

// of returns the prefix of a chunk that lies in a pack of the kind.
func (k keying) of(kind pack.Kind, e *pack.Entry) prefix {
	if kind == pack.Data {
		return k.data(&e.Chunk, uint64(e.Length))
	}
	return prefixOf(&e.Chunk)
}

// prefixOf returns the first eight bytes of an ID: the prefix of a tree chunk, whose length no tree says.
func prefixOf(id *chunk.ID) prefix { return prefix(binary.BigEndian.Uint64(id[:8])) }

// prefixes is a set of prefixes in a bounded memory: what is more lies in sorted runs of a temporary file, which has no name. Add is
// safe for concurrent use; nothing else is.
type prefixes struct {
	limit int // prefixes in memory
	dir   string

	mu    sync.Mutex
	fresh []prefix
	file  *os.File
	runs  []span // of the file
	size  int64
}

// span is where a run lies in the file, in bytes.
type span struct{ off, n int64 }

func newPrefixes(bytes int64, dir string) *prefixes {
	return &prefixes{limit: int(max(bytes/8, 16)), dir: dir}
}

// close gives memory and file back.
func (s *prefixes) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh, s.runs, s.size = nil, nil, 0
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// add takes in prefixes, which may be there already.
func (s *prefixes) add(list []prefix) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(list) > 0 {
		n := min(len(list), s.limit-len(s.fresh))
		if need := len(s.fresh) + n; need > cap(s.fresh) {
			s.fresh = append(make([]prefix, 0, min(s.limit, max(2*need, 4096))), s.fresh...)
		}
		s.fresh = append(s.fresh, list[:n]...)
		list = list[n:]
		if len(s.fresh) == s.limit {
			s.tidy()
			if len(s.fresh) > s.limit/2 {
				if err := s.spill(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// tidy sorts what is in memory and leaves out what is there twice.
func (s *prefixes) tidy() {
	slices.Sort(s.fresh)
	s.fresh = slices.Compact(s.fresh)
}

// spill writes what is in memory, which is tidy, as a run.
func (s *prefixes) spill() error {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "store-verify-*")
		if err != nil {
			return fmt.Errorf("make a temporary file for IDs of chunks: %w", err)
		}
		if err := os.Remove(f.Name()); err != nil {
			return errors.Join(err, f.Close())
		}
		s.file = f
	}
	w := bufio.NewWriterSize(io.NewOffsetWriter(s.file, s.size), 64<<10)
	var b [8]byte
	for _, p := range s.fresh {
		binary.LittleEndian.PutUint64(b[:], uint64(p))
		if _, err := w.Write(b[:]); err != nil {
			return fmt.Errorf("write IDs of chunks to a temporary file: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write IDs of chunks to a temporary file: %w", err)
	}
	n := int64(len(s.fresh)) * 8
	s.runs = append(s.runs, span{s.size, n})
	s.size += n
	s.fresh = s.fresh[:0]
	return nil
}

// each yields all prefixes in order, each once. It ends at the first error, which is that of reading the temporary file.
func (s *prefixes) each() iter.Seq2[prefix, error] {
	return func(yield func(prefix, error) bool) {
		s.tidy()
		sources := []*run{{rest: s.fresh}}
		for _, at := range s.runs {
			sources = append(sources, &run{r: bufio.NewReaderSize(io.NewSectionReader(s.file, at.off, at.n), 32<<10)})
		}
		h := make(runHeap, 0, len(sources))
		for _, r := range sources {
			ok, err := r.next()
			if err != nil {
				yield(0, err)
				return
			}
			if ok {
				h.push(r)
			}
		}
		var last prefix
		for any := false; len(h) > 0; {
			r := h[0]
			if p := r.head; !any || p != last {
				if !yield(p, nil) {
					return
				}
				any, last = true, p
			}
			ok, err := r.next()
			if err != nil {
				yield(0, err)
				return
			}
			if !ok {
				h[0] = h[len(h)-1]
				h = h[:len(h)-1]
			}
			h.down()
		}
	}
}

// run is a sorted run that is read: in memory or in the file.
type run struct {
	head prefix
	rest []prefix
	r    *bufio.Reader
}

func (r *run) next() (bool, error) {
	if r.r == nil {
		if len(r.rest) == 0 {
			return false, nil
		}
		r.head, r.rest = r.rest[0], r.rest[1:]
		return true, nil
	}
	var b [8]byte
	if _, err := io.ReadFull(r.r, b[:]); err == io.EOF {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("read IDs of chunks from a temporary file: %w", err)
	}
	r.head = prefix(binary.LittleEndian.Uint64(b[:]))
	return true, nil
}

// runHeap has the run with the least head in front.
type runHeap []*run

func (h *runHeap) push(r *run) {
	*h = append(*h, r)
	for i := len(*h) - 1; i > 0; {
		up := (i - 1) / 2
		if (*h)[up].head <= (*h)[i].head {
			return
		}
		(*h)[up], (*h)[i] = (*h)[i], (*h)[up]
		i = up
	}
}

func (h runHeap) down() {
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if h[c].head < h[least].head {
				least = c
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// missingFrom calls each for the prefixes of s, in order, that are not in other, and returns how many s has.
func (s *prefixes) missingFrom(other *prefixes, each func(prefix)) (n uint64, err error) {
	next, stop := iter.Pull2(other.each())
	defer stop()
	have, err, ok := next()
	for p, readErr := range s.each() {
		if readErr != nil {
			return n, readErr
		}
		for ok && err == nil && have < p {
			have, err, ok = next()
		}
		if err != nil {
			return n, err
		}
		if n++; !ok || have != p {
			each(p)
		}
	}
	return n, nil
}

// among calls each for the prefixes of s that are in sorted, which is in order.
func (s *prefixes) among(sorted []prefix, each func(prefix)) error {
	if len(sorted) == 0 {
		return nil
	}
	for p, err := range s.each() {
		if err != nil {
			return err
		}
		for len(sorted) > 0 && sorted[0] < p {
			sorted = sorted[1:]
		}
		if len(sorted) == 0 {
			return nil
		}
		if sorted[0] == p {
			each(p)
		}
	}
	return nil
}
