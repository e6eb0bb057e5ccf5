package repo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
)

// Limits of merging by writers. Prune makes larger segments, and has the memory for it.
const (
	mergeAbove  = 1000     // so many segments of a kind may stand before a writer merges some, down to half as many if it can
	mergeFanIn  = 1000     // segments that one replaces
	mergeLeast  = 8        // fewer are not worth a rewrite
	mergeTarget = 16 << 20 // bytes of one merged segment, at most
	smallTier   = 64 << 10 // sizes below are one tier; each further one is four times as wide
)

// mergeIndex publishes merged segments when too many small ones stand: docs/decisions/0013-merging-and-concurrency.md. What they
// replace is deleted by prune alone. It runs when the snapshot is published and is for later runs only: an error is logged.
func (s *Session) mergeIndex(ctx context.Context) {
	for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
		if err := s.mergeKind(ctx, kind); err != nil {
			s.r.o.Logger.Warn("index segments could not be merged; the snapshot is whole, a later run merges them", "err", err)
			return
		}
	}
}

func (s *Session) mergeKind(ctx context.Context, kind pack.Kind) error {
	_, list := s.current()
	if len(segmentsOf(list.Segments, kind)) <= s.r.mergeAbove || list.blind {
		return nil
	}
	if !s.tables[kind].made() && s.r.indexFolder(kind) == "" {
		return nil // all segments would be read, into memory, only to see which ones stand
	}
	t, err := s.table(ctx, kind)
	if err != nil {
		return err
	}
	segs, err := t.standing()
	if err != nil {
		return err
	}
	for _, group := range mergeGroups(segs, s.r.mergeAbove) {
		if err := s.mergeGroup(ctx, kind, list, group); err != nil {
			return err
		}
	}
	return nil
}

// mergeGroups chooses which of the standing segments become one, when there are more than above: neighbours in size, the smallest first, so
// that what was merged is not merged again before there are many of its size.
func mergeGroups(segs []listedSegment, above int) [][]listedSegment {
	if len(segs) <= above {
		return nil
	}
	segs = slices.Clone(segs)
	slices.SortFunc(segs, func(a, b listedSegment) int { return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(a.Name, b.Name)) })
	var out [][]listedSegment
	left := len(segs)
	for len(segs) > 0 && left > above/2 {
		n, sum, limit := 0, int64(0), tierEnd(segs[0].Size)
		for n < min(len(segs), mergeFanIn) && segs[n].Size <= limit && sum+segs[n].Size <= mergeTarget {
			sum += segs[n].Size
			n++
		}
		if n >= mergeLeast {
			out = append(out, segs[:n])
			left -= n - 1
		}
		segs = segs[max(n, 1):]
	}
	return out
}

// tierEnd returns the size at which the tier of a size ends.
func tierEnd(size int64) int64 {
	end := int64(smallTier)
	for end < size {
		end *= 4
	}
	return end
}

// mergeGroup publishes one segment in the place of several. One that cannot be read completely is not superseded.
func (s *Session) mergeGroup(ctx context.Context, kind pack.Kind, list *Listing, group []listedSegment) error {
	var in []*record.Segment
	var supersedes []record.ID
	err := s.r.readSegments(ctx, group, kind, func(i listedSegment, seg *record.Segment, err error) error {
		if errors.Is(err, errVanished) || unreadable(err) || err == nil && list.late(seg.Session, i.Info) {
			return nil
		}
		in, supersedes = append(in, seg), append(supersedes, i.id)
		return err
	})
	if err != nil {
		return err
	}
	packs, err := unionOf(in, list.deleted)
	if err != nil || len(in) < 2 || len(packs) == 0 {
		return err
	}
	l, _ := s.current()
	session, ok := l.session()
	if !ok || s.stale() {
		return nil // a session that has lapsed publishes nothing
	}
	payload, err := record.EncodeSegment(kind, session, supersedes, packs)
	if err != nil {
		return err
	}
	info, _, err := s.r.putSealed(ctx, seal.Segment, segmentPrefix(kind)+idHex(newID()), payload)
	if err == nil && late(session, info.Time) {
		s.r.o.Logger.Warn("a merged index segment came after its lease's time and counts for nothing", "segment", info.Name)
	}
	return err
}

// unionOf returns the directories of all packs that the segments name, each once, but for those that are deleted.
func unionOf(in []*record.Segment, deleted map[pack.ID]bool) ([]record.SegmentPack, error) {
	at := map[pack.ID]int{}
	var out []record.SegmentPack
	for _, seg := range in {
		for _, p := range seg.Directories() {
			if deleted[p.ID] {
				continue
			}
			i, ok := at[p.ID]
			if !ok {
				at[p.ID] = len(out)
				out = append(out, p)
				continue
			}
			if !slices.Equal(out[i].Entries, p.Entries) || !slices.Equal(out[i].Blocks, p.Blocks) || out[i].Salt != p.Salt {
				return nil, fmt.Errorf("%w: segments tell of pack %s differently", ErrCorrupt, p.ID)
			}
		}
	}
	return out, nil
}
