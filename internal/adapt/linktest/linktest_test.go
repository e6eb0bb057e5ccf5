package linktest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"savepoint/internal/adapt/linktest"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/storage/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(testing.TB) storage.Store {
		return linktest.New(mem.New(nil), linktest.Line{Latency: time.Microsecond, Each: 1 << 30, All: 1 << 30})
	})
}

func TestLine(t *testing.T) {
	for _, tt := range []struct {
		name     string
		line     linktest.Line
		requests int
		want     time.Duration
	}{
		{"latency", linktest.Line{Latency: 50 * time.Millisecond}, 8, 50 * time.Millisecond},
		{"each", linktest.Line{Latency: 50 * time.Millisecond, Each: 8 << 20}, 8, 550 * time.Millisecond},
		{"all", linktest.Line{Each: 8 << 20, All: 8 << 20}, 8, 4 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := linktest.NewLink(tt.line)
				began := time.Now()
				for range tt.requests {
					go func() {
						if ok, err := l.Carry(t.Context(), 4<<20); !ok || err != nil {
							t.Errorf("%t, %v", ok, err)
						}
						if d := time.Since(began); d > tt.want {
							t.Errorf("took %v, want %v at most", d, tt.want)
						}
					}()
				}
				synctest.Wait()
				if n := l.Most(); n != tt.requests {
					t.Errorf("%d at a time", n)
				}
				<-time.After(tt.want - time.Millisecond)
				if l.Most() == 0 {
					t.Errorf("all done before %v", tt.want)
				}
				<-time.After(time.Second)
			})
		})
	}
}
