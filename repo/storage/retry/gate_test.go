package retry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/repo/storage/retry"
)

// slowDown is a rule for an answer that shuts the gate.
func slowDown(op fault.Op, count int) fault.Rule {
	return fault.Rule{Op: op, Count: count, Err: storage.ErrSlowDown, Temporary: true}
}

// TestSlowDownHoldsAll has one call answered with ErrSlowDown, and looks when another, of another kind, begins.
func TestSlowDownHoldsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New(nil)
		began := time.Now()
		f := fault.New(m, slowDown(fault.Put, 1))
		s := retry.New(f, retry.Options{First: time.Second, Rand: func() float64 { return 0 }})
		done := make(chan time.Duration)
		go func() {
			if err := put(t.Context(), s, "a", "x"); err != nil {
				t.Error(err)
			}
			done <- time.Since(began)
		}()
		synctest.Wait()
		if _, err := s.Stat(t.Context(), "none"); !errors.Is(err, storage.ErrNotExist) {
			t.Fatal(err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("Stat ends after %v, and the gate opens after 1s", took)
		}
		if took := <-done; took != time.Second {
			t.Errorf("Put takes %v, want 1s", took)
		}
	})
}

// TestSlowDownOnce shuts the gate once for requests that were on their way together.
func TestSlowDownOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 16
		gate := fault.NewGate()
		f := fault.New(mem.New(nil), fault.Rule{Count: calls, Do: fault.Freeze, Gate: gate}, slowDown(fault.Put, calls))
		s := retry.New(f, retry.Options{First: time.Second, Rand: longest})
		began := time.Now()
		var wg sync.WaitGroup
		for i := range calls {
			wg.Go(func() {
				if err := put(t.Context(), s, fmt.Sprint(i), "x"); err != nil {
					t.Error(err)
				}
			})
		}
		for range calls {
			<-gate.Reached
		}
		close(gate.Release)
		wg.Wait()
		// One second, and as long again to spread.
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("all are there after %v", took)
		}
	})
}

// TestSlowDownShrinks looks at the wait after successes.
func TestSlowDownShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fault.New(mem.New(nil))
		s := retry.New(f, retry.Options{First: time.Second, Max: 16 * time.Second, Rand: func() float64 { return 0 }})
		wait := func(failures int) time.Duration {
			f.Arm(slowDown(fault.Put, failures))
			began := time.Now()
			if err := put(t.Context(), s, "o", "x"); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		if took := wait(6); took != (1+2+4+8+16+16)*time.Second {
			t.Errorf("six failures take %v", took)
		}
		if took := wait(1); took != 16*time.Second {
			t.Errorf("the next failure takes %v, want the longest wait", took)
		}
		f.Arm()
		for range 40 {
			if _, err := s.Get(t.Context(), "o", 0, -1, nil); err != nil {
				t.Fatal(err)
			}
		}
		if took := wait(1); took != time.Second {
			t.Errorf("a failure after many successes takes %v", took)
		}
	})
}

// TestSlowDownEarlierSuccess has requests succeed that began before the gate was shut: they say nothing of now.
func TestSlowDownEarlierSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 40
		held := fault.NewGate()
		f := fault.New(mem.New(nil), fault.Rule{Op: fault.List, Count: calls, Do: fault.Freeze, Gate: held}, slowDown(fault.Put, 2))
		s := retry.New(f, retry.Options{First: time.Second, Rand: func() float64 { return 0 }})
		var wg sync.WaitGroup
		for range calls {
			wg.Go(func() {
				if _, err := list(t.Context(), s, "", ""); err != nil {
					t.Error(err)
				}
			})
			<-held.Reached
		}
		began := time.Now()
		wg.Go(func() {
			if err := put(t.Context(), s, "o", "x"); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		close(held.Release)
		wg.Wait()
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("two failures take %v, want 1s and 2s", took)
		}
	})
}

// TestSlowDownNowAndThen has every third request answered with ErrSlowDown, whatever the pace: the waits must not grow.
func TestSlowDownNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const puts = 200
		var rules []fault.Rule
		for i := range puts {
			rules = append(rules, fault.Rule{At: 3 * i, Err: storage.ErrSlowDown, Temporary: true})
		}
		s := retry.New(fault.New(mem.New(nil), rules...), retry.Options{First: time.Second, Rand: longest})
		began := time.Now()
		for i := range puts {
			if err := put(t.Context(), s, fmt.Sprint(i), "x"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > puts*2*time.Second {
			t.Errorf("%d requests take %v, want two seconds for each third", puts, took)
		}
	})
}

// TestSlowDownDelete waits as long as the part of the answer wants that asks for most.
func TestSlowDownDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fault.New(mem.New(nil), fault.Rule{Prefix: "a", Temporary: true}, fault.Rule{Prefix: "b", Err: storage.ErrSlowDown, Temporary: true})
		s := retry.New(f, retry.Options{First: 10 * time.Second, Rand: func() float64 { return 0 }})
		began := time.Now()
		if err := s.Delete(t.Context(), "a", "b"); err != nil || time.Since(began) != 10*time.Second {
			t.Errorf("Delete = %v after %v", err, time.Since(began))
		}
	})
}

// TestSlowDownForever gives up, waiting calls too.
func TestSlowDownForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fault.New(mem.New(nil), slowDown(fault.Any, fault.Forever))
		s := retry.New(f, retry.Options{MaxElapsed: time.Minute})
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				began := time.Now()
				err := put(t.Context(), s, fmt.Sprint(i), "x")
				took := time.Since(began)
				if !errors.Is(err, storage.ErrSlowDown) || !strings.Contains(err.Error(), ": after ") || took > time.Minute || took < time.Second {
					t.Errorf("after %v: %v", took, err)
				}
			})
		}
		wg.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began, ops := time.Now(), f.Ops()
		if err := put(ctx, s, "late", "x"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second || f.Ops() != ops {
			t.Errorf("a call at the shut gate: %v, after %v, %d operations", err, time.Since(began), f.Ops()-ops)
		}
	})
}

// logger writes lines without times.
func logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := fault.New(mem.New(nil))
		s := retry.New(f, retry.Options{First: 10 * time.Second, Max: 10 * time.Second, Logger: logger(&log), Rand: longest})
		step := func(failures int, want ...string) {
			t.Helper()
			log.Reset()
			f.Arm(fault.Rule{Count: failures, Temporary: true})
			if failures == 0 {
				f.Arm()
			}
			if err := put(t.Context(), s, "o", "x"); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(log.String()); got != strings.Join(want, "\n") {
				t.Errorf("log is\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
		}
		warn := func(attempt int) string {
			return fmt.Sprintf(`level=WARN msg="the storage fails, the request is repeated" op=put name=o attempt=%d err="injected fault"`, attempt)
		}
		step(0)
		step(5, warn(1), warn(4), `level=INFO msg="the storage answers again" after=50s failures=5`) // warnings at 0 and 30 s, the end at 50 s
		step(0)
		step(1) // at 50 s: within 30 s of the last warning
		time.Sleep(30 * time.Second)
		step(1, warn(1), `level=INFO msg="the storage answers again" after=10s failures=1`)

		// An outage whose end no call has seen does not last until the next one.
		time.Sleep(time.Minute)
		f.Arm(fault.Rule{Count: fault.Forever, Temporary: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := put(ctx, s, "o", "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		step(2, warn(1), `level=INFO msg="the storage answers again" after=20s failures=2`)
	})
}
