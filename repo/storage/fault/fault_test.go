package fault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/repo/storage/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(testing.TB) storage.Store { return fault.New(mem.New(nil)) })
}

func put(ctx context.Context, s storage.Store, name, data string) error {
	return s.Put(ctx, name, strings.NewReader(data), int64(len(data)), storage.PutOptions{})
}

func list(ctx context.Context, s storage.Store, prefix string) (names []string, err error) {
	for info, err := range s.List(ctx, prefix, "") {
		if err != nil {
			return names, err
		}
		names = append(names, info.Name)
	}
	return names, nil
}

// scenario does one of everything: eight operations.
func scenario(ctx context.Context, s storage.Store) error {
	if err := put(ctx, s, "pack", "p"); err != nil {
		return err
	}
	if err := put(ctx, s, "segment", "s"); err != nil {
		return err
	}
	if _, err := s.Stat(ctx, "segment"); err != nil {
		return err
	}
	if _, err := s.Get(ctx, "pack", 0, -1, nil); err != nil {
		return err
	}
	if err := put(ctx, s, "manifest", "m"); err != nil {
		return err
	}
	if _, err := list(ctx, s, "m"); err != nil {
		return err
	}
	return s.Delete(ctx, "pack", "segment")
}

func TestLog(t *testing.T) {
	s := fault.New(mem.New(nil))
	if err := scenario(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	want := []fault.Record{
		{Op: fault.Put, Name: "pack"}, {Op: fault.Put, Name: "segment"}, {Op: fault.Stat, Name: "segment"},
		{Op: fault.Get, Name: "pack"}, {Op: fault.Put, Name: "manifest"}, {Op: fault.List, Name: "m"},
		{Op: fault.Delete, Name: "pack"}, {Op: fault.Delete, Name: "segment"},
	}
	if diff := cmp.Diff(want, s.Log()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if s.Ops() != len(want) {
		t.Errorf("Ops = %d, want %d", s.Ops(), len(want))
	}
}

// TestWalk meets every failure point of the scenario in each of the four ways, and
// knows what must be there afterwards.
func TestWalk(t *testing.T) {
	after := [][]string{ // the objects after so many operations
		{}, {"pack"}, {"pack", "segment"}, {"pack", "segment"}, {"pack", "segment"},
		{"manifest", "pack", "segment"}, {"manifest", "pack", "segment"}, {"manifest", "segment"}, {"manifest"},
	}
	for do, name := range map[fault.Action]string{fault.Fail: "fail", fault.FailDone: "lost answer", fault.Stop: "stop", fault.StopDone: "stop, done"} {
		t.Run(name, func(t *testing.T) {
			stops := do == fault.Stop || do == fault.StopDone
			for i := range 8 {
				m := mem.New(nil)
				s := fault.New(m, fault.Rule{At: i, Do: do})
				err := scenario(t.Context(), s)
				wanted := fault.ErrInjected
				if stops {
					wanted = fault.ErrStopped
				}
				if !errors.Is(err, wanted) {
					t.Fatalf("at %d: %v, want %v", i, err, wanted)
				}
				if _, ok := errors.AsType[*storage.OpError](err); !ok {
					t.Errorf("at %d: %T is no OpError", i, err)
				}
				done := i
				if do == fault.FailDone || do == fault.StopDone {
					done++
				}
				want := after[done]
				if i == 6 && !stops { // Delete goes on to its second name
					want = slices.DeleteFunc(slices.Clone(want), func(s string) bool { return s == "segment" })
				}
				if got := m.Objects(); !slices.Equal(got, want) {
					t.Errorf("at %d: objects are %q, want %q", i, got, want)
				}
				if s.Stopped() != stops {
					t.Errorf("at %d: Stopped = %t", i, s.Stopped())
				}
				if err := put(t.Context(), s, "next", "n"); errors.Is(err, fault.ErrStopped) != stops {
					t.Errorf("at %d: the next Put = %v", i, err)
				}
			}
			s := fault.New(mem.New(nil), fault.Rule{At: 8, Do: do})
			if err := scenario(t.Context(), s); err != nil {
				t.Errorf("at 8, which is not reached: %v", err)
			}
		})
	}
}

func TestStop(t *testing.T) {
	for do, done := range map[fault.Action]bool{fault.Stop: false, fault.StopDone: true} {
		m := mem.New(nil)
		s := fault.New(m, fault.Rule{At: 1, Do: do})
		if err := put(t.Context(), s, "a", "x"); err != nil {
			t.Fatal(err)
		}
		if err := put(t.Context(), s, "b", "x"); !errors.Is(err, fault.ErrStopped) {
			t.Fatalf("Put at the stop = %v", err)
		}
		if got := len(m.Objects()) == 2; got != done {
			t.Errorf("done %t: the object is there: %t", done, got)
		}
		_, getErr := s.Get(t.Context(), "a", 0, -1, nil)
		_, statErr := s.Stat(t.Context(), "a")
		_, listErr := list(t.Context(), s, "")
		for _, err := range []error{getErr, statErr, listErr, s.Delete(t.Context(), "a")} {
			if !errors.Is(err, fault.ErrStopped) {
				t.Errorf("after the stop: %v", err)
			}
		}
		if s.Ops() != 2 {
			t.Errorf("Ops = %d, want those accepted, 2", s.Ops())
		}
		s.Arm()
		if _, err := s.Get(t.Context(), "a", 0, -1, nil); err != nil || s.Ops() != 1 {
			t.Errorf("after Arm: %v, %d operations", err, s.Ops())
		}
	}
}

func TestRuleMatch(t *testing.T) {
	mine := errors.New("mine")
	m := mem.New(nil)
	s := fault.New(m, fault.Rule{Op: fault.Put, Prefix: "index/", At: 1, Count: 2, Err: mine, Temporary: true})
	var got []bool
	for _, name := range []string{"index/0", "data/0", "index/1", "data/1", "index/2", "index/3"} {
		if _, err := s.Stat(t.Context(), name); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Stat(%s) = %v", name, err)
		}
		err := put(t.Context(), s, name, "x")
		got = append(got, err != nil)
		if oe, ok := errors.AsType[*storage.OpError](err); ok && (!oe.Temporary || !errors.Is(err, mine) || oe.Name != name) {
			t.Errorf("Put(%s) = %#v", name, err)
		}
	}
	if want := []bool{false, false, true, false, true, false}; !slices.Equal(got, want) {
		t.Errorf("failed = %v, want %v", got, want)
	}
	s.Arm(fault.Rule{Op: fault.Get, Count: fault.Forever})
	for range 5 {
		if _, err := s.Get(t.Context(), "data/0", 0, -1, nil); !errors.Is(err, fault.ErrInjected) {
			t.Fatalf("Get = %v", err)
		}
	}
}

func TestDamage(t *testing.T) {
	m := mem.New(nil)
	if err := put(t.Context(), m, "o", "abcdef"); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		rule fault.Rule
		want string
	}{
		{"truncate", fault.Rule{Do: fault.Truncate, N: 2}, "abcd"},
		{"truncate all", fault.Rule{Do: fault.Truncate, N: 100}, ""},
		{"flip first", fault.Rule{Do: fault.Flip}, "`bcdef"},
		{"flip", fault.Rule{Do: fault.Flip, N: 17}, "abadef"},
		{"flip from the end", fault.Rule{Do: fault.Flip, N: -8}, "abcdeg"},
		{"flip modulo", fault.Rule{Do: fault.Flip, N: 48}, "`bcdef"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := fault.New(m, tt.rule)
			got, err := s.Get(t.Context(), "o", 0, -1, []byte("kept "))
			if err != nil || string(got) != "kept "+tt.want {
				t.Errorf("Get = %q, %v, want %q", got, err, tt.want)
			}
			if got, err := s.Get(t.Context(), "o", 0, -1, nil); err != nil || string(got) != "abcdef" {
				t.Errorf("the next Get = %q, %v", got, err)
			}
		})
	}
	s := fault.New(m, fault.Rule{Do: fault.Flip})
	if got, err := s.Get(t.Context(), "o", 6, 0, nil); err != nil || len(got) != 0 {
		t.Errorf("Get of nothing with a flip = %q, %v", got, err)
	}
}

