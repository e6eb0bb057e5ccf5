package repo

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// directoryGuess is how many bytes at the end of a pack are asked for first: nearly always they hold its directory.
const directoryGuess = 64 << 10

// orphans reads the directories of the packs that are not known, and calls each for every one, on one goroutine. They stand in for index
// segments that cannot be read: a pack says itself what is in it, so nothing is lost with a segment. A pack whose directory cannot
// be read is noted and left out.
func (r *Repo) orphans(ctx context.Context, kind pack.Kind, known map[pack.ID]bool, each func(*record.SegmentPack)) error {
	infos, err := r.list(ctx, kind.String()+"/")
	if err != nil {
		return err
	}
	found := make(chan *record.SegmentPack)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	var failed error
	go func() {
		defer close(found)
		for _, i := range infos {
			_, id, ok := pack.ParseName(i.Name)
			if !ok || known[id] {
				continue
			}
			g.Go(func() error {
				p, err := r.packDirectory(gctx, kind, id, i)
				if unreadable(err) {
					r.note(err)
					return nil
				}
				if err != nil {
					return err
				}
				select {
				case found <- p:
				case <-gctx.Done():
				}
				return nil
			})
		}
		failed = g.Wait()
	}()
	for p := range found {
		each(p)
	}
	if failed == nil {
		failed = ctx.Err()
	}
	return failed
}

// packDirectory reads the directory at the end of a pack. Damage is a *CorruptError that names the pack.
func (r *Repo) packDirectory(ctx context.Context, kind pack.Kind, id pack.ID, i storage.Info) (*record.SegmentPack, error) {
	if i.Size < seal.HeaderLen+pack.TrailerLen || i.Size > pack.MaxSize {
		return nil, &CorruptError{Object: i.Name, Err: fmt.Errorf("no pack has %d bytes", i.Size)}
	}
	head, err := r.getRange(ctx, i.Name, 0, seal.HeaderLen, nil)
	if err != nil {
		return nil, err
	}
	h, err := seal.ParseHeader(head, kind.Seal())
	if err != nil {
		return nil, corrupt(i.Name, err)
	}
	from := i.Size - min(i.Size, directoryGuess)
	tail, err := r.getRange(ctx, i.Name, from, i.Size-from, nil)
	if err != nil {
		return nil, err
	}
	off, n, err := pack.ParseTrailer(tail, i.Size)
	if err != nil {
		return nil, corrupt(i.Name, err)
	}
	if off < from {
		if tail, err = r.getRange(ctx, i.Name, off, i.Size-off, nil); err != nil {
			return nil, err
		}
		from = off
	}
	o, err := pack.NewOpener(r.ring, r.codec, kind, h.Salt)
	if err != nil {
		return nil, corrupt(i.Name, err)
	}
	d, err := o.Directory(off, tail[off-from:off-from+n])
	if err != nil {
		return nil, corrupt(i.Name, err)
	}
	return &record.SegmentPack{ID: id, Size: uint32(i.Size), Salt: h.Salt, Directory: d}, nil
}

// addOrphans makes a view that lacks segments know what lies in the packs that no other segment names. They are read from and counted
// on by nobody: whoever writes stores what is in them again.
func (r *Repo) addOrphans(ctx context.Context, v *view, kind pack.Kind) error {
	known := map[pack.ID]bool{}
	for _, s := range v.segs {
		for i := range s.Packs {
			known[s.Packs[i].ID] = true
		}
	}
	var failed error
	err := r.orphans(ctx, kind, known, func(p *record.SegmentPack) {
		s, err := segmentOfPack(kind, p)
		if err != nil {
			failed = err
			return
		}
		v.segs, v.void = append(v.segs, s), append(v.void, true)
	})
	if err != nil {
		return err
	}
	return failed
}

// segmentOfPack makes a segment, which is stored nowhere, of what a pack says of itself.
func segmentOfPack(kind pack.Kind, p *record.SegmentPack) (*record.Segment, error) {
	payload, err := record.EncodeSegment(kind, record.Session{}, nil, []record.SegmentPack{*p})
	if err == nil {
		var s *record.Segment
		if s, err = record.DecodeSegment(payload); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("directory of pack %s: %w", p.ID, err)
}

// locateOrphans is [Repo.Locate] for the packs that only unreadable segments name. The others are found out by reading all segments again: that is
// worth less than their names would cost in memory when all is well.
func (r *Repo) locateOrphans(ctx context.Context, infos []listedSegment, found func(*Packed, pack.Entry)) error {
	known := map[pack.ID]bool{}
	err := r.readSegments(ctx, infos, pack.Data, func(_ listedSegment, s *record.Segment, err error) error {
		if unreadable(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range s.Packs {
			known[s.Packs[i].ID] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.orphans(ctx, pack.Data, known, func(p *record.SegmentPack) {
		pk := &Packed{Kind: pack.Data, SegmentPackInfo: &record.SegmentPackInfo{ID: p.ID, Size: p.Size, Salt: p.Salt, Blocks: p.Blocks}, Rank: 1}
		for _, e := range p.Entries {
			found(pk, e)
		}
	})
}
