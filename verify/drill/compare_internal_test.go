package drill

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/corpus"
	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/restore"
	"savepoint/repo/storage/mem"
	"savepoint/verify"
)

// restored is a snapshot, and a folder that it was restored into.
type restored struct {
	st   *mem.Store
	r    *repo.Repo
	snap *repo.Snapshot
	dir  string
	res  *restore.Result
}

// bring backs paths up and restores them.
func bring(t testing.TB, paths ...string) *restored {
	t.Helper()
	return bringTo(t, filepath.Join(t.TempDir(), "restored"), paths...)
}

// bringTo is bring into a folder that is to be made.
func bringTo(t testing.TB, target string, paths ...string) *restored {
	t.Helper()
	st := mem.New(nil)
	r, err := repo.Init(t.Context(), st, []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "test", Passphrase: "test", WorkFactor: 4}}, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := backup.Run(t.Context(), r, backup.Options{Dataset: "world", Host: "host", Paths: paths})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Snapshot.Faults) > 0 {
		t.Fatalf("faults in the source: %v", res.Snapshot.Faults)
	}
	b := &restored{st: st, r: r, snap: res.Snapshot, dir: target}
	b.restore(t)
	return b
}

// again restores into another folder.
func (b *restored) again(t testing.TB) {
	t.Helper()
	b.dir = filepath.Join(t.TempDir(), "restored")
	b.restore(t)
}

func (b *restored) restore(t testing.TB) {
	t.Helper()
	var err error
	if b.res, err = restore.Run(t.Context(), b.r, b.snap, restore.Selection{}, restore.Options{Target: b.dir}); err != nil {
		t.Fatal(err)
	}
}

func (b *restored) compare(t testing.TB, o compareOptions) (verify.Comparison, bool) {
	t.Helper()
	if o.Restored == nil {
		o.Restored = b.res
	}
	open := descriptors(t)
	c, dropped, err := compare(t.Context(), b.r, b.snap, b.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if n := descriptors(t); n != open {
		t.Errorf("%d descriptors are open, %d were", n, open)
	}
	return c, dropped
}

// descriptors returns how many of them the process has.
func descriptors(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// same fails the test unless nothing differs and everything was counted.
func (b *restored) same(t testing.TB, o compareOptions) verify.Comparison {
	t.Helper()
	c, _ := b.compare(t, o)
	if c.DifferenceCount > 0 {
		t.Errorf("%d differences: %v", c.DifferenceCount, c.Differences)
	}
	if s := b.snap.Stats; c.Entries != s.Files+s.Directories+s.Others || c.Files != s.Files {
		t.Errorf("compared %d entries and %d files of %+v", c.Entries, c.Files, s)
	}
	if c.Bytes != b.res.Bytes {
		t.Errorf("compared %d bytes, restored %d", c.Bytes, b.res.Bytes)
	}
	return c
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// noise returns n bytes that cannot be compressed and are not zero.
func noise(seed uint64, n int) []byte {
	rng := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 78})
	b := make([]byte, n)
	_, _ = rng.Read(b)
	for i := range b {
		b[i] |= 1
	}
	return b
}

func TestCompareFindsNothing(t *testing.T) {
	for seed := range uint64(2) {
		dir := filepath.Join(t.TempDir(), "source")
		if err := corpus.Tree(dir, corpus.TreeOptions{Seed: seed, LongPath: true}); err != nil {
			t.Fatal(err)
		}
		b := bring(t, dir)
		for _, o := range []compareOptions{{}, {Workers: 1}, {Workers: 7, buffered: true}} {
			t.Run(fmt.Sprintf("seed %d workers %d buffered %v", seed, o.Workers, o.buffered), func(t *testing.T) { b.same(t, o) })
		}
	}
}

// TestCompareRoots has several roots, in the layouts that there are.
func TestCompareRoots(t *testing.T) {
	top := t.TempDir()
	for _, dir := range []string{"a/world", "b/world", "b/other"} {
		write(t, filepath.Join(top, dir, "sub/file"), noise(1, 1000))
		write(t, filepath.Join(top, dir, "big"), noise(2, 3<<20))
	}
	file := filepath.Join(top, "one file")
	write(t, file, noise(3, 100))
	for name, roots := range map[string][]string{
		"one directory":  {top + "/a/world"},
		"one file":       {file},
		"different ends": {top + "/a/world", top + "/b/other", file},
		"equal ends":     {top + "/a/world", top + "/b/world", file},
	} {
		t.Run(name, func(t *testing.T) {
			b := bring(t, roots...)
			b.same(t, compareOptions{})
			if len(roots) == 1 {
				return
			}
			write(t, filepath.Join(b.dir, "extra"), nil)
			c, _ := b.compare(t, compareOptions{})
			if diff := cmp.Diff([]verify.Difference{{Path: "/extra", What: "is there and was never backed up"}}, c.Differences); diff != "" {
				t.Error(diff)
			}
			if err := os.RemoveAll(b.dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(b.dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if c, _ = b.compare(t, compareOptions{}); c.DifferenceCount != uint64(len(roots)) {
				t.Errorf("without roots: %v", c.Differences)
			}
		})
	}
}

// TestCompareCountsOfTheManifest has a manifest that counts something that the tree does not hold.
func TestCompareCountsOfTheManifest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	write(t, filepath.Join(dir, "file"), []byte("1234"))
	b := bring(t, dir)
	m := *b.snap.Manifest
	m.Stats.Files, m.Stats.FileBytes = 2, 5
	snap := *b.snap
	snap.Manifest = &m
	b.snap = &snap
	c, _ := b.compare(t, compareOptions{})
	want := []verify.Difference{{Path: "/", What: "has 1 files, the manifest says 2"}, {Path: "/", What: "has 4 bytes in files, the manifest says 5"}}
	if diff := cmp.Diff(want, c.Differences); diff != "" {
		t.Error(diff)
	}
}
