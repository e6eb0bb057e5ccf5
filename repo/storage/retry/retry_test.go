package retry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/limit"
	"savepoint/repo/storage/mem"
	"savepoint/repo/storage/meter"
	"savepoint/repo/storage/retry"
	"savepoint/repo/storage/storetest"
)

// hasty waits no time that anybody notices.
func hasty() retry.Options { return retry.Options{First: 1, Max: 1} }

// longest has every wait as long as it can be.
func longest() float64 { return 1 }

func put(ctx context.Context, s storage.Store, name, data string) error {
	return s.Put(ctx, name, strings.NewReader(data), int64(len(data)), storage.PutOptions{})
}

func create(ctx context.Context, s storage.Store, name, data string) error {
	return s.Put(ctx, name, strings.NewReader(data), int64(len(data)), storage.PutOptions{IfAbsent: true})
}

func list(ctx context.Context, s storage.Store, prefix, after string) (names []string, err error) {
	for info, err := range s.List(ctx, prefix, after) {
		if err != nil {
			return names, err
		}
		names = append(names, info.Name)
	}
	return names, nil
}

func TestConformance(t *testing.T) {
	stores := map[string]func() storage.Store{
		"plain": func() storage.Store { return retry.New(mem.New(nil), hasty()) },
		"composed": func() storage.Store {
			m := meter.New(mem.New(nil))
			l := limit.New(m, limit.Options{Upload: 1 << 33, Download: 1 << 33})
			return retry.New(l, retry.Options{OnRetry: m.Retried})
		},
		"every third operation fails": func() storage.Store { return retry.New(failing(3, fault.Fail), hasty()) },
		"every other answer is lost":  func() storage.Store { return retry.New(failing(2, fault.FailDone), hasty()) },
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(testing.TB) storage.Store { return open() })
		})
	}
}

// failing is a store in which every nth of the first operations fails for a while.
func failing(n int, do fault.Action) *fault.Store {
	var rules []fault.Rule
	for i := range 300 {
		rules = append(rules, fault.Rule{At: n * i, Do: do, Temporary: true, N: int64(i % 3)})
	}
	return fault.New(mem.New(nil), rules...)
}

// TestBackoff knows how long each wait is when none is shortened by chance.
func TestBackoff(t *testing.T) {
	const ms = time.Millisecond
	waits := []time.Duration{250 * ms, 500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 16000 * ms, 30000 * ms, 30000 * ms}
	for n := range len(waits) + 1 {
		synctest.Test(t, func(t *testing.T) {
			var retried []string
			f := fault.New(mem.New(nil), fault.Rule{Count: n, Temporary: true})
			if n == 0 {
				f.Arm()
			}
			s := retry.New(f, retry.Options{Rand: longest, OnRetry: func(op string) { retried = append(retried, op) }})
			began := time.Now()
			if err := put(t.Context(), s, "o", "x"); err != nil {
				t.Fatal(err)
			}
			want := time.Duration(0)
			for _, w := range waits[:n] {
				want += w
			}
			if took := time.Since(began); took != want {
				t.Errorf("%d failures take %v, want %v", n, took, want)
			}
			if !slices.Equal(retried, slices.Repeat([]string{"put"}, n)) {
				t.Errorf("OnRetry heard %q, want put %d times", retried, n)
			}
		})
	}
}

func TestJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var draws []float64
		next := func() float64 { draws = append(draws, 0.5); return 0.5 }
		s := retry.New(fault.New(mem.New(nil), fault.Rule{Count: 3, Temporary: true}), retry.Options{Rand: next})
		began := time.Now()
		if err := put(t.Context(), s, "o", "x"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 875*time.Millisecond || len(draws) != 3 {
			t.Errorf("three failures take %v with %d draws", took, len(draws))
		}
	})
}

func TestDefaultJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := make(map[time.Duration]bool)
		for range 20 {
			s := retry.New(fault.New(mem.New(nil), fault.Rule{Temporary: true}), retry.Options{})
			began := time.Now()
			if err := put(t.Context(), s, "o", "x"); err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			if took < 0 || took > 250*time.Millisecond {
				t.Errorf("the first wait is %v", took)
			}
			seen[took] = true
		}
		if len(seen) < 10 {
			t.Errorf("20 waits have %d lengths", len(seen))
		}
	})
}

