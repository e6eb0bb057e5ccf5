package record

import (
	"testing"

	"savepoint/repo/pack"
)

// millionEntries is one segment of a million chunks in 250 packs.
func millionEntries() []SegmentPack {
	packs := make([]SegmentPack, 250)
	for i := range packs {
		blocks := make([]int, 1000)
		for j := range blocks {
			blocks[j] = 4
		}
		packs[i] = packOf(uint64(i), blocks...)
	}
	return packs
}

func BenchmarkEncodeSegment(b *testing.B) {
	packs := millionEntries()
	b.ReportAllocs()
	for b.Loop() {
		mustSegment(b, pack.Data, testSession(), nil, packs)
	}
}

func BenchmarkDecodeSegment(b *testing.B) {
	p := mustSegment(b, pack.Data, testSession(), nil, millionEntries())
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeSegment(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDirectories(b *testing.B) {
	s, err := DecodeSegment(mustSegment(b, pack.Data, testSession(), nil, millionEntries()))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Directories()
	}
}
