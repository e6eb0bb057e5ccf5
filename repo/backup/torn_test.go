package backup_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"savepoint/repo/backup"
	"savepoint/repo/storage/fault"
)

// whenLookingUp backs up with one worker and calls fn when the index of data chunks is read, which is when the first chunk of
// the run is looked up.
func (l *lab) whenLookingUp(t *testing.T, o backup.Options, fn func()) *backup.Result {
	t.Helper()
	called := false
	st := fault.New(l.st, fault.Rule{Op: fault.Get, Prefix: "index/00000000/data/", Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
		called = true
		fn()
		return nil
	}})
	o.Workers = 1
	res, err := runIn(t, l.open(t, st), o)
	must(t, err)
	if !called {
		t.Fatal("the index of data chunks was not read")
	}
	return res
}

// TestRewrittenOnceWhileRead: a file that is rewritten between the reading of its first chunk and its end is read again.
func TestRewrittenOnceWhileRead(t *testing.T) {
	const size = 5 << 20
	other, dir := t.TempDir(), t.TempDir()
	small(t, other)
	path := filepath.Join(dir, "file")
	for _, c := range []struct {
		name   string
		change func()
		want   string
		read   uint64
	}{
		{"rewritten", func() { write(t, path, noise(2, size)) }, noise(2, size), 2 * size},
		{"grown", func() {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteString("and more")
			must(t, err)
			must(t, f.Close())
		}, noise(1, size), 2 * size}, // once more, to see that it only grew
		{"rewritten and grown", func() { write(t, path, noise(2, size)+"and more") }, noise(2, size) + "and more", 3*size + 8},
		{"replaced", func() { write(t, path+".new", "new"); must(t, os.Rename(path+".new", path)) }, "new", size + 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			o := options(other)
			o.Dataset = "other"
			l.clean(t, o) // so that there is an index
			write(t, path, noise(1, size))
			res := l.whenLookingUp(t, options(dir), c.change)
			if res.Faulty() || res.Snapshot.Stats.ReadBytes != c.read {
				t.Errorf("faults %v, %+v", res.Snapshot.Faults, res.Snapshot.Stats)
			}
			if got := readBack(t, l.open(t, l.st), res.Snapshot)[path]; got.data != c.want || got.Fault != 0 {
				t.Errorf("%d bytes, fault %d", len(got.data), got.Fault)
			}
		})
	}
}

// TestReplacedBeforeItIsOpened replaces a file between the look at its metadata and its opening: not a fault, the new one
// is read.
func TestReplacedBeforeItIsOpened(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, c := range []struct {
		name string
		make func(path string) error
	}{
		{"by a file", func(path string) error { return os.WriteFile(path, []byte("new"), 0o600) }},
		{"by a link", func(path string) error { return os.Symlink("new", path) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, os.RemoveAll(path))
			write(t, path, "old")
			l := newLab(t)
			l.clean(t, options(dir))
			l.condemn(t, l.objects("data/")...) // the unchanged file is looked up, and must be read
			o := options(dir)
			o.AllowShrink = true
			res := l.whenLookingUp(t, o, func() {
				must(t, c.make(path+".new"))
				must(t, os.Rename(path+".new", path))
			})
			got := readBack(t, l.open(t, l.st), res.Snapshot)[path]
			if res.Faulty() || got.Entry == nil || got.data+got.Target != "new" {
				t.Errorf("faults %v, entry %+v", res.Snapshot.Faults, got)
			}
		})
	}
}
