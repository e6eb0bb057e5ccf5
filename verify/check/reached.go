package check

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// maxHeld is how many bytes of segments are held while it is found out which of their packs hold what is reached: what is reached is gone
// through once for each so many.
const maxHeld = 64 << 20

// compareReached finds out which packs hold what is reached, when only some snapshots are looked at, and compares these with the index, of which
// it reads all once more.
func (c *checker) compareReached(ctx context.Context) error {
	if !c.o.Scope.OfSnapshots() {
		return nil
	}
	c.o.Events.phase("packs", 0)
	c.indexed = false
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(directories)
	read := func() error {
		for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
			f := reachedPacks{c: c, g: g, kind: kind}
			err := c.x.Segments(ctx, kind, func(s *repo.InspectedSegment) error {
				if s.Unread != nil {
					c.blindIndex[kind] = true
				}
				if s.Segment == nil {
					return nil
				}
				return f.take(ctx, s)
			})
			if err == nil {
				err = f.flush(ctx)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	err := read()
	if checkErr := g.Wait(); checkErr != nil {
		return checkErr
	}
	c.indexed = err == nil
	return err
}

// reachedPacks goes through the segments of a kind.
type reachedPacks struct {
	c    *checker
	g    *errgroup.Group
	kind pack.Kind

	held   []*repo.InspectedSegment
	size   int64
	places []place // of chunks of held segments, in packs of which it is not known yet
}

// place is a pack that has a chunk.
type place struct {
	id prefix
	at int32
}

// take takes a segment in.
func (f *reachedPacks) take(ctx context.Context, s *repo.InspectedSegment) error {
	t := &f.c.packs
	at := make([]int32, len(s.Segment.Packs))
	known := make([]bool, len(at))
	for i := range at {
		at[i], known[i] = t.isReached(f.c.x, f.kind, s.Segment.Packs[i].ID)
	}
	for j := range s.Segment.Len() {
		if p, e := s.Segment.Entry(j); !known[p] {
			f.places = append(f.places, place{f.c.keys.of(f.kind, &e), at[p]})
		}
	}
	f.held = append(f.held, s)
	if f.size += max(s.Size, int64(s.Segment.Len())*46); f.size < maxHeld {
		return nil
	}
	return f.flush(ctx)
}

// flush finds out which packs of the held segments hold something that is reached, compares them, and lets go of the segments.
func (f *reachedPacks) flush(ctx context.Context) error {
	slices.SortFunc(f.places, func(a, b place) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.at, b.at)) })
	ids := make([]prefix, 0, len(f.places))
	for _, p := range f.places {
		if len(ids) == 0 || ids[len(ids)-1] != p.id {
			ids = append(ids, p.id)
		}
	}
	rest := f.places
	err := f.c.reach[f.kind].among(ids, func(id prefix) {
		for rest[0].id != id {
			rest = rest[1:]
		}
		for len(rest) > 0 && rest[0].id == id {
			f.c.packs.reach(rest[0].at)
			rest = rest[1:]
		}
	})
	if err != nil {
		return err
	}
	for _, s := range f.held {
		if err := f.compare(ctx, s); err != nil {
			return err
		}
	}
	f.held, f.size, f.places = nil, 0, f.places[:0]
	return nil
}

// compare compares those packs of a segment with it that are looked at.
func (f *reachedPacks) compare(ctx context.Context, s *repo.InspectedSegment) error {
	wanted := func(id pack.ID) bool {
		_, reached := f.c.packs.isReached(f.c.x, f.kind, id)
		return reached && f.c.o.Scope.Shard.Has(id)
	}
	if !slices.ContainsFunc(s.Segment.Packs, func(p record.SegmentPackInfo) bool { return wanted(p.ID) }) {
		return nil
	}
	for _, p := range s.Segment.Directories() {
		if !wanted(p.ID) {
			continue
		}
		indexed := repo.NewIndexedPack(f.kind, &p)
		i, compare := f.c.packs.name(f.c.x, indexed, s.Void)
		if !compare {
			continue
		}
		if err := f.c.compare(ctx, f.g, i, indexed, &p); err != nil {
			return err
		}
	}
	return nil
}
