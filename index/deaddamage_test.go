package index_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

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
	tables, _ := filepath.Glob(filepath.Join(dir, "base-*", "*.sst"))
	flipped := 0
	for _, name := range tables {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// Keys lie there without what they share with the first of their block; the first hit is the pack's ordinal, the second the pack.
		if at := bytes.Index(b, id[3:]); at >= 0 {
			t.Logf("%s of %d bytes: pack ID at %d", filepath.Base(name), len(b), at)
			b[at+10] ^= 1
			flipped++
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if flipped == 0 {
		t.Fatal("pack ID not found")
	}

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
