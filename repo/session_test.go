package repo_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

func TestOrderOfWrites(t *testing.T) {
	m := mem.New(nil)
	newRepo(t, m)
	st := fault.New(m)
	r := openRepo(t, st)
	st.Arm()
	err := r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
		if n := len(names(m, "leases/")); n != 1 {
			t.Errorf("%d lease objects when the session begins", n)
		}
		man, err := store(ctx, r, s, files{"a": "one", "b": "two"})
		if err != nil {
			return err
		}
		snap, err := s.Commit(ctx, man)
		if err != nil {
			return err
		}
		return r.PutReport(ctx, "world", "host", &record.Report{Kind: record.BackupReport, Manifest: snap.Name})
	})
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	seen := map[string]int{}
	for i, op := range st.Log() {
		name := op.Name
		switch {
		case strings.HasPrefix(name, "leases/"):
			name = "lease " + name[strings.LastIndexByte(name, '/')+1:]
		case op.Op != fault.List:
			name = name[:strings.IndexByte(name, '/')+1]
			if name == "index/" {
				name += strings.Split(op.Name, "/")[2]
			}
		}
		steps = append(steps, string(op.Op)+" "+name)
		seen[steps[i]] = i
	}
	want := []string{"put lease 0", "stat lease 0", "list condemned/", "list marks/", "list index/", "list snapshots/"}
	if !slices.Equal(steps[:len(want)], want) {
		t.Errorf("begins with %q, want %q", steps[:len(want)], want)
	}
	want = []string{"put lease 1", "stat lease 1", "put snapshots/", "stat snapshots/", "put reports/", "stat reports/", "put lease end", "stat lease end"}
	if got := steps[len(steps)-len(want):]; !slices.Equal(got, want) {
		t.Errorf("ends with %q, want %q", got, want)
	}
	for _, pair := range [][2]string{{"put data/", "stat data/"}, {"stat data/", "put index/data"}, {"put meta/", "stat meta/"},
		{"stat meta/", "put index/meta"}, {"stat index/data", "put lease 1"}, {"stat index/meta", "put lease 1"}} {
		a, okA := seen[pair[0]]
		b, okB := seen[pair[1]]
		if !okA || !okB || a > b {
			t.Errorf("%s (%d) does not come before %s (%d) in %q", pair[0], a, pair[1], b, steps)
		}
	}
}