// TestGivesUp has a storage that stays away, for each method.
func TestGivesUp(t *testing.T) {
	calls := map[string]func(ctx context.Context, s storage.Store) error{
		"put":    func(ctx context.Context, s storage.Store) error { return put(ctx, s, "o", "x") },
		"get":    func(ctx context.Context, s storage.Store) error { _, err := s.Get(ctx, "o", 0, -1, nil); return err },
		"stat":   func(ctx context.Context, s storage.Store) error { _, err := s.Stat(ctx, "o"); return err },
		"list":   func(ctx context.Context, s storage.Store) error { _, err := list(ctx, s, "o", ""); return err },
		"delete": func(ctx context.Context, s storage.Store) error { return s.Delete(ctx, "o") },
	}
	for op, call := range calls {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fault.New(mem.New(nil), fault.Rule{Count: fault.Forever, Temporary: true})
				s := retry.New(f, retry.Options{Rand: longest, MaxElapsed: 40 * time.Second})
				began := time.Now()
				err := call(t.Context(), s)
				// 0, 0.25, 0.75, 1.75, 3.75, 7.75, 15.75, 31.75 and at the end 40 s
				want := op + " o: after 9 attempts in 40s: injected fault"
				if err == nil || err.Error() != want {
					t.Fatalf("error is %v, want %q", err, want)
				}
				if oe, ok := errors.AsType[*storage.OpError](err); !ok || oe.Op != op || oe.Name != "o" || !oe.Temporary {
					t.Errorf("error is %#v", err)
				}
				if took := time.Since(began); took != 40*time.Second || f.Ops() != 9 {
					t.Errorf("%d attempts in %v", f.Ops(), took)
				}
			})
		})
	}
}

// TestDefaultDeadline counts the fifteen minutes from the first failure: an attempt may take long by itself.
func TestDefaultDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hour := func(ctx context.Context, _ fault.Op, _ string) error { time.Sleep(time.Hour); return nil }
		f := fault.New(mem.New(nil), fault.Rule{Do: fault.Delay, Wait: hour}, fault.Rule{Count: fault.Forever, Temporary: true})
		began := time.Now()
		err := put(t.Context(), retry.New(f, retry.Options{}), "o", "x")
		if took := time.Since(began); took != 75*time.Minute || err == nil || !strings.Contains(err.Error(), "attempts in 1h15m0s: ") {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestPermanent(t *testing.T) {
	boom := errors.New("boom")
	once := &storage.OpError{Op: "put", Temporary: true, Err: boom}
	tests := map[string]struct {
		err       error
		temporary bool
		ops       int
	}{
		"not temporary":           {boom, false, 1},
		"temporary":               {boom, true, 2},
		"permanent above":         {fmt.Errorf("x: %w", once), false, 1},
		"all joined are":          {errors.Join(once, once), true, 2},
		"denied":                  {storage.ErrDenied, false, 1},
		"slow down":               {storage.ErrSlowDown, true, 2},
		"slow down for good":      {storage.ErrSlowDown, false, 1},
		"deadline of the attempt": {context.DeadlineExceeded, true, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := fault.New(mem.New(nil), fault.Rule{Err: tt.err, Temporary: tt.temporary})
			err := put(t.Context(), retry.New(f, hasty()), "o", "x")
			if f.Ops() != tt.ops || (err == nil) != (tt.ops == 2) {
				t.Errorf("%d attempts, %v", f.Ops(), err)
			}
			if tt.ops == 1 && (!errors.Is(err, tt.err) || strings.Contains(err.Error(), "attempt")) {
				t.Errorf("error is %v, want it as it was", err)
			}
		})
	}
}

func TestGetKeepsDst(t *testing.T) {
	m := mem.New(nil)
	if err := put(t.Context(), m, "o", "abcdef"); err != nil {
		t.Fatal(err)
	}
	dst := append(make([]byte, 0, 64), "kept "...)
	f := fault.New(m, fault.Rule{Count: 3, Do: fault.FailDone, Temporary: true})
	got, err := retry.New(f, hasty()).Get(t.Context(), "o", 1, 3, dst)
	if err != nil || string(got) != "kept bcd" || &got[0] != &dst[0] {
		t.Errorf("Get = %q, %v", got, err)
	}
	f.Arm(fault.Rule{At: 0, Temporary: true}, fault.Rule{At: 1})
	if got, err := retry.New(f, hasty()).Get(t.Context(), "o", 1, 3, dst); err == nil || string(got) != "kept " {
		t.Errorf("Get that fails = %q, %v", got, err)
	}
}

