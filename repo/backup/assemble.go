package backup

import (
	"context"
	"errors"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// assembler builds the pages of directories from the batches as they come, in order.
type assembler struct {
	*run
	builders []*tree.DirBuilder // one for each depth, used again
	open     []*tree.Entry      // directories that have begun
	roots    []tree.Root
	path     string // of the root that is being assembled
	sink     tree.Sink
}

func (b *run) assemble(ctx context.Context, ordered <-chan token) ([]tree.Root, error) {
	stream := b.s.NewStream(repo.Meta)
	a := &assembler{run: b, sink: stream}
	for t := range ordered {
		if err := a.take(ctx, t); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return a.roots, stream.Flush(ctx)
}

func (a *assembler) take(ctx context.Context, t token) error {
	if t.root != "" {
		a.path = t.root
	}
	if t.open != nil {
		a.open = append(a.open, t.open)
		if len(a.builders) < len(a.open) {
			a.builders = append(a.builders, tree.NewDirBuilder(a.sink, a.r.Cutter()))
		}
	}
	if t.batch != nil {
		select {
		case <-t.batch.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for i := range t.batch.items {
			if e := t.batch.items[i].entry; e != nil {
				if err := a.add(ctx, e); err != nil {
					return err
				}
			}
		}
	}
	if !t.close {
		return nil
	}
	depth := len(a.open) - 1
	dir := a.open[depth]
	var err error
	if dir.Content, err = a.builders[depth].Finish(ctx); err != nil {
		return err
	}
	a.open = a.open[:depth]
	return a.add(ctx, dir)
}

// add puts a finished entry where it belongs: into the directory that is open, or among the roots.
func (a *assembler) add(ctx context.Context, e *tree.Entry) error {
	a.stats.entry(e)
	if len(a.open) > 0 {
		return a.builders[len(a.open)-1].Add(ctx, e)
	}
	if a.path == "" {
		return errors.New("entry outside of every root")
	}
	e.Name = ""
	a.roots = append(a.roots, tree.Root{Path: a.path, Entry: *e})
	return nil
}
