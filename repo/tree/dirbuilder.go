package tree

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// DirBuilder makes the pages and nodes of a directory from its entries. What
// it stores depends on the entries alone. One goroutine may use it at a time,
// for one directory after another; after an error it is of no more use.
type DirBuilder struct {
	cutter *Cutter
	lists  levels
	page   pageWriter
	entry  []byte
	first  string // name in the page
	last   []byte // name added
	any    bool   // whether there is a last name
	err    error
}

// NewDirBuilder returns a builder that stores pages and nodes in sink.
func NewDirBuilder(sink Sink, cutter *Cutter) *DirBuilder {
	return &DirBuilder{cutter: cutter, lists: levels{sink: sink, cutter: cutter, kind: Directory}}
}

// Add appends e, whose name must follow the one before in the order of bytes.
// It keeps nothing of e and may store pages and nodes.
func (b *DirBuilder) Add(ctx context.Context, e *Entry) error {
	if b.err == nil {
		b.err = b.add(ctx, e)
	}
	return b.err
}

func (b *DirBuilder) add(ctx context.Context, e *Entry) error {
	if err := e.Validate(); err != nil {
		return err
	}
	if b.any && string(b.last) >= e.Name {
		return fmt.Errorf("entry %q does not follow %q", e.Name, b.last)
	}
	if e.Name == "" {
		return errors.New("entry without a name")
	}
	b.entry = AppendEntry(b.entry[:0], e)
	if len(b.entry) > MaxEntry {
		return fmt.Errorf("entry %q: %d bytes encoded, more than %d", e.Name, len(b.entry), MaxEntry)
	}
	if b.page.count > 0 && len(b.page.body)+len(b.entry) > maxPage {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	if b.page.count == 0 {
		b.first = strings.Clone(e.Name)
	}
	b.page.body = append(b.page.body, b.entry...)
	b.page.count++
	b.page.own(e)
	b.last, b.any = append(b.last[:0], e.Name...), true
	if len(b.page.body) >= minPage && b.cutter.Ends(b.last) {
		return b.flush(ctx)
	}
	return nil
}

func (b *DirBuilder) flush(ctx context.Context) error {
	data := b.page.bytes()
	if len(data) > MaxChunk {
		return fmt.Errorf("page of %q: over 2 MiB with the names of users and groups", b.first)
	}
	id, err := b.lists.sink.PutTree(ctx, data)
	if err != nil {
		return fmt.Errorf("store page of %q: %w", b.first, err)
	}
	el := Element{ID: id, Length: uint64(b.page.count), First: b.first}
	b.page.reset()
	return b.lists.add(ctx, 0, el)
}

// Finish stores what is left and returns the directory's content: nil if it is
// empty. The builder is then ready for the next directory.
func (b *DirBuilder) Finish(ctx context.Context) ([]Element, error) {
	if b.err == nil && b.page.count > 0 {
		b.err = b.flush(ctx)
	}
	if b.err != nil {
		return nil, b.err
	}
	b.any = false
	var els []Element
	els, b.err = b.lists.finish(ctx)
	return els, b.err
}
