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
	r    *Repo
	id   record.ID
	body record.Lease

	mu      sync.Mutex
	next    int
	began   time.Time // storage time of 0
	renewed time.Time // storage time of the newest object
	lapsed  bool
}

// newLease creates leases/<id>/0 under a new ID.
func (r *Repo) newLease(ctx context.Context, role record.Role, dataset string, replaces *record.ID) (*lease, error) {
	l := &lease{r: r, id: newID(), body: record.Lease{Role: role, Host: r.o.Host, Dataset: dataset,
		Process: uint64(os.Getpid()), Version: r.o.Version}}
	if replaces != nil {
		l.body.Replaces = replaces[:]
	}
	info, err := l.put(ctx, "0")
	if err != nil {
		return nil, err
	}
	l.next, l.began, l.renewed = 1, info.Time, info.Time
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

// renew puts the next object. Names are not used twice, also not after an error.
func (l *lease) renew(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.next
	l.next++
	info, err := l.put(ctx, strconv.Itoa(n))
	if err != nil {
		return err
	}
	gap := info.Time.Sub(l.renewed)
	if gap > TTL || gap < 0 || info.Time.Sub(l.began) > MaxSession {
		l.lapsed = true
	}
	l.renewed = info.Time
	return nil
}

// session returns the names and times that segments and manifests carry, and whether the lease has lapsed.
func (l *lease) session() (s record.Session, lapsed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return record.Session{Lease: l.id, Began: l.began.UnixNano(), Renewed: l.renewed.UnixNano()}, l.lapsed
}

// end puts the last object. It runs also when ctx is cancelled, for a while.
func (l *lease) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.put(ctx, "end"); err != nil {
		return fmt.Errorf("end the lease: %w", err)
	}
	return nil
}

// keep renews the lease until ctx ends. A failed renewal is tried again soon: only the storage times decide whether the
// session lapsed.
func (l *lease) keep(ctx context.Context) {
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
		if err := l.renew(ctx); err != nil && ctx.Err() == nil {
			l.r.o.Logger.Warn("lease could not be renewed; trying again in a minute", "err", err)
			wait = time.Minute
		}
	}
}

// late reports whether an object that a session stored at the given time counts for nothing: it came after its lease's
// time, or before it.
func late(s record.Session, stored time.Time) bool {
	renewed, began := time.Unix(0, s.Renewed), time.Unix(0, s.Began)
	return stored.Sub(renewed) > TTL || stored.Sub(began) > MaxSession || stored.Before(renewed)
}
