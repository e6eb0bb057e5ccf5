package backup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

// inBubble runs fn with a repository whose storage has the time of a bubble of synctest. The host's clock is ahead of it, and of the
// files, which have the time of the machine.
func inBubble(t *testing.T, fn func(t *testing.T, l *lab)) {
	t.Helper()
	machine := time.Now()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{st: mem.New(nil)}
		l.ahead.Store(int64(time.Until(machine) + later))
		l.init(t, l.st)
		fn(t, l)
	})
}

// breakOff cancels a backup by one worker as soon as n files are done, which it must have been, and returns the interrupted
// snapshots. Within a bubble the run is at rest by then, so that not one file more is read.
func (l *lab) breakOff(t *testing.T, st storage.Store, o backup.Options, n int64) []*repo.Snapshot {
	t.Helper()
	return l.breakOffIn(t, l.open(t, st), o, n)
}

// breakOffIn is breakOff in a repository that is open.
func (l *lab) breakOffIn(t *testing.T, r *repo.Repo, o backup.Options, n int64) []*repo.Snapshot {
	t.Helper()
	ctx, cancel := cancellable(t)
	var done atomic.Int64
	var parts []*repo.Snapshot
	o.Workers = 1
	o.Events.Checkpoint = func(s *repo.Snapshot) { parts = append(parts, s) }
	o.Events.Progress = func(p backup.Progress) {
		if p.Entries > 0 && p.Bytes > 0 && done.Add(1) == n {
			cancel()
			<-time.After(time.Second) // until nothing moves any more
		}
	}
	if res, err := backup.Run(ctx, r, o); !errors.Is(err, context.Canceled) || res != nil {
		t.Fatalf("result %v, error %v, want a cancelled run", res, err)
	}
	return parts
}

// scales is a source of six files. Each is twice as long as the one before, so that the number of bytes read tells which were: bit i stands
// for file i, in the order of the walk. None is small enough to be read as a spot check.
type scales struct {
	*lab
	t     *testing.T
	dir   string
	edits byte
}

const (
	unit = 1000
	all  = 1<<len(scaleNames) - 1
)

var scaleNames = [...]string{"a/0", "a/1", "b", "c/3", "d/e/4", "f"}

func onScales(t *testing.T, fn func(s *scales)) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	inBubble(t, func(t *testing.T, l *lab) {
		s := &scales{lab: l, t: t, dir: dir}
		for i := range scaleNames {
			s.change(i)
		}
		fn(s)
	})
}

func (s *scales) path(i int) string { return filepath.Join(s.dir, scaleNames[i]) }

// change gives files other contents, and other inodes.
func (s *scales) change(files ...int) {
	s.t.Helper()
	for _, i := range files {
		s.edits++
		write(s.t, s.path(i)+".new", noise(s.edits, unit<<i))
		must(s.t, os.Rename(s.path(i)+".new", s.path(i)))
	}
}

func (s *scales) mode(m tree.Mode) backup.Options {
	o := options(s.dir)
	o.Mode = m
	return o
}

// stops breaks a backup off after n files. Exactly what it had finished is published.
func (s *scales) stops(m tree.Mode, n int64) *repo.Snapshot {
	s.t.Helper()
	<-time.After(time.Minute) // so that no two runs begin at one time
	parts := s.breakOff(s.t, s.st, s.mode(m), n)
	if len(parts) != 1 {
		s.t.Fatalf("%d interrupted snapshots, want 1", len(parts))
	}
	part := parts[0]
	if part.Completeness != tree.Interrupted || part.Mode != m || int64(part.Stats.Files) != n || part.Suspect || part.Late {
		s.t.Errorf("interrupted snapshot after %d files: %+v", n, part.Manifest)
	}
	r := s.open(s.t, s.st)
	got := readBack(s.t, r, part)
	partOfSource(s.t, got, s.dir)
	for i := range scaleNames {
		if _, ok := got[s.path(i)]; ok != (int64(i) < n) {
			s.t.Errorf("%s is in the interrupted snapshot: %t, after %d files", scaleNames[i], ok, n)
		}
	}
	return part
}

// goesOn makes a backup that must read these files and no others. It is as if nothing had come before.
func (s *scales) goesOn(m tree.Mode, read uint64, unchanged uint64) *backup.Result {
	s.t.Helper()
	<-time.After(time.Minute)
	res := s.clean(s.t, s.mode(m))
	st := res.Snapshot.Stats
	if st.ReadBytes != read*unit || st.RereadFiles != 0 {
		s.t.Errorf("files read: %06b (%d bytes), want %06b", st.ReadBytes/unit, st.ReadBytes, read)
	}
	if st.UnchangedFiles != unchanged || st.ChangedFiles != uint64(len(scaleNames))-unchanged {
		s.t.Errorf("%d files unchanged, %d changed, want %d unchanged", st.UnchangedFiles, st.ChangedFiles, unchanged)
	}
	s.asFromScratch(res)
	return res
}

func (s *scales) asFromScratch(res *backup.Result) {
	s.t.Helper()
	want, _ := rootsOf(s.t, s.lab, s.st, s.mode(tree.Full))
	if diff := cmp.Diff(want, res.Snapshot.Roots); diff != "" {
		s.t.Errorf("other than from scratch: %s", diff)
	}
	sameAsSource(s.t, readBack(s.t, s.open(s.t, s.st), res.Snapshot), s.dir)
}

// partOfSource compares what was read back with what has the same path in the source.
func partOfSource(t testing.TB, got map[string]node, dir string) {
	t.Helper()
	for path, n := range got {
		st, err := os.Lstat(path)
		switch {
		case err != nil:
			t.Errorf("%s is not in the source: %v", path, err)
		case st.IsDir() != (n.Type == tree.Directory):
			t.Errorf("%s is of type %d", path, n.Type)
		case n.Type == tree.File:
			if b, err := os.ReadFile(path); err != nil || string(b) != n.data {
				t.Errorf("%s has other content: %v", path, err)
			}
		}
	}
	if len(got) > 0 && got[dir].Entry == nil {
		t.Errorf("there is no %s in %d entries", dir, len(got))
	}
}

// nameList tells snapshots in an error.
func nameList(snaps []*repo.Snapshot) string {
	var out strings.Builder
	for _, s := range snaps {
		out.WriteString(fmt.Sprintf("\n%s seq %d, completeness %d, mode %d, parent %q, %d files", s.Name, s.Seq, s.Completeness, s.Mode, s.Parent, s.Stats.Files))
	}
	return out.String()
}
