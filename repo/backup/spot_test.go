package backup_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"savepoint/repo"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

// rewrite publishes a copy of a snapshot with one root whose directory has files only, each changed by edit.
func (l *lab) rewrite(t *testing.T, snap *repo.Snapshot, edit func(*tree.Entry)) *repo.Snapshot {
	t.Helper()
	r := l.open(t, l.st)
	var out *repo.Snapshot
	err := r.Write(t.Context(), snap.Dataset, snap.Host, func(ctx context.Context, s *repo.Session) error {
		trees, err := s.Trees(ctx)
		if err != nil {
			return err
		}
		stream := s.NewStream(repo.Meta)
		dir := tree.NewDirBuilder(stream, r.Cutter())
		m := *snap.Manifest
		m.Roots = append([]tree.Root(nil), m.Roots...)
		root := &m.Roots[0].Entry
		for e, err := range tree.Entries(ctx, trees, root.Content, "") {
			if err != nil {
				return err
			}
			c := *e
			edit(&c)
			if err := dir.Add(ctx, &c); err != nil {
				return err
			}
		}
		if root.Content, err = dir.Finish(ctx); err != nil {
			return err
		}
		if err := stream.Flush(ctx); err != nil {
			return err
		}
		out, err = s.Commit(ctx, &m)
		return err
	})
	must(t, err)
	return out
}

// TestSpotCheck lets every file differ from what the parent says of it, under equal times and sizes: the few that are
// read all the same are found.
func TestSpotCheck(t *testing.T) {
	const files, size = 2000, 100
	dir := t.TempDir()
	for i := range files {
		write(t, filepath.Join(dir, fmt.Sprintf("%04d", i)), fmt.Sprintf("%0*d", size, i))
	}
	l := newLab(t)
	first := l.clean(t, options(dir))
	var other []tree.Element // what each file is said to hold
	lie := l.rewrite(t, first.Snapshot, func(e *tree.Entry) {
		e.Content, other = other, e.Content
		if e.Content == nil {
			e.Content = other
		}
	})
	drawn := map[string]bool{}
	r := l.open(t, l.st)
	for i := 1; i < files; i++ {
		if path := filepath.Join(dir, fmt.Sprintf("%04d", i)); source.SpotCheck(r.SpotKey(), path, lie.Seq+1) {
			drawn[path] = true
		}
	}
	if len(drawn) == 0 {
		t.Fatal("no file in 2000 was drawn, which happens once in 10^9 runs")
	}
	res := l.run(t, options(dir))
	s := res.Snapshot.Stats
	if res.Parent.Name != lie.Name || s.RereadFiles > files/100 || s.RereadDifferent == 0 || s.RereadDifferent > s.RereadFiles ||
		s.UnchangedFiles != files-s.RereadDifferent || !res.Faulty() {
		t.Errorf("%d drawn, %+v, faulty %v", len(drawn), s, res.Faulty())
	}
	if n := min(len(drawn), files/100); s.RereadFiles < uint64(n) {
		t.Errorf("%d re-read of %d drawn", s.RereadFiles, n)
	}
	healed := uint64(0)
	for path, n := range readBack(t, r, res.Snapshot) {
		if n.Type == tree.File && n.data == fmt.Sprintf("%0*s", size, filepath.Base(path)) && filepath.Base(path) != "0000" {
			healed++
			if !drawn[path] {
				t.Errorf("%s was healed, and not drawn", path)
			}
		}
	}
	if healed != s.RereadDifferent {
		t.Errorf("%d healed, %d found different", healed, s.RereadDifferent)
	}
}

// TestSpotCheckDrawsAnew: each run draws other files, also when the parent stays the same.
func TestSpotCheckDrawsAnew(t *testing.T) {
	dir := t.TempDir()
	const files = 3000
	for i := range files {
		write(t, filepath.Join(dir, fmt.Sprintf("%04d", i)), "x")
	}
	l := newLab(t)
	full := options(dir)
	full.Mode = tree.Full
	l.clean(t, full)
	diff := options(dir)
	diff.Mode = tree.Differential
	r := l.open(t, l.st)
	for range 2 {
		res := l.clean(t, diff)
		want := uint64(0)
		for i := range files {
			if source.SpotCheck(r.SpotKey(), filepath.Join(dir, fmt.Sprintf("%04d", i)), res.Snapshot.Seq) {
				want++
			}
		}
		if got := res.Snapshot.Stats.RereadFiles; got != min(want, files/100) {
			t.Errorf("snapshot %d: %d re-read, %d drawn by its number", res.Snapshot.Seq, got, want)
		}
	}
}
