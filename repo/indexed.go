package repo

import (
	"context"
	"errors"
	"maps"
	"sync"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// indexed is a table in the index on this host. The index is a cache: when it fails, the segments are read into memory in its place.
type indexed struct {
	r    *Repo
	kind pack.Kind
	list *Listing
	x    *index.Index
	segs map[record.ID]listedSegment
	bad  error // segments that could not be read

	mu      sync.RWMutex
	instead *view // in place of an index that failed
}

func (t *indexed) has(ctx context.Context, id chunk.ID) (bool, error) {
	if t.list.blind {
		return false, nil
	}
	if v := t.replacement(); v != nil {
		return v.has(ctx, id)
	}
	ok, err := t.x.Has(&id)
	if err == nil {
		return ok, nil
	}
	v, err := t.replace(ctx, err)
	if err != nil {
		return false, err
	}
	return v.has(ctx, id)
}

func (t *indexed) locations(ctx context.Context, id chunk.ID, yield func(*Packed, pack.Entry) bool) error {
	v := t.replacement()
	if v == nil {
		n, err := t.lookup(id, yield)
		if err == nil && n > 0 {
			return nil
		}
		if err == nil {
			err = errors.New("it does not know a chunk that is needed")
		}
		if v, err = t.replace(ctx, err); err != nil {
			return err
		}
	}
	return v.locations(ctx, id, yield)
}

// lookup calls yield for the places that the index knows. It returns how many these are.
func (t *indexed) lookup(id chunk.ID, yield func(*Packed, pack.Entry) bool) (int, error) {
	found, err := t.x.Lookup(id, nil)
	for _, l := range found {
		info, err := t.x.Pack(l.Pack)
		if err != nil {
			return 0, err
		}
		p := &Packed{Kind: t.kind, SegmentPackInfo: info, Rank: boolRank(!l.Live)}
		if !yield(p, pack.Entry{Chunk: id, Block: l.Block, Offset: l.Offset, Length: l.Length}) {
			break
		}
	}
	return len(found), err
}

func (t *indexed) standing() ([]listedSegment, error) {
	if v := t.replacement(); v != nil {
		return v.standing()
	}
	var out []listedSegment
	for _, id := range t.x.Standing(t.late) {
		if i, ok := t.segs[id]; ok { // not one of this session
			out = append(out, i)
		}
	}
	return out, nil
}

// late reports whether a segment came after its lease's time. One that this session added did not.
func (t *indexed) late(id record.ID, s record.Session) bool {
	i, listed := t.segs[id]
	return listed && t.list.late(s, i.Info)
}

func (t *indexed) unread() error { return t.bad }

func (t *indexed) add(id record.ID, size int64, s *record.Segment) (bool, error) {
	if t.list.blind || t.replacement() != nil {
		return false, nil
	}
	err := t.x.Add(index.Listed{ID: id, Size: size}, s)
	return err == nil, err
}

func (t *indexed) replacement() *view {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.instead
}

// replace reads the segments into memory, those of this session among them.
func (t *indexed) replace(ctx context.Context, cause error) (*view, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.instead != nil {
		return t.instead, nil
	}
	t.r.o.Logger.Warn("the index on this host is not to be relied on; reading the index segments into memory", "err", cause)
	infos, err := t.r.listIndex(ctx, t.list)
	if err != nil {
		return nil, err
	}
	l := *t.list
	l.Segments = infos
	v, err := t.r.views(ctx, &l, t.kind)
	if err == nil {
		err = t.r.complete(ctx, v, t.kind)
	}
	if err != nil {
		return nil, err
	}
	t.instead = v
	return v, nil
}

// openIndex opens the index of a kind. It returns nil when there is none to be had, which is logged.
func (r *Repo) openIndex(kind pack.Kind) *index.Index {
	dir := r.indexFolder(kind)
	if dir == "" {
		return nil
	}
	x, err := index.Open(dir, index.Options{Repo: [16]byte(r.id), Logger: r.o.Logger})
	if err != nil {
		r.o.Logger.Warn("no index can be kept on this host; reading the index segments into memory", "err", err)
		return nil
	}
	return x
}

// indexFolder is where this host keeps the index of a kind; empty: nowhere.
func (r *Repo) indexFolder(kind pack.Kind) string { return r.cacheFile(r.id, "index/"+kind.String()) }

func (r *Repo) closeIndex(x *index.Index) {
	if err := x.Close(); err != nil {
		r.o.Logger.Debug("index could not be closed", "err", err)
	}
}

// syncIndex brings an index up to a listing and returns its table; nil when the index failed, which is logged. An error is the
// store's, or says that a newer program wrote a segment.
func (r *Repo) syncIndex(ctx context.Context, x *index.Index, l *Listing, kind pack.Kind) (*indexed, error) {
	t := &indexed{r: r, kind: kind, list: l, x: x}
	infos := l.Segments
	for try := 0; ; try++ {
		storeErr, err := t.sync(ctx, segmentsOf(infos, kind))
		if storeErr == nil && errors.Is(err, index.ErrDamaged) && try == 0 {
			continue // the next Sync sets aside what is damaged
		}
		if storeErr == nil && err != nil && ctx.Err() == nil {
			r.o.Logger.Warn("the index on this host cannot be brought up to date", "err", err)
			return nil, nil
		}
		if err == nil {
			return t, nil
		}
		if !errors.Is(err, errVanished) || try == 3 {
			return nil, err
		}
		if infos, err = r.listIndex(ctx, l); err != nil {
			return nil, err
		}
	}
}

// sync applies listed segments. Of its errors the first is set when the second comes from the store.
func (t *indexed) sync(ctx context.Context, segs []listedSegment) (storeErr, err error) {
	var listed []index.Listed
	t.segs = map[record.ID]listedSegment{}
	for _, i := range segs {
		listed = append(listed, index.Listed{ID: i.id, Size: i.Size})
		t.segs[i.id] = i
	}
	var mu sync.Mutex
	var bad []error
	err = t.x.Sync(ctx, listed, func(ctx context.Context, id record.ID) (*record.Segment, error) {
		s, err := t.r.readSegment(ctx, t.segs[id], t.kind)
		if err == nil {
			return s, nil
		}
		mu.Lock()
		defer mu.Unlock()
		if unreadable(err) {
			bad = append(bad, err)
			return nil, nil
		}
		if ctx.Err() == nil { // else it was broken off because the index failed, or by the caller, who asks his own context
			storeErr = err
		}
		return nil, err
	})
	if err != nil {
		return storeErr, err
	}
	t.bad = errors.Join(bad...)
	if errors.Is(t.bad, ErrNewer) {
		return t.bad, t.bad
	}
	dead := t.list.dead
	if t.bad != nil {
		there, err := t.r.packs(ctx, t.kind)
		if err != nil {
			return err, err
		}
		if dead, err = t.missing(there); err != nil {
			return nil, err
		}
	}
	return nil, t.x.SetLive(index.Judge{Late: t.late, Dead: maps.Keys(dead)})
}

// missing returns the dead packs and those that are not there. An error is the index's.
func (t *indexed) missing(there map[string]bool) (map[pack.ID]bool, error) {
	dead := maps.Clone(t.list.dead)
	err := t.x.Packs(func(id pack.ID, _ uint32) bool {
		if !there[pack.Name(t.kind, id)] {
			dead[id] = true
		}
		return true
	})
	return dead, err
}

// packs returns the names of the packs of a kind that the store shows.
func (r *Repo) packs(ctx context.Context, kind pack.Kind) (map[string]bool, error) {
	infos, err := r.list(ctx, kind.String()+"/")
	there := make(map[string]bool, len(infos))
	for _, i := range infos {
		there[i.Name] = true
	}
	return there, err
}
