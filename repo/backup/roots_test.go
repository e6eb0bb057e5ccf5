package backup_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

// TestRootsOfEveryType backs up paths that are no directories, together.
func TestRootsOfEveryType(t *testing.T) {
	dir := t.TempDir()
	file, fifo := filepath.Join(dir, "z file"), filepath.Join(dir, "fifo")
	toDir, toFile := filepath.Join(dir, "to dir"), filepath.Join(dir, "to file")
	write(t, file, "a root")
	write(t, filepath.Join(dir, "dir/inside"), "inside")
	must(t, unix.Mkfifo(fifo, 0o600))
	must(t, os.Symlink("dir", toDir))
	must(t, os.Symlink("z file", toFile))
	l := newLab(t)
	for range 2 {
		res := l.clean(t, options(file, toFile, fifo, toDir))
		var paths []string
		for _, r := range res.Snapshot.Roots {
			paths = append(paths, r.Path)
			if r.Entry.Name != "" {
				t.Errorf("root %s has the name %q", r.Path, r.Entry.Name)
			}
		}
		if !slices.Equal(paths, []string{fifo, toDir, toFile, file}) {
			t.Errorf("roots %q", paths)
		}
		got := readBack(t, l.open(t, l.st), res.Snapshot)
		if got[file].data != "a root" || got[toFile].data != "a root" || got[toDir+"/inside"].data != "inside" || got[fifo].Type != tree.Fifo {
			t.Errorf("read back %v", got)
		}
		if s := res.Snapshot.Stats; s.Files != 3 || s.Directories != 1 || s.Others != 1 {
			t.Errorf("%+v", s)
		}
	}
}

// TestRootIsRecognisedByItsName: a root that is a file is cut as it would be in its directory.
func TestRootIsRecognisedByItsName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.img")
	write(t, path, strings.Repeat("\x01", 1<<20))
	res := newLab(t).clean(t, options(path))
	if s := res.Snapshot.Roots[0].Entry.Splitter; s == 0 {
		t.Error("an image was not recognised")
	}
}

// TestRootThatCannotBeRead: without one of its roots nothing is published, and a mistyped path leaves no trace.
func TestRootThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "there/file"), "there")
	l := newLab(t)
	before := len(l.st.Objects())
	_, err := runIn(t, l.open(t, l.st), options(filepath.Join(dir, "there"), filepath.Join(dir, "typo")))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "typo") {
		t.Errorf("missing: %v", err)
	}
	write(t, filepath.Join(dir, "there", source.IncompleteMarker), "")
	if _, err := runIn(t, l.open(t, l.st), options(filepath.Join(dir, "there"))); !errors.Is(err, source.ErrMarked) {
		t.Errorf("half restored: %v", err)
	}
	if n := len(l.st.Objects()); n != before {
		t.Errorf("%d objects were left behind", n-before)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	dir := t.TempDir()
	l := newLab(t)
	before := len(l.st.Objects())
	for _, c := range []struct {
		name   string
		change func(*backup.Options)
		want   string
	}{
		{"no path", func(o *backup.Options) { o.Paths = nil }, "no path"},
		{"relative", func(o *backup.Options) { o.Paths = []string{"x"} }, "absolute"},
		{"unclean", func(o *backup.Options) { o.Paths = []string{dir + "/"} }, "clean"},
		{"twice", func(o *backup.Options) { o.Paths = []string{dir, dir} }, "backed up as well"},
		{"nested", func(o *backup.Options) { o.Paths = []string{dir + "/x", dir + "-y", dir} }, "backed up as well"},
		{"nested in /", func(o *backup.Options) { o.Paths = []string{dir, "/"} }, "backed up as well"},
		{"no dataset", func(o *backup.Options) { o.Dataset = "" }, "dataset"},
		{"no host", func(o *backup.Options) { o.Host = "" }, "host"},
		{"dataset that is no text", func(o *backup.Options) { o.Dataset = "/srv/\xff" }, "UTF-8"},
		{"tag that is no text", func(o *backup.Options) { o.Tags = []string{"\xff"} }, "UTF-8"},
		{"unknown mode", func(o *backup.Options) { o.Mode = 9 }, "mode"},
		{"no workers", func(o *backup.Options) { o.Workers = -1 }, "workers"},
	} {
		o := options(dir)
		c.change(&o)
		if _, err := runIn(t, l.open(t, l.st), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if n := len(l.st.Objects()); n != before {
		t.Errorf("%d objects were left behind", n-before)
	}
}

// TestHeld: a second run of a source on this host is refused at once.
func TestHeld(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	l := newLab(t)
	o := l.options()
	o.Cache = t.TempDir()
	r, err := repo.Open(t.Context(), l.st, repo.Secret{Passphrase: "test"}, o)
	must(t, err)
	inside := options(dir)
	var second error
	inside.Events.Parent = func(*repo.Snapshot) { _, second = runIn(t, r, options(dir)) }
	if _, err := runIn(t, r, inside); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(second, repo.ErrHeld) {
		t.Errorf("second run: %v", second)
	}
	if _, err := runIn(t, r, options(dir)); err != nil {
		t.Errorf("after the first: %v", err)
	}
}
