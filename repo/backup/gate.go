package backup

import (
	"context"
	"sync"
	"sync/atomic"
)

// gate is where workers wait, with their streams flushed, while a snapshot of what is finished is published. The assembler alone shuts
// and opens it; a worker looks at it between chunks, between entries and while it waits for a batch.
type gate struct {
	pause atomic.Pointer[pause] // that is, or comes next

	mu      sync.Mutex
	shut    bool
	working int // workers that have not ended
	parked  int // of them
}

// pause is one time that the gate is shut. No worker misses one: it ends only after all have parked.
type pause struct {
	begun chan struct{} // closed when workers have to park
	still chan struct{} // closed when all have: nothing is put, no entry changes
	over  chan struct{} // closed when they may go on
}

func newGate(workers int) *gate {
	g := &gate{working: workers}
	g.pause.Store(newPause())
	return g
}

func newPause() *pause {
	return &pause{begun: make(chan struct{}), still: make(chan struct{}), over: make(chan struct{})}
}

// close begins a pause.
func (g *gate) close() *pause {
	p := g.pause.Load()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	close(p.begun)
	g.count(p)
	return p
}

// open ends the pause.
func (g *gate) open(p *pause) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut, g.parked = false, 0
	g.pause.Store(newPause())
	close(p.over)
}

// park waits until the pause is over. The worker's streams are flushed.
func (g *gate) park(ctx context.Context, p *pause) error {
	g.mu.Lock()
	g.parked++
	g.count(p)
	g.mu.Unlock()
	select {
	case <-p.over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leave is called by a worker that ends with nothing left to put. One that fails does not: nothing may be published then.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.working--
	g.count(g.pause.Load())
}

// count closes still once nobody works. g.mu is held. While all are parked none can leave, so it does so once a pause.
func (g *gate) count(p *pause) {
	if g.shut && g.parked == g.working {
		close(p.still)
	}
}
