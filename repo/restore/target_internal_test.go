package restore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

// TestBeginGivesBack has a restore that ends before it begins: the target is as it was, and takes the next one.
func TestBeginGivesBack(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o751); err != nil {
		t.Fatal(err)
	}
	tgt, err := openTarget(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tgt.dir.Close()
	old := unix.Umask(0o700)
	err = tgt.begin(IncompleteMarker, "A test")
	unix.Umask(old)
	var te *TargetError
	if !errors.As(err, &te) {
		t.Errorf("got %v, want a *TargetError", err)
	}
	if got := contents(t, dir); len(got) > 0 {
		t.Errorf("the target holds %q", got)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o751 {
		t.Errorf("the target has mode %v, %v", info.Mode(), err)
	}
}

// TestBeginAfterAnother has two restores that both found the target empty, and one that is done before the other begins.
func TestBeginAfterAnother(t *testing.T) {
	dir := t.TempDir()
	slow, err := openTarget(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.dir.Close()
	if err := os.WriteFile(filepath.Join(dir, "restored"), []byte("whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := slow.begin(IncompleteMarker, "A test"); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("got %v, want ErrNotEmpty", err)
	}
	if got := contents(t, dir); !slices.Equal(got, []string{"restored"}) {
		t.Errorf("the target holds %q", got)
	}
}

// TestDirectoryLeftOut has a directory whose name the file system refuses: it is a problem, and its neighbours are restored.
func TestDirectoryLeftOut(t *testing.T) {
	w, out := newBench(t)
	top, err := w.dirs.hold(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "no\x00name", "z"} {
		if err := w.add(t.Context(), top, 0, name, &tree.Entry{Name: name, Type: tree.Directory, Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
	}
	w.dirs.release(top)
	if len(w.stack) != 2 {
		t.Errorf("%d directories are to be read, want 2", len(w.stack))
	}
	if err := out.finish(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if len(out.rec.problems) != 1 || !out.rec.problems[0].Missing || out.rec.dirs.Load() != 2 {
		t.Errorf("problems %+v, %d directories", out.rec.problems, out.rec.dirs.Load())
	}
}

// TestPlanIsFixed has workers look at a damaged file with holes, which must not change the plan that they share.
func TestPlanIsFixed(t *testing.T) {
	_, out := newBench(t)
	i, n, err := out.p.addNode(0, "f", &tree.Entry{Type: tree.File, Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	n.flags |= flagHoles | flagDamaged
	out.p.damage(i, errChunk)
	if err := out.plain(i, n); err != nil || out.p.extras.n != 0 {
		t.Errorf("%v; %d nodes have something besides", err, out.p.extras.n)
	}
}
