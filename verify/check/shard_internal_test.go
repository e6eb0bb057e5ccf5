package check

import (
	"encoding/binary"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"savepoint/repo/pack"
)

func TestParseShard(t *testing.T) {
	for text, want := range map[string]Shard{"1/1": {1, 1}, "3/16": {3, 16}, "16/16": {16, 16}, "1000/1000": {1000, 1000}} {
		if got, err := ParseShard(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "/", "3", "3/", "/16", "0/16", "17/16", "-1/16", "+1/16", "1/+16", "01/16", "1/016", "1/1001", "1/65537", "1/2/3", " 1/2", "1 /2", "a/b", "0/0", "0x1/2"} {
		if got, err := ParseShard(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	if s := (Shard{}); !s.IsZero() || s.String() != "" || !s.Has(pack.ID{0xff}) {
		t.Error("no shard is not everything")
	}
}

// TestShards holds that each pack belongs to one of the shards of every division, that one, and that a division into twice as many halves each.
func TestShards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.IntRange(1, MaxShards).Draw(t, "of")
		var id pack.ID
		rest := rapid.SliceOfN(rapid.Byte(), 24, 24).Draw(t, "rest")
		copy(id[8:], rest)
		binary.BigEndian.PutUint64(id[:], rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, 1<<64 - 1, 1 << 63, 1<<63 - 1})).Draw(t, "id"))
		found := 0
		for n := 1; n <= of; n++ {
			s, err := ParseShard(fmt.Sprintf("%d/%d", n, of))
			if err != nil {
				t.Fatal(err)
			}
			if !s.Has(id) {
				continue
			}
			if found++; found > 1 {
				t.Fatalf("%x is in several shards of %d", id, of)
			}
			if 2*of <= MaxShards && (Shard{uint16(2*n - 1), uint16(2 * of)}).Has(id) == (Shard{uint16(2 * n), uint16(2 * of)}).Has(id) {
				t.Fatalf("%x is in %s, and in none or both of its halves", id, s)
			}
		}
		if found == 0 {
			t.Fatalf("%x is in no shard of %d", id, of)
		}
	})
}

// TestShardsStable holds the division to what it was: hosts of different versions share one.
func TestShardsStable(t *testing.T) {
	for text, want := range map[string]byte{"1/16": 0x0f, "2/16": 0x10, "16/16": 0xf0, "1/2": 0x7f, "2/2": 0x80, "2/3": 0x56, "3/3": 0xab, "1/1": 0xff} {
		s, err := ParseShard(text)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Has(pack.ID{want}) {
			t.Errorf("%s has no pack %02x", text, want)
		}
	}
}

// TestShardsEven holds that shards are about as large as each other: IDs are hashes.
func TestShardsEven(t *testing.T) {
	const of, each = 16, 1000
	var count [of]int
	x := uint64(7)
	for range of * each {
		x = x*6364136223846793005 + 1442695040888963407
		var id pack.ID
		binary.BigEndian.PutUint64(id[:], x)
		for n := range of {
			if (Shard{uint16(n + 1), of}).Has(id) {
				count[n]++
			}
		}
	}
	for n, c := range count {
		if c < each*8/10 || c > each*12/10 {
			t.Errorf("shard %d has %d of %d", n+1, c, of*each)
		}
	}
}
