package restore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/restore"
	"savepoint/repo/storage/mem"
)

// hoard makes a tree with files of which some need several chunks, some one, and some have other names.
func hoard(t testing.TB) (dir string, files map[string][]byte) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "source")
	files = map[string][]byte{}
	for i := range 30 {
		name := fmt.Sprintf("d%d/f%02d", i%3, i)
		files[name] = noise(uint64(i), 10_000+i*20_000)
		write(t, filepath.Join(dir, name), files[name])
		if i%10 == 0 {
			if err := os.Link(filepath.Join(dir, name), filepath.Join(dir, fmt.Sprintf("link%02d", i))); err != nil {
				t.Fatal(err)
			}
			files[fmt.Sprintf("link%02d", i)] = files[name]
		}
	}
	return dir, files
}

// damaged restores from a damaged repository: every file must be whole and right, or missing and listed.
func damaged(t *testing.T, r *repo.Repo, snap *repo.Snapshot, dir string, files map[string][]byte) *restore.Result {
	t.Helper()
	target := filepath.Join(t.TempDir(), "t")
	res, err := restore.Run(t.Context(), r, snap, restore.Selection{}, restore.Options{Target: target, Workers: 2})
	if !errors.Is(err, repo.ErrCorrupt) {
		t.Fatalf("got %v, want an error that wraps ErrCorrupt", err)
	}
	listed := map[string]bool{}
	for _, d := range res.Damaged {
		if !errors.Is(d.Err, repo.ErrCorrupt) || d.Object == "" {
			t.Errorf("damage %+v names no object, or is none", d)
		}
		listed[d.Path] = true
	}
	bytesBack := uint64(0)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(target, name))
		switch {
		case listed[filepath.Join(dir, name)] && !os.IsNotExist(err):
			t.Errorf("%s is damaged and there: %v", name, err)
		case !listed[filepath.Join(dir, name)] && !bytes.Equal(got, want):
			t.Errorf("%s is not listed and not right: %v", name, err)
		}
		if err == nil && !strings.HasPrefix(name, "link") {
			bytesBack += uint64(len(got))
		}
	}
	if res.Bytes != bytesBack {
		t.Errorf("%d bytes are said to have come back, %d have", res.Bytes, bytesBack)
	}
	if _, err := os.Lstat(filepath.Join(target, restore.IncompleteMarker)); !os.IsNotExist(err) {
		t.Errorf("marker: %v", err)
	}
	return res
}

func object(t testing.TB, st *mem.Store, name string) []byte {
	t.Helper()
	b, err := st.Get(t.Context(), name, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDamagedPack(t *testing.T) {
	dir, files := hoard(t)
	whole, _, _ := saved(t, dir)
	name := objects(whole, "data/")[0]
	size := len(object(t, whole, name))
	for _, tt := range []struct {
		name     string
		do       func(*mem.Store, []byte)
		min, max int // files lost
	}{
		{"flip", func(st *mem.Store, b []byte) { b[size/2] ^= 1; st.Replace(name, b) }, 1, 8},
		{"flip the first block's header", func(st *mem.Store, b []byte) { b[90] ^= 1; st.Replace(name, b) }, 1, 8},
		{"two flips", func(st *mem.Store, b []byte) { b[size/4] ^= 1; b[3*size/4] ^= 0x80; st.Replace(name, b) }, 2, 16},
		{"cut in half", func(st *mem.Store, b []byte) { st.Replace(name, b[:size/2]) }, 5, 28},
		{"delete", func(st *mem.Store, b []byte) { _ = st.Delete(context.Background(), name) }, 33, 33},
		{"swap", func(st *mem.Store, b []byte) { st.Replace(name, object(t, st, objects(st, "meta/")[0])) }, 33, 33},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st, r, snap := saved(t, dir)
			if name = objects(st, "data/")[0]; len(objects(st, "data/")) != 1 {
				t.Fatal("more than one pack")
			}
			tt.do(st, object(t, st, name))
			res := damaged(t, r, snap, dir, files)
			if n := len(res.Damaged); n < tt.min || n > tt.max {
				t.Errorf("%d files are lost, want %d to %d", n, tt.min, tt.max)
			}
			for _, d := range res.Damaged {
				if d.Object != name {
					t.Errorf("%s is said to be lost by %s, want %s", d.Path, d.Object, name)
				}
			}
		})
	}
}

