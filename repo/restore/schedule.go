package restore

import (
	"cmp"
	"slices"
)

// Limits of one request, in stored bytes: what may lie between two blocks that are needed, and how much is read at once.
const (
	maxGap   = 128 << 10
	maxRange = 4 << 20
)

// How many requests are on their way at a time: always allowed, and at most where nothing else is said.
const (
	fewFetches  = 2
	manyFetches = 16
)

// run is one request: blocks of a pack, and the chunks in them, order[from:to].
type run struct{ pack, first, last, from, to uint32 }

// all returns the chunks that lie somewhere, in the order in which the tree needs them.
func (p *plan) all() []uint32 {
	out := make([]uint32, 0, p.wants.n)
	for i := range p.wants.n {
		if p.wants.at(i).pack != 0 {
			out = append(out, i)
		}
	}
	return out
}

// schedule sorts chunks by packs, in the order of their first use, and by blocks, and returns the requests that fetch them.
// It reorders list, which becomes p.order.
func (p *plan) schedule(list []uint32) []run {
	for i := range p.packs {
		p.packs[i].count = 0
	}
	var turns []uint32 // packs in the order in which they are read
	for _, i := range list {
		s := &p.packs[p.wants.at(i).pack-1]
		if s.count == 0 {
			s.turn = uint32(len(turns))
			turns = append(turns, p.wants.at(i).pack-1)
		}
		s.count++
	}
	next := make([]uint32, len(turns)+1) // where the chunks of each turn begin
	for t, pk := range turns {
		next[t+1] = next[t] + p.packs[pk].count
	}
	sorted := make([]uint32, len(list))
	fill := slices.Clone(next)
	for _, i := range list {
		t := p.packs[p.wants.at(i).pack-1].turn
		sorted[fill[t]] = i
		fill[t]++
	}
	p.order = sorted
	var runs []run
	for t, pk := range turns {
		runs = p.cut(runs, pk, next[t], next[t+1])
	}
	return runs
}

// cut sorts order[from:to], which are chunks of one pack, and appends the requests for them.
func (p *plan) cut(runs []run, pk, from, to uint32) []run {
	slices.SortFunc(p.order[from:to], func(a, b uint32) int {
		x, y := p.wants.at(a), p.wants.at(b)
		return cmp.Or(cmp.Compare(x.block, y.block), cmp.Compare(x.offset, y.offset))
	})
	blocks := p.packs[pk].Blocks
	cur := -1
	for i := from; i < to; i++ {
		b := p.wants.at(p.order[i]).block
		if cur >= 0 {
			r := &runs[cur]
			gap := int64(blocks[b].Offset) - blocks[r.last].End()
			if b == r.last || gap >= 0 && gap <= maxGap && blocks[b].End()-int64(blocks[r.first].Offset) <= maxRange {
				r.last, r.to = b, i+1
				continue
			}
		}
		cur = len(runs)
		runs = append(runs, run{pack: pk, first: b, last: b, from: i, to: i + 1})
	}
	return runs
}

// bytes returns how much a request reads.
func (p *plan) bytes(r run) uint64 {
	blocks := p.packs[r.pack].Blocks
	return uint64(blocks[r.last].End() - int64(blocks[r.first].Offset))
}

// summary returns the plan for the user.
func (p *plan) summary(runs []run) Plan {
	t := p.totals
	t.Chunks, t.Requests = uint64(p.wants.n), uint64(len(runs))
	for i, r := range runs {
		t.FetchBytes += p.bytes(r)
		if i == 0 || runs[i-1].pack != r.pack {
			t.Packs++
		}
	}
	return t
}
