package adapt

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// minWindow is how long a window lasts at least: shorter ones measure the scheduler.
const minWindow = 100 * time.Millisecond

// Options of a Limiter.
type Options struct {
	// Min and Max bound the limit, which begins at Min. Min is 1 at least, and Max as much as Min; equal ones never change.
	Min, Max int
	// SlowDowns counts the answers by which the store asked for fewer requests, which whoever repeats the calls hides from
	// the caller. It is called twice for each transfer, by many goroutines. Nil: there are none.
	SlowDowns func() uint64
	// Now is the clock that transfers are measured by; nil is time.Now.
	Now func() time.Time
}

// Limiter lets as many transfers run at a time as pays. It is safe for concurrent use.
type Limiter struct {
	now       func() time.Time
	slowDowns func() uint64

	mu      sync.Mutex
	climb   climber
	held    int       // permits that are out
	waiting list.List // of chan *Permit, in the order of their calls
	window  uint64    // number of this window
	halved  uint64    // the first window after the limit was halved
	m       measure
}

// measure is what is known of the window so far.
type measure struct {
	began, last time.Time
	moving      int           // transfers on their way; outlives the window
	area        float64       // their number × seconds, summed up
	done        int           // transfers that began and ended in it
	bytes       int64         // of these
	spent       time.Duration // on these
}

// New returns a limiter.
func New(o Options) *Limiter {
	low := max(1, o.Min)
	l := &Limiter{now: o.Now, slowDowns: o.SlowDowns, climb: newClimber(low, max(low, o.Max))}
	if l.now == nil {
		l.now = time.Now
	}
	if l.slowDowns == nil {
		l.slowDowns = func() uint64 { return 0 }
	}
	l.m.began = l.now()
	l.m.last = l.m.began
	return l
}

// Limit returns how many permits there are now.
func (l *Limiter) Limit() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.climb.limit
}

// Permit is leave for one transfer. Its methods are for one goroutine at a time.
type Permit struct {
	l        *Limiter
	window   uint64
	began    time.Time
	slow     uint64 // SlowDowns when it began
	done     bool
	released bool
}

// Acquire waits for a permit, which the caller must release; those who came first get theirs first. The error is the context's
// cause. The transfer begins when it returns.
func (l *Limiter) Acquire(ctx context.Context) (*Permit, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	slow := l.slowDowns()
	l.mu.Lock()
	if l.held < l.climb.limit && l.waiting.Len() == 0 {
		p := l.begin()
		l.mu.Unlock()
		p.slow = slow
		return p, nil
	}
	granted := make(chan *Permit, 1)
	el := l.waiting.PushBack(granted)
	l.mu.Unlock()
	select {
	case p := <-granted:
		p.slow = l.slowDowns()
		return p, nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	l.waiting.Remove(el) // unless it is off the list
	l.mu.Unlock()
	select {
	case p := <-granted:
		p.slow = l.slowDowns()
		p.Release()
	default:
	}
	return nil, context.Cause(ctx)
}

// begin hands a permit out. The caller holds the lock.
func (l *Limiter) begin() *Permit {
	now := l.now()
	if l.window == 0 && l.m.moving == 0 && l.m.area == 0 { // the first
		l.m.began, l.m.last = now, now
	}
	l.m.tick(now)
	l.m.moving++
	l.held++
	return &Permit{l: l, window: l.window, began: now}
}

// Done says that the transfer is over, and how many bytes it brought; 0 for one that failed, which is not measured. The permit is
// kept: what holds up the caller from now on is not the store. Only the first call counts.
func (p *Permit) Done(bytes int64) {
	l := p.l
	slow := l.slowDowns() != p.slow
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.done {
		return
	}
	p.done = true
	now := l.now()
	l.m.tick(now)
	l.m.moving--
	switch {
	case slow:
		if p.window >= l.halved {
			l.climb = l.climb.slow()
			l.open(now)
			l.halved = l.window
		}
	case bytes > 0 && p.window == l.window:
		l.m.done++
		l.m.bytes += bytes
		l.m.spent += now.Sub(p.began)
		if l.m.done >= l.climb.limit && now.Sub(l.m.began) >= minWindow {
			if w, ok := l.m.window(); ok {
				l.climb = l.climb.next(w)
			}
			l.open(now)
			l.grant()
		}
	}
}

// Release gives the permit back. It calls Done(0), which a call before makes nothing of. Only the first call counts.
func (p *Permit) Release() {
	p.Done(0)
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	if p.released {
		return
	}
	p.released = true
	p.l.held--
	p.l.grant()
}

// open begins the next window. The caller holds the lock.
func (l *Limiter) open(now time.Time) {
	l.window++
	l.m = measure{began: now, last: now, moving: l.m.moving}
}

// grant gives those who wait the permits there are. The caller holds the lock.
func (l *Limiter) grant() {
	for l.held < l.climb.limit && l.waiting.Len() > 0 {
		l.waiting.Remove(l.waiting.Front()).(chan *Permit) <- l.begin() // has room for one
	}
}

// tick accounts for the time since the last call.
func (m *measure) tick(now time.Time) {
	m.area += float64(m.moving) * max(0, now.Sub(m.last).Seconds())
	m.last = now
}

// window returns what was measured until now, at least minWindow after it began; false when transfers took no time.
func (m *measure) window() (window, bool) {
	if m.area <= 0 || m.spent <= 0 {
		return window{}, false
	}
	level := m.area / m.last.Sub(m.began).Seconds()
	return window{rate: level * float64(m.bytes) / m.spent.Seconds(), level: level}, true
}
