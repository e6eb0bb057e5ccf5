package repo_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/storage/mem"
)

// copyOf returns a copy of a store made by other means: every object has the time of the copy.
func copyOf(st *mem.Store, at time.Time) *mem.Store {
	c := st.Clone()
	for _, name := range c.Objects() {
		c.SetTime(name, at)
	}
	return c
}

func TestCopyIsReadAndNotWritten(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	want := mustSave(t, r, "world", files{"a": "1", "b": "2"})
	c := copyOf(st, time.Now().Add(3*time.Hour))
	r = openRepo(t, c)
	snaps, err := r.Snapshots(t.Context())
	if err != nil || len(snaps) != 1 || snaps[0].Late {
		t.Fatalf("snapshots of a copy: %v, %v", snaps, err)
	}
	choice, err := repo.Select(snaps, repo.Query{})
	if err != nil || choice.Name != want.Name {
		t.Errorf("chosen in a copy: %v, %v", choice.Snapshot, err)
	}
	mustLoad(t, r, snaps[0], files{"a": "1", "b": "2"})
	if _, err := save(t.Context(), r, "world", files{"a": "1"}); !errors.Is(err, repo.ErrCopied) {
		t.Errorf("backup into a copy: %v", err)
	}
}

func TestAdopt(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	mustSave(t, r, "world", files{"a": "1", "b": "2"})
	if a, err := r.Adopt(t.Context()); err != nil || !a.Already {
		t.Errorf("adopt what is no copy: %+v, %v", a, err)
	}
	at := time.Now().Add(3 * time.Hour)
	c := copyOf(st, at)
	r = openRepo(t, c)
	a, err := r.Adopt(t.Context())
	if err != nil || a.Already || a.Snapshots != 1 || a.Segments != 2 || a.Packs != 2 {
		t.Fatalf("adopt: %+v, %v", a, err)
	}
	r = openRepo(t, c)
	snap := mustSave(t, r, "world", files{"a": "1", "b": "2", "c": "3"})
	if snap.Seq != 2 {
		t.Errorf("backup after adopt has seq %d", snap.Seq)
	}
}

