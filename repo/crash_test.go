package repo_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

// history is what the walks below store, one snapshot after the other.
var history = []files{{"a": "one", "b": "two"}, {"a": "one", "b": "three", "c": "four"}}

// saveTagged stores number i of the history, and says so in the snapshot.
func saveTagged(ctx context.Context, r *repo.Repo, i int) error {
	return r.Write(ctx, "world", "host", func(ctx context.Context, s *repo.Session) error {
		if _, err := s.Parent(ctx); err != nil {
			return err
		}
		m, err := store(ctx, r, s, history[i])
		if err != nil {
			return err
		}
		m.Tags = []string{fmt.Sprint(i)}
		snap, err := s.Commit(ctx, m)
		if err != nil {
			return err
		}
		return r.PutReport(ctx, "world", "host", &record.Report{Kind: record.BackupReport, Manifest: snap.Name})
	})
}

func initOrOpen(ctx context.Context, st storage.Store) (*repo.Repo, error) {
	o := repo.Options{Sealers: 1, Host: "host"}
	r, err := repo.Init(ctx, st, slots(), o)
	if errors.Is(err, repo.ErrExists) {
		return repo.Open(ctx, st, secret, o)
	}
	return r, err
}

// scenario makes a repository and two snapshots, or goes on where an earlier try ended.
func scenario(ctx context.Context, st storage.Store) error {
	r, err := initOrOpen(ctx, st)
	if err != nil {
		return err
	}
	for i := range history {
		if err := saveTagged(ctx, r, i); err != nil {
			return err
		}
	}
	return nil
}

// survives checks what is left after a failure: the repository opens, every listed snapshot reads in full, and what is stored next is
// published. It returns how many snapshots there were.
func survives(t *testing.T, what string, m *mem.Store, config bool) int {
	t.Helper()
	r, err := repo.Open(t.Context(), m, secret, repo.Options{Sealers: 1})
	if !config && errors.Is(err, repo.ErrNoRepository) {
		if r, err = initOrOpen(t.Context(), m); err != nil {
			t.Fatalf("%s: init again: %v", what, err)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if r.ReadOnly() != nil {
		t.Fatalf("%s: %v", what, r.ReadOnly())
	}
	read := func() int {
		list, err := r.Snapshots(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for _, snap := range list {
			var i int
			if _, err := fmt.Sscan(snap.Tags[0], &i); err != nil || snap.Late {
				t.Fatalf("%s: %v, late %t", what, err, snap.Late)
			}
			mustLoad(t, r, snap, history[i])
		}
		return len(list)
	}
	n := read()
	if err := saveTagged(t.Context(), r, 1); err != nil {
		t.Fatalf("%s: the next session: %v", what, err)
	}
	if m := read(); m != n+1 {
		t.Fatalf("%s: %d snapshots after %d", what, m, n)
	}
	return n
}

// exhaustive reports whether STORE_CRASH asks for every combination.
func exhaustive() bool { return os.Getenv("STORE_CRASH") == "all" }

// crashWalk runs the scenario with a fault at every operation in turn.
func crashWalk(t *testing.T, rule func(i int) fault.Rule) {
	for i := 0; ; i++ {
		m := mem.New(nil)
		st := fault.New(m, rule(i))
		err := scenario(t.Context(), st)
		if !st.Stopped() && st.Ops() <= i {
			if err != nil {
				t.Fatalf("without a fault: %v", err)
			}
			if i < 40 {
				t.Fatalf("the scenario needs %d operations only", i)
			}
			return
		}
		op := st.Log()[i]
		what := fmt.Sprintf("fault at %d, %s %s", i, op.Op, op.Name)
		before := m.Clone()
		n := survives(t, what, m, hasConfig(before))
		if err == nil && n != len(history) {
			t.Errorf("%s: the scenario succeeds, and %d snapshots are there", what, n)
		}
		if !exhaustive() {
			continue
		}
		for j := 0; ; j++ { // and another while it goes on
			m := before.Clone()
			st := fault.New(m, rule(j))
			_ = scenario(t.Context(), st)
			if !st.Stopped() && st.Ops() <= j {
				break
			}
			survives(t, fmt.Sprintf("%s, then at %d", what, j), m, hasConfig(m))
		}
	}
}

func hasConfig(m *mem.Store) bool { return len(names(m, "config")) == 1 }

// TestCrashErrorWalk fails every operation of the scenario, not done, and done with its answer lost.
func TestCrashErrorWalk(t *testing.T) {
	for do, name := range map[fault.Action]string{fault.Fail: "fail", fault.FailDone: "lost answer"} {
		t.Run(name, func(t *testing.T) {
			crashWalk(t, func(i int) fault.Rule { return fault.Rule{At: i, Do: do} })
		})
	}
}

// TestCrashWalk stops before and after every operation of the scenario; what the store holds then is all there is.
func TestCrashWalk(t *testing.T) {
	for do, name := range map[fault.Action]string{fault.Stop: "stop", fault.StopDone: "stop, done"} {
		t.Run(name, func(t *testing.T) {
			crashWalk(t, func(i int) fault.Rule { return fault.Rule{At: i, Do: do} })
		})
	}
}
