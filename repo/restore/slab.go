package restore

const (
	slabBits = 12
	slabLen  = 1 << slabBits

	arenaBits  = 18
	arenaBlock = 1 << arenaBits
)

// slab is a list that grows without copying. Elements keep their addresses.
type slab[T any] struct {
	blocks [][]T
	n      uint32
}

// add appends a zero element.
func (s *slab[T]) add() (uint32, *T) {
	i := s.n
	if i&(slabLen-1) == 0 {
		s.blocks = append(s.blocks, make([]T, slabLen))
	}
	s.n++
	return i, s.at(i)
}

func (s *slab[T]) at(i uint32) *T { return &s.blocks[i>>slabBits][i&(slabLen-1)] }

// nameRef is where a name lies in an arena, and in the low byte its length.
type nameRef uint64

// arena holds names of at most 255 bytes; none straddles two blocks.
type arena struct{ blocks [][]byte }

func (a *arena) add(name string) nameRef {
	last := len(a.blocks) - 1
	if last < 0 || len(a.blocks[last])+len(name) > arenaBlock {
		a.blocks = append(a.blocks, make([]byte, 0, arenaBlock))
		last++
	}
	off := uint64(last)<<arenaBits | uint64(len(a.blocks[last]))
	a.blocks[last] = append(a.blocks[last], name...)
	return nameRef(off<<8 | uint64(len(name)))
}

func (a *arena) get(r nameRef) string {
	off := uint64(r) >> 8
	return string(a.blocks[off>>arenaBits][off&(arenaBlock-1):][:r&0xff])
}
