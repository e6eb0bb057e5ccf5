package repo

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/pack"
)

// warmShare is how much of the listed segments, in bytes, may be new to this host's index before a reader does better without:
// one part in so many.
const warmShare = 10

// warmTable returns a table in the index that backups keep on this host, brought up to the listing, or nil when there is none that has
// nearly all of it: a restore on a host that has nothing does not wait until an index is built. The caller closes the table's index.
func (r *Repo) warmTable(ctx context.Context, l *Listing, kind pack.Kind) (*indexed, error) {
	dir := r.indexFolder(kind)
	if _, err := os.Stat(dir); dir == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	x := r.openIndex(kind)
	if x == nil {
		return nil, nil
	}
	var listed []index.Listed
	total := int64(0)
	for _, i := range segmentsOf(l.Segments, kind) {
		listed = append(listed, index.Listed{ID: i.id, Size: i.Size})
		total += i.Size
	}
	var t *indexed
	var err error
	if _, behind := x.Behind(listed); behind*warmShare <= total {
		t, err = r.syncIndex(ctx, x, l, kind)
	}
	if errors.Is(err, ErrNewer) {
		err = nil // without the index the rest can be read
	}
	if t == nil {
		r.closeIndex(x)
	}
	return t, err
}

// findBatch is how many chunks are looked up at a time, in 32 bytes each.
const findBatch = 1 << 16

// Find asks the index that backups keep on this host where data chunks lie. Found is called as by [Repo.Locate], for up to four places
// of each chunk. It returns false, and may have called found, when this host has no index that knows: then Locate does.
func (r *Repo) Find(ctx context.Context, ids iter.Seq[chunk.ID], found func(*Packed, pack.Entry)) (bool, error) {
	l, err := r.listAll(ctx)
	if err != nil {
		return false, err
	}
	t, err := r.warmTable(ctx, l, pack.Data)
	if t == nil || err != nil {
		return false, err
	}
	defer r.closeIndex(t.x)
	batch := make([]chunk.ID, 0, findBatch)
	for id := range ids {
		if batch = append(batch, id); len(batch) < findBatch {
			continue
		}
		if err := t.find(ctx, batch, found); err != nil {
			return false, r.doubted(ctx, err)
		}
		batch = batch[:0]
	}
	err = t.find(ctx, batch, found)
	return err == nil, r.doubted(ctx, err)
}

// doubted logs that the index failed. It returns only the context's error: the segments are read in its place.
func (r *Repo) doubted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil {
		r.o.Logger.Warn("the index on this host is not to be relied on; reading the index segments", "err", err)
		return nil
	}
	return err
}

// find looks chunks up. What it calls found with is as the segments say.
func (t *indexed) find(ctx context.Context, ids []chunk.ID, found func(*Packed, pack.Entry)) error {
	var failed error
	err := t.x.LookupAll(ctx, ids, func(i int, l index.Location) {
		info, err := t.x.Pack(l.Pack)
		if err != nil {
			failed = err
			return
		}
		found(&Packed{Kind: t.kind, SegmentPackInfo: info, Rank: boolRank(!l.Live)},
			pack.Entry{Chunk: ids[i], Block: l.Block, Offset: l.Offset, Length: l.Length})
	})
	return errors.Join(err, failed)
}
