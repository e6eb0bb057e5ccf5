package repo

import (
	"context"
	"errors"
	"fmt"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/tree"
)

// stale reports whether the session must go on under a new lease before it publishes anything: it has lapsed, something
// that it published came late, or it has not listed yet under the lease that it has.
func (s *Session) stale() bool {
	s.mu.Lock()
	l, unlisted := s.lease, s.unlisted
	s.mu.Unlock()
	_, ok := l.session()
	return !ok || unlisted || s.segs.lateOne()
}

// move goes on under a lease with a new ID, and lists again. Packs of this session count from now on only if they are
// still there and no record names them; those that no segment names in time wait for a new one. segs.flushing is held.
func (s *Session) move(ctx context.Context) error {
	old, _ := s.current()
	l, err := s.r.newLease(ctx, record.Writer, s.dataset, &old.id)
	if err != nil {
		return err
	}
	l.start(s.life)
	s.mu.Lock()
	s.lease, s.unlisted, s.moved, s.sources = l, true, true, nil
	s.mu.Unlock()
	s.r.o.Logger.Warn("session slept longer than its lease lives; going on under a new one, and checking what it relied on")
	if err := old.end(ctx); err != nil {
		s.r.o.Logger.Warn("old lease could not be ended; it lapses by itself", "err", err)
	}
	list, err := s.r.listAll(ctx)
	if err == nil {
		err = list.writable()
	}
	if err != nil {
		return err
	}
	if err := s.recheck(ctx, list); err != nil {
		return err
	}
	s.mu.Lock()
	s.list, s.unlisted = list, false
	s.sources = nil
	s.mu.Unlock()
	s.forget()
	return nil
}

// recheck asks the store for the packs that segments of this session name. Those of late segments wait for a new one.
func (s *Session) recheck(ctx context.Context, list *Listing) error {
	g := &s.segs
	g.mu.Lock()
	own := g.own
	g.mu.Unlock()
	var kept []ownSegment
	var again [pack.Meta + 1][]storedPack
	for _, o := range own {
		seg, err := readRecord(ctx, s.r, seal.Segment, storage.Info{Name: o.name, Size: o.size}, record.DecodeSegment)
		if gone(err) {
			continue // a merge has taken its place, or prune removed it as void: what is missing shows when the root is verified
		}
		if err != nil {
			return err
		}
		if o.late {
			for _, p := range seg.Directories() {
				again[o.kind] = append(again[o.kind], storedPack{SegmentPack: p})
			}
			continue
		}
		for i := range seg.Packs {
			ok, err := s.standing(ctx, list, o.kind, seg.Packs[i].ID, seg.Packs[i].Size)
			if err != nil {
				return err
			}
			if !ok {
				g.lose(1)
			}
		}
		kept = append(kept, o)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.own, g.late = kept, false
	for kind, packs := range again {
		g.waiting[kind] = append(packs, g.waiting[kind]...)
	}
	return nil
}

// standing reports whether a pack of this session is there as it was stored, and no record or mark names it.
func (s *Session) standing(ctx context.Context, list *Listing, kind pack.Kind, id pack.ID, size uint32) (bool, error) {
	if list.blind || list.dead[id] {
		return false, nil
	}
	info, err := s.r.st.Stat(ctx, pack.Name(kind, id))
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for pack %s: %w", id, err)
	}
	return info.Size == int64(size), nil
}

// verify makes sure that a root may be published: under a lease that has not lapsed, and with every chunk in a live pack by
// the lists made under that lease.
func (s *Session) verify(ctx context.Context, m *tree.Manifest) error {
	if err := s.publish(ctx); err != nil { // moves when it must
		return err
	}
	s.mu.Lock()
	moved, list := s.moved, *s.list
	s.mu.Unlock()
	if !moved {
		return nil
	}
	var err error
	if list.Segments, err = s.r.listIndex(ctx, &list); err != nil { // with those of this session
		return err
	}
	s.mu.Lock()
	s.list = &list
	s.mu.Unlock()
	s.forget()
	err = s.verifyRoots(ctx, m)
	if errors.Is(err, errNotLive) {
		return fmt.Errorf("%w: %w; nothing was published, run the backup again", ErrLapsed, err)
	}
	return err
}

// verifyRoots looks every chunk of the roots up.
func (s *Session) verifyRoots(ctx context.Context, m *tree.Manifest) error {
	data, err := s.table(ctx, pack.Data)
	if err != nil {
		return err
	}
	meta, err := s.table(ctx, pack.Meta)
	if err != nil {
		return err
	}
	return verifyRootsOf(ctx, &strictSource{newTreeReader(s.r, meta), meta}, data, m)
}

func verifyRootsOf(ctx context.Context, src tree.Source, data table, m *tree.Manifest) error {
	for i := range m.Roots {
		if err := verifyEntry(ctx, src, data, &m.Roots[i].Entry); err != nil {
			return err
		}
	}
	return nil
}

var errNotLive = errors.New("a chunk that it relied on is in no live pack")

// strictSource reads tree chunks in live packs only.
type strictSource struct {
	*TreeReader
	live table
}

func (s *strictSource) TreeChunk(ctx context.Context, id chunk.ID) ([]byte, error) {
	ok, err := s.live.has(ctx, id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("tree chunk %s: %w", id, errNotLive)
	}
	return s.TreeReader.TreeChunk(ctx, id)
}

func verifyEntry(ctx context.Context, src tree.Source, data table, e *tree.Entry) error {
	switch e.Type {
	case tree.Directory:
		for child, err := range tree.Entries(ctx, src, e.Content, "") {
			if err != nil {
				return err
			}
			if err := verifyEntry(ctx, src, data, child); err != nil {
				return err
			}
		}
	case tree.File:
		for x, err := range tree.Elements(ctx, src, e.Content, 0) {
			if err != nil {
				return err
			}
			if x.Hole {
				continue
			}
			if ok, err := data.has(ctx, x.ID); err != nil {
				return err
			} else if !ok {
				return fmt.Errorf("chunk %s: %w", x.ID, errNotLive)
			}
		}
	}
	return nil
}
