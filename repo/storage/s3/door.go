package s3

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
)

const (
	firstRest = 10 * time.Second
	maxRest   = time.Minute
)

// door is an endpoint.
type door struct {
	host string
	core *minio.Core
}

// doors are the endpoints of one cluster, used in turn. One that fails without an
// answer rests, for twice as long each time, and the others are used meanwhile.
type doors struct {
	all []*door
	now func() time.Time
	log *slog.Logger

	mu     sync.Mutex
	next   int
	health map[*door]*health // of those that have failed and not been well since
}

type health struct {
	rest  time.Duration
	until time.Time
}

func newDoors(all []*door, log *slog.Logger) *doors {
	return &doors{all: all, now: time.Now, log: log, health: make(map[*door]*health)}
}

// pick returns the next door that is well and was not tried, or the one whose rest
// ends first when there is none.
func (ds *doors) pick(tried []*door) *door {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	now := ds.now()
	for i := range ds.all {
		d := ds.all[(ds.next+i)%len(ds.all)]
		if !slices.Contains(tried, d) && !now.Before(ds.until(d)) {
			ds.next = (ds.next + i + 1) % len(ds.all)
			return d
		}
	}
	return slices.MinFunc(ds.all, func(a, b *door) int { return ds.until(a).Compare(ds.until(b)) })
}

// wellBeside reports whether a door that was not tried is well.
func (ds *doors) wellBeside(tried []*door) bool {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	now := ds.now()
	return slices.ContainsFunc(ds.all, func(d *door) bool { return !slices.Contains(tried, d) && !now.Before(ds.until(d)) })
}

// until returns when a door has rested; the zero time for one that is well.
func (ds *doors) until(d *door) time.Time {
	if h := ds.health[d]; h != nil {
		return h.until
	}
	return time.Time{}
}

// answered notes that a door is well.
func (ds *doors) answered(d *door) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	delete(ds.health, d)
}

// silent notes that a door failed. Calls that failed together count once.
func (ds *doors) silent(d *door, err error) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	now := ds.now()
	h := ds.health[d]
	switch {
	case h == nil:
		h = &health{rest: firstRest}
		ds.health[d] = h
	case now.Before(h.until):
		return
	default:
		h.rest = min(2*h.rest, maxRest)
	}
	h.until = now.Add(h.rest)
	if len(ds.all) > 1 {
		ds.log.Warn("endpoint rests", "endpoint", d.host, "for", h.rest, "err", err)
	}
}
