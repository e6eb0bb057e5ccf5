package repo

import (
	"context"
	"errors"
	"maps"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/storage"
)

// view is the table of one kind in memory: segments, with those that are void set apart.
type view struct {
	segs    []*record.Segment
	void    []bool          // parallel to segs
	names   []listedSegment // of those that are not void
	dead    map[pack.ID]bool
	blind   bool
	live    *idSet  // chunks in live packs; nil until built
	damaged []error // segments that could not be read
}

// loadView reads the listed segments of a kind.
func (r *Repo) loadView(ctx context.Context, l *Listing, listed []storage.Info, kind pack.Kind) (*view, error) {
	v := &view{dead: l.dead, blind: l.blind}
	superseded := map[record.ID]bool{}
	var infos []listedSegment
	err := r.readSegments(ctx, segmentsOf(listed, kind), kind, func(i listedSegment, s *record.Segment, err error) error {
		if unreadable(err) {
			v.damaged = append(v.damaged, err)
			return nil
		}
		if err != nil {
			return err
		}
		isLate := l.late(s.Session, i.Info)
		if !isLate {
			for _, old := range s.Supersedes {
				superseded[old] = true
			}
		}
		v.segs, v.void, infos = append(v.segs, s), append(v.void, isLate), append(infos, i)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, info := range infos {
		v.void[i] = v.void[i] || superseded[info.id]
		if !v.void[i] {
			v.names = append(v.names, info)
		}
	}
	return v, nil
}

// views loads the index, and lists it again when a merge gets in between.
func (r *Repo) views(ctx context.Context, l *Listing, kind pack.Kind) (*view, error) {
	infos := l.Segments
	for try := 0; ; try++ {
		v, err := r.loadView(ctx, l, infos, kind)
		if !errors.Is(err, errVanished) || try == 3 {
			return v, err
		}
		if infos, err = r.listIndex(ctx, l); err != nil {
			return nil, err
		}
	}
}

// complete makes a view ready to answer what lives. A segment that cannot be read may be the one that said of others that they
// are void, and these may name packs that are deleted and forgotten: then only packs that the store still shows are live.
func (r *Repo) complete(ctx context.Context, v *view, kind pack.Kind) error {
	if err := v.unread(); errors.Is(err, ErrNewer) {
		return err
	} else if err != nil {
		there, err := r.packs(ctx, kind)
		if err != nil {
			return err
		}
		v.dead = maps.Clone(v.dead)
		for _, s := range v.segs {
			for _, p := range s.Packs {
				v.dead[p.ID] = v.dead[p.ID] || !there[pack.Name(kind, p.ID)]
			}
		}
	}
	v.build()
	return nil
}

// build makes the set of chunks in live packs: those that a segment which is not void names, and no record or mark.
func (v *view) build() {
	n := 0
	for i, s := range v.segs {
		if !v.void[i] && !v.blind {
			n += s.Len()
		}
	}
	v.live = newIDSet(n, v.eachLive)
}

func (v *view) eachLive(yield func(chunk.ID)) {
	if v.blind {
		return
	}
	for i, s := range v.segs {
		if v.void[i] {
			continue
		}
		live := make([]bool, len(s.Packs))
		for j := range s.Packs {
			live[j] = !v.dead[s.Packs[j].ID]
		}
		for j := range s.Len() {
			if p, e := s.Entry(j); live[p] {
				yield(e.Chunk)
			}
		}
	}
}

// has looks a chunk up; build must have run.
func (v *view) has(_ context.Context, id chunk.ID) (bool, error) { return v.live.has(&id), nil }

// locations looks a chunk up in every segment.
func (v *view) locations(_ context.Context, id chunk.ID, yield func(*Packed, pack.Entry) bool) error {
	for rank := range 2 {
		for i, s := range v.segs {
			for j, ok := s.Find(id); ok && j < s.Len() && s.Chunk(j) == id; j++ {
				p, e := s.Entry(j)
				if v.rank(i, s.Packs[p].ID) == rank && !yield(v.packed(i, p, rank), e) {
					return nil
				}
			}
		}
	}
	return nil
}

// standing returns the segments that are not void.
func (v *view) standing() ([]listedSegment, error) { return v.names, nil }

// unread says which segments could not be read.
func (v *view) unread() error { return errors.Join(v.damaged...) }

// add takes no chunks in: the session keeps its own in memory.
func (v *view) add(record.ID, int64, *record.Segment) (bool, error) { return false, nil }

func (v *view) rank(seg int, id pack.ID) int {
	return boolRank(v.void[seg] || v.dead[id])
}

func (v *view) packed(seg, p, rank int) *Packed {
	s := v.segs[seg]
	return &Packed{Kind: s.Kind, SegmentPackInfo: &s.Packs[p], Rank: rank}
}
