package repo_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
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

// A copy that was begun when the repository was new, and kept up, has a config that is older than its snapshots.
func TestCopyThatWasKeptUp(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	mustSave(t, r, "world", files{"a": "1"})
	c := st.Clone()
	for _, name := range c.Objects() {
		if strings.HasPrefix(name, "snapshots/") || strings.HasPrefix(name, "index/") {
			c.SetTime(name, time.Now().Add(5*time.Hour))
		}
	}
	r = openRepo(t, c)
	snaps, err := r.Snapshots(t.Context())
	if err != nil || len(snaps) != 1 || !snaps[0].Restorable() {
		t.Errorf("snapshots: %v, %v", snaps, err)
	}
	if a, err := r.Adopt(t.Context()); err != nil || a.Snapshots != 1 {
		t.Errorf("adopt: %+v, %v", a, err)
	}
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
