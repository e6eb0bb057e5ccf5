package backup

import (
	"context"
	"slices"
	"time"

	"savepoint/repo/tree"
)

// CheckpointEvery is how often a backup publishes what it has finished, unless its options say otherwise.
const CheckpointEvery = 30 * time.Minute

// lastWords is how long a cancelled backup may take to publish what it has finished. The session itself ends half a minute after the
// cancellation, and still has to end its lease.
const lastWords = 20 * time.Second

// outlast returns the context of the pipeline: it ends with ctx, but only after the time that it takes to publish what is finished.
func (b *run) outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	if b.o.Checkpoint < 0 {
		return context.WithCancel(ctx)
	}
	out, kill := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(lastWords)
		defer t.Stop()
		select {
		case <-t.C:
			kill(context.Cause(ctx))
		case <-out.Done():
		}
	})
	return out, func() { stop(); kill(nil) }
}

// breakOff publishes what is finished after the caller's context has ended, and returns why it has.
func (a *assembler) breakOff(ctx context.Context) error {
	if a.o.Checkpoint >= 0 && ctx.Err() == nil {
		if err := a.checkpoint(ctx); err != nil {
			a.r.Options().Logger.Warn("what was finished before the backup was cancelled could not be published; the next run reads it again", "err", err)
		}
	}
	return context.Cause(a.caller)
}

// checkpoint publishes what is finished as an interrupted snapshot, unless the last one holds as much. Workers wait meanwhile; files that they
// are in the middle of are not in it, but their chunks so far are stored with it, and found by the next run.
func (a *assembler) checkpoint(ctx context.Context) error {
	p := a.gate.close()
	defer a.gate.open(p)
	select {
	case <-p.still:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := a.catchUp(ctx); err != nil {
		return err
	}
	defer a.alarm.Reset(a.o.Checkpoint)
	sum := a.stats.tally
	head := a.finished()
	for i := range head {
		sum.item(&head[i])
	}
	if sum.fresh == a.published {
		return nil
	}
	sum.dirs += uint64(len(a.open))
	roots, err := a.rootsSoFar(ctx, head)
	if err != nil {
		return err
	}
	if err := a.stream.Flush(ctx); err != nil {
		return err
	}
	if err := a.s.Settle(ctx); err != nil {
		return err
	}
	m := a.manifest(roots, a.stats.stats(sum, a.s.Totals()))
	m.Completeness = tree.Interrupted
	m.Stats.Nanoseconds = uint64(a.elapsed(a.started))
	snap, err := a.s.Commit(ctx, m)
	if err != nil {
		return err
	}
	a.published = sum.fresh
	if a.o.Events.Checkpoint != nil {
		a.o.Events.Checkpoint(snap)
	}
	return nil
}

// finished returns those items of the batch that is waited for that its worker, which is parked, has finished.
func (a *assembler) finished() []item {
	if a.head == nil || len(a.open) == 0 {
		return nil
	}
	return a.head.items[:a.head.finished]
}

// rootsSoFar builds the roots as if the source ended here: the open directories end with head. The builders do not notice.
func (a *assembler) rootsSoFar(ctx context.Context, head []item) ([]tree.Root, error) {
	roots := slices.Clone(a.roots)
	var below *tree.Entry
	for depth := len(a.open) - 1; depth >= 0; depth-- {
		b := a.builders[depth].Clone()
		if below != nil {
			if err := b.Add(ctx, below); err != nil {
				return nil, err
			}
		} else {
			for i := range head {
				if head[i].entry == nil {
					continue
				}
				if err := b.Add(ctx, head[i].entry); err != nil {
					return nil, err
				}
			}
		}
		dir := *a.open[depth]
		var err error
		if dir.Content, err = b.Finish(ctx); err != nil {
			return nil, err
		}
		below = &dir
	}
	if below != nil {
		below.Name = ""
		roots = append(roots, tree.Root{Path: a.path, Entry: *below})
	}
	return roots, nil
}
