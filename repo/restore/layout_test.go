package restore_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"savepoint/repo/restore"
)

// names returns what is in a directory.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestSubpaths(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	write(t, dir+"/a/b/file", noise(1, 1000))
	write(t, dir+"/a/b/other", noise(2, 300_000))
	write(t, dir+"/c", noise(3, 1000))
	if err := os.Symlink("c", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	_, r, snap := saved(t, dir)

	got, res := bring(t, r, snap, restore.Selection{Sub: "a/b"}, restore.Options{})
	same(t, dir+"/a/b", got)
	if res.Files != 2 || res.Directories != 1 || res.FetchedBytes > 303_000 {
		t.Errorf("result %+v", res)
	}
	got, _ = bring(t, r, snap, restore.Selection{Root: dir, Sub: "a/b/file"}, restore.Options{})
	if !slices.Equal(names(t, got), []string{"file"}) {
		t.Errorf("target holds %q", names(t, got))
	}
	same(t, dir+"/a/b/file", got+"/file")
	got, _ = bring(t, r, snap, restore.Selection{Sub: "link"}, restore.Options{})
	same(t, dir+"/link", got+"/link")

	for _, sel := range []restore.Selection{{Sub: "nothing"}, {Sub: "c/below"}, {Sub: "../source"}, {Root: "/elsewhere"}} {
		target := filepath.Join(t.TempDir(), "target")
		if _, err := restore.Run(t.Context(), r, snap, sel, restore.Options{Target: target}); !errors.Is(err, restore.ErrSelection) {
			t.Errorf("%+v: %v", sel, err)
		}
		if _, err := os.Lstat(target); !os.IsNotExist(err) {
			t.Errorf("%+v: the target was made", sel)
		}
	}
}

func TestRootThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	write(t, path, noise(1, 200_000))
	_, r, snap := saved(t, path)
	target := filepath.Join(t.TempDir(), "t")
	if err := os.Mkdir(target, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(target, os.ModeSetgid|0o775); err != nil {
		t.Fatal(err)
	}
	got, _ := bring(t, r, snap, restore.Selection{}, restore.Options{Target: target})
	same(t, path, got+"/ledger.db")
	st, err := os.Stat(target)
	if err != nil || st.Mode() != os.ModeDir|os.ModeSetgid|0o775 {
		t.Errorf("the target has mode %v, %v", st.Mode(), err)
	}
}

func TestSeveralRoots(t *testing.T) {
	top := t.TempDir()
	for _, p := range []string{"eu/data/f", "us/data/g", "logs/h"} {
		write(t, filepath.Join(top, p), []byte(p))
	}
	_, r, snap := saved(t, top+"/eu/data", top+"/logs")
	got, _ := bring(t, r, snap, restore.Selection{}, restore.Options{})
	if !slices.Equal(names(t, got), []string{"data", "logs"}) {
		t.Errorf("target holds %q", names(t, got))
	}
	same(t, top+"/eu/data", got+"/data")
	same(t, top+"/logs", got+"/logs")

	_, r, snap = saved(t, top+"/eu/data", top+"/us/data", top+"/logs")
	got, _ = bring(t, r, snap, restore.Selection{}, restore.Options{})
	for _, p := range []string{"/eu/data", "/us/data", "/logs"} {
		same(t, top+p, got+top+p)
	}
	if _, err := restore.Run(t.Context(), r, snap, restore.Selection{Sub: "f"}, restore.Options{Target: t.TempDir()}); !errors.Is(err, restore.ErrSelection) {
		t.Errorf("a path below no root: %v", err)
	}
}

// TestMarkerInSnapshot restores a tree that holds an entry with the marker's name.
func TestMarkerInSnapshot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	write(t, dir+"/below/"+restore.IncompleteMarker, []byte("a file like any other"))
	write(t, dir+"/below/"+restore.IncompleteMarker+"-1", []byte("and another"))
	_, r, snap := saved(t, dir)
	target := filepath.Join(t.TempDir(), "t")
	seen := false
	got, _ := bring(t, r, snap, restore.Selection{Sub: "below"}, restore.Options{Target: target, Events: restore.Events{Planned: func(restore.Plan) {
		seen = slices.Equal(names(t, target), []string{restore.IncompleteMarker + "-2"})
	}}})
	if !seen {
		t.Error("there was no marker under a name of its own")
	}
	same(t, dir+"/below", got)
}
