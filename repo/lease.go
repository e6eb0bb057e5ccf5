package repo

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// lease is a session's sign of life: objects leases/<id>/<n> whose storage times prune compares with its own.
type lease struct {
	r       *Repo
	id      record.ID
	body    record.Lease
	stop    context.CancelFunc // ends the goroutine that renews it; nil when none does
	keeping sync.WaitGroup

	renewing sync.Mutex // one renewal at a time
	next     int

	mu      sync.Mutex
	began   time.Time // storage time of 0
	renewed time.Time // storage time of the newest object
	lapsed  bool
}

// newLease creates leases/<id>/0 under a new ID.
func (r *Repo) newLease(ctx context.Context, role record.Role, dataset string, replaces *record.ID) (*lease, error) {
	l := &lease{r: r, id: newID(), next: 1, body: record.Lease{Role: role, Host: r.o.Host, Dataset: dataset,
		Process: uint64(os.Getpid()), Version: r.o.Version}}
	if replaces != nil {
		l.body.Replaces = replaces[:]
	}
	info, err := l.put(ctx, "0")
	if err != nil {
		return nil, err
	}
	l.began, l.renewed = info.Time, info.Time
	return l, nil
}

func (l *lease) put(ctx context.Context, n string) (storage.Info, error) {
	b := l.body
	b.HostClock = l.r.o.Now().UnixNano()
	payload, err := b.Encode()
	if err != nil {
		return storage.Info{}, err
	}
	info, _, err := l.r.putSealed(ctx, seal.Lease, "leases/"+idHex(l.id)+"/"+n, payload)
	return info, err
}

// renew puts the next object. It returns what an object carries that is published because of this renewal, and no later
// one, and whether the session may publish: false once it has lapsed, which no renewal heals. Names are not used twice, also not
// after an error.
func (l *lease) renew(ctx context.Context) (record.Session, bool, error) {
	l.renewing.Lock()
	defer l.renewing.Unlock()
	n := l.next
	l.next++
	info, err := l.put(ctx, strconv.Itoa(n))
	if err != nil {
		return record.Session{}, false, err
	}
	l.mu.Lock()
	gap := info.Time.Sub(l.renewed)
	if gap > TTL || gap < 0 || info.Time.Sub(l.began) > MaxSession {
		l.lapsed = true
	}
	l.renewed = info.Time
	l.mu.Unlock()
	s, ok := l.session()
	return s, ok, nil
}

// session returns the names and times that segments and manifests carry, and whether the session may publish.
func (l *lease) session() (s record.Session, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return record.Session{Lease: l.id, Began: l.began.UnixNano(), Renewed: l.renewed.UnixNano()}, !l.lapsed
}

// giveUp makes the session publish nothing more under this lease.
func (l *lease) giveUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lapsed = true
}

// start renews the lease in the background until halt or the end of ctx. A failed renewal is tried again soon: only the storage
// times decide whether the session lapsed.
func (l *lease) start(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	l.keeping.Go(func() {
		wait := RenewEvery
		for {
			t := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				t.Stop()
				return
			case <-t.C:
			}
			wait = RenewEvery
			if _, _, err := l.renew(ctx); err != nil && ctx.Err() == nil {
				l.r.o.Logger.Warn("lease could not be renewed; trying again in a minute", "err", err)
				wait = time.Minute
			}
		}
	})
}

// halt ends what start began and waits for it.
func (l *lease) halt() {
	if l.stop != nil {
		l.stop()
		l.keeping.Wait()
	}
}

// end stops the renewals and puts the last object. It gives up after a while.
func (l *lease) end(ctx context.Context) error {
	l.halt()
	ctx, cancel := context.WithTimeout(ctx, closeWithin)
	defer cancel()
	if _, err := l.put(ctx, "end"); err != nil {
		return fmt.Errorf("end the lease: %w", err)
	}
	return nil
}

// outlive returns a context that ends a while after ctx is cancelled, so that a cancelled session can leave the store tidy,
// but cannot hang.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	out, kill := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(closeWithin)
		defer t.Stop()
		select {
		case <-t.C:
			kill()
		case <-out.Done():
		}
	})
	return out, func() { stop(); kill() }
}

// late reports whether an object that a session stored at the given time counts for nothing: it came after its lease's
// time, or before it.
func late(s record.Session, stored time.Time) bool {
	renewed, began := time.Unix(0, s.Renewed), time.Unix(0, s.Began)
	return stored.Sub(renewed) > TTL || stored.Sub(began) > MaxSession || stored.Before(renewed)
}
