package repo_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

func TestReports(t *testing.T) {
	m := mem.New(nil)
	newRepo(t, m)
	st := fault.New(m)
	cache := t.TempDir()
	open := func() *repo.Repo { return openIn(t, st, cache) }
	for _, text := range []string{"one", "two"} {
		rep := record.Report{Kind: record.DrillReport, Message: text, Document: []byte(`{"verdict":"restored"}`)}
		if err := open().PutReport(t.Context(), "world", "host", &rep); err != nil {
			t.Fatal(err)
		}
	}
	list := func() ([]*repo.StoredReport, error) { return open().Reports(t.Context()) }
	reps, err := list()
	if err != nil || len(reps) != 2 {
		t.Fatalf("%d reports, %v", len(reps), err)
	}
	if reps[0].Message != "one" || string(reps[1].Document) != `{"verdict":"restored"}` || reps[1].Previous != reps[0].Hash || reps[0].Stored.IsZero() {
		t.Errorf("reports are %+v, %+v", reps[0], reps[1])
	}
	st.Arm(fault.Rule{Op: fault.Get, Prefix: "reports/", Do: fault.Fail})
	if reps, err = list(); err != nil || len(reps) != 2 {
		t.Errorf("with a cache: %d reports, %v", len(reps), err)
	}
	st.Arm()

	cache = "" // the store's own bytes again
	damaged := reps[0].Name
	m.Replace(damaged, flip(object(t, m, damaged), 70))
	if reps, err = list(); !errors.Is(err, repo.ErrCorrupt) || !strings.Contains(err.Error(), damaged) || len(reps) != 1 || reps[0].Message != "two" {
		t.Errorf("with a damaged one: %d reports, %v", len(reps), err)
	}
	st.Arm(fault.Rule{Op: fault.List, Prefix: "reports/", Do: fault.Fail})
	if _, err = list(); err == nil || errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("when nothing can be listed: %v", err)
	}
}

// TestChainsApart keeps the chain of reports where it is told to, whatever the cache is.
func TestChainsApart(t *testing.T) {
	m := mem.New(nil)
	newRepo(t, m)
	chains := t.TempDir()
	for range 2 {
		r, err := repo.Open(t.Context(), m, secret, repo.Options{Cache: t.TempDir(), Chains: chains})
		if err == nil {
			err = r.PutReport(t.Context(), "world", "host", &record.Report{Kind: record.DrillReport})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	reps, err := openRepo(t, m).Reports(t.Context())
	if err != nil || len(reps) != 2 || reps[1].Seq != 2 {
		t.Errorf("%d reports, %v", len(reps), err)
	}
}

// TestChainsOfPlaces continues the chain of a repository in it, and that of its copy in the copy, from one cache folder.
func TestChainsOfPlaces(t *testing.T) {
	original := mem.New(nil)
	newRepo(t, original)
	dir := t.TempDir()
	put := func(st *mem.Store, place string) {
		t.Helper()
		r, err := repo.Open(t.Context(), st, secret, repo.Options{Cache: dir, Place: place})
		if err == nil {
			err = r.PutReport(t.Context(), "world", "host", &record.Report{Kind: record.DrillReport})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put(original, "/r")
	other := original.Clone()
	for range 2 {
		put(original, "/r")
		put(other, "/copy")
	}
	for st, want := range map[*mem.Store][]uint64{original: {1, 2, 3}, other: {1, 1, 2}} {
		reps, err := openRepo(t, st).Reports(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, rep := range reps {
			got = append(got, rep.Seq)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("reports are numbered %v, want %v", got, want)
		}
	}
}

func TestHold(t *testing.T) {
	m := mem.New(nil)
	newRepo(t, m)
	st := fault.New(m)
	r := openIn(t, st, "")
	called := false
	err := r.Hold(t.Context(), "world", func(_ context.Context, began time.Time) error {
		called = true
		info, err := m.Stat(t.Context(), one(t, m, "leases/"))
		if err != nil || !info.Time.Equal(began) {
			t.Errorf("began %v, lease %v, %v", began, info.Time, err)
		}
		return nil
	})
	if err != nil || !called || len(names(m, "leases/")) != 2 {
		t.Errorf("called %v, leases %v, %v", called, names(m, "leases/"), err)
	}
	st.Arm(fault.Rule{Op: fault.Put, Prefix: "leases/", Do: fault.Fail})
	if err = r.Hold(t.Context(), "", func(context.Context, time.Time) error { return nil }); err == nil || !strings.Contains(err.Error(), "lease") {
		t.Errorf("without a lease: %v", err)
	}
}
