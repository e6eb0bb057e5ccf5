package restore

import (
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// packed returns a pack as the index describes it, with blocks of these stored lengths.
func packed(id byte, rank int, stored ...int) *repo.Packed {
	info := &record.SegmentPackInfo{ID: pack.ID{id}}
	at := uint32(80)
	for _, n := range stored {
		b := pack.BlockInfo{Offset: at, Stored: uint32(n), Plain: 1 << 20}
		info.Blocks = append(info.Blocks, b)
		at = uint32(b.End())
	}
	return &repo.Packed{Kind: pack.Data, SegmentPackInfo: info, Rank: rank}
}

func idOf(i int) chunk.ID {
	var id chunk.ID
	binary.LittleEndian.PutUint32(id[:], uint32(i)*2654435761)
	binary.LittleEndian.PutUint32(id[8:], uint32(i)+1)
	return id
}

// TestSchedule holds, for whatever lies where: every chunk is in exactly one request, in a block of it; requests keep to their
// limits; a pack is read in one go, in the order in which packs are needed first.
func TestSchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPlan("/t", &outcome{})
		var packs []*repo.Packed
		for i := range rapid.IntRange(1, 4).Draw(t, "packs") {
			packs = append(packs, packed(byte(i+1), 0, rapid.SliceOfN(rapid.IntRange(20, 1<<20), 1, 40).Draw(t, "blocks")...))
		}
		n := rapid.IntRange(1, 200).Draw(t, "chunks")
		for i := range n {
			p.addWant(idOf(i), 10)
		}
		for i := range n {
			pk := rapid.SampledFrom(packs).Draw(t, "pack")
			p.found(pk, pack.Entry{Chunk: idOf(i), Length: 10, Block: rapid.Uint32Range(0, uint32(len(pk.Blocks)-1)).Draw(t, "block"), Offset: uint32(i)})
		}
		runs := p.schedule(p.all())
		seen := make([]bool, n)
		var order []uint32
		at := uint32(0)
		for _, r := range runs {
			if r.from != at || r.to <= r.from {
				t.Fatalf("request %+v does not follow %d", r, at)
			}
			at = r.to
			if r.first != r.last && p.bytes(r) > maxRange {
				t.Errorf("request of %d bytes", p.bytes(r))
			}
			if len(order) == 0 || order[len(order)-1] != r.pack {
				order = append(order, r.pack)
			}
			last := r.first
			for _, i := range p.order[r.from:r.to] {
				w := p.wants.at(i)
				if w.pack != r.pack+1 || w.block < last || w.block > r.last || seen[i] {
					t.Errorf("chunk %d in block %d of pack %d is in request %+v", i, w.block, w.pack-1, r)
				}
				if blocks := p.packs[r.pack].Blocks; w.block > last && int64(blocks[w.block].Offset)-blocks[last].End() > maxGap {
					t.Errorf("request %+v reads over a gap of %d bytes", r, int64(blocks[w.block].Offset)-blocks[last].End())
				}
				last, seen[i] = w.block, true
			}
		}
		var want []uint32
		for i := range p.wants.n {
			if pk := p.wants.at(i).pack - 1; !slices.Contains(want, pk) {
				want = append(want, pk)
			}
		}
		if slices.Contains(seen, false) || !slices.Equal(order, want) {
			t.Errorf("packs are read in order %v, needed in order %v; chunks seen %v", order, want, seen)
		}
	})
}

// TestSpots has the index name a chunk in several packs, good ones and condemned ones, some of them more than once.
func TestSpots(t *testing.T) {
	p := newPlan("/t", &outcome{})
	w := p.addWant(idOf(1), 10)
	e := func(block uint32) pack.Entry {
		return pack.Entry{Chunk: idOf(1), Length: 10, Block: block, Offset: block}
	}
	for i := range byte(6) {
		p.found(packed(i+1, 1, 20, 20), e(0))
	}
	p.found(packed(2, 1, 20, 20), e(0))                                     // again
	p.found(packed(2, 1, 20, 20), e(7))                                     // there is no such block
	p.found(packed(3, 0, 20, 20), e(0))                                     // by a segment that is in good standing
	p.found(packed(9, 0, 20, 20), e(1))                                     // good, and late
	p.found(packed(10, 0, 20, 20), pack.Entry{Chunk: idOf(1), Length: 11})  // of another length
	p.found(packed(10, 0, 20, 20), pack.Entry{Chunk: idOf(99), Length: 10}) // not needed
	p.best(w)
	var ids []byte
	for ok := true; ok; ok = p.another(w) {
		s := p.packs[w.pack-1]
		if w.block != w.offset || int(w.block) >= len(s.Blocks) {
			t.Errorf("block %d, offset %d", w.block, w.offset)
		}
		ids = append(ids, s.ID[0])
	}
	if len(ids) != maxSpots || p.packs[p.byID[pack.ID{ids[0]}]].rank != 0 || !slices.Contains(ids, 3) || !slices.Contains(ids, 9) {
		t.Errorf("tried in packs %v", ids)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != maxSpots {
		t.Errorf("tried in packs %v", ids)
	}
}
