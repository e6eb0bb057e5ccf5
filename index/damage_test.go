package index_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/record"
)

const madeChunks = 3000

// makeIndex makes an index with a base and a closed delta. It returns the segments; chunk IDs from 0 on are there.
func makeIndex(t *testing.T, dir string) shelf {
	t.Helper()
	s := shelf{}
	ids := func(from, to uint64) []chunk.ID {
		var out []chunk.ID
		for i := from; i < to; i++ {
			out = append(out, chunkID(i))
		}
		return out
	}
	s[segmentID(1)] = encode(t, nil, packOf(1, ids(0, 1000), 8), packOf(2, ids(1000, 2000), 8))
	x, err := index.Open(dir, index.Options{Repo: [16]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	bring(t, x, s)
	s[segmentID(2)] = encode(t, nil, packOf(3, ids(2000, madeChunks), 8))
	bring(t, x, s)
	if st := x.Stats(); st.Base != 2000 || st.Delta != 1000 {
		t.Fatalf("Stats = %+v", st)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// rightOrAbsent checks that nothing is there that must not be, and returns how much is missing.
func rightOrAbsent(t *testing.T, x *index.Index) (missing int) {
	t.Helper()
	for i := range uint64(madeChunks + 500) {
		id := chunkID(i)
		ok := has(t, x, id)
		if ok && i >= madeChunks {
			t.Fatalf("chunk %d is there, which was never stored", i)
		}
		locs, err := x.Lookup(id, nil)
		switch {
		case errors.Is(err, index.ErrDamaged): // says that it does not know
		case err != nil:
			t.Fatalf("Lookup(%d): %v", i, err)
		case i < madeChunks && len(locs) == 0 && ok:
			t.Fatalf("Lookup(%d) finds nothing", i)
		}
		for _, l := range locs {
			checkPlace(t, x, i, l)
		}
		if !ok && i < madeChunks {
			missing++
		}
	}
	return missing
}

func checkPlace(t *testing.T, x *index.Index, i uint64, l index.Location) {
	t.Helper()
	p, err := x.Pack(l.Pack)
	if errors.Is(err, index.ErrDamaged) {
		return
	}
	if err != nil || p.ID != hash("pack", 1+i/1000) || l.Block != uint32(i%1000/8) || l.Offset != uint32(i%1000%8*100) || l.Length != 100 {
		t.Fatalf("chunk %d is said to be at %+v of %v, %v", i, l, p, err)
	}
}

// damages are things that happen to files.
func damages(size int64) map[string]func(path string) error {
	flip := func(at int64) func(string) error {
		return func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[at] ^= 0x10
			return os.WriteFile(path, b, 0o600)
		}
	}
	return map[string]func(string) error{
		"flip first": flip(0), "flip early": flip(size / 5), "flip middle": flip(size / 2), "flip late": flip(size * 9 / 10), "flip last": flip(size - 1),
		"cut":    func(path string) error { return os.Truncate(path, size/2) },
		"empty":  func(path string) error { return os.Truncate(path, 0) },
		"longer": func(path string) error { return os.Truncate(path, size+4096) },
		"delete": os.Remove,
		"folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	}
}

// TestDamage damages each file of an index in each way: nothing is ever there that was not stored, and after at most
// two listings all is there again.
func TestDamage(t *testing.T) {
	made := t.TempDir()
	s := makeIndex(t, made)
	var files []string
	err := filepath.WalkDir(made, func(path string, e fs.DirEntry, err error) error {
		if fi, _ := e.Info(); err == nil && e.Type().IsRegular() && fi.Size() > 0 {
			rel, _ := filepath.Rel(made, path)
			files = append(files, rel)
		}
		return err
	})
	if err != nil || len(files) < 8 {
		t.Fatalf("the index has the files %q, %v", files, err)
	}
	for _, file := range files {
		fi, err := os.Stat(filepath.Join(made, file))
		if err != nil {
			t.Fatal(err)
		}
		for name, damage := range damages(fi.Size()) {
			if testing.Short() && name != "flip middle" && name != "cut" {
				continue
			}
			t.Run(strings.ReplaceAll(file, "/", ":")+"/"+name, func(t *testing.T) {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
					t.Fatal(err)
				}
				if err := damage(filepath.Join(dir, file)); err != nil {
					t.Fatal(err)
				}
				x := open(t, dir)
				bring(t, x, s)
				if missing := rightOrAbsent(t, x); missing > 0 {
					t.Logf("%d of %d chunks are missing before the next listing", missing, madeChunks)
				}
				bring(t, x, s)
				if missing := rightOrAbsent(t, x); missing > 0 {
					t.Errorf("%d chunks are missing", missing)
				}
			})
		}
	}
}

// TestDamageWhileOpen cuts the tables off under an index that has them mapped.
func TestDamageWhileOpen(t *testing.T) {
	dir := t.TempDir()
	s := makeIndex(t, dir)
	x := open(t, dir)
	bring(t, x, s)
	tables, err := filepath.Glob(filepath.Join(dir, "base-*", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("%q, %v", tables, err)
	}
	for _, path := range tables {
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	if missing := rightOrAbsent(t, x); missing != 2000 {
		t.Errorf("%d chunks are missing, not those of the base", missing)
	}
	bring(t, x, s)
	if missing := rightOrAbsent(t, x); missing > 0 {
		t.Errorf("%d chunks are missing", missing)
	}
}

func TestGarbageInFolder(t *testing.T) {
	dir := t.TempDir()
	s := makeIndex(t, dir)
	for _, name := range []string{"base-x", "core", "base-99/MANIFEST", "delta-7/000001.sst", "building/000001.sst", ".tmp-123", "trash/old/x"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("garbage"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	x := open(t, dir)
	bring(t, x, s)
	if missing := rightOrAbsent(t, x); missing > 0 {
		t.Errorf("%d chunks are missing", missing)
	}
	for _, name := range []string{"base-x", "core", "base-99", "building", ".tmp-123", "trash/old", "delta-7"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}

func TestOtherRepository(t *testing.T) {
	dir := t.TempDir()
	makeIndex(t, dir)
	x, err := index.Open(dir, index.Options{Repo: [16]byte{2}})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if st := x.Stats(); st.Base != 0 || st.Delta != 0 {
		t.Errorf("the index of another repository is used: %+v", st)
	}
	if err := x.Sync(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := x.SetLive(index.Judge{}); err != nil {
		t.Fatal(err)
	}
	if missing := rightOrAbsent(t, x); missing != madeChunks {
		t.Errorf("%d chunks of another repository are there", madeChunks-missing)
	}
}

// TestNotApplied checks that a segment which cannot be read is left out and read later.
func TestNotApplied(t *testing.T) {
	dir := t.TempDir()
	s := makeIndex(t, dir)
	bad := shelf{segmentID(3): encode(t, nil, packOf(9, []chunk.ID{chunkID(7000)}, 1))}
	s[segmentID(3)] = bad[segmentID(3)]
	x := open(t, dir)
	reads := 0
	err := x.Sync(t.Context(), s.listed(), func(context.Context, record.ID) (*record.Segment, error) { reads++; return nil, nil })
	if err != nil || reads != 1 {
		t.Fatalf("Sync = %v after %d reads", err, reads)
	}
	if err := x.SetLive(index.Judge{}); err != nil {
		t.Fatal(err)
	}
	if has(t, x, chunkID(7000)) || !has(t, x, chunkID(1)) {
		t.Error("what cannot be read is there, or the rest is not")
	}
	gone := errors.New("gone")
	if err := x.Sync(t.Context(), s.listed(), func(context.Context, record.ID) (*record.Segment, error) { return nil, gone }); err != gone {
		t.Errorf("Sync = %v", err)
	}
	bring(t, x, s)
	if !has(t, x, chunkID(7000)) {
		t.Error("a segment is not read again")
	}
}

// TestDamageMerged damages a block of a base that is then merged, unread until then: nothing is lost on the way.
func TestDamageMerged(t *testing.T) {
	dir := t.TempDir()
	s := makeIndex(t, dir)
	tables, err := filepath.Glob(filepath.Join(dir, "base-*", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("%q, %v", tables, err)
	}
	b, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/5] ^= 1
	if err := os.WriteFile(tables[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := index.OpenFew(dir, index.Options{Repo: [16]byte{1}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	s[segmentID(3)] = encode(t, nil, packOf(9, []chunk.ID{chunkID(7000)}, 1))
	bring(t, x, s)
	if missing := rightOrAbsent(t, x); missing > 0 {
		t.Errorf("%d chunks are missing", missing)
	}
	if st := x.Stats(); st.Base != madeChunks+1 || st.Delta != 0 {
		t.Errorf("it was not merged: %+v", st)
	}
}
