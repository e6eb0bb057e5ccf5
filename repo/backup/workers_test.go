package backup_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"savepoint/internal/corpus"
	"savepoint/repo/backup"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

// rootsOf backs up into a copy of the store and returns the snapshot's roots: equal ones hold equal IDs of all pages.
func rootsOf(t *testing.T, l *lab, st *mem.Store, o backup.Options) ([]tree.Root, []uint64) {
	t.Helper()
	o.Events.Progress = func(backup.Progress) { runtime.Gosched() } // another order each time
	res, err := backup.Run(t.Context(), l.open(t, st.Clone()), o)
	must(t, err)
	return res.Snapshot.Roots, res.Snapshot.Devices
}

// TestRootDependsOnTheSourceAlone backs one tree up with different numbers of workers, with and without a parent.
func TestRootDependsOnTheSourceAlone(t *testing.T) {
	for seed := range seeds(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tree")
			must(t, corpus.Tree(dir, smallTree(seed)))
			l := newLab(t)
			empty := l.st.Clone()
			l.clean(t, options(dir)) // the parent
			must(t, corpus.Mutate(dir, smallTree(seed+50)))
			var want []tree.Root
			for _, workers := range []int{1, 2, 3, 8} {
				o := options(dir)
				o.Workers = workers
				fresh, _ := rootsOf(t, l, empty, o)
				next, _ := rootsOf(t, l, l.st, o)
				if want == nil {
					want = fresh
				}
				if diff := cmp.Diff(want, fresh); diff != "" {
					t.Errorf("%d workers, no parent: %s", workers, diff)
				}
				if diff := cmp.Diff(want, next); diff != "" {
					t.Errorf("%d workers, with a parent: %s", workers, diff)
				}
			}
			other := newLab(t)
			if roots, _ := rootsOf(t, other, other.st, options(dir)); cmp.Equal(want, roots) {
				t.Error("two repositories, one root: IDs are not keyed")
			}
		})
	}
}

// TestFileSystemsAreNumberedByTheWalk: hard links name their file system by a number that no worker's luck decides.
func TestFileSystemsAreNumberedByTheWalk(t *testing.T) {
	shm := memoryDir(t)
	disk := t.TempDir()
	var want []uint64
	for _, dir := range []string{shm, disk} {
		for i := range 200 {
			path := filepath.Join(dir, fmt.Sprintf("%03d", i), "file")
			write(t, path, path)
			if dir == disk { // the first file system has no say by what was linked
				must(t, os.Link(path, path+" again"))
			}
		}
		var st unix.Stat_t
		must(t, unix.Stat(dir, &st))
		want = append(want, st.Dev)
	}
	l := newLab(t)
	first, _ := rootsOf(t, l, l.st, options(shm, disk))
	for _, workers := range []int{1, 8} {
		o := options(shm, disk)
		o.Workers = workers
		roots, devices := rootsOf(t, l, l.st, o)
		if diff := cmp.Diff(first, roots); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want, devices); diff != "" {
			t.Error(diff)
		}
	}
	// What an earlier snapshot met has no say.
	l.clean(t, options(disk))
	roots, devices := rootsOf(t, l, l.st, options(shm, disk))
	if !cmp.Equal(first, roots) || !cmp.Equal(want, devices) {
		t.Errorf("after another source: devices %v, want %v", devices, want)
	}
}

// TestHardLinks: names of one file share an identity across directories and roots, also when taken over.
func TestHardLinks(t *testing.T) {
	top := t.TempDir()
	a, b := filepath.Join(top, "a"), filepath.Join(top, "b")
	write(t, filepath.Join(a, "x/file"), "shared")
	write(t, filepath.Join(b, "other"), "not shared")
	must(t, os.Link(filepath.Join(a, "x/file"), filepath.Join(a, "file")))
	must(t, os.Link(filepath.Join(a, "x/file"), filepath.Join(b, "file")))
	l := newLab(t)
	for run := range 3 {
		res := l.clean(t, options(a, b))
		got := readBack(t, l.open(t, l.st), res.Snapshot)
		link := got[a+"/file"].Link
		if link == nil || !cmp.Equal(link, got[a+"/x/file"].Link) || !cmp.Equal(link, got[b+"/file"].Link) || got[b+"/other"].Link != nil {
			t.Errorf("run %d: links %v, %v, %v; without: %v", run, link, got[a+"/x/file"].Link, got[b+"/file"].Link, got[b+"/other"].Link)
		}
		if run == 1 { // the others lose one of three names
			must(t, os.Remove(filepath.Join(b, "file")))
			must(t, os.Link(filepath.Join(a, "file"), filepath.Join(b, "file")))
		}
	}
}
