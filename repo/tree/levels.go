package tree

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"savepoint/chunk"
)

// Sink stores tree chunks.
type Sink interface {
	// PutTree stores an encoded page or node and returns its ID. It keeps
	// nothing of data after it returns.
	PutTree(ctx context.Context, data []byte) (chunk.ID, error)
}

// levels cuts a list into nodes, these into nodes again, and so on, as the
// elements come in.
type levels struct {
	sink   Sink
	cutter *Cutter
	kind   Type
	level  [MaxDepth + 1]level // 0: what the caller adds; i: nodes with i-1 levels of nodes below
	out    []byte              // an encoded node
	name   []byte
}

// level is a list that grows. Until it is longer than an entry may hold, nobody
// knows whether it is cut at all.
type level struct {
	pending []Element
	cutting bool
}

// add appends el to the list of a level.
func (l *levels) add(ctx context.Context, depth int, el Element) error {
	if depth > MaxDepth {
		return fmt.Errorf("list needs more than %d levels of nodes", MaxDepth)
	}
	lv := &l.level[depth]
	lv.pending = append(lv.pending, el)
	if !lv.cutting && len(lv.pending) <= MaxContent {
		return nil
	}
	// What has been cut before cannot be cut differently now, except when
	// this is where cutting begins.
	from := len(lv.pending) - 1
	if !lv.cutting {
		lv.cutting, from = true, 0
	}
	start := 0
	for i := from; i < len(lv.pending); i++ {
		if n := i + 1 - start; n < maxNode && (n < minNode || !l.ends(&lv.pending[i])) {
			continue
		}
		if err := l.put(ctx, depth, lv.pending[start:i+1]); err != nil {
			return err
		}
		start = i + 1
	}
	lv.pending = slices.Delete(lv.pending, 0, start)
	return nil
}

// ends reports whether a node may end after el.
func (l *levels) ends(el *Element) bool {
	switch {
	case el.Hole:
		return false
	case l.kind == Directory:
		l.name = append(l.name[:0], el.First...)
	default:
		l.name = append(l.name[:0], el.ID[:]...)
	}
	return l.cutter.Ends(l.name)
}

// put stores els, of the list of a level, as a node, which becomes an element
// of the level above.
func (l *levels) put(ctx context.Context, depth int, els []Element) error {
	n := Node{Kind: l.kind, Elements: els}
	sum, err := checkList(els, l.kind)
	if err != nil {
		return fmt.Errorf("cut list into nodes: %w", err)
	}
	l.out = appendNode(l.out[:0], &n)
	id, err := l.sink.PutTree(ctx, l.out)
	if err != nil {
		return fmt.Errorf("store node: %w", err)
	}
	return l.add(ctx, depth+1, Element{ID: id, Length: sum.length, Count: sum.count, First: els[0].First})
}

// finish returns the list that is left for the entry and starts over.
func (l *levels) finish(ctx context.Context) ([]Element, error) {
	for depth := range l.level {
		lv := &l.level[depth]
		if !lv.cutting {
			els := slices.Clone(lv.pending)
			l.reset()
			return els, nil
		}
		if len(lv.pending) == 0 {
			continue
		}
		if err := l.put(ctx, depth, lv.pending); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("list is cut at every level")
}

func (l *levels) reset() {
	for i := range l.level {
		lv := &l.level[i]
		clear(lv.pending) // for the names that they hold
		lv.pending, lv.cutting = lv.pending[:0], false
	}
}
