package adapt_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"savepoint/internal/adapt"
	"savepoint/internal/adapt/linktest"
)

const mib = 1 << 20

// traffic transfers over a line for a while, as many at a time as askers and the limiter want.
type traffic struct {
	l      *adapt.Limiter
	link   *linktest.Link
	askers int
	size   func() int64
	pause  time.Duration // what each asker does between two transfers
}

// run returns the bytes a second, and the mean of the limits at the ends of transfers.
func (tr traffic) run(t *testing.T, d time.Duration) (rate, limit float64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var bytes, limits, n atomic.Int64
	var wg sync.WaitGroup
	for range tr.askers {
		wg.Go(func() {
			for {
				p, err := tr.l.Acquire(ctx)
				if err != nil {
					return
				}
				size := tr.size()
				if ok, err := tr.link.Carry(ctx, size); err != nil || !ok {
					size = 0
				}
				p.Done(size)
				bytes.Add(size)
				limits.Add(int64(tr.l.Limit()))
				n.Add(1)
				p.Release()
				if tr.pause > 0 {
					<-time.After(tr.pause)
				}
			}
		})
	}
	wg.Wait()
	return float64(bytes.Load()) / d.Seconds(), float64(limits.Load()) / float64(max(1, n.Load()))
}

// noisy returns sizes of about n bytes.
func noisy(n int64) func() int64 {
	rng := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	return func() int64 {
		mu.Lock()
		defer mu.Unlock()
		return n/2 + rng.Int64N(n)
	}
}

func always(n int64) func() int64 { return func() int64 { return n } }

func TestThroughput(t *testing.T) {
	for _, tt := range []struct {
		name     string
		line     linktest.Line
		size     func() int64
		low, top int
		gain     float64 // over a limit that stays at low
		limit    [2]float64
	}{
		{"latency", linktest.Line{Latency: 50 * time.Millisecond}, always(4 * mib), 2, 16, 7, [2]float64{14, 16}},
		{"latency, sizes differ", linktest.Line{Latency: 50 * time.Millisecond, Each: 100 * mib}, noisy(4 * mib), 2, 16, 5.5, [2]float64{11, 16}},
		{"each request is slow", linktest.Line{Latency: 80 * time.Millisecond, Each: 12 * mib}, always(32 * mib), 2, 16, 6.5, [2]float64{12, 16}},
		{"four fill the line", linktest.Line{Latency: 20 * time.Millisecond, Each: 25 * mib, All: 100 * mib}, always(32 * mib), 2, 16, 1.8, [2]float64{3.5, 6}},
		{"one fills the line", linktest.Line{Latency: time.Millisecond, All: 100 * mib}, always(32 * mib), 2, 16, 0.99, [2]float64{2, 2.4}},
		{"one fills the line, sizes differ", linktest.Line{Latency: time.Millisecond, All: 100 * mib}, noisy(4 * mib), 2, 16, 0.99, [2]float64{2, 3.5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				measure := func(top int) (float64, float64) {
					l := adapt.New(adapt.Options{Min: tt.low, Max: top})
					return traffic{l, linktest.NewLink(tt.line), 20, tt.size, 0}.run(t, 5*time.Minute)
				}
				fixed, _ := measure(tt.low)
				got, limit := measure(tt.top)
				t.Logf("%.1f MiB/s, fixed at %d: %.1f MiB/s; limit %.1f", got/mib, tt.low, fixed/mib, limit)
				if got < tt.gain*fixed {
					t.Errorf("%.2f times as fast, want %.2f", got/fixed, tt.gain)
				}
				if limit < tt.limit[0] || limit > tt.limit[1] {
					t.Errorf("mean limit %.1f, want %v", limit, tt.limit)
				}
			})
		})
	}
}

// TestNoDemand has fewer transfers than the limit allows, with pauses, and then a rush.
func TestNoDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := adapt.New(adapt.Options{Min: 2, Max: 16})
		tr := traffic{l, linktest.NewLink(linktest.Line{Latency: 50 * time.Millisecond}), 1, always(4 * mib), 3 * time.Second}
		if _, limit := tr.run(t, 10*time.Minute); limit != 2 {
			t.Errorf("mean limit %.1f for one transfer at a time", limit)
		}
		tr.askers, tr.pause = 20, 0
		if _, limit := tr.run(t, 10*time.Second); l.Limit() < 12 || limit < 12 {
			t.Errorf("mean limit %.1f after demand came, at last %d", limit, l.Limit())
		}
		tr.askers, tr.pause = 1, 3*time.Second
		tr.run(t, 10*time.Minute)
		if l.Limit() < 12 {
			t.Errorf("limit %d: idle time is taken for a slow store", l.Limit())
		}
	})
}

