package restore

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"savepoint/internal/adapt"
	"savepoint/internal/usage"
	"savepoint/repo"
	"savepoint/repo/pack"
)

// transfer fetches chunks and has them written.
type transfer struct {
	r *repo.Repo
	p *plan
	w *writer
	o Options

	fetches *adapt.Limiter
	crew    *usage.Crew // those who write
	puts    atomic.Uint64
	memory  ranges

	mu     sync.Mutex
	failed []uint32 // chunks that could not be read where they were looked for
	causes map[uint32]error
}

// do fetches all chunks, those that cannot be read in one place from another. Files that lack one are damaged. An error is the target's,
// the store's or the context's.
func (t *transfer) do(ctx context.Context, runs []run) error {
	t.causes = map[uint32]error{}
	t.fetches = adapt.New(adapt.Options{Min: min(fewFetches, t.o.Fetches), Max: t.o.Fetches, SlowDowns: t.r.Options().SlowDowns})
	for len(runs) > 0 {
		if err := t.pass(ctx, runs); err != nil {
			return err
		}
		again, lost := t.elsewhere(t.failed)
		if len(lost) > 0 {
			more, err := t.p.relocate(ctx, t.r)
			if err != nil {
				return err
			}
			if more {
				var found []uint32
				found, lost = t.elsewhere(lost)
				again = append(again, found...)
			}
		}
		for _, i := range lost {
			t.p.damageAll(t.p.wants.at(i), t.causes[i], nil)
		}
		t.failed = nil
		runs = t.p.schedule(again)
	}
	return nil
}

// elsewhere moves chunks to their next places, and returns those that have one and those that do not.
func (t *transfer) elsewhere(chunks []uint32) (again, lost []uint32) {
	for _, i := range chunks {
		if t.p.another(t.p.wants.at(i)) {
			again = append(again, i)
		} else {
			lost = append(lost, i)
		}
	}
	return again, lost
}

// pass brings the runs. Those who fetch and those who write meet at a channel without room: what was fetched and not taken
// keeps its permit, so that no more is fetched ahead than the limit allows.
func (t *transfer) pass(ctx context.Context, runs []run) error {
	g, ctx := errgroup.WithContext(ctx)
	got := make(chan fetched)
	g.Go(func() error {
		defer close(got)
		return t.fetchAll(ctx, runs, got)
	})
	workers := min(t.o.Workers, len(runs))
	u := t.r.Options().Usage
	u.Join(workers)
	defer u.Leave(workers)
	t.crew = u.Writers(workers)
	defer t.crew.End()
	for range workers {
		g.Go(func() error {
			var f repo.Fetch
			for {
				r, ok := t.take(got)
				if !ok {
					return nil
				}
				err := t.write(ctx, &f, r)
				t.memory.put(r.sealed, t.fetches.Limit()+t.o.Workers)
				if err != nil {
					return err
				}
				if t.o.Events.Progress != nil {
					t.o.Events.Progress(t.w.rec.progress())
				}
			}
		})
	}
	return g.Wait()
}

// take waits for what was fetched. A writer that ends stays idle.
func (t *transfer) take(got <-chan fetched) (fetched, bool) {
	u := t.r.Options().Usage
	u.Idle()
	t.crew.Idle()
	f, ok := <-got
	u.Busy()
	if ok {
		t.crew.Busy()
	}
	return f, ok
}

