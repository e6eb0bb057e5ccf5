package backup_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/internal/needtest"
	"savepoint/repo/storage/fault"
	"savepoint/repo/tree"
)

// small makes a tree of three files in as many folders.
func small(t testing.TB, dir string) {
	t.Helper()
	for _, n := range []string{"a", "b/c", "b/d/e"} {
		write(t, filepath.Join(dir, n), "content of "+n)
	}
}

// TestReadAndFoundTheSame counts files that were read for their times alone apart from those that have changed.
func TestReadAndFoundTheSame(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	alone := filepath.Join(t.TempDir(), "alone")
	write(t, alone, "a root that is a file is always read")
	l := newLab(t)
	if first := l.clean(t, options(dir, alone)); first.Same != 0 {
		t.Errorf("first backup: %d the same", first.Same)
	}
	l.ahead.Store(int64(later))
	when := time.Unix(1700000000, 0)
	must(t, os.Chtimes(filepath.Join(dir, "a"), when, when))
	must(t, os.Chtimes(filepath.Join(dir, "b/c"), when, when))
	write(t, filepath.Join(dir, "b/c"), "content of b/C")
	write(t, filepath.Join(dir, "new"), "content of a")
	must(t, os.Symlink("a", filepath.Join(dir, "link")))
	second := l.clean(t, options(dir, alone))
	if s := second.Snapshot.Stats; second.Same != 2 || s.ChangedFiles != 4 || s.UnchangedFiles != 1 {
		t.Errorf("%d the same of %d changed, %d unchanged", second.Same, s.ChangedFiles, s.UnchangedFiles)
	}
	o := options(dir, alone)
	o.Mode = tree.Full
	if full := l.clean(t, o); full.Same != 0 || full.Snapshot.Stats.ChangedFiles != 5 {
		t.Errorf("full: %d the same of %d", full.Same, full.Snapshot.Stats.ChangedFiles)
	}
}

// TestSecondBackupAddsNoPack backs an unchanged tree up again in every way there is.
func TestSecondBackupAddsNoPack(t *testing.T) {
	for _, c := range []struct {
		name  string
		mode  tree.Mode
		ahead time.Duration // of the host's clock in the second run
		read  bool
	}{
		{"incremental", tree.Incremental, later, false},
		{"full", tree.Full, later, true},
		{"differential without a full one", tree.Differential, later, true},
		{"clock set back", tree.Incremental, later - time.Minute, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			small(t, dir)
			l := newLab(t)
			first := l.clean(t, options(dir))
			if s := first.Snapshot.Stats; s.Files != 3 || s.Directories != 3 || s.ChangedFiles != 3 || first.Totals.DataPacks != 1 || first.Totals.MetaPacks != 1 {
				t.Errorf("first backup: %+v, %+v", s, first.Totals)
			}
			l.ahead.Store(int64(c.ahead))
			o := options(dir)
			o.Mode = c.mode
			second := l.clean(t, o)
			if second.Totals.DataPacks+second.Totals.MetaPacks != 0 {
				t.Errorf("packs were stored: %+v", second.Totals)
			}
			if second.Snapshot.Seq != 2 || second.Snapshot.Prev != first.Snapshot.Name {
				t.Errorf("seq %d, prev %q", second.Snapshot.Seq, second.Snapshot.Prev)
			}
			s := second.Snapshot.Stats
			if read := s.ReadBytes > 0 && s.RereadFiles == 0; read != c.read || s.UnchangedFiles+s.ChangedFiles != 3 || (s.UnchangedFiles == 3) == read {
				t.Errorf("statistics %+v, want read %v", s, c.read)
			}
		})
	}
}

// TestYoungFilesAreReadAgain: a file that was written less than a minute before the parent's start could have been written
// again under the same times.
func TestYoungFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	for _, c := range []struct {
		ahead time.Duration
		want  uint64
	}{{0, 0}, {59 * time.Second, 0}, {10 * time.Minute, 3}} {
		l := newLab(t)
		l.ahead.Store(int64(c.ahead))
		l.clean(t, options(dir))
		l.ahead.Store(int64(later))
		second := l.clean(t, options(dir))
		if got := second.Snapshot.Stats.UnchangedFiles; got != c.want || second.Totals.DataPacks+second.Totals.MetaPacks != 0 {
			t.Errorf("parent at +%v: %d files unchanged, want %d; %+v", c.ahead, got, c.want, second.Totals)
		}
	}
}

