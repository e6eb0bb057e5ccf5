package tree

import (
	"errors"
	"fmt"
	"math"

	"savepoint/chunk"
	"savepoint/internal/wire"
)

// total is what a list amounts to.
type total struct {
	length uint64 // bytes or entries
	count  uint64 // chunks and holes, or pages, at every depth
}

// isNode reports whether el is a node, of a file or of a directory.
func (el *Element) isNode() bool { return el.Count != 0 }

// checkList checks the elements of one list of a File or Directory by
// themselves and as neighbours, and adds them up.
func checkList(els []Element, kind Type) (total, error) {
	var sum total
	for i := range els {
		el := &els[i]
		if err := el.check(kind); err != nil {
			return total{}, fmt.Errorf("element %d: %w", i, err)
		}
		if i > 0 {
			if err := checkNeighbours(&els[i-1], el, kind); err != nil {
				return total{}, fmt.Errorf("element %d: %w", i, err)
			}
		}
		if el.Length > math.MaxInt64-sum.length {
			return total{}, errors.New("list is longer than 2^63-1")
		}
		sum.length += el.Length
		sum.count += max(el.Count, 1) // at most the length, so it cannot wrap around
	}
	return sum, nil
}

func (el *Element) check(kind Type) error {
	switch {
	case el.Length == 0:
		return errors.New("empty")
	case el.Hole && (kind != File || el.Count != 0 || !el.ID.IsZero()):
		return errors.New("hole with fields of a chunk")
	case !el.Hole && el.ID.IsZero():
		return errors.New("zero ID")
	case el.Count > el.Length:
		return errors.New("node of more elements than they can hold")
	case kind == File && el.First != "":
		return errors.New("first name in a file")
	case kind == File && !el.Hole && !el.isNode() && el.Length > maxDataChunk:
		return fmt.Errorf("chunk of %d bytes is over %d", el.Length, maxDataChunk)
	case kind == Directory && !validName(el.First):
		return errors.New("first name is not one of a file")
	}
	return nil
}

func checkNeighbours(a, b *Element, kind Type) error {
	switch {
	case a.Hole && b.Hole:
		return errors.New("a hole touches a hole")
	case a.isNode() != b.isNode():
		return errors.New("a node beside what is none")
	case kind == Directory && a.First >= b.First:
		return fmt.Errorf("first name %q does not follow %q", b.First, a.First)
	}
	return nil
}

func appendElements(dst []byte, els []Element, kind Type) []byte {
	dst = wire.AppendArray(dst, len(els))
	for i := range els {
		el := &els[i]
		n := 2
		switch {
		case el.Hole:
			n = 1
		case el.isNode():
			n = 3
		}
		if kind == Directory {
			n++
		}
		dst = wire.AppendArray(dst, n)
		if !el.Hole {
			dst = wire.AppendBytes(dst, el.ID[:])
		}
		dst = wire.AppendUint(dst, el.Length)
		if el.isNode() {
			dst = wire.AppendUint(dst, el.Count)
		}
		if kind == Directory {
			dst = wire.AppendBytes(dst, el.First)
		}
	}
	return dst
}

// readElements reads a list of at least one element and at most limit. It
// leaves to checkList what does not follow from the encoding.
func readElements(r *wire.Reader, kind Type, limit int) []Element {
	n := r.Array()
	if n == 0 || n > limit {
		r.Malformed("list has no elements, or too many")
		return nil
	}
	els := make([]Element, n)
	for i := range els {
		readElement(r, &els[i], kind)
		if r.Err() != nil {
			return nil
		}
	}
	return els
}

func readElement(r *wire.Reader, el *Element, kind Type) {
	n := r.Array()
	if kind == Directory {
		n--
	}
	switch {
	case n == 1 && kind == File:
		el.Hole = true
	case n == 2 || n == 3:
		el.ID = readID(r)
	default:
		r.Malformed("element has a wrong number of parts")
		return
	}
	el.Length = r.Uint()
	if n == 3 {
		if el.Count = r.Uint(); el.Count == 0 {
			r.Malformed("node without elements")
		}
	}
	if kind == Directory {
		el.First = string(r.Bytes())
	}
}

func readID(r *wire.Reader) (id chunk.ID) {
	b := r.Bytes()
	if len(b) != len(id) {
		r.Malformed("ID does not have 32 bytes")
		return id
	}
	copy(id[:], b)
	return id
}
