package repo

import (
	"encoding/binary"
	"math/bits"

	"savepoint/chunk"
)

// idSet is a set of chunk IDs that is made once, in 33 bytes for each: IDs lie in the order of their first bits, about
// eight to a bucket. IDs are keyed hashes, so that nobody can fill one bucket.
type idSet struct {
	shift  uint // what is left of the first 64 bits is the bucket
	starts []int
	ids    []chunk.ID
}

// newIDSet makes the set of what each passes to its argument. It calls each twice, which must pass the same IDs, n at most.
func newIDSet(n int, each func(func(chunk.ID))) *idSet {
	width := max(bits.Len(uint(n))-3, 0)
	s := &idSet{shift: uint(64 - width), starts: make([]int, 1<<width+1)}
	each(func(id chunk.ID) { s.starts[s.bucket(&id)+1]++ })
	for i := range len(s.starts) - 1 {
		s.starts[i+1] += s.starts[i]
	}
	s.ids = make([]chunk.ID, s.starts[len(s.starts)-1])
	next := make([]int, 1<<width)
	copy(next, s.starts)
	each(func(id chunk.ID) {
		b := s.bucket(&id)
		s.ids[next[b]] = id
		next[b]++
	})
	return s
}

func (s *idSet) bucket(id *chunk.ID) uint64 { return binary.BigEndian.Uint64(id[:]) >> s.shift }

func (s *idSet) has(id *chunk.ID) bool {
	b := s.bucket(id)
	for i := s.starts[b]; i < s.starts[b+1]; i++ {
		if s.ids[i] == *id {
			return true
		}
	}
	return false
}
