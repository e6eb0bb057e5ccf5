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
// again for some when a merge of the index gets in between. When a segment cannot be read, the packs that only it names say what is in
// them. Packed values are equal for equal packs of one segment only. It holds a few segments in memory at a time, besides what found keeps.
func (r *Repo) Locate(ctx context.Context, found func(*Packed, pack.Entry)) error {
	l, err := r.listAll(ctx)
	if err != nil {
		return err
	}
	w := locator{r: r, l: l, kind: pack.Data, found: found, done: map[record.ID]bool{}, superseded: map[record.ID]bool{}, unread: l.lost()}
	infos := l.Segments
	for try := 0; ; try++ {
		err := w.walk(ctx, infos)
		if err == nil && w.unread {
			err = r.locateOrphans(ctx, segmentsOf(infos, pack.Data), found)
		}
		if !errors.Is(err, errVanished) || try == 3 {
			return err
		}
		if infos, err = r.listIndex(ctx, l); err != nil {
			return err
		}
	}
}

// locator walks segments from the newest to the oldest. A segment is superseded by none that was stored before it, so what
// makes it void is known when its turn comes; those of one second, of which that cannot be told, are held until all are read.
type locator struct {
	r          *Repo
	l          *Listing
	kind       pack.Kind
	found      func(*Packed, pack.Entry)
	done       map[record.ID]bool
	superseded map[record.ID]bool
	held       []heldSegment
	size       int64 // of what is held
	unread     bool  // a segment could not be read, or is marked damaged
}

type heldSegment struct {
	listedSegment
	*record.Segment
}

// maxHeld bounds the bytes of segments that are held. What is let go before its time may be taken for better than it is, which costs
// a restore a request for a pack that is gone.
const maxHeld = 16 << 20

func (w *locator) walk(ctx context.Context, infos []storage.Info) error {
	segs := slices.DeleteFunc(segmentsOf(infos, w.kind), func(i listedSegment) bool { return w.done[i.id] })
	slices.SortStableFunc(segs, func(a, b listedSegment) int { return b.Time.Compare(a.Time) })
	err := w.r.readSegments(ctx, segs, w.kind, func(i listedSegment, s *record.Segment, err error) error {
		if unreadable(err) { // the packs that only it names say themselves what is in them
			w.done[i.id], w.unread = true, true
			return nil
		}
		if err != nil {
			return err
		}
		if len(w.held) > 0 && (w.size >= maxHeld || !sameSecond(w.held[0].Time, i.Time)) {
			w.emit()
		}
		if !w.l.late(s.Session, i.Info) {
			for _, old := range s.Supersedes {
				w.superseded[old] = true
			}
		}
		w.held = append(w.held, heldSegment{i, s})
		w.size += i.Size
		return nil
	})
	w.emit()
	return err
}

// sameSecond reports whether two times are the same to a bucket, which cuts the rest off.
func sameSecond(a, b time.Time) bool { return a.Truncate(time.Second).Equal(b.Truncate(time.Second)) }

// emit reports what the held segments locate, and lets them go.
func (w *locator) emit() {
	for _, h := range w.held {
		w.done[h.id] = true
		void := w.l.late(h.Session, h.Info) || w.superseded[h.id]
		packs := make([]*Packed, len(h.Packs))
		for j := range h.Len() {
			p, e := h.Entry(j)
			if packs[p] == nil {
				info := &h.Packs[p]
				packs[p] = &Packed{Kind: h.Kind, SegmentPackInfo: info, Rank: boolRank(void || w.l.dead[info.ID])}
			}
			w.found(packs[p], e)
		}
	}
	clear(w.held)
	w.held, w.size = w.held[:0], 0
}
