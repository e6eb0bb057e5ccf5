package retry

import (
	"log/slog"
	"sync"
	"time"
)

const (
	warnEvery = 30 * time.Second // the least time between two warnings
	forgotten = 5 * time.Minute  // without a failure in this time an outage is over, whether or not a call saw its end
)

// outage tells the user that calls wait for the storage, and when they go on.
type outage struct {
	logger *slog.Logger

	mu       sync.Mutex
	open     bool
	told     bool // of this outage there was a warning
	since    time.Time
	latest   time.Time // failure
	failures int
	warned   time.Time
}

// failed notes an attempt that is worth repeating.
func (o *outage) failed(now time.Time, c *call, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.open || now.Sub(o.latest) > forgotten {
		o.open, o.told, o.since, o.failures = true, false, now, 0
	}
	o.latest = now
	o.failures++
	if !o.warned.IsZero() && now.Sub(o.warned) < warnEvery {
		return
	}
	o.warned, o.told = now, true
	o.logger.Warn("the storage fails, the request is repeated", "op", c.op, "name", c.name, "attempt", c.attempts, "err", cause(err))
}

// ended notes that a call which had failed got its answer.
func (o *outage) ended(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open && o.told {
		o.logger.Info("the storage answers again", "after", now.Sub(o.since).Round(time.Millisecond), "failures", o.failures)
	}
	o.open = false
}
