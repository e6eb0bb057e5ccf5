package backup

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestGate lets workers park, wait for work and end, in every order.
func TestGate(t *testing.T) {
	still := func(p *pause) bool {
		synctest.Wait()
		select {
		case <-p.still:
			return true
		default:
			return false
		}
	}
	synctest.Test(t, func(t *testing.T) {
		g := newGate(3)
		for round := range 2 {
			p := g.close()
			var passed atomic.Int64
			park := func() {
				if err := g.park(t.Context(), p); err != nil {
					t.Error(err)
				}
				passed.Add(1)
			}
			go park()
			if still(p) {
				t.Fatal("one of three is enough")
			}
			if round == 0 {
				go park()
			} else {
				g.leave()
			}
			if still(p) {
				t.Fatal("two of three are enough")
			}
			go park()
			if !still(p) || passed.Load() > 0 {
				t.Fatalf("all are parked: %t, passed %d", still(p), passed.Load())
			}
			g.open(p)
			synctest.Wait()
			if want := int64(3 - round); passed.Load() != want {
				t.Fatalf("%d passed, want %d", passed.Load(), want)
			}
		}
		g.leave()
		g.leave()
		if p := g.close(); !still(p) {
			t.Error("nobody is left to wait for")
		}

		g = newGate(2)
		p := g.close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.park(ctx, p); err != context.Canceled || still(p) {
			t.Errorf("cancelled: error %v, still %t", err, still(p))
		}
	})
}
