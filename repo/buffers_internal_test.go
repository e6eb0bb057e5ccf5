package repo

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"savepoint/repo/pack"
)

func noBuilder(pack.Kind, []byte) (*pack.Builder, error) { return nil, nil }

// threeSlots returns two data slots and one for trees, as a packer has them.
func threeSlots() (a, b, m *slot) {
	a, b, m = &slot{kind: pack.Data}, &slot{kind: pack.Data}, &slot{kind: pack.Meta}
	a.other, b.other = b, a
	return a, b, m
}

// TestSlotsShare: each data slot has a pack of its own while buffers are free, one for both when none is.
func TestSlotsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where nothing waits for good
		a, b, m := threeSlots()
		var x buffers
		x.init(t.Context(), 3)
		defer x.unmap()
		open := func(s *slot) *openPack {
			t.Helper()
			o, err := x.open(t.Context(), s, noBuilder)
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		first, second, trees := open(a), open(b), open(m)
		if first == second || first == trees || open(a) != first || open(b) != second || open(m) != trees {
			t.Error("slots do not have packs of their own")
		}
		if !x.close(first) || x.close(first) {
			t.Error("a pack is closed once")
		}
		if open(a) != second || open(b) != second {
			t.Error("without a buffer the slots do not share a pack")
		}
		x.give(first.buf)
		if third := open(a); third == second || open(a) != third || open(b) != second {
			t.Error("with a buffer the slots share a pack")
		}
	})
}

// TestSlotsWait: two that wait for a buffer go on with the one that there is.
func TestSlotsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, m := threeSlots()
		var x buffers
		ctx, cancel := context.WithCancelCause(t.Context())
		x.init(ctx, 1)
		buf := x.free[0]
		x.free = nil // on its way to the store
		got := make(chan *openPack, 3)
		errs := make(chan error, 3)
		for _, s := range []*slot{a, b} {
			go func() {
				o, err := x.open(ctx, s, noBuilder)
				got <- o
				errs <- err
			}()
		}
		synctest.Wait()
		if len(got) != 0 {
			t.Error("a pack without a buffer")
		}
		x.give(buf)
		only := <-got
		if only == nil || <-got != only {
			t.Error("two packs in one buffer")
		}
		if err := errors.Join(<-errs, <-errs); err != nil {
			t.Error(err)
		}
		go func() {
			_, err := x.open(ctx, m, noBuilder) // trees never go with data
			errs <- err
		}()
		synctest.Wait()
		gone := errors.New("gone")
		cancel(gone)
		if err := <-errs; err != gone {
			t.Errorf("open = %v", err)
		}
		if !x.close(only) {
			t.Error("the pack is not open")
		}
		x.give(only.buf)
		x.unmap()
	})
}
