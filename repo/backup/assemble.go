package backup

import (
	"context"
	"errors"
	"math"
	"time"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// assembler builds the pages of directories from the batches as they come, in order.
type assembler struct {
	*run
	caller   context.Context // ends before the context of the pipeline
	ordered  <-chan token
	stream   *repo.Stream       // of pages
	builders []*tree.DirBuilder // one for each depth, used again
	open     []*tree.Entry      // directories that have begun
	roots    []tree.Root
	path     string // of the root that is being assembled

	alarm     *time.Timer // of the next checkpoint
	head      *batch      // that must be done before the next token is taken, or nil
	end       bool        // there is no other token
	published uint64      // entries in the last checkpoint that no base has
}

// assemble returns the roots once everything is in them. It publishes what there is when it is time, and when caller ends.
func (b *run) assemble(ctx, caller context.Context, ordered <-chan token) ([]tree.Root, error) {
	every := b.o.Checkpoint
	if every < 0 {
		every = math.MaxInt64
	}
	a := &assembler{run: b, caller: caller, ordered: ordered, stream: b.s.NewStream(repo.Meta), alarm: time.NewTimer(every)}
	defer a.alarm.Stop()
	for !a.end {
		if err := a.step(ctx); err != nil {
			return nil, err
		}
	}
	if caller.Err() != nil {
		return nil, a.breakOff(ctx)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return a.roots, a.stream.Flush(ctx)
}

// step waits for what comes next, whatever that is, and does it.
func (a *assembler) step(ctx context.Context) error {
	ordered, done := a.next()
	select {
	case t, ok := <-ordered:
		return a.take(ctx, t, ok)
	case <-done:
		return a.takeHead(ctx)
	case <-a.alarm.C:
		return a.checkpoint(ctx)
	case <-a.caller.Done():
		return a.breakOff(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// next returns the channel on which what is next in order comes: that of the tokens, or that of the batch that must be done first.
func (a *assembler) next() (ordered <-chan token, done <-chan struct{}) {
	if a.head != nil {
		return nil, a.head.done
	}
	return a.ordered, nil
}

// catchUp takes what is there already. Workers are parked, so that does not go on for long, but for directories without files.
func (a *assembler) catchUp(ctx context.Context) error {
	for range 2 * maxAhead {
		var err error
		ordered, done := a.next()
		select {
		case t, ok := <-ordered:
			err = a.take(ctx, t, ok)
		case <-done:
			err = a.takeHead(ctx)
		default:
			return nil
		}
		if err != nil || a.end {
			return err
		}
	}
	return nil
}

// take takes the token t; without one the source ends.
func (a *assembler) take(ctx context.Context, t token, ok bool) error {
	if !ok {
		a.end = true
		return nil
	}
	if t.root != "" {
		a.path = t.root
	}
	if t.open != nil {
		a.open = append(a.open, t.open)
		if len(a.builders) < len(a.open) {
			a.builders = append(a.builders, tree.NewDirBuilder(a.stream, a.r.Cutter()))
		}
	}
	if t.batch != nil {
		a.head = t.batch
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
	a.stats.tally.entry(dir)
	return a.add(ctx, dir)
}

// takeHead takes the batch that was waited for.
func (a *assembler) takeHead(ctx context.Context) error {
	b := a.head
	a.head = nil
	for i := range b.items {
		a.stats.tally.item(&b.items[i])
		if e := b.items[i].entry; e != nil {
			if err := a.add(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// add puts a finished entry where it belongs: into the directory that is open, or among the roots.
func (a *assembler) add(ctx context.Context, e *tree.Entry) error {
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