// TestContext ends a call in its wait, and before it.
func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fault.New(mem.New(nil), fault.Rule{Count: fault.Forever, Temporary: true})
		s := retry.New(f, retry.Options{First: 10 * time.Second, Rand: longest})
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		time.AfterFunc(12*time.Second, cancel)
		err := put(ctx, s, "o", "x")
		want := "put o: after 2 attempts in 12s: context canceled (before: injected fault)"
		if !errors.Is(err, context.Canceled) || err.Error() != want {
			t.Errorf("error is %v, want %q", err, want)
		}
		if took := time.Since(began); took != 12*time.Second || f.Ops() != 2 {
			t.Errorf("%d attempts in %v", f.Ops(), took)
		}
		if oe, ok := errors.AsType[*storage.OpError](err); !ok || oe.Temporary {
			t.Errorf("error is %#v", err)
		}
		err = s.Delete(ctx, "a", "b")
		if !errors.Is(err, context.Canceled) || f.Ops() > 4 {
			t.Errorf("Delete = %v after %d operations", err, f.Ops())
		}
	})
}

func TestListResumes(t *testing.T) {
	m := mem.New(nil)
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf("d/%02d", i))
		if err := put(t.Context(), m, all[i], "x"); err != nil {
			t.Fatal(err)
		}
	}
	f := fault.New(m,
		fault.Rule{At: 0, N: 3, Temporary: true}, fault.Rule{At: 1, N: 0, Temporary: true},
		fault.Rule{At: 2, N: 1, Temporary: true}, fault.Rule{At: 3, Do: fault.FailDone, Temporary: true})
	got, err := list(t.Context(), retry.New(f, hasty()), "d/", "d/01")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all[2:], got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if f.Ops() != 5 {
		t.Errorf("%d attempts, want 5", f.Ops())
	}
}

// TestListDeadline has a listing that gets one further each time and then no more.
func TestListDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New(nil)
		for i := range 100 {
			if err := put(t.Context(), m, fmt.Sprintf("%02d", i), "x"); err != nil {
				t.Fatal(err)
			}
		}
		f := fault.New(m, fault.Rule{N: 1, Count: 50, Temporary: true}, fault.Rule{At: 50, Count: fault.Forever, Temporary: true})
		s := retry.New(f, retry.Options{First: time.Second, Max: time.Second, MaxElapsed: 3 * time.Second, Rand: longest})
		began := time.Now()
		got, err := list(t.Context(), s, "", "")
		if len(got) != 50 || err == nil || !strings.HasSuffix(err.Error(), "list: after 4 attempts in 3s: injected fault") {
			t.Errorf("List = %d names, %v", len(got), err)
		}
		if took := time.Since(began); took != 52*time.Second {
			t.Errorf("List takes %v", took)
		}
	})
}

// TestDelete repeats what may be there still, and not what failed for good.
func TestDelete(t *testing.T) {
	m := mem.New(nil)
	for _, name := range []string{"a", "b", "c", "d"} {
		if err := put(t.Context(), m, name, "x"); err != nil {
			t.Fatal(err)
		}
	}
	f := fault.New(m,
		fault.Rule{Prefix: "b", Count: 2, Temporary: true},
		fault.Rule{Prefix: "c", Count: fault.Forever, Err: storage.ErrDenied},
		fault.Rule{Prefix: "d", Do: fault.FailDone, Temporary: true})
	err := retry.New(f, hasty()).Delete(t.Context(), "a", "b", "c", "d")
	if oe, ok := errors.AsType[*storage.OpError](err); !ok || oe.Name != "c" || !errors.Is(err, storage.ErrDenied) {
		t.Errorf("Delete = %v, want that c is denied", err)
	}
	var got []string
	for _, r := range f.Log() {
		got = append(got, r.Name)
	}
	if want := []string{"a", "b", "c", "d", "a", "b", "d", "a", "b", "d"}; !slices.Equal(got, want) {
		t.Errorf("names tried are %q, want %q", got, want)
	}
	if left := m.Objects(); !slices.Equal(left, []string{"c"}) {
		t.Errorf("objects left are %q", left)
	}
}

// TestDeleteGivesUp names each object that is still there.
func TestDeleteGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fault.New(mem.New(nil), fault.Rule{Prefix: "b", Count: fault.Forever, Temporary: true}, fault.Rule{Prefix: "c", Count: fault.Forever, Temporary: true})
		s := retry.New(f, retry.Options{First: time.Second, Max: time.Second, MaxElapsed: 2 * time.Second, Rand: longest})
		err := s.Delete(t.Context(), "a", "b", "c")
		want := "delete b: after 3 attempts in 2s: injected fault\ndelete c: after 3 attempts in 2s: injected fault"
		if err == nil || err.Error() != want {
			t.Errorf("Delete = %v, want\n%s", err, want)
		}
	})
}
