package tree

import (
	"context"
	"errors"
	"fmt"

	"savepoint/chunk"
)

// Source reads tree chunks.
type Source interface {
	// TreeChunk returns the bytes of a page or node, which have been found
	// authentic. They are valid until the next call on the same goroutine.
	TreeChunk(ctx context.Context, id chunk.ID) ([]byte, error)
}

var errTooDeep = errors.New("nodes are nested too deeply")

// fetcher reads the parts of one tree and checks them against the elements
// that name them.
type fetcher struct {
	ctx context.Context
	src Source
}

func (f *fetcher) chunk(id chunk.ID) ([]byte, error) {
	if err := f.ctx.Err(); err != nil {
		return nil, err
	}
	b, err := f.src.TreeChunk(f.ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read tree chunk %s: %w", id, err)
	}
	return b, nil
}

// node returns the elements of the node el, which lies in depth nodes.
func (f *fetcher) node(el *Element, kind Type, depth int) ([]Element, error) {
	if depth >= MaxDepth {
		return nil, corrupt("read node "+el.ID.String(), errTooDeep)
	}
	b, err := f.chunk(el.ID)
	if err != nil {
		return nil, err
	}
	n, err := decodeNode(b)
	if err == nil {
		err = n.matches(el, kind)
	}
	if err != nil {
		return nil, corrupt("read node "+el.ID.String(), err)
	}
	return n.Elements, nil
}

// matches checks that n is what el says.
func (n *Node) matches(el *Element, kind Type) error {
	sum, err := checkList(n.Elements, n.Kind)
	switch {
	case err != nil:
		return err
	case n.Kind != kind:
		return fmt.Errorf("is of kind %d, want %d", n.Kind, kind)
	case sum != total{el.Length, el.Count}:
		return fmt.Errorf("has %d in %d elements, want %d in %d", sum.length, sum.count, el.Length, el.Count)
	case n.Elements[0].First != el.First:
		return fmt.Errorf("begins with %q, want %q", n.Elements[0].First, el.First)
	}
	return nil
}

// page reads the page el into p. Its names must lie before limit, unless that
// is empty.
func (f *fetcher) page(el *Element, limit string, p *Page) error {
	b, err := f.chunk(el.ID)
	if err != nil {
		return err
	}
	if err = p.decode(b); err == nil {
		err = p.matches(el, limit)
	}
	if err != nil {
		return corrupt("read page "+el.ID.String(), err)
	}
	return nil
}

// matches checks that p is what el says.
func (p *Page) matches(el *Element, limit string) error {
	n := len(p.Entries)
	switch {
	case uint64(n) != el.Length:
		return fmt.Errorf("has %d entries, want %d", n, el.Length)
	case p.Entries[0].Name != el.First:
		return fmt.Errorf("begins with %q, want %q", p.Entries[0].Name, el.First)
	case limit != "" && p.Entries[n-1].Name >= limit:
		return fmt.Errorf("has %q, which belongs to a later page, from %q on", p.Entries[n-1].Name, limit)
	}
	return nil
}
