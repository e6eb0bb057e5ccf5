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
	"savepoint/repo/record"
)

// flipIn flips a bit a little behind where find says, in the first of the files that has such a place.
func flipIn(t testing.TB, pattern string, find func([]byte) int) {
	t.Helper()
	files, _ := filepath.Glob(pattern)
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		at := find(b)
		if at < 0 {
			continue
		}
		b[at+10] ^= 1
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("nothing to damage in %q", files)
}

// TestDamageHidesDeadPack flips a bit in the block of a base that says which ordinal a condemned pack has: the pack must not count as live.
func TestDamageHidesDeadPack(t *testing.T) {
	dir := t.TempDir()
	s := shelf{}
	const packs = 4000
	var all []record.SegmentPack
	for i := range uint64(packs) {
		all = append(all, packOf(i, []chunk.ID{chunkID(i)}, 8))
	}
	s[segmentID(1)] = encode(t, nil, all...)
	x, err := index.Open(dir, index.Options{Repo: [16]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	bring(t, x, s)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}

	dead := packs / 2
	id := pack.ID(hash("pack", uint64(dead)))
	// Keys lie there without what they share with the first of their block; the first hit is the pack's ordinal, the second the pack.
	flipIn(t, filepath.Join(dir, "base-*", "*.sst"), func(b []byte) int { return bytes.Index(b, id[3:]) })

	x = open(t, dir)
	for range 2 {
		if err := x.Sync(t.Context(), s.listed(), s.read); err != nil {
			t.Fatal(err)
		}
		err := x.SetLive(index.Judge{Dead: slices.Values([]pack.ID{id})})
		t.Logf("SetLive: %v", err)
		if has(t, x, chunkID(uint64(dead))) {
			t.Errorf("a chunk that lies only in a condemned pack is there")
		}
	}
}

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
	hit := -1
	flipIn(t, filepath.Join(dir, "delta-*", "*.sst"), func(b []byte) int {
		for i := range 5000 {
			id := chunkID(uint64(i))
			if at := bytes.Index(b, id[4:]); at >= 0 && at < len(b)/3 {
				hit = i
				return at
			}
		}
		return -1
	})
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
