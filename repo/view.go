package repo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
)

// view is the index of one kind as one listing shows it: segments in memory, with those that are void set apart.
type view struct {
	segs    []*record.Segment
	void    []bool // parallel to segs
	dead    map[pack.ID]bool
	blind   bool
	live    map[chunk.ID]place // where a chunk lies in a live pack; nil until built
	damaged []error            // segments that could not be read
}

// place is segment and entry.
type place struct{ seg, entry uint32 }

const indexDomain = "index/00000000/"

func segmentPrefix(k pack.Kind) string { return indexDomain + k.String() + "/" }

// errVanished says that a listed segment is gone: a merged one has taken its place, list again.
var errVanished = errors.New("segment vanished")

// loadView reads the listed segments of a kind.
func (r *Repo) loadView(ctx context.Context, l *Listing, kind pack.Kind) (*view, error) {
	v := &view{dead: l.dead, blind: l.blind}
	superseded := map[record.ID]bool{}
	var ids []record.ID
	for _, i := range l.Segments {
		rest, ok := strings.CutPrefix(i.Name, segmentPrefix(kind))
		if !ok {
			continue
		}
		id, err := parseID(rest)
		if err != nil {
			continue
		}
		s, err := readRecord(ctx, r, seal.Segment, i.Name, record.DecodeSegment)
		switch {
		case gone(err):
			return nil, fmt.Errorf("%s: %w", i.Name, errVanished)
		case errors.Is(err, ErrCorrupt):
			v.damaged = append(v.damaged, err)
			continue
		case err != nil:
			return nil, err
		}
		if s.Kind != kind {
			v.damaged = append(v.damaged, corrupt(i.Name, fmt.Errorf("segment of kind %d among kind %d", s.Kind, kind)))
			continue
		}
		isLate := late(s.Session, i.Time) && !l.adopted[i.Name]
		if !isLate {
			for _, old := range s.Supersedes {
				superseded[old] = true
			}
		}
		v.segs, v.void, ids = append(v.segs, s), append(v.void, isLate), append(ids, id)
	}
	for i, id := range ids {
		v.void[i] = v.void[i] || superseded[id]
	}
	for _, err := range v.damaged {
		r.o.Logger.Warn("index segment cannot be read; what only it locates will be stored again or missed", "err", err)
	}
	return v, nil
}

// views lists and loads the index for reading, again when a merge gets in between.
func (r *Repo) views(ctx context.Context, l *Listing, kind pack.Kind) (*view, error) {
	for try := 0; ; try++ {
		v, err := r.loadView(ctx, l, kind)
		if !errors.Is(err, errVanished) || try == 3 {
			return v, err
		}
		if l.Segments, err = r.list(ctx, "index/"); err != nil {
			return nil, err
		}
	}
}

// build makes the table of chunks in live packs: those that a segment which is not void names, and no record or mark.
func (v *view) build() {
	n := 0
	for i, s := range v.segs {
		if !v.void[i] {
			n += s.Len()
		}
	}
	v.live = make(map[chunk.ID]place, n)
	if v.blind {
		return
	}
	for i, s := range v.segs {
		if v.void[i] {
			continue
		}
		for j := range s.Len() {
			p, e := s.Entry(j)
			if !v.dead[s.Packs[p].ID] {
				v.live[e.Chunk] = place{uint32(i), uint32(j)}
			}
		}
	}
}

// has reports whether the chunk lies in a live pack. build must have run.
func (v *view) has(id chunk.ID) bool {
	_, ok := v.live[id]
	return ok
}

// locations calls yield for each place where a chunk lies, live packs first, until it returns false.
func (v *view) locations(id chunk.ID, yield func(*Packed, pack.Entry) bool) {
	for rank := range 2 {
		for i, s := range v.segs {
			for j, ok := s.Find(id); ok && j < s.Len() && s.Chunk(j) == id; j++ {
				p, e := s.Entry(j)
				if v.rank(i, s.Packs[p].ID) == rank && !yield(v.packed(i, p, rank), e) {
					return
				}
			}
		}
	}
}

func (v *view) rank(seg int, id pack.ID) int {
	return boolRank(v.void[seg] || v.dead[id])
}

func (v *view) packed(seg, p, rank int) *Packed {
	s := v.segs[seg]
	return &Packed{Kind: s.Kind, SegmentPackInfo: &s.Packs[p], Rank: rank}
}
