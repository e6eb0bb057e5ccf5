package retry

import (
	"sync"
	"time"
)

// gate holds all requests back while the storage asks for fewer.
type gate struct {
	first, max time.Duration
	rand       func() float64

	mu    sync.Mutex
	delay time.Duration // of the last shutting, less what went well since; 0 is calm
	until time.Time     // nothing begins before
	turn  uint64        // how often it was shut
}

// wait returns how long the gate stays shut, and how much longer this request should wait so that not all of
// them begin at once. If it is open, turn is the request's mark for shut and calm.
func (g *gate) wait(now time.Time) (shut, spread time.Duration, turn uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !now.Before(g.until) {
		return 0, 0, g.turn
	}
	return g.until.Sub(now), time.Duration(g.rand() * float64(g.delay)), g.turn
}

// shut is called for a request of that turn whose answer is ErrSlowDown.
func (g *gate) shut(turn uint64, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if turn != g.turn {
		return // it began before the gate was shut last, and tells nothing new
	}
	g.delay = min(max(2*g.delay, g.first), g.max)
	g.until = now.Add(g.delay)
	g.turn++
}

// calm is called for a request of that turn that went well.
func (g *gate) calm(turn uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if turn != g.turn {
		return
	}
	if g.delay /= 2; g.delay < g.first/2 {
		g.delay = 0
	}
}
