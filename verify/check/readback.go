package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"savepoint/internal/adapt"
	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/storage"
	"savepoint/verify"
)

const (
	fewReads     = 2 // requests on their way at least
	failuresLeft = 8 // packs in a row that the store does not give, after which it is not asked for more
)

// readOptions of readBack.
type readOptions struct {
	Amount Amount
	Events Events
	// Now tells the storage time: that at which the run's lease began, and what has passed since by the host's clock. It is called by
	// many goroutines.
	Now func() time.Time
	// Fetches is how many packs may be on their way at a time, if that is faster than fewer, and Checkers how many are checked at a
	// time; 0: as many as the repository has buffers for packs, and one for each core.
	Fetches, Checkers int
	// Unread are packs that the store does not give: they are counted as not read, and not asked for.
	Unread map[pack.ID]bool
	// Covers says which packs may be read; nil: all.
	Covers func(pack.Kind, pack.ID) bool
	// Budget ends the reading; one of time counts from Began.
	Budget Budget
	Began  time.Time
}

func (o readOptions) withDefaults(r *repo.Repo) readOptions {
	o.Fetches = cmp.Or(o.Fetches, r.Options().PackBuffers)
	o.Checkers = cmp.Or(o.Checkers, min(runtime.GOMAXPROCS(0), o.Fetches))
	return o
}

// buffers is how many packs are in memory at a time: those on their way, and some that are checked; while all checkers are busy, fewer are
// on their way, as more would only wait.
func (o readOptions) buffers() int { return max(o.Fetches+max(1, o.Checkers/2), o.Checkers+1) }

// readResult is what reading packs back found. Lists of packs are in no order.
type readResult struct {
	verify.ReadBack
	Whole    []record.ReadBack // for the report, in the order in which they were found whole
	Damaged  []packFault       // errors are *repo.CorruptError, which wrap storage.ErrNotExist when the pack is gone
	Unsteady []packFault       // whole, but errors are *repo.UnsteadyError
	Failed   []packFault       // nothing is known of them: the store did not give them, or they need a newer program
	Gone     []pack.ID         // deleted by a prune in the meantime
	part     standing          // of the packs that are covered; ReadBack says the same of all
	// Unsettled says that packs in Damaged which are missing may be deleted by a prune: what it deletes could not be read.
	Unsettled bool
}

// packFault is a pack and what is wrong with it.
type packFault struct {
	repo.IndexedPack
	Err error
}

// readBack reads packs as far as the amount goes, in the order of the ledger, and checks everything about them. Packs are each one that
// a segment in force names and that was listed with the right size; those that are marked damaged should not be among them, since they would
// come first every time.
//
// An error says that so many packs in a row could not be read that the store counts as failed, or that the context ended: what was found until
// then is in the result all the same, and belongs into the report. Damage is no error, nor are single packs that could not be read. With the
// amount 0 it only counts what the ledger says.
//
// Memory: (Fetches + half as many as Checkers) × the longest pack, which is 32 MiB ordinarily and 64 MiB at most, and for each checker two
// times the largest block, 512 KiB ordinarily and 9 MiB at most.
func readBack(ctx context.Context, r *repo.Repo, packs []repo.IndexedPack, l ledger, o readOptions) (readResult, error) {
	o = o.withDefaults(r)
	covered := packs
	if o.Covers != nil {
		covered = slices.DeleteFunc(slices.Clone(packs), func(p repo.IndexedPack) bool { return !o.Covers(p.Kind, p.ID) })
	}
	asked := covered
	if len(o.Unread) > 0 {
		asked = slices.DeleteFunc(slices.Clone(covered), func(p repo.IndexedPack) bool { return o.Unread[p.ID] })
	}
	rb := &reader{r: r, o: o, chosen: l.choose(asked, o.Amount)}
	defer rb.buffers.unmap()
	began := o.Now()
	rb.res.Wanted = o.Amount.String()
	if o.Events.Phase != nil && len(rb.chosen) > 0 {
		o.Events.Phase("data", sizeOf(rb.chosen[:o.Budget.packs(rb.chosen)]))
	}
	err := rb.run(ctx)
	rb.settleGone(ctx)
	rb.res.Seconds = max(0, o.Now().Sub(began).Seconds())
	rb.res.count(packs, covered, l)
	rb.res.Budget = rb.spent(l)
	return rb.res, err
}

// reader reads packs back.
type reader struct {
	r       *repo.Repo
	o       readOptions
	chosen  []repo.IndexedPack
	buffers readBuffers
	room    chan struct{} // for as many packs as may be in memory
	reads   *adapt.Limiter

	mu     sync.Mutex
	res    readResult
	failed int  // packs in a row
	most   int  // of the chosen packs that a budget of bytes has room for
	begun  int  // how many of them were begun
	usedUp bool // the budget ended it
}