// TestAdoptBeginsChains adopts a copy in the place of the original, which has got reports since it was copied: those of this host begin new chains,
// so that no report of theirs is missed.
func TestAdoptBeginsChains(t *testing.T) {
	st := mem.New(nil)
	newRepo(t, st)
	dir := filepath.Join(t.TempDir(), "a[b]")
	open := func(st *mem.Store) *repo.Repo {
		t.Helper()
		r, err := repo.Open(t.Context(), st, secret, repo.Options{Cache: dir, Place: "/r"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	report := func(r *repo.Repo) *record.Report {
		t.Helper()
		rep := &record.Report{Kind: record.DrillReport}
		if err := r.PutReport(t.Context(), "world", "host", rep); err != nil {
			t.Fatal(err)
		}
		return rep
	}
	mustSave(t, open(st), "world", files{"a": "1"})
	first := report(open(st))
	c := copyOf(st, time.Now().Add(3*time.Hour))
	report(open(st))
	if a, err := open(c).Adopt(t.Context()); err != nil || a.Already {
		t.Fatalf("adopt: %+v, %v", a, err)
	}
	if rep := report(open(c)); rep.Seq != 1 || rep.Writer == first.Writer {
		t.Errorf("after adopt comes report %d of writer %x, who has report %d elsewhere", rep.Seq, rep.Writer, rep.Seq-1)
	}
	if rep := report(open(c)); rep.Seq != 2 {
		t.Errorf("then comes report %d", rep.Seq)
	}
}

func TestAdoptRefusesWhatIsNotWhole(t *testing.T) {
	for _, prefix := range []string{"data/", "meta/", "index/00000000/data/", "index/00000000/meta/"} {
		t.Run(prefix, func(t *testing.T) {
			st := mem.New(nil)
			r := newRepo(t, st)
			mustSave(t, r, "world", files{"a": "1", "b": "2"})
			c := copyOf(st, time.Now().Add(3*time.Hour))
			for _, name := range c.Objects() {
				if strings.HasPrefix(name, prefix) {
					if err := c.Delete(t.Context(), name); err != nil {
						t.Fatal(err)
					}
				}
			}
			r = openRepo(t, c)
			if _, err := r.Adopt(t.Context()); !errors.Is(err, repo.ErrCorrupt) {
				t.Errorf("adopt: %v, want damage", err)
			}
			if _, err := save(t.Context(), r, "world", files{"a": "1"}); !errors.Is(err, repo.ErrCopied) {
				t.Errorf("backup after a failed adopt: %v", err)
			}
		})
	}
}

// A copy that was begun when the repository was new, and kept up, has a config that is older than its snapshots. Each time that something
// was copied into it, it is adopted anew.
func TestCopyThatWasKeptUp(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	mustSave(t, r, "world", files{"a": "1"})
	c := mem.New(func() time.Time { return time.Now().Add(5 * time.Hour) })
	putObject(t, c, "config", object(t, st, "config"))
	c.SetTime("config", time.Now().Add(-time.Hour))
	follow := func() {
		for _, name := range st.Objects() {
			if len(names(c, name)) == 0 {
				putObject(t, c, name, object(t, st, name))
			}
		}
	}
	for n := 1; n <= 2; n++ {
		follow()
		cr := openRepo(t, c)
		for _, s := range snapshots(t, cr) {
			if !s.Restorable() {
				t.Errorf("round %d: snapshot %d is not restorable", n, s.Seq)
			}
		}
		if _, err := save(t.Context(), cr, "world", files{"a": "1"}); !errors.Is(err, repo.ErrCopied) {
			t.Errorf("round %d: backup into the copy: %v", n, err)
		}
		if _, err := save(t.Context(), cr, "another", files{"a": "1"}); !errors.Is(err, repo.ErrCopied) {
			t.Errorf("round %d: backup of a new source into the copy: %v", n, err)
		}
		if a, err := cr.Adopt(t.Context()); err != nil || a.Snapshots != n {
			t.Errorf("round %d: adopt: %+v, %v", n, a, err)
		}
		mustSave(t, r, "world", files{"a": "1", "b": "2"})
	}
}

// A repository whose clock was set back after init, or whose config was put back, is no copy.
func TestClockSetBackAfterInit(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	mustSave(t, r, "world", files{"a": "1"})
	st.SetTime("config", time.Now().Add(26*time.Hour))
	r = openRepo(t, st)
	mustSave(t, r, "world", files{"a": "1"})
	if list := snapshots(t, r); len(list) != 2 || !list[0].Restorable() || !list[1].Restorable() {
		t.Errorf("snapshots %v", list)
	}
}

// A snapshot that came late in the repository where it was made is late, and makes no copy of it.
func TestLateSnapshotIsNoCopy(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	snap := mustSave(t, r, "world", files{"a": "1"})
	st.SetTime(snap.Name, time.Now().Add(2*time.Hour))
	r = openRepo(t, st)
	if list := snapshots(t, r); len(list) != 1 || !list[0].Late {
		t.Errorf("snapshots %v", list)
	}
	if a, err := r.Adopt(t.Context()); err != nil || !a.Already {
		t.Errorf("adopt: %+v, %v", a, err)
	}
	mustSave(t, r, "world", files{"a": "1"})
}

// A segment of a session that prune overtook names a pack that is gone. It is void here, and keeps nobody from adopting a copy.
func TestAdoptLeavesOutVoidSegments(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	before := names(st, "data/")
	mustSave(t, r, "other", files{"x": "gone"})
	lost := slices.DeleteFunc(names(st, "data/"), func(n string) bool { return slices.Contains(before, n) })
	if err := st.Delete(t.Context(), append(names(st, "snapshots/"), lost...)...); err != nil {
		t.Fatal(err)
	}
	mustSave(t, r, "world", files{"a": "1"})
	c := copyOf(st, time.Now().Add(3*time.Hour))
	r = openRepo(t, c)
	if a, err := r.Adopt(t.Context()); err != nil || a.Snapshots != 1 {
		t.Fatalf("adopt: %+v, %v", a, err)
	}
	mustLoad(t, openRepo(t, c), snapshots(t, r)[0], files{"a": "1"})
}

// A copy that is made while a backup runs can have the snapshot and not the packs, which were copied before. What was whole restores, what
// is not is damage, and the copy cannot be adopted.
func TestCopyMadeDuringABackup(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	mustSave(t, r, "world", files{"a": "1"})
	c := st.Clone()
	mustSave(t, r, "world", files{"a": "1", "b": "2"})
	for _, name := range names(st, "snapshots/") {
		if len(names(c, name)) == 0 {
			putObject(t, c, name, object(t, st, name))
		}
	}
	c = copyOf(c, time.Now().Add(3*time.Hour))
	r = openRepo(t, c)
	snaps := snapshots(t, r)
	if len(snaps) != 2 {
		t.Fatalf("%d snapshots in the copy", len(snaps))
	}
	mustLoad(t, r, snaps[0], files{"a": "1"})
	if got, err := load(t.Context(), r, snaps[1]); !errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("the second snapshot: %v, %v", got, err)
	}
	if _, err := r.Adopt(t.Context()); !errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("adopt: %v", err)
	}
}
