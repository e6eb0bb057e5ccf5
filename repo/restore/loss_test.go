package restore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

// within has folders in folders, one file with two names, and holes.
func within(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "source")
	for i := range 40 {
		write(t, filepath.Join(dir, fmt.Sprintf("d%d/e%d/f%02d", i%2, i%4, i)), noise(uint64(i), 1000+i))
	}
	if err := os.Link(filepath.Join(dir, "d0/e0/f00"), filepath.Join(dir, "top")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// losing restores what is wanted of a snapshot whose tree lost the chunks that are not kept.
func losing(t *testing.T, st *mem.Store, r *repo.Repo, snap *repo.Snapshot, sel restore.Selection) *restore.Result {
	t.Helper()
	for _, name := range objects(st, "meta/") {
		if err := st.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	return restoring(t, r, snap, sel)
}

func restoring(t *testing.T, r *repo.Repo, snap *repo.Snapshot, sel restore.Selection) *restore.Result {
	t.Helper()
	res, err := restore.Run(t.Context(), r, snap, sel, restore.Options{Target: filepath.Join(t.TempDir(), "t")})
	if !errors.Is(err, repo.ErrCorrupt) || res == nil {
		t.Fatalf("got %v, want an error that wraps ErrCorrupt", err)
	}
	return res
}

// TestLostRoot has the root of the tree lost: all of it, as the manifest counts it.
func TestLostRoot(t *testing.T) {
	st, r, snap := saved(t, within(t))
	want := restore.Loss{Files: 41, Bytes: snap.Stats.FileBytes, All: true}
	if snap.Stats.Files != 41 || snap.Stats.FileBytes < 41000 || restore.Everything(snap) != want {
		t.Fatalf("%+v", snap.Stats)
	}
	res := losing(t, st, r, snap, restore.Selection{})
	if len(res.Damaged) != 1 || res.Lost != want {
		t.Errorf("one folder is damaged: %+v; lost %+v, want %+v", res.Damaged, res.Lost, want)
	}
	if res := restoring(t, r, snap, restore.Selection{Want: func(*tree.Entry) bool { return true }}); res.Lost != (restore.Loss{AtLeast: true}) {
		t.Errorf("of a sample nobody knows how much: %+v", res.Lost)
	}
}

// TestLostFolder has one folder of a tree lost, and then all data as well.
func TestLostFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	lost := uint64(0)
	for i := range 20 {
		write(t, filepath.Join(dir, fmt.Sprintf("gone/e%d/f%02d", i%4, i)), noise(uint64(i), 1000+i))
		lost += uint64(1000 + i)
	}
	st, r, _ := saved(t, dir)
	first := objects(st, "meta/")
	for i := range 7 {
		write(t, filepath.Join(dir, fmt.Sprintf("kept/f%02d", i)), noise(uint64(50+i), 2000))
	}
	snap := save(t, r, dir)
	for _, name := range first { // the root was written anew, and the pages of the one folder were not
		mustDo(t, st.Delete(t.Context(), name))
	}
	if res := restoring(t, r, snap, restore.Selection{}); res.Lost != (restore.Loss{Files: 20, Bytes: lost}) || len(res.Damaged) != 1 || res.Files != 7 {
		t.Errorf("%+v of %+v", res.Lost, res.Damaged)
	}
	if res := restoring(t, r, snap, restore.Selection{Root: dir, Sub: "gone"}); res.Lost != (restore.Loss{AtLeast: true}) {
		t.Errorf("of a part: %+v", res.Lost)
	}
	for _, name := range objects(st, "data/") {
		mustDo(t, st.Delete(t.Context(), name))
	}
	if res := restoring(t, r, snap, restore.Selection{}); res.Lost != restore.Everything(snap) {
		t.Errorf("with all data lost: %+v, want %+v", res.Lost, restore.Everything(snap))
	}
	if res := restoring(t, r, snap, restore.Selection{Root: dir, Sub: "kept"}); res.Lost != (restore.Loss{Files: 7, Bytes: 14000}) {
		t.Errorf("single files are counted: %+v", res.Lost)
	}
}