// TestWhatCountsAsChanged changes a file in ways that leave its size and mtime as they were, and others.
func TestWhatCountsAsChanged(t *testing.T) {
	const old, now = "old content", "new content"
	restore := func(t *testing.T, path string, mtime time.Time) { must(t, os.Chtimes(path, mtime, mtime)) }
	for _, c := range []struct {
		name   string
		change func(t *testing.T, path string, mtime time.Time)
		want   string
		read   bool
	}{
		{"left alone", func(*testing.T, string, time.Time) {}, old, false},
		{"same size and mtime", func(t *testing.T, path string, mtime time.Time) {
			write(t, path, now)
			restore(t, path, mtime)
		}, now, true},
		{"another inode", func(t *testing.T, path string, mtime time.Time) {
			write(t, path+".new", now)
			restore(t, path+".new", mtime)
			must(t, os.Rename(path+".new", path))
		}, now, true},
		{"mode", func(t *testing.T, path string, _ time.Time) { must(t, os.Chmod(path, 0o600)) }, old, true},
		{"attribute", func(t *testing.T, path string, _ time.Time) {
			if err := unix.Setxattr(path, "user.x", []byte("y"), 0); err != nil {
				needtest.Without(t, "xattr", err.Error())
			}
		}, old, true},
		{"another name", func(t *testing.T, path string, _ time.Time) { must(t, os.Link(path, path+" too")) }, old, true},
		{"became a directory", func(t *testing.T, path string, _ time.Time) {
			must(t, os.Remove(path))
			write(t, path+"/inside", now)
		}, "", true},
		{"became a link", func(t *testing.T, path string, _ time.Time) {
			must(t, os.Remove(path))
			must(t, os.Symlink("else", path))
		}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			write(t, path, old)
			restore(t, path, time.Unix(1e9, 1))
			l := newLab(t)
			l.clean(t, options(dir))
			c.change(t, path, time.Unix(1e9, 1))
			o := options(dir)
			o.AllowShrink = true
			res := l.clean(t, o)
			got := readBack(t, l.open(t, l.st), res.Snapshot)
			if got[path].data != c.want {
				t.Errorf("content %q, want %q", got[path].data, c.want)
			}
			if read := res.Snapshot.Stats.UnchangedFiles == 0; read != c.read {
				t.Errorf("read %v, want %v", read, c.read)
			}
			sameAsSource(t, got, dir)
		})
	}
}

// TestFilesThatAreAlwaysRead: where times say nothing, each file is opened every time.
func TestFilesThatAreAlwaysRead(t *testing.T) {
	db := "SQLite format 3\x00" + "\x10\x00" + strings.Repeat("\x00", 16<<10-18)
	cluster := t.TempDir()
	for _, n := range []string{"PG_VERSION", "global/pg_control", "global/pg_filenode.map", "base/5/PG_VERSION", "base/5/16384"} {
		write(t, filepath.Join(cluster, n), n)
	}
	for _, c := range []struct {
		name string
		dir  string
		file string
		data string
	}{
		{"database", t.TempDir(), "players.sqlite", db},
		{"image", t.TempDir(), "disk.img", strings.Repeat("\x01", 1<<20)},
		{"cluster", cluster, "postgresql.conf", "fsync = on"},
		{"memory", memoryDir(t), "file", "content"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(t, filepath.Join(c.dir, c.file), c.data)
			l := newLab(t)
			first := l.clean(t, options(c.dir))
			second := l.clean(t, options(c.dir))
			if s := second.Snapshot.Stats; s.UnchangedFiles != 0 || s.ReadBytes != first.Snapshot.Stats.ReadBytes || s.ChangedFiles != s.Files {
				t.Errorf("%+v", s)
			}
			if second.Totals.DataPacks+second.Totals.MetaPacks != 0 {
				t.Errorf("packs were stored: %+v", second.Totals)
			}
		})
	}
}

// TestDifferential compares with the last full one, whatever came after.
func TestDifferential(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	l := newLab(t)
	full := options(dir)
	full.Mode = tree.Full
	first := l.clean(t, full)
	l.clean(t, options(dir))
	diff := options(dir)
	diff.Mode = tree.Differential
	for range 2 {
		res := l.clean(t, diff)
		if res.Parent == nil || res.Parent.Name != first.Snapshot.Name || res.Snapshot.Parent != first.Snapshot.Name || res.Snapshot.Stats.UnchangedFiles != 3 {
			t.Errorf("parent %v, %+v", res.Parent, res.Snapshot.Stats)
		}
	}
}

// TestOtherSourceIsNoParent: the same path on another host, or as another dataset, is read.
func TestOtherSourceIsNoParent(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	l := newLab(t)
	l.clean(t, options(dir))
	for _, source := range [][2]string{{"world", "other"}, {"other", "host"}} {
		o := options(dir)
		o.Dataset, o.Host = source[0], source[1]
		res := l.clean(t, o)
		if res.Parent != nil || res.Snapshot.Stats.UnchangedFiles != 0 || res.Snapshot.Seq != 1 || res.Totals.DataPacks != 0 {
			t.Errorf("%v: parent %v, %+v, %+v", source, res.Parent, res.Snapshot.Stats, res.Totals)
		}
	}
}

// TestUnchangedFileIsNotOpened looks at what the store is asked for: an unchanged run reads the parent's tree, and no more of
// the index than locates it.
func TestUnchangedFileIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	for i := range 50 { // fewer than a spot check would take one of
		write(t, filepath.Join(dir, fmt.Sprint(i)), noise(byte(i), 1000))
	}
	l := newLab(t)
	l.clean(t, options(dir))
	st := fault.New(l.st)
	r := l.open(t, st)
	st.Arm()
	if _, err := runIn(t, r, options(dir)); err != nil {
		t.Fatal(err)
	}
	for _, op := range st.Log() {
		if op.Op == fault.Get && (strings.HasPrefix(op.Name, "data/") || strings.HasPrefix(op.Name, "index/00000000/data/")) || op.Op == fault.Put && (strings.HasPrefix(op.Name, "data/") || strings.HasPrefix(op.Name, "meta/") || strings.HasPrefix(op.Name, "index/")) {
			t.Errorf("%s %s", op.Op, op.Name)
		}
	}
}
