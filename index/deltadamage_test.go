package index_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/pack"
)

// TestDamageHidesLivePlace has a chunk in a dead pack that the base knows, and again in a live one that the delta knows. With the delta damaged Lookup
// must say that it cannot tell, or a restore takes the chunk for damaged.
func TestDamageHidesLivePlace(t *testing.T) {
	dir := t.TempDir()
	s := shelf{}
	ids := func(from, to uint64) (out []chunk.ID) {
		for i := from; i < to; i++ {
			out = append(out, chunkID(i))
		}
		return out
	}
	s[segmentID(1)] = encode(t, nil, packOf(1, ids(0, 5000), 8))
	x, err := index.Open(dir, index.Options{Repo: [16]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	bring(t, x, s)
	s[segmentID(2)] = encode(t, nil, packOf(2, ids(0, 5000), 8))
	bring(t, x, s)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	tables, _ := filepath.Glob(filepath.Join(dir, "delta-*", "*.sst"))
	hit := -1
	for _, name := range tables {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(5000) {
			id := chunkID(i)
			if at := bytes.Index(b, id[4:]); at >= 0 && at < len(b)/3 {
				b[at+10] ^= 1
				hit = int(i)
				break
			}
		}
		if hit >= 0 {
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if hit < 0 {
		t.Fatal("no chunk found in ", tables)
	}
	x = open(t, dir)
	if err := x.Sync(t.Context(), s.listed(), s.read); err != nil {
		t.Fatal(err)
	}
	if err := x.SetLive(index.Judge{Dead: slices.Values([]pack.ID{pack.ID(hash("pack", 1))})}); err != nil {
		t.Fatal(err)
	}
	locs, err := x.Lookup(chunkID(uint64(hit)), nil)
	if errors.Is(err, index.ErrDamaged) {
		return
	}
	if err != nil || !slices.ContainsFunc(locs, func(l index.Location) bool { return l.Live }) {
		t.Errorf("Lookup of chunk %d = %+v, %v: not its live place, and no error", hit, locs, err)
	}
	n := 0
	err = x.LookupAll(t.Context(), ids(0, 5000), func(_ int, l index.Location) {
		if l.Live {
			n++
		}
	})
	if err == nil && n != 5000 {
		t.Errorf("LookupAll finds %d live places of 5000 and no error", n)
	}
}
