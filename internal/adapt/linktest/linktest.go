// Package linktest has a line between a store and its users that is as slow as a test wants: latency, bandwidth of one request
// and of all together, and a server that asks for fewer requests. It waits by timers, so that in a bubble of testing/synctest a
// slow line takes no time.
package linktest

import (
	"context"
	"sync"
	"time"
)

// piece is how many bytes pass at a time.
const piece = 1 << 20

// Line says how slow a line is. Zero values do not slow it.
type Line struct {
	Latency time.Duration // of each request, before its first byte
	Each    float64       // bytes a second of one request
	All     float64       // bytes a second of all requests together
	Refuse  int           // from so many requests at a time on the server asks for fewer
}

// Link is a line in use. It is safe for concurrent use.
type Link struct {
	mu      sync.Mutex
	line    Line
	free    time.Time // when the line can take another piece
	now     int
	most    int
	refused uint64
}

// NewLink returns a line in use.
func NewLink(l Line) *Link { return &Link{line: l} }

// Set makes it another line for the requests to come.
func (l *Link) Set(line Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line = line
}

// Most returns the largest number of requests that were on their way at a time since the last call.
func (l *Link) Most() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.most
	l.most = l.now
	return n
}

// Refused returns how many requests were refused so far.
func (l *Link) Refused() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused
}

// Carry takes as long as a request of n bytes does. It reports false, after the latency, for one that is refused. The error is
// the context's.
func (l *Link) Carry(ctx context.Context, n int64) (bool, error) {
	l.mu.Lock()
	line := l.line
	l.now++
	l.most = max(l.most, l.now)
	refused := line.Refuse > 0 && l.now >= line.Refuse
	if refused {
		l.refused++
	}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.now--
		l.mu.Unlock()
	}()
	if err := pass(ctx, line.Latency); err != nil || refused {
		return false, err
	}
	for ; n > 0; n -= piece {
		if err := pass(ctx, l.take(line, min(n, piece))); err != nil {
			return false, err
		}
	}
	return true, nil
}

// take returns how long n bytes take that get on the line now.
func (l *Link) take(line Line, n int64) time.Duration {
	var d time.Duration
	if line.Each > 0 {
		d = time.Duration(float64(n) / line.Each * float64(time.Second))
	}
	if line.All > 0 {
		l.mu.Lock()
		defer l.mu.Unlock()
		now := time.Now()
		if l.free.Before(now) {
			l.free = now
		}
		l.free = l.free.Add(time.Duration(float64(n) / line.All * float64(time.Second)))
		d = max(d, l.free.Sub(now))
	}
	return d
}

func pass(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
