package backup_test

import (
	"os"
	"path/filepath"
	"testing"

	"savepoint/repo/backup"
	"savepoint/repo/tree"
)

// TestExpect: what has less than is expected is kept as suspect, whatever --allow-shrink says, and is what it was when it has enough again.
func TestExpect(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), noise(0, 1000))
	for _, c := range []struct {
		name         string
		files, bytes uint64
		allow        bool
		suspect      bool
	}{
		{"nothing expected", 0, 0, false, false},
		{"just enough", 1, 1000, false, false},
		{"too few files", 2, 0, false, true},
		{"too few bytes", 1, 1001, false, true},
		{"allowed to shrink", 2, 0, true, true},
		{"enough again", 1, 1, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.clean(t, options(dir))
			o := options(dir)
			o.ExpectFiles, o.ExpectBytes, o.AllowShrink = c.files, c.bytes, c.allow
			res := l.run(t, o)
			if s := res.Snapshot; s.Suspect != c.suspect || res.Faulty() != c.suspect || s.Completeness != tree.Complete {
				t.Errorf("suspect %v, faulty %v, completeness %d", s.Suspect, res.Faulty(), s.Completeness)
			}
			if c.suspect { // and is no measure for the next
				l.clean(t, options(dir))
			}
		})
	}
}

// TestTolerate: a fault that is tolerated is listed and counted, and leaves the snapshot complete; one that is not does not.
func TestTolerate(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"readable", "lock", "secret"} {
		write(t, filepath.Join(dir, n), n)
	}
	for _, c := range []struct {
		name     string
		tolerate func(tree.Fault) bool
		want     tree.Completeness
		count    uint64
	}{
		{"none", nil, tree.WithFaults, 0},
		{"one of two", func(f tree.Fault) bool { return filepath.Base(f.Path) == "lock" }, tree.WithFaults, 1},
		{"both", func(f tree.Fault) bool { return f.Code == tree.Unreadable }, tree.Complete, 2},
		{"of another kind", func(f tree.Fault) bool { return f.Code == tree.Torn }, tree.WithFaults, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			var res *backup.Result
			asUser(t, dir, func() {
				must(t, os.Chmod(filepath.Join(dir, "lock"), 0))
				must(t, os.Chmod(filepath.Join(dir, "secret"), 0))
				o := options(dir)
				o.Tolerate = c.tolerate
				res = l.run(t, o)
			})
			s := res.Snapshot
			if s.Completeness != c.want || res.Tolerated != c.count || s.FaultCount != 2 || len(s.Faults) != 2 || res.Faulty() != (c.want != tree.Complete) {
				t.Errorf("completeness %d, %d faults of which %d are tolerated, faulty %v", s.Completeness, s.FaultCount, res.Tolerated, res.Faulty())
			}
		})
	}
}
