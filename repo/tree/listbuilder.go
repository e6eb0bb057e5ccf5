package tree

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// ListBuilder makes the nodes of a file from its chunks and holes. What it
// stores depends on these alone. One goroutine may use it at a time, for one
// file after another; after an error it is of no more use.
type ListBuilder struct {
	lists levels
	hole  uint64 // bytes of a hole that may go on
	size  uint64
	err   error
}

// NewListBuilder returns a builder that stores nodes in sink.
func NewListBuilder(sink Sink, cutter *Cutter) *ListBuilder {
	return &ListBuilder{lists: levels{sink: sink, cutter: cutter, kind: File}}
}

// Add appends el, a chunk or a hole. Holes that touch become one.
func (b *ListBuilder) Add(ctx context.Context, el Element) error {
	if b.err == nil {
		b.err = b.add(ctx, el)
	}
	return b.err
}

func (b *ListBuilder) add(ctx context.Context, el Element) error {
	if el.isNode() {
		return errors.New("add to list: a node")
	}
	if err := el.check(File); err != nil {
		return fmt.Errorf("add to list: %w", err)
	}
	if el.Length > math.MaxInt64-b.size {
		return errors.New("add to list: file is over 2^63-1 bytes")
	}
	b.size += el.Length
	if el.Hole {
		b.hole += el.Length
		return nil
	}
	if err := b.endHole(ctx); err != nil {
		return err
	}
	return b.lists.add(ctx, 0, el)
}

func (b *ListBuilder) endHole(ctx context.Context) error {
	if b.hole == 0 {
		return nil
	}
	hole := Element{Length: b.hole, Hole: true}
	b.hole = 0
	return b.lists.add(ctx, 0, hole)
}

// Finish stores what is left and returns the file's content: nil if it is
// empty. The builder is then ready for the next file.
func (b *ListBuilder) Finish(ctx context.Context) ([]Element, error) {
	if b.err == nil {
		b.err = b.endHole(ctx)
	}
	if b.err != nil {
		return nil, b.err
	}
	b.size = 0
	var els []Element
	els, b.err = b.lists.finish(ctx)
	return els, b.err
}
