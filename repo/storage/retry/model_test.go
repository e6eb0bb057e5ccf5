package retry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/repo/storage/retry"
)

// passing draws rules for faults that all end.
func passing(t *rapid.T, label string, ops int) []fault.Rule {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) fault.Rule {
		return fault.Rule{
			Op:        rapid.SampledFrom([]fault.Op{fault.Any, fault.Put, fault.Get, fault.Stat, fault.List, fault.Delete}).Draw(t, "op"),
			At:        rapid.IntRange(0, ops).Draw(t, "at"),
			Count:     rapid.IntRange(1, 4).Draw(t, "count"),
			Do:        rapid.SampledFrom([]fault.Action{fault.Fail, fault.FailDone}).Draw(t, "do"),
			Err:       rapid.SampledFrom([]error{nil, storage.ErrSlowDown}).Draw(t, "err"),
			N:         rapid.Int64Range(0, 4).Draw(t, "n"),
			Temporary: true,
		}
	}), 0, 8).Draw(t, label)
}

// step is a call; its answer is in words, so that two stores can be compared.
type step struct {
	name string
	call func(ctx context.Context, s storage.Store) string
}

var modelNames = []string{"a", "a/b", "b", "b0", "c"}

// drawStep draws a call. Bodies are unique by n, as those of objects with a salt are.
func drawStep(t *rapid.T, n int) step {
	name := rapid.SampledFrom(modelNames).Draw(t, "name")
	switch op := rapid.IntRange(0, 5).Draw(t, "method"); op {
	case 0, 1:
		size := rapid.SampledFrom([]int{1, 10, 5000, 9000}).Draw(t, "size")
		body := (fmt.Sprintf("%04d", n) + strings.Repeat("x", size))
		o := storage.PutOptions{IfAbsent: op == 0}
		return step{fmt.Sprintf("put %s %d %t", name, n, o.IfAbsent), func(ctx context.Context, s storage.Store) string {
			return answer(s.Put(ctx, name, strings.NewReader(body), int64(len(body)), o))
		}}
	case 2:
		off, length := rapid.Int64Range(-1, 20).Draw(t, "off"), rapid.Int64Range(-1, 20).Draw(t, "length")
		return step{fmt.Sprintf("get %s %d %d", name, off, length), func(ctx context.Context, s storage.Store) string {
			got, err := s.Get(ctx, name, off, length, []byte("kept "))
			return fmt.Sprintf("%s %s", got, answer(err))
		}}
	case 3:
		return step{"stat " + name, func(ctx context.Context, s storage.Store) string {
			info, err := s.Stat(ctx, name)
			return fmt.Sprintf("%s %d %s", info.Name, info.Size, answer(err))
		}}
	case 4:
		prefix, after := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "prefix"), rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "after")
		return step{fmt.Sprintf("list %q %q", prefix, after), func(ctx context.Context, s storage.Store) string {
			got, err := list(ctx, s, prefix, after)
			return fmt.Sprintf("%q %s", got, answer(err))
		}}
	default:
		gone := rapid.SliceOfN(rapid.SampledFrom(append([]string{"missing"}, modelNames...)), 0, 4).Draw(t, "names")
		return step{fmt.Sprintf("delete %q", gone), func(ctx context.Context, s storage.Store) string {
			return answer(s.Delete(ctx, gone...))
		}}
	}
}

// answer is what of an error a caller may rely on.
func answer(err error) string {
	if err == nil {
		return "ok"
	}
	for _, known := range []error{storage.ErrNotExist, storage.ErrExists, storage.ErrRange, storage.ErrUnsupported} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "another error: " + err.Error()
}

// TestModel compares a store that fails for a while with one that never does, call by call.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "calls")
		under, bare := mem.New(nil), mem.New(nil)
		s := retry.New(fault.New(under, passing(t, "faults", 2*n)...), hasty())
		for i := range n {
			st := drawStep(t, i)
			got, want := st.call(t.Context(), s), st.call(t.Context(), bare)
			if got != want {
				t.Fatalf("%s: got %.80s, want %.80s", st.name, got, want)
			}
		}
		if diff := cmp.Diff(bare.Objects(), under.Objects()); diff != "" {
			t.Fatalf("objects in the end (-want +got):\n%s", diff)
		}
		for _, name := range bare.Objects() {
			got, _ := under.Get(t.Context(), name, 0, -1, nil)
			want, _ := bare.Get(t.Context(), name, 0, -1, nil)
			if !bytes.Equal(got, want) {
				t.Fatalf("%s has %.20q, want %.20q", name, got, want)
			}
		}
	})
}

// TestCreateRace has writers create the same names at once, each through faults of its own: whoever is told that
// the object is its own is right, and of each name there is one.
func TestCreateRace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		writers := rapid.IntRange(2, 5).Draw(t, "writers")
		names := modelNames[:rapid.IntRange(1, len(modelNames)).Draw(t, "names")]
		size := rapid.SampledFrom([]int{1, 5000, 9000}).Draw(t, "size")
		body := func(w int) string { return fmt.Sprintf("%d", w) + strings.Repeat("x", size) }
		under := mem.New(nil)
		errs := make([][]error, writers)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for w := range writers {
			s := retry.New(fault.New(under, passing(t, "faults", 2*len(names))...), hasty())
			errs[w] = make([]error, len(names))
			wg.Go(func() {
				<-start
				for i, name := range names {
					errs[w][i] = create(t.Context(), s, name, body(w))
				}
			})
		}
		close(start)
		wg.Wait()
		for i, name := range names {
			winner := -1
			for w := range writers {
				switch err := errs[w][i]; {
				case err == nil && winner >= 0:
					t.Fatalf("%s belongs to %d and to %d", name, winner, w)
				case err == nil:
					winner = w
				case !errors.Is(err, storage.ErrExists):
					t.Fatalf("%s of %d: %v", name, w, err)
				}
			}
			if winner < 0 {
				t.Fatalf("%s belongs to nobody", name)
			}
			if got, err := under.Get(t.Context(), name, 0, -1, nil); err != nil || string(got) != body(winner) {
				t.Fatalf("%s has %.10q, %v, and %d was told that it is its own", name, got, err, winner)
			}
		}
	})
}