// readPack is a pack that was read, but for its check.
type readPack struct {
	*repo.IndexedPack
	at  time.Time // before it was
	buf []byte
	err error // damage, as it seems
}

// run reads all packs. Those who fetch and those who check meet at a channel that holds nothing: a pack that was fetched and not taken keeps
// its permit.
func (rb *reader) run(ctx context.Context) error {
	rb.most = rb.o.Budget.packs(rb.chosen)
	rb.room = make(chan struct{}, rb.o.buffers())
	rb.reads = adapt.New(adapt.Options{Min: min(fewReads, rb.o.Fetches), Max: rb.o.Fetches, SlowDowns: rb.r.Options().SlowDowns})
	g, ctx := errgroup.WithContext(ctx)
	got := make(chan readPack)
	g.Go(func() error {
		defer close(got)
		return rb.fetchAll(ctx, got)
	})
	checkers := min(rb.o.Checkers, len(rb.chosen))
	u := rb.r.Options().Usage
	u.Join(checkers)
	defer u.Leave(checkers)
	for range checkers {
		g.Go(func() error {
			for {
				u.Idle()
				p, ok := <-got
				u.Busy()
				if !ok {
					return nil
				}
				err := rb.check(ctx, p)
				rb.buffers.put(p.buf)
				<-rb.room
				if err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// fetchAll fetches the packs, in their order, as many at a time as the limiter allows.
func (rb *reader) fetchAll(ctx context.Context, got chan<- readPack) error {
	g, ctx := errgroup.WithContext(ctx)
	for range min(rb.o.Fetches, len(rb.chosen)) {
		g.Go(func() error {
			for {
				permit, err := rb.reads.Acquire(ctx)
				if err != nil {
					return err
				}
				p := rb.begin()
				if p != nil {
					err = rb.fetch(ctx, p, permit, got)
				}
				permit.Release()
				if err != nil || p == nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// fetch fetches a pack and hands it on.
func (rb *reader) fetch(ctx context.Context, p *repo.IndexedPack, permit *adapt.Permit, got chan<- readPack) error {
	select {
	case rb.room <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	buf, err := rb.buffers.get()
	if err != nil {
		return err
	}
	f := readPack{IndexedPack: p, at: rb.o.Now(), buf: buf}
	f.buf, f.err = rb.r.FetchPack(ctx, p, buf)
	switch {
	case f.err == nil:
		permit.Done(int64(len(f.buf)))
	case ctx.Err() != nil:
		return context.Cause(ctx)
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

// check checks a pack and notes what came of it. An error ends the run.
func (rb *reader) check(ctx context.Context, f readPack) error {
	chunks, err := rb.r.CheckPack(ctx, f.IndexedPack, f.buf, f.err)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx) // no fault of the pack
	}
	failed := rb.note(f, chunks, err)
	if rb.o.Events.Step != nil {
		rb.o.Events.Step(uint64(f.Size))
	}
	return failed
}

func (rb *reader) note(f readPack, chunks int, err error) error {
	rb.mu.Lock()
	defer rb.mu.Unlock()
	fault := packFault{*f.IndexedPack, err}
	var unsteady *repo.UnsteadyError
	switch {
	case err == nil:
	case errors.As(err, &unsteady):
		rb.res.Unsteady = append(rb.res.Unsteady, fault)
	case errors.Is(err, repo.ErrCorrupt):
		rb.res.Damaged = append(rb.res.Damaged, fault)
		rb.failed = 0
		return nil
	default:
		rb.res.Failed = append(rb.res.Failed, fault)
		if rb.failed++; rb.failed >= failuresLeft {
			return fmt.Errorf("read packs back, of which %d in a row could not be read: %w", rb.failed, err)
		}
		return nil
	}
	rb.failed = 0
	rb.res.Packs++
	rb.res.Bytes += uint64(f.Size)
	rb.res.Chunks += uint64(chunks)
	rb.res.Whole = append(rb.res.Whole, record.ReadBack{PackRef: record.PackRef{Kind: f.Kind, ID: f.ID}, Time: f.at.UnixNano()})
	return nil
}

// settleWithin is how long finding out what prunes delete may take after the run was broken off.
const settleWithin = 10 * time.Second

// settleGone takes those packs out of the damaged ones that a prune has deleted: a record names them, and had to be listed before they
// could go.
func (rb *reader) settleGone(ctx context.Context) {
	missing := func(f packFault) bool { return errors.Is(f.Err, storage.ErrNotExist) }
	if !slices.ContainsFunc(rb.res.Damaged, missing) {
		return
	}
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), settleWithin)
		defer cancel()
	}
	condemned, err := rb.r.CondemnedPacks(ctx)
	rb.res.Unsettled = err != nil
	rb.res.Damaged = slices.DeleteFunc(rb.res.Damaged, func(f packFault) bool {
		gone := missing(f) && condemned[f.ID]
		if gone {
			rb.res.Gone = append(rb.res.Gone, f.ID)
		}
		return gone
	})
}
