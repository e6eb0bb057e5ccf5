package repo

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/zeebo/blake3"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// segment makes a segment of n chunks in packs of 65,536; its chunks are numbered from first on.
func segment(t testing.TB, first, n int) *record.Segment {
	t.Helper()
	const perPack, perBlock = 65536, 64
	var packs []record.SegmentPack
	for at := 0; at < n; at += perPack {
		p := record.SegmentPack{ID: pack.ID(chunkID(first + at)), Directory: pack.Directory{}}
		offset := uint32(52)
		for i := at; i < min(n, at+perPack); i += perBlock {
			k := min(perBlock, n-i, at+perPack-i)
			b := pack.BlockInfo{Offset: offset, Stored: uint32(k+4*k+4) + 16, Plain: uint32(k + 4*k + 4)}
			for j := range k {
				p.Entries = append(p.Entries, pack.Entry{Chunk: chunkID(first + i + j), Block: uint32(len(p.Blocks)), Offset: uint32(j), Length: 1})
			}
			p.Blocks = append(p.Blocks, b)
			offset = uint32(b.End())
		}
		p.Size = uint32(pack.Size(p.Blocks, len(p.Entries)))
		packs = append(packs, p)
	}
	payload, err := record.EncodeSegment(pack.Data, record.Session{}, nil, packs)
	if err != nil {
		t.Fatal(err)
	}
	s, err := record.DecodeSegment(payload)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func chunkID(i int) chunk.ID {
	return blake3.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
}

func TestViewBuild(t *testing.T) {
	a, b, c := segment(t, 0, 100), segment(t, 50, 100), segment(t, 1000, 100)
	v := &view{segs: []*record.Segment{a, b, c}, void: []bool{false, false, true}, dead: map[pack.ID]bool{b.Packs[0].ID: true}}
	v.build()
	for i, want := range map[int]bool{0: true, 49: true, 99: true, 100: false, 149: false, 1000: false} {
		if holds(t, v, i) != want {
			t.Errorf("chunk %d: %t, want %t", i, !want, want)
		}
	}
	var ranks []int
	err := v.locations(t.Context(), chunkID(60), func(p *Packed, e pack.Entry) bool {
		ranks = append(ranks, p.Rank)
		return e.Chunk == chunkID(60)
	})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(ranks) != "[0 1]" {
		t.Errorf("ranks %v, want the live place first", ranks)
	}
	v.blind = true
	if v.build(); holds(t, v, 0) {
		t.Error("something counts as stored though a record cannot be read")
	}
}

// holds reports whether the numbered chunk is in a live pack.
func holds(t *testing.T, tab table, i int) bool {
	t.Helper()
	ok, err := tab.has(t.Context(), chunkID(i))
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestIDSet(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 1000} {
		s := newIDSet(n, func(yield func(chunk.ID)) {
			for i := range n {
				yield(chunkID(i))
			}
		})
		for i := range 2*n + 10 {
			if id := chunkID(i); s.has(&id) != (i < n) {
				t.Errorf("%d of %d: %t", i, n, s.has(&id))
			}
		}
	}
}

// BenchmarkViewBuild makes the table of a million chunks in live packs.
func BenchmarkViewBuild(b *testing.B) {
	const n = 1_000_000
	v := &view{segs: []*record.Segment{segment(b, 0, n/2), segment(b, n/2, n/2)}, void: make([]bool, 2)}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		v.build()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/chunk")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/chunk")
	runtime.KeepAlive(v)
}

func BenchmarkViewHas(b *testing.B) {
	const n = 1_000_000
	v := &view{segs: []*record.Segment{segment(b, 0, n)}, void: make([]bool, 1)}
	v.build()
	ids := make([]chunk.ID, 4096)
	for i := range ids {
		ids[i] = chunkID(i * 488)
	}
	i := 0
	for b.Loop() {
		i++
		if ok, err := v.has(b.Context(), ids[i%len(ids)]); err != nil || ok != (i%len(ids)*488 < n) {
			b.Fatal("wrong", err)
		}
	}
}
