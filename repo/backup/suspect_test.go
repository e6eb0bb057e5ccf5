package backup_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"savepoint/repo/tree"
)

// TestSuspect follows a source that shrinks by files, or by bytes, and grows again.
func TestSuspect(t *testing.T) {
	for _, c := range []struct {
		name          string
		shrink, again func(t *testing.T, path string) // of 6 of 10 files
	}{
		{"files", func(t *testing.T, path string) { must(t, os.Remove(path)) }, func(t *testing.T, path string) { write(t, path, noise(1, 1000)) }},
		{"bytes", func(t *testing.T, path string) { must(t, os.Truncate(path, 10)) }, func(t *testing.T, path string) { must(t, os.Truncate(path, 1000)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			each := func(n int, fn func(t *testing.T, path string)) {
				for i := range n {
					fn(t, filepath.Join(dir, fmt.Sprint(i)))
				}
			}
			each(10, func(t *testing.T, path string) { write(t, path, noise(0, 1000)) })
			l := newLab(t)
			l.clean(t, options(dir))
			each(5, c.shrink)
			l.clean(t, options(dir)) // half is still there
			each(5, c.again)
			l.clean(t, options(dir))
			each(6, c.shrink)
			for run := range 2 { // the second is compared with the newest that is not suspect
				o := options(dir)
				o.Mode = []tree.Mode{tree.Incremental, tree.Full}[run]
				res := l.run(t, o)
				if s := res.Snapshot; !s.Suspect || !res.Faulty() || s.Completeness != tree.Complete {
					t.Errorf("run %d: suspect %v, faulty %v, completeness %d", run, s.Suspect, res.Faulty(), s.Completeness)
				}
			}
			o := options(dir)
			o.AllowShrink = true
			l.clean(t, o)
			l.clean(t, options(dir)) // compared with the one before
			each(6, c.again)
			l.clean(t, options(dir))
		})
	}
}
