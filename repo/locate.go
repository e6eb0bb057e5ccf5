package repo

import (
	"context"
	"errors"
	"slices"
	"time"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/storage"
)

// Locate streams the index of data chunks: found is called, on one goroutine, for every place that any segment names, and
// again for some when a merge of the index gets in between. Packed values are equal for equal packs of one segment only.
// It holds one segment in memory at a time, besides what found keeps.
func (r *Repo) Locate(ctx context.Context, found func(*Packed, pack.Entry)) error {
	l, err := r.listAll(ctx)
	if err != nil {
		return err
	}
	w := locator{r: r, l: l, kind: pack.Data, found: found, done: map[record.ID]bool{}, superseded: map[record.ID]bool{}}
	infos := l.Segments
	for try := 0; ; try++ {
		err := w.walk(ctx, infos)
		if !errors.Is(err, errVanished) || try == 3 {
			return err
		}
		if infos, err = r.list(ctx, "index/"); err != nil {
			return err
		}
	}
}

// locator walks segments from the newest to the oldest. A segment is superseded by none that was stored before it, so what
// makes it void is known when its turn comes.
type locator struct {
	r          *Repo
	l          *Listing
	kind       pack.Kind
	found      func(*Packed, pack.Entry)
	done       map[record.ID]bool
	superseded map[record.ID]bool
}

func (w *locator) walk(ctx context.Context, infos []storage.Info) error {
	segs := segmentsOf(infos, w.kind)
	slices.SortStableFunc(segs, func(a, b listedSegment) int { return b.Time.Compare(a.Time) })
	for len(segs) > 0 {
		n := sameTime(segs)
		if n > 1 { // which came first cannot be told: who supersedes whom is read first
			for _, i := range segs[:n] {
				if err := w.visit(ctx, i, false); err != nil {
					return err
				}
			}
		}
		for _, i := range segs[:n] {
			if err := w.visit(ctx, i, true); err != nil {
				return err
			}
		}
		segs = segs[n:]
	}
	return nil
}

// sameTime returns how many of segs, which are in order of time, were stored at the time of the first.
func sameTime(segs []listedSegment) int {
	first := segs[0].Time.Truncate(time.Second) // a bucket cuts the rest off
	n := 1
	for n < len(segs) && segs[n].Time.Truncate(time.Second).Equal(first) {
		n++
	}
	return n
}

// visit reads a segment, notes what it supersedes and, with emit, reports what it locates. One that cannot be read is left out:
// the chunks that only it locates are missed by who needs them.
func (w *locator) visit(ctx context.Context, i listedSegment, emit bool) error {
	if w.done[i.id] {
		return nil
	}
	s, err := w.r.readSegment(ctx, i, w.kind)
	if unreadable(err) {
		w.done[i.id] = true
		return nil
	}
	if err != nil {
		return err
	}
	void := w.l.late(s.Session, i.Info)
	if !void {
		for _, old := range s.Supersedes {
			w.superseded[old] = true
		}
	}
	if !emit {
		return nil
	}
	w.done[i.id] = true
	void = void || w.superseded[i.id]
	packs := make([]*Packed, len(s.Packs))
	for j := range s.Len() {
		p, e := s.Entry(j)
		if packs[p] == nil {
			info := &s.Packs[p]
			packs[p] = &Packed{Kind: s.Kind, SegmentPackInfo: info, Rank: boolRank(void || w.l.dead[info.ID])}
		}
		w.found(packs[p], e)
	}
	return nil
}