func TestListFailsInTheMiddle(t *testing.T) {
	m := mem.New(nil)
	for _, name := range []string{"a", "b", "c"} {
		if err := put(t.Context(), m, name, "x"); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 5 {
		s := fault.New(m, fault.Rule{Op: fault.List, N: int64(n)})
		got, err := list(t.Context(), s, "")
		if len(got) != min(n, 3) || !errors.Is(err, fault.ErrInjected) {
			t.Errorf("List that fails after %d entries = %q, %v", n, got, err)
		}
	}
	s := fault.New(m, fault.Rule{Op: fault.Stat, Do: fault.Stop})
	n := 0
	for _, err := range s.List(t.Context(), "", "") {
		if n++; n == 1 {
			_, _ = s.Stat(t.Context(), "a")
			continue
		}
		if !errors.Is(err, fault.ErrStopped) {
			t.Errorf("List goes on after the stop: %v", err)
		}
	}
	if n != 2 {
		t.Errorf("List yields %d times, want 2", n)
	}
}

func TestDelay(t *testing.T) {
	m := mem.New(nil)
	type call struct {
		Op   fault.Op
		Name string
		Done bool
	}
	var calls []call
	wait := func(ctx context.Context, op fault.Op, name string) error {
		calls = append(calls, call{op, name, len(m.Objects()) > 0})
		return ctx.Err()
	}
	s := fault.New(m, fault.Rule{Op: fault.Put, Do: fault.Delay, Wait: wait})
	if err := put(t.Context(), s, "o", "x"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]call{{fault.Put, "o", false}}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	refuse := errors.New("refused")
	s.Arm(fault.Rule{Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error { return refuse }})
	if err := s.Delete(t.Context(), "o"); !errors.Is(err, refuse) || len(m.Objects()) != 1 {
		t.Errorf("Delete = %v with %q left", err, m.Objects())
	}
}

// TestFreeze holds a Put between its body and its publication: the body has been
// read, nothing is there, and the time is that of the release.
func TestFreeze(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := mem.New(func() time.Time { return now })
	gate := fault.NewGate()
	s := fault.New(m, fault.Rule{Op: fault.Put, Prefix: "snapshots/", Do: fault.Freeze, Gate: gate})
	data := []byte("manifest")
	done := make(chan error)
	go func() {
		done <- s.Put(t.Context(), "snapshots/m", bytes.NewReader(data), int64(len(data)), storage.PutOptions{})
	}()
	<-gate.Reached
	clear(data) // the body was read
	if got := m.Objects(); len(got) != 0 {
		t.Errorf("objects while frozen: %q", got)
	}
	if err := put(t.Context(), s, "other", "x"); err != nil {
		t.Errorf("Put of another object while one is frozen: %v", err)
	}
	now = now.Add(48 * time.Hour)
	gate.Release <- struct{}{}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	info, err := s.Stat(t.Context(), "snapshots/m")
	if err != nil || !info.Time.Equal(now) {
		t.Errorf("Stat = %+v, %v, want the time of the release, %v", info, err, now)
	}
	if got, err := s.Get(t.Context(), "snapshots/m", 0, -1, nil); err != nil || string(got) != "manifest" {
		t.Errorf("Get = %q, %v", got, err)
	}
}

func TestFreezeEnds(t *testing.T) {
	m := mem.New(nil)
	start := func(ctx context.Context, s storage.Store) chan error {
		done := make(chan error)
		go func() { done <- put(ctx, s, "o", "x") }()
		return done
	}
	gate := fault.NewGate()
	s := fault.New(m, fault.Rule{Op: fault.Put, Do: fault.Freeze, Gate: gate}, fault.Rule{Op: fault.Stat, Do: fault.Stop})
	done := start(t.Context(), s)
	<-gate.Reached
	_, _ = s.Stat(t.Context(), "crash")
	close(gate.Release)
	if err := <-done; !errors.Is(err, fault.ErrStopped) || len(m.Objects()) != 0 {
		t.Errorf("Put released after a crash = %v, objects %q", err, m.Objects())
	}

	gate = fault.NewGate()
	s = fault.New(m, fault.Rule{Op: fault.Put, Do: fault.Freeze, Gate: gate})
	ctx, cancel := context.WithCancel(t.Context())
	done = start(ctx, s)
	<-gate.Reached
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || len(m.Objects()) != 0 {
		t.Errorf("Put cancelled while frozen = %v, objects %q", err, m.Objects())
	}

	s = fault.New(m, fault.Rule{Op: fault.Put, Do: fault.Freeze, Gate: gate})
	err := s.Put(t.Context(), "o", strings.NewReader("x"), 2, storage.PutOptions{})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Put of a short body at a gate = %v", err)
	}
}

// TestFreezeThenStop is a Put that hangs, is done after all, and is the last thing
// that the storage does.
func TestFreezeThenStop(t *testing.T) {
	m := mem.New(nil)
	gate := fault.NewGate()
	s := fault.New(m, fault.Rule{Do: fault.Freeze, Gate: gate}, fault.Rule{Do: fault.StopDone})
	done := make(chan error)
	go func() { done <- put(t.Context(), s, "o", "x") }()
	<-gate.Reached
	close(gate.Release)
	if err := <-done; !errors.Is(err, fault.ErrStopped) || len(m.Objects()) != 1 {
		t.Errorf("Put = %v, objects %q", err, m.Objects())
	}
}