func TestDamagedIndexAndTree(t *testing.T) {
	dir, files := hoard(t)
	st, r, snap := saved(t, dir)
	for _, n := range objects(st, "index/00000000/data/") {
		if err := st.Delete(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	res := damaged(t, r, snap, dir, files)
	if len(res.Damaged) != len(files) || !strings.HasPrefix(res.Damaged[0].Object, "chunk ") || !errors.Is(res.Damaged[0].Err, repo.ErrUnknownChunk) {
		t.Errorf("%d lost, the first %+v", len(res.Damaged), res.Damaged[0])
	}

	st, r, snap = saved(t, dir)
	name := objects(st, "meta/")[0]
	b := object(t, st, name)
	b[len(b)/3] ^= 4
	st.Replace(name, b)
	target := filepath.Join(t.TempDir(), "t")
	res, err := restore.Run(t.Context(), r, snap, restore.Selection{}, restore.Options{Target: target})
	if !errors.Is(err, repo.ErrCorrupt) || len(res.Damaged) == 0 || res.Damaged[0].Path != dir || res.Damaged[0].Object != name {
		t.Errorf("%v, %+v", err, res.Damaged)
	}
}

// TestSecondCopy has every chunk in two packs.
func TestSecondCopy(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	var all [][]byte
	for i := range 40 {
		all = append(all, noise(uint64(i), 50_000))
		write(t, filepath.Join(dir, fmt.Sprint(i)), all[i])
	}
	st := mem.New(nil)
	r := newRepo(t, st)
	var snap *repo.Snapshot
	err := r.Write(t.Context(), "other", "host", func(ctx context.Context, s *repo.Session) error {
		snap = save(t, r, dir) // which this session does not see
		w := s.NewStream(pack.Data)
		for _, i := range []int{1, 0} { // other blocks, too
			for j := i; j < len(all); j += 2 {
				if put, err := w.Put(ctx, all[j]); err != nil || !put.New {
					return fmt.Errorf("put: %+v, %w", put, err)
				}
			}
		}
		return w.Flush(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	packs := objects(st, "data/")
	if len(packs) != 2 {
		t.Fatalf("packs %v", packs)
	}
	good := map[string][]byte{packs[0]: object(t, st, packs[0]), packs[1]: object(t, st, packs[1])}
	for i, name := range packs {
		st.Replace(name, good[name][:100])
		st.Replace(packs[1-i], good[packs[1-i]])
		got, _ := bring(t, r, snap, restore.Selection{}, restore.Options{Workers: 2})
		same(t, dir, got)
	}
	// One copy is gone, and the other lacks a block: what that held is lost.
	for i, name := range packs {
		st.Replace(name, good[name][:100])
		other := bytes.Clone(good[packs[1-i]])
		other[1_000_000] ^= 1
		st.Replace(packs[1-i], other)
		res, err := restore.Run(t.Context(), r, snap, restore.Selection{}, restore.Options{Target: filepath.Join(t.TempDir(), "t")})
		if !errors.Is(err, repo.ErrCorrupt) || len(res.Damaged) == 0 || len(res.Damaged) > 11 {
			t.Fatalf("%v, %d lost", err, len(res.Damaged))
		}
		if res.Files+uint64(len(res.Damaged)) != 40 {
			t.Errorf("%d files and %d lost ones of 40", res.Files, len(res.Damaged))
		}
		for _, d := range res.Damaged {
			if !slices.Contains(packs, d.Object) {
				t.Errorf("lost by %s", d.Object)
			}
		}
	}
}
