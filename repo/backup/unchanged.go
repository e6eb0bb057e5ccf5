package backup

import (
	"context"
	"slices"
	"sync"

	"savepoint/repo"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

// unchanged returns the entry of an earlier snapshot, brought up to date, if it may be taken over, and nil if the object must be read. Of the
// unchanged files some are read all the same: one that turns out to be different is returned as it is now.
func (w *worker) unchanged(ctx context.Context, b *batch, it *item, m source.Meta) (*tree.Entry, error) {
	p := it.parent
	if p == nil || p.Type == tree.Directory || !b.trust || m.Dev != b.dir.Meta().Dev || b.where.InPlace() || p.Splitter != 0 {
		return nil, nil
	}
	if !source.Unchanged(p, m, it.from.since) || source.Recognise(b.where, it.name, nil, m.Size) != 0 {
		return nil, nil
	}
	if p.Type == tree.File {
		if ok, err := w.present(ctx, it); !ok || err != nil {
			return nil, err
		}
		if e, err := w.spotCheck(ctx, b, it, m); e != nil || err != nil {
			return e, err
		}
		w.done.Unchanged++
	}
	p.Link = w.sources.Devices.Link(m)
	return p, nil
}

// present reports whether the content of an unchanged file is still stored. Where it must be looked up, nodes of its list are
// stored again if need be.
func (w *worker) present(ctx context.Context, it *item) (bool, error) {
	if it.from.unlooked {
		return true, nil
	}
	for x, err := range tree.Elements(ctx, w.trees, it.parent.Content, 0) {
		ok := err == nil && x.Hole
		if err == nil && !ok {
			ok, err = w.s.Has(ctx, repo.Data, x.ID)
		}
		if err == nil && ok {
			err = w.list.Add(ctx, x.Element)
		}
		if err == nil && ok {
			continue
		}
		w.dropList()
		if err != nil && w.lost(err) {
			err = nil // a node of the list: reading the file stores it anew
		}
		return false, err
	}
	_, err := w.list.Finish(ctx)
	return true, err
}

// spotCheck reads one in a hundred of the files that are unchanged since the last finished snapshot, and compares it with what that has. It
// returns nil, or the file's entry as it is now when its content is another under the same times.
func (w *worker) spotCheck(ctx context.Context, b *batch, it *item, m source.Meta) (*tree.Entry, error) {
	path := b.path(it.name)
	if !it.same || m.Size == 0 || !source.SpotCheck(w.r.SpotKey(), path, w.seq) || !w.spot.take(m.Size) {
		return nil, nil
	}
	e, err := w.file(ctx, b.where, it.name, func() (*source.File, error) { return b.dir.OpenFile(it.name, m) })
	if err != nil {
		if fatal(err) {
			return nil, err
		}
		w.r.Options().Logger.Warn("an unchanged file could not be read to check it; its last backup stands", "path", path, "err", err)
		return nil, nil
	}
	if e.CTime != m.CTime || e.MTime != m.MTime {
		return nil, nil // it changed just now: no evidence
	}
	w.stats.reread.Add(1)
	if slices.Equal(e.Content, it.parent.Content) {
		return nil, nil
	}
	if e.Splitter == it.parent.Splitter { // else it is recognised by now, and cut differently
		w.stats.different.Add(1)
		w.r.Options().Logger.Warn("a file differs from its last backup though its times and size say it does not", "path", path)
	}
	return e, nil
}

// spotBudget bounds the bytes that are read only to see that unchanged files are unchanged.
type spotBudget struct {
	mu   sync.Mutex
	left uint64
}

func (s *spotBudget) take(n uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.left {
		return false
	}
	s.left -= n
	return true
}