func TestSessionsOfASource(t *testing.T) {
	c := &clock{base: func() time.Time { return time.Date(2026, 3, 1, 2, 41, 0, 5, time.UTC) }}
	st := mem.New(c.now)
	r := newRepo(t, st)
	first := mustSave(t, r, "world", files{"a": "one", "b": "two"})
	if first.Seq != 1 || first.Prev != "" || first.Late || first.Completeness != tree.Complete {
		t.Errorf("first manifest: %+v", first.Manifest)
	}
	c.add(time.Hour)
	mustSave(t, r, "other", files{"a": "three"})
	c.add(time.Hour)
	f := files{"a": "one", "b": "four"}
	second := mustSave(t, r, "world", f)
	if second.Seq != 2 || second.Prev != first.Name {
		t.Errorf("seq %d after %q, want 2 after %q", second.Seq, second.Prev, first.Name)
	}
	if !second.Start().Equal(c.now()) || second.End().Before(c.now()) || first.Start().Equal(second.Start()) {
		t.Errorf("window %v to %v", second.Start(), second.End())
	}
	mustLoad(t, r, second, f)
	mustLoad(t, openRepo(t, st), first, files{"a": "one", "b": "two"})
	err := r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
		p, err := s.Parent(ctx)
		if err != nil || p == nil || p.Name != second.Name {
			t.Errorf("parent is %v, %v", p, err)
		}
		if full, err := s.LastFull(ctx); full != nil || err != nil {
			t.Errorf("a full one: %v, %v", full, err)
		}
		put, err := s.NewStream(repo.Data).Put(ctx, []byte("one"))
		if put.New || err != nil {
			t.Errorf("what is stored is stored again: %+v, %v", put, err)
		}
		if ok, err := s.Has(ctx, repo.Meta, put.ID); ok || err != nil {
			t.Errorf("a data chunk counts as a tree chunk: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSourcesWithOneTag has two sources in one folder.
func TestSourcesWithOneTag(t *testing.T) {
	r := newRepo(t, mem.New(nil))
	seen := map[string]string{}
	var a, b string
	for i := 0; a == ""; i++ {
		name := fmt.Sprint("d", i)
		tag := r.SourceTag(name, "host")
		if other, ok := seen[tag]; ok {
			a, b = other, name
		}
		seen[tag] = name
	}
	mustSave(t, r, a, files{"a": "one"})
	snap := mustSave(t, r, b, files{"a": "two"})
	if snap.Seq != 1 || snap.Prev != "" {
		t.Errorf("seq %d, previous %q of another source", snap.Seq, snap.Prev)
	}
	err := r.Write(t.Context(), a, "host", func(ctx context.Context, s *repo.Session) error {
		mine, err := s.Source(ctx)
		if len(mine) != 1 || mine[0].Dataset != a {
			t.Errorf("source %s has %d manifests", a, len(mine))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Select(snapshots(t, r), repo.Query{Dataset: b}); err != nil {
		t.Error(err)
	}
}

func TestManyStreams(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	f := files{}
	for i := range 300 {
		f[fmt.Sprint(i)] = strings.Repeat(fmt.Sprint(i, " "), 2000+i)
	}
	var snap *repo.Snapshot
	err := r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
		var wg sync.WaitGroup
		news := make([]int, 6)
		for g := range news {
			wg.Go(func() {
				w := s.NewStream(repo.Data)
				list := slices.Collect(maps.Values(f)) // in an order of its own
				for _, text := range list {
					put, err := w.Put(ctx, []byte(text))
					if err != nil {
						t.Error(err)
					}
					if put.New {
						news[g]++
					}
				}
				if err := w.Flush(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		sum := 0
		for _, n := range news {
			sum += n
		}
		if n := int(s.Totals().DataChunks); sum != len(f) || n != len(f) {
			t.Errorf("%d chunks are new, %d counted, of %d", sum, n, len(f))
		}
		m, err := store(ctx, r, s, f)
		if err != nil {
			return err
		}
		if err := s.Settle(ctx); err != nil {
			return err
		}
		if err := s.Settle(ctx); err != nil {
			return err
		}
		snap, err = s.Commit(ctx, m)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	mustLoad(t, r, snap, f)
	if n := len(names(st, "data/")); n != 1 {
		t.Errorf("%d data packs where one has room for all", n)
	}
}

// bulk puts incompressible chunks of 1 MiB until it fails.
func bulk(ctx context.Context, s *repo.Session, seed byte, mib int) error {
	rnd := rand.NewChaCha8([32]byte{seed})
	w := s.NewStream(repo.Data)
	b := make([]byte, 1<<20)
	for range mib {
		_, _ = rnd.Read(b)
		if _, err := w.Put(ctx, b); err != nil {
			return err
		}
	}
	return w.Flush(ctx)
}

// TestMorePacksThanBuffers stores more than there is memory for packs, on a store that is slow, and on one that fails.
func TestMorePacksThanBuffers(t *testing.T) {
	if testing.Short() {
		t.Skip("stores 200 MiB")
	}
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprintf("fails %t", fails), func(t *testing.T) {
			m := mem.New(nil)
			newRepo(t, m)
			st := fault.New(m)
			r := openRepo(t, st)
			gate := fault.NewGate()
			st.Arm(fault.Rule{Op: fault.Put, Prefix: "data/", Count: 2, Do: fault.Freeze, Gate: gate})
			if fails {
				st.Arm(fault.Rule{Op: fault.Put, Prefix: "data/", At: 1, Do: fault.Fail})
				close(gate.Release)
			} else {
				go func() { // one after the other, when both uploaders wait
					<-gate.Reached
					<-gate.Reached
					close(gate.Release)
				}()
			}
			err := r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
				var wg sync.WaitGroup
				errs := make([]error, 3)
				for i := range errs {
					wg.Go(func() { errs[i] = bulk(ctx, s, byte(i), 70) })
				}
				wg.Wait()
				if err := errors.Join(errs...); err != nil {
					return err
				}
				_, err := s.Commit(ctx, manifest(nil))
				return err
			})
			if fails != errors.Is(err, fault.ErrInjected) || !fails && err != nil {
				t.Errorf("Write = %v", err)
			}
			if n := len(names(m, "snapshots/")); n == 1 == fails {
				t.Errorf("%d snapshots", n)
			}
		})
	}
}

func TestUploadFails(t *testing.T) {
	for _, prefix := range []string{"data/", "meta/", "index/", "snapshots/", "leases/"} {
		for _, op := range []fault.Op{fault.Put, fault.Stat} {
			m := mem.New(nil)
			newRepo(t, m)
			st := fault.New(m)
			r := openRepo(t, st)
			at := 0
			if prefix == "leases/" {
				at = 1 // the renewal at commit
			}
			st.Arm(fault.Rule{Op: op, Prefix: prefix, At: at})
			var commitErr error
			err := r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
				man, err := store(ctx, r, s, files{"a": "one"})
				if err == nil {
					_, err = s.Commit(ctx, man)
				}
				commitErr = err
				return err
			})
			if !errors.Is(err, fault.ErrInjected) || !errors.Is(commitErr, fault.ErrInjected) {
				t.Errorf("%s of %s fails: Write = %v, Commit = %v", op, prefix, err, commitErr)
			}
			published := prefix == "snapshots/" && op == fault.Stat // the object is there, its answer was lost
			if got := len(names(m, "snapshots/")) > 0; got != published {
				t.Errorf("%s of %s fails: published %t", op, prefix, got)
			}
			mustLoad(t, r, mustSave(t, r, "world", files{"a": "one"}), files{"a": "one"})
		}
	}
}

func TestCancelledSessionIsFoundByTheNext(t *testing.T) {
	r := newRepo(t, mem.New(nil))
	ctx, cancel := context.WithCancel(t.Context())
	err := r.Write(ctx, "world", "host", func(ctx context.Context, s *repo.Session) error {
		if _, err := store(ctx, r, s, files{"a": "one"}); err != nil {
			return err
		}
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Write = %v", err)
	}
	err = r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
		m, err := store(ctx, r, s, files{"a": "one"})
		if n := s.Totals(); n.DataChunks+n.TreeChunks != 0 {
			t.Errorf("stored again: %+v", n)
		}
		if err == nil {
			_, err = s.Commit(ctx, m)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCancelledSessionCannotHang cancels while the store answers no more, inside and after fn.
func TestCancelledSessionCannotHang(t *testing.T) {
	for _, prefix := range []string{"data/", "index/", "leases/"} {
		for _, inside := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				m := mem.New(nil)
				newRepo(t, m)
				st := fault.New(m)
				r := openRepo(t, st)
				ctx, cancel := context.WithCancel(t.Context())
				gate := fault.NewGate() // never released
				at := 0
				if prefix == "leases/" {
					at = 1
				}
				st.Arm(fault.Rule{Op: fault.Put, Prefix: prefix, At: at, Count: fault.Forever, Do: fault.Freeze, Gate: gate})
				go func() {
					for {
						select {
						case <-gate.Reached:
						case <-t.Context().Done():
							return
						}
					}
				}()
				done := make(chan error)
				go func() {
					done <- r.Write(ctx, "world", "host", func(ctx context.Context, s *repo.Session) error {
						man, err := store(ctx, r, s, files{"a": "one"})
						if err == nil && inside {
							_, err = s.Commit(ctx, man)
						}
						return err
					})
				}()
				<-time.After(5 * time.Minute)
				cancel()
				at0 := time.Now()
				err := <-done
				if d := time.Since(at0); d > 30*time.Second || !inside && prefix == "leases/" && err == nil {
					t.Errorf("%s, inside %t: returned %v after cancellation: %v", prefix, inside, d, err)
				}
			})
		}
	}
}

func TestCommitNeedsWhatWasPut(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	commit := func(s *repo.Session) {
		t.Helper()
		if _, err := s.Commit(t.Context(), manifest(nil)); err == nil {
			t.Error("published without all that was put")
		}
	}
	err := r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
		w := s.NewStream(repo.Data)
		if _, err := w.Put(ctx, []byte("never flushed")); err != nil {
			return err
		}
		commit(s)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	err = r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
		w := s.NewStream(repo.Data)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		for i := 0; ; i++ { // sending and giving up are equally likely
			if _, err := w.Put(ctx, fmt.Append(nil, i)); err != nil {
				return err
			}
			if err := w.Flush(ended); err != nil {
				break
			}
		}
		commit(s)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if n := names(st, "snapshots/"); len(n) != 0 {
		t.Errorf("published: %q", n)
	}
}