// fetchAll fetches the runs, in their order, as many at a time as the limiter allows.
func (t *transfer) fetchAll(ctx context.Context, runs []run, got chan<- fetched) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(t.o.Fetches, len(runs)) {
		g.Go(func() error {
			for {
				permit, err := t.fetches.Acquire(ctx)
				if err != nil {
					return err
				}
				i := next.Add(1) - 1
				if i < int64(len(runs)) {
					err = t.fetchOne(ctx, runs[i], permit, got)
				}
				permit.Release()
				if err != nil || i >= int64(len(runs)) {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// fetchOne fetches a run and hands it on.
func (t *transfer) fetchOne(ctx context.Context, r run, permit *adapt.Permit, got chan<- fetched) error {
	n := int64(t.p.bytes(r))
	f := t.fetch(ctx, r, t.memory.get(int(n)))
	switch {
	case f.err == nil:
		permit.Done(n)
	case !errors.Is(f.err, repo.ErrCorrupt):
		return f.err
	default:
		permit.Done(0)
	}
	select {
	case got <- f:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fetched is a run with its blocks as they are stored, or why they cannot be had.
type fetched struct {
	run
	sealed []byte
	err    error
}

// fetch reads a run into the memory of dst.
func (t *transfer) fetch(ctx context.Context, r run, dst []byte) fetched {
	t.w.rec.requests.Add(1)
	t.w.rec.fetched.Add(t.p.bytes(r))
	sealed, err := t.r.FetchBlocks(ctx, t.p.packs[r.pack].Packed, int(r.first), int(r.last), dst[:0])
	return fetched{r, sealed, err}
}

// write opens the blocks of a run and writes its chunks. When a block cannot be read it reads those behind it again, one by one,
// and without a permit: those who fetch may be waiting for it.
func (t *transfer) write(ctx context.Context, f *repo.Fetch, r fetched) error {
	at := r.from // the next chunk in p.order
	err := r.err
	if err == nil {
		var j joined
		err = t.r.OpenBlocks(t.p.packs[r.pack].Packed, int(r.first), int(r.last), r.sealed, f, func(block int, b *repo.Opened) error {
			for ; at < r.to && t.p.wants.at(t.p.order[at]).block == uint32(block); at++ {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := t.chunk(t.p.order[at], b, &j); err != nil {
					return err
				}
			}
			return t.flush(&j)
		})
	}
	if err == nil || !errors.Is(err, repo.ErrCorrupt) {
		return err
	}
	if r.first == r.last {
		for ; at < r.to; at++ {
			t.fail(t.p.order[at], err)
		}
		return nil
	}
	for at < r.to {
		block := t.p.wants.at(t.p.order[at]).block
		one := run{pack: r.pack, first: block, last: block, from: at}
		for at < r.to && t.p.wants.at(t.p.order[at]).block == block {
			at++
		}
		one.to = at
		if err := t.write(ctx, f, t.fetch(ctx, one, r.sealed)); err != nil {
			return err
		}
	}
	return nil
}

// joined is a stretch of a block that lies in one file as it lies in the block: chunks that one write puts there. Databases
// are cut at pages of a few KiB, and a write for each is what their restore would take longest for.
type joined struct {
	pl     place // of the first; 0 chunks: none
	chunks int32
	data   []byte
}

// takes reports whether a chunk that belongs in one place goes on where the stretch ends, there and in the block, and adds it.
func (j *joined) takes(pl *place, data []byte) bool {
	n := len(j.data)
	if j.chunks == 0 || pl.node != j.pl.node || pl.off != j.pl.off+uint64(n) || cap(j.data) < n+len(data) {
		return false
	}
	if &j.data[:n+1][n] != &data[0] {
		return false
	}
	j.data = j.data[:n+len(data)]
	j.chunks++
	return true
}

// flush writes the stretch.
func (t *transfer) flush(j *joined) error {
	if j.chunks == 0 {
		return nil
	}
	pl, chunks, data := j.pl, j.chunks, j.data
	*j = joined{}
	return t.put(&pl, data, chunks)
}

// What is timed of writing: all that is long, and one in so many of the others, for all of them.
const (
	longPut  = 256 << 10
	putEvery = 7
)

// put writes what some chunks hold together, and counts how long the target takes for it.
func (t *transfer) put(pl *place, data []byte, chunks int32) error {
	stands := time.Duration(1)
	if len(data) < longPut {
		if stands = putEvery; t.puts.Add(1)%putEvery != 0 {
			return t.w.put(pl, data, chunks)
		}
	}
	began := t.crew.Clock()
	err := t.w.put(pl, data, chunks)
	t.crew.Spent(stands * (t.crew.Clock() - began))
	return err
}

// chunk checks a chunk and writes it wherever it belongs, or leaves it to j until the next one.
func (t *transfer) chunk(i uint32, b *repo.Opened, j *joined) error {
	w := t.p.wants.at(i)
	data, err := b.Chunk(pack.Entry{Chunk: w.id, Block: w.block, Offset: w.offset, Length: w.length})
	if errors.Is(err, repo.ErrCorrupt) {
		t.fail(i, err)
		return nil
	}
	if err != nil {
		return err
	}
	first := t.p.places.at(w.places - 1)
	if first.next == 0 && j.takes(first, data) {
		return nil
	}
	if err := t.flush(j); err != nil {
		return err
	}
	if first.next == 0 {
		*j = joined{*first, 1, data}
		return nil
	}
	for k := w.places; k != 0; {
		pl := t.p.places.at(k - 1)
		if err := t.put(pl, data, 1); err != nil {
			return err
		}
		k = pl.next
	}
	return nil
}

// fail notes that a chunk could not be read; the first reason counts.
func (t *transfer) fail(i uint32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = append(t.failed, i)
	if t.causes[i] == nil {
		t.causes[i] = err
	}
}
