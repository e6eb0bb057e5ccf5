package restore_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/storage/mem"
)

// TestFifthCopy has four copies of a file damaged, which the host's index knows, and a fifth, which it has no room for: the segments are read
// before the file is called damaged.
func TestFifthCopy(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	write(t, dir+"/precious", noise(1, 300_000))
	st := mem.New(nil)
	newRepo(t, st)
	cache := t.TempDir()
	open := func() *repo.Repo {
		t.Helper()
		r, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: "test"}, repo.Options{Cache: cache, Host: "host"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	known := map[string]bool{}
	var snap *repo.Snapshot
	for i := range 5 {
		r := open()
		snap = save(t, r, dir)
		for _, name := range st.Objects() {
			if !strings.HasPrefix(name, "data/") || known[name] {
				continue
			}
			known[name] = true
			if i == 4 {
				continue
			}
			b, err := st.Get(t.Context(), name, 0, -1, nil)
			if err != nil {
				t.Fatal(err)
			}
			b = bytes.Clone(b)
			b[len(b)/2] ^= 1
			st.Replace(name, b)
			if marked, err := r.MarkDamaged(t.Context(), &repo.CorruptError{Object: name}); marked != name || err != nil {
				t.Fatalf("marked %q, %v", marked, err)
			}
		}
	}
	if len(known) != 5 {
		t.Fatalf("%d packs, want five copies", len(known))
	}
	got, _ := bring(t, open(), snap, restore.Selection{}, restore.Options{})
	same(t, dir, got)
}
