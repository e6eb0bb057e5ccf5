package repo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// view is the index of one kind as one listing shows it: segments in memory, with those that are void set apart.
type view struct {
	segs    []*record.Segment
	void    []bool // parallel to segs
	dead    map[pack.ID]bool
	blind   bool
	live    *idSet  // chunks in live packs; nil until built
	damaged []error // segments that could not be read
}

const indexDomain = "index/00000000/"

func segmentPrefix(k pack.Kind) string { return indexDomain + k.String() + "/" }

// errVanished says that a listed segment is gone: a merged one has taken its place, list again.
var errVanished = errors.New("segment vanished")

// listedSegment is a listed segment of one kind.
type listedSegment struct {
	storage.Info
	id record.ID
}

func segmentsOf(infos []storage.Info, kind pack.Kind) []listedSegment {
	var out []listedSegment
	for _, i := range infos {
		if rest, ok := strings.CutPrefix(i.Name, segmentPrefix(kind)); ok {
			if id, err := parseID(rest); err == nil {
				out = append(out, listedSegment{i, id})
			}
		}
	}
	return out
}

// readSegment reads a segment of a kind. The error is errVanished when there is none; it wraps ErrCorrupt or ErrNewer when the segment cannot be
// read: what only it locates will be stored again, or missed.
func (r *Repo) readSegment(ctx context.Context, i listedSegment, kind pack.Kind) (*record.Segment, error) {
	s, err := readRecord(ctx, r, seal.Segment, i.Name, record.DecodeSegment)
	if gone(err) {
		return nil, fmt.Errorf("%s: %w", i.Name, errVanished)
	}
	if err == nil && s.Kind != kind {
		err = corrupt(i.Name, fmt.Errorf("segment of kind %d among kind %d", s.Kind, kind))
	}
	if unreadable(err) {
		r.o.Logger.Warn("index segment cannot be read; what only it locates will be stored again or missed", "err", err)
	}
	return s, err
}

func unreadable(err error) bool { return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNewer) }

// loadView reads the listed segments of a kind.
func (r *Repo) loadView(ctx context.Context, l *Listing, infos []storage.Info, kind pack.Kind) (*view, error) {
	v := &view{dead: l.dead, blind: l.blind}
	superseded := map[record.ID]bool{}
	var ids []record.ID
	for _, i := range segmentsOf(infos, kind) {
		s, err := r.readSegment(ctx, i, kind)
		if unreadable(err) {
			v.damaged = append(v.damaged, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		isLate := l.late(s.Session, i.Info)
		if !isLate {
			for _, old := range s.Supersedes {
				superseded[old] = true
			}
		}
		v.segs, v.void, ids = append(v.segs, s), append(v.void, isLate), append(ids, i.id)
	}
	for i, id := range ids {
		v.void[i] = v.void[i] || superseded[id]
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
		if infos, err = r.list(ctx, "index/"); err != nil {
			return nil, err
		}
	}
}

// buildView makes the table of a view for a writer. A segment that cannot be read may be the one that said of others that they
// are void, and these may name packs that are deleted and forgotten: then only packs that the store still shows are live.
func (r *Repo) buildView(ctx context.Context, v *view, kind pack.Kind) error {
	if err := errors.Join(v.damaged...); errors.Is(err, ErrNewer) {
		return err
	} else if err != nil {
		infos, err := r.list(ctx, kind.String()+"/")
		if err != nil {
			return err
		}
		there := make(map[string]bool, len(infos))
		for _, i := range infos {
			there[i.Name] = true
		}
		v.dead = maps.Clone(v.dead)
		for _, s := range v.segs {
			for _, p := range s.Packs {
				v.dead[p.ID] = v.dead[p.ID] || !there[pack.Name(kind, p.ID)]
			}
		}
	}
	v.build()
	if kind == pack.Data {
		v.segs, v.void = nil, nil // a writer only asks whether data chunks are there
	}
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

// has reports whether the chunk lies in a live pack. build must have run.
func (v *view) has(id chunk.ID) bool { return v.live.has(&id) }

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
