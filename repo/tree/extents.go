package tree

import (
	"context"
	"errors"
	"iter"
)

// Extent is a chunk or a hole at its place in a file.
type Extent struct {
	Element
	Offset uint64 // of its first byte
}

// Elements returns the chunks and holes of a file with this content, in order,
// from the one on that holds the byte at off. It reads no node that holds none
// of these, and what it reads must fit together: else the error wraps
// [ErrCorrupt]. It ends at the first error.
//
// There are no more elements than the content says in its counts, and no more
// bytes than its lengths; but these may be huge in what an attacker with the
// keys made.
func Elements(ctx context.Context, src Source, content []Element, off uint64) iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		w := fileWalk{f: fetcher{ctx, src}, off: off, yield: yield}
		if _, err := checkList(content, File); err != nil {
			yield(Extent{}, corrupt("read file", err))
			return
		}
		w.list(content, 0, 0)
	}
}

type fileWalk struct {
	f     fetcher
	off   uint64
	hole  bool // the element before was yielded and is one
	yield func(Extent, error) bool
}

var errHoles = errors.New("a hole touches a hole in another node")

// list walks elements that lie in depth nodes and begin at pos. It returns
// false when the walk is over.
func (w *fileWalk) list(els []Element, pos uint64, depth int) bool {
	for i := range els {
		el := &els[i]
		start := pos
		pos += el.Length // lists have been added up without wrapping around
		switch {
		case pos <= w.off:
		case el.isNode():
			below, err := w.f.node(el, File, depth)
			if err != nil {
				return w.fail(err)
			}
			if !w.list(below, start, depth+1) {
				return false
			}
		case el.Hole && w.hole:
			return w.fail(corrupt("read file", errHoles))
		default:
			w.hole = el.Hole
			if !w.yield(Extent{*el, start}, nil) {
				return false
			}
		}
	}
	return true
}

func (w *fileWalk) fail(err error) bool {
	w.yield(Extent{}, err)
	return false
}