// TestHeldUp: transfers wait, with their permits, for somebody who takes what they brought. More of them would not help.
func TestHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := adapt.New(adapt.Options{Min: 2, Max: 16})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for {
					p, err := l.Acquire(ctx)
					if err != nil {
						return
					}
					<-time.After(60 * time.Millisecond)
					p.Done(4 * mib)
					if n := l.Limit(); n != 2 {
						t.Errorf("limit %d", n)
					}
					<-time.After(time.Second)
					p.Release()
				}
			})
		}
		wg.Wait()
	})
}

// TestChange makes the line worse and better under a limiter.
func TestChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := adapt.New(adapt.Options{Min: 2, Max: 16})
		link := linktest.NewLink(linktest.Line{Latency: 100 * time.Millisecond})
		tr := traffic{l, link, 20, always(4 * mib), 0}
		tr.run(t, time.Minute)
		if l.Limit() < 12 {
			t.Errorf("limit %d with latency", l.Limit())
		}
		link.Set(linktest.Line{Latency: 10 * time.Millisecond, All: 50 * mib})
		if tr.run(t, 10*time.Minute); l.Limit() > 3 {
			t.Errorf("limit %d when one fills the line", l.Limit())
		}
		link.Set(linktest.Line{Latency: 100 * time.Millisecond})
		if tr.run(t, 2*time.Minute); l.Limit() < 12 {
			t.Errorf("limit %d with latency again", l.Limit())
		}
	})
}

// TestSlowDown has a server that refuses the eighth request at a time.
func TestSlowDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := linktest.NewLink(linktest.Line{Latency: 50 * time.Millisecond, Refuse: 8})
		l := adapt.New(adapt.Options{Min: 2, Max: 16, SlowDowns: link.Refused})
		rate, limit := traffic{l, link, 20, always(4 * mib), 0}.run(t, 5*time.Minute)
		t.Logf("%d refused, mean limit %.1f, %.0f MiB/s", link.Refused(), limit, rate/mib)
		if limit < 4 || limit > 8 {
			t.Errorf("mean limit %.1f", limit)
		}
		if n := link.Refused(); n == 0 || n > 300 { // of some 28,000
			t.Errorf("%d refused", n)
		}
	})
}

// fill raises the limit of l to n by transfers that pay.
func fill(t *testing.T, l *adapt.Limiter, n int) {
	t.Helper()
	traffic{l, linktest.NewLink(linktest.Line{Latency: time.Second}), n, always(1), 0}.run(t, 20*time.Second)
	if l.Limit() != n {
		t.Fatalf("limit %d, want %d", l.Limit(), n)
	}
}

// TestHalvedOnce: all transfers under way are told to slow down, which halves the limit once.
func TestHalvedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Uint64
		l := adapt.New(adapt.Options{Min: 2, Max: 16, SlowDowns: count.Load})
		fill(t, l, 16)
		for want := 8; want >= 2; want /= 2 {
			var permits []*adapt.Permit
			for range 2 * want {
				p, err := l.Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				permits = append(permits, p)
			}
			<-time.After(time.Second)
			count.Add(3)
			for _, p := range permits {
				p.Done(1)
				p.Release()
			}
			if l.Limit() != want {
				t.Errorf("limit %d, want %d", l.Limit(), want)
			}
		}
	})
}

// TestAcquire: as many as the limit, in the order of the calls, and a call that is cancelled leaves nothing behind.
func TestAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := adapt.New(adapt.Options{Min: 2, Max: 2})
		a, err := l.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b, err := l.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		order := make(chan int, 4)
		for i := range 4 {
			go func() {
				if i == 1 {
					if _, err := l.Acquire(ctx); err != gone {
						t.Errorf("Acquire = %v", err)
					}
					return
				}
				p, err := l.Acquire(t.Context())
				if err != nil {
					t.Error(err)
				}
				order <- i
				p.Release()
			}()
			synctest.Wait()
		}
		cancel(gone)
		a.Done(1)
		a.Done(1)
		synctest.Wait()
		if len(order) != 0 {
			t.Error("a permit that is done is not given back")
		}
		a.Release()
		a.Release()
		for _, want := range []int{0, 2, 3} {
			if got := <-order; got != want {
				t.Errorf("%d had its turn, want %d", got, want)
			}
		}
		b.Release()
		if _, err := l.Acquire(ctx); err != gone {
			t.Errorf("Acquire = %v", err)
		}
		for range 2 {
			if _, err := l.Acquire(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestCancelRaces cancels while permits are handed over: none is lost, none is made.
func TestCancelRaces(t *testing.T) {
	l := adapt.New(adapt.Options{Min: 3, Max: 3})
	var held, most atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 0))
			for range 2000 {
				ctx, cancel := context.WithCancel(t.Context())
				if rng.IntN(2) == 0 {
					go cancel()
				}
				if p, err := l.Acquire(ctx); err == nil {
					most.Store(max(most.Load(), held.Add(1)))
					held.Add(-1)
					p.Release()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d permits of 3", most.Load())
	}
	for range 3 {
		if _, err := l.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Acquire(ctx); err == nil {
		t.Error("a fourth permit")
	}
}
