package restore

import (
	"context"
	"fmt"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/pack"
)

// maxSpots is how many places in packs are kept for a chunk.
const maxSpots = 4

// spot is where a chunk lies, beside the one in its want.
type spot struct{ pack, block, offset, next uint32 }

// source is a pack that holds chunks which are needed.
type source struct {
	*repo.Packed
	rank  int    // the best that any segment says
	turn  uint32 // when it is read, in the schedule being made
	count uint32 // chunks to read from it, likewise
}

// locate finds out where the chunks lie. Files with a chunk that lies nowhere are damaged.
func (p *plan) locate(ctx context.Context, r *repo.Repo) error {
	if p.wants.n == 0 {
		return nil
	}
	known, err := r.Find(ctx, p.wanted, p.found)
	p.partial = known && !p.lacks()
	if err == nil && !p.partial { // what the index of this host does not know, the segments may
		err = r.Locate(ctx, p.found)
	}
	if err != nil {
		return err
	}
	for i := range p.wants.n {
		w := p.wants.at(i)
		if w.pack == 0 {
			p.damageAll(w, missing(w), func(n *node) { n.flags |= flagDamaged })
			continue
		}
		p.best(w)
	}
	if !p.partial {
		p.table, p.byID = nil, nil
	}
	return nil
}

// relocate reads the segments after all, when chunks lie in none of the places that this host's index gave, and reports whether it did.
func (p *plan) relocate(ctx context.Context, r *repo.Repo) (bool, error) {
	if !p.partial {
		return false, nil
	}
	err := r.Locate(ctx, p.found)
	p.partial, p.table, p.byID = false, nil, nil
	return true, err
}

// wanted yields the chunks that are to be read.
func (p *plan) wanted(yield func(chunk.ID) bool) {
	for i := range p.wants.n {
		if !yield(p.wants.at(i).id) {
			return
		}
	}
}

// lacks reports whether a chunk has no place yet.
func (p *plan) lacks() bool {
	for i := range p.wants.n {
		if p.wants.at(i).pack == 0 {
			return true
		}
	}
	return false
}

func missing(w *want) error {
	return &repo.CorruptError{Object: "chunk " + w.id.String(), Err: fmt.Errorf("%w", repo.ErrUnknownChunk)}
}

// found takes what the index says of one chunk in one pack.
func (p *plan) found(pk *repo.Packed, e pack.Entry) {
	i := p.table[p.slot(&e.Chunk)]
	if i == 0 {
		return
	}
	w := p.wants.at(i - 1)
	s, ok := p.source(pk, e.Block)
	if !ok || e.Length != w.length {
		return
	}
	if w.pack == 0 {
		w.pack, w.block, w.offset = s+1, e.Block, e.Offset
		return
	}
	if w.pack == s+1 && w.block == e.Block {
		return
	}
	n := 1
	for j := w.others; j != 0; n++ {
		o := p.spots.at(j - 1)
		if o.pack == s && o.block == e.Block {
			return
		}
		if n+1 == maxSpots {
			if p.packs[o.pack].rank > p.packs[s].rank {
				o.pack, o.block, o.offset = s, e.Block, e.Offset
			}
			return
		}
		j = o.next
	}
	j, o := p.spots.add()
	*o = spot{pack: s, block: e.Block, offset: e.Offset, next: w.others}
	w.others = j + 1
}

// source returns the index of a pack. The same pack may be named by several segments: its best rank counts. A block that it does not
// have according to the one met first is refused.
func (p *plan) source(pk *repo.Packed, block uint32) (uint32, bool) {
	i, ok := p.byID[pk.ID]
	if !ok {
		// A copy, which does not keep what the segment says of other packs in memory.
		info := *pk.SegmentPackInfo
		i = uint32(len(p.packs))
		p.packs = append(p.packs, source{Packed: &repo.Packed{Kind: pk.Kind, SegmentPackInfo: &info, Rank: pk.Rank}, rank: pk.Rank})
		p.byID[pk.ID] = i
	}
	s := &p.packs[i]
	s.rank = min(s.rank, pk.Rank)
	return i, uint64(block) < uint64(len(s.Blocks))
}

// best makes the spot of the lowest rank the one that is read first.
func (p *plan) best(w *want) {
	for j := w.others; j != 0; {
		o := p.spots.at(j - 1)
		if p.packs[o.pack].rank < p.packs[w.pack-1].rank {
			w.pack, o.pack = o.pack+1, w.pack-1
			w.block, o.block = o.block, w.block
			w.offset, o.offset = o.offset, w.offset
		}
		j = o.next
	}
}

// another moves a chunk to its next spot, and reports whether there is one.
func (p *plan) another(w *want) bool {
	if w.others == 0 {
		return false
	}
	o := p.spots.at(w.others - 1)
	w.pack, w.block, w.offset, w.others = o.pack+1, o.block, o.offset, o.next
	return true
}
