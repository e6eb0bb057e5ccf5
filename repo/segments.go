package repo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
)

// segmentTarget is where a segment is closed, well below what a reader accepts: with it the chunks that a session holds in memory, about
// 180,000 that wait for their segment.
const segmentTarget = 8 << 20

// segments collects the directories of durable packs until a segment names them.
type segments struct {
	flushing sync.Mutex // one flush at a time

	mu      sync.Mutex
	waiting [pack.Meta + 1][]storedPack
	size    [pack.Meta + 1]int64
	flushed time.Time
	own     []ownSegment // what this session published
	late    bool         // one of them came after the lease's time
	lost    int          // packs of this session that are gone or condemned
	err     error        // says so
}

// storedPack is a durable pack, with the lease under which it was put. Under another lease it counts only if the store still
// shows it.
type storedPack struct {
	record.SegmentPack
	lease record.ID
}

type ownSegment struct {
	name string
	kind pack.Kind
	late bool
	size int64
}

// packStored takes in a pack that is durable, and publishes segments when it is time.
func (s *Session) packStored(ctx context.Context, f *pack.Finished, lease record.ID) error {
	g := &s.segs
	g.mu.Lock()
	g.waiting[f.Kind] = append(g.waiting[f.Kind], storedPack{lease: lease,
		SegmentPack: record.SegmentPack{ID: f.ID, Size: uint32(len(f.Bytes)), Salt: f.Salt, Directory: f.Directory}})
	g.size[f.Kind] += record.SegmentSize(1, len(f.Blocks), len(f.Entries))
	now := s.r.o.Now()
	if g.flushed.IsZero() {
		g.flushed = now
	}
	due := len(g.waiting[f.Kind]) >= flushPacks || g.size[f.Kind] >= segmentTarget || now.Sub(g.flushed) >= flushAfter
	g.mu.Unlock()

	s.mu.Lock()
	if f.Kind == pack.Meta {
		s.totals.MetaPackBytes += uint64(len(f.Bytes))
		s.totals.MetaPacks++
	} else {
		s.totals.DataPackBytes += uint64(len(f.Bytes))
		s.totals.DataPacks++
	}
	s.mu.Unlock()
	if due {
		return s.publish(ctx)
	}
	return nil
}

// publish puts segments for every durable pack that none names yet. A session that has lapsed publishes nothing under its
// lease: it goes on under another first.
func (s *Session) publish(ctx context.Context) error {
	g := &s.segs
	g.flushing.Lock()
	defer g.flushing.Unlock()
	for range commitTries {
		if s.stale() {
			if err := s.move(ctx); err != nil {
				return err
			}
		}
		for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
			if err := s.putWaiting(ctx, kind); err != nil {
				return err
			}
		}
		if !s.stale() {
			return g.failed()
		}
	}
	return fmt.Errorf("%w: the store took longer than %v for a segment, %d times", ErrLapsed, TTL, commitTries)
}

// putWaiting puts one segment for the packs of a kind that none names yet, unless there is none, or the session has lapsed.
func (s *Session) putWaiting(ctx context.Context, kind pack.Kind) error {
	l, list := s.current()
	session, ok := l.session()
	if !ok {
		return nil
	}
	g := &s.segs
	g.mu.Lock()
	waiting, size := g.waiting[kind], g.size[kind]
	g.waiting[kind], g.size[kind], g.flushed = nil, 0, s.r.o.Now()
	g.mu.Unlock()
	packs, err := s.accept(ctx, kind, waiting, session.Lease, list)
	if err == nil && len(packs) > 0 {
		err = s.putSegment(ctx, session, kind, packs)
	}
	if err != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.waiting[kind], g.size[kind] = append(waiting, g.waiting[kind]...), g.size[kind]+size
	}
	return err
}

// accept returns those packs that may be named under the lease: what was put under an earlier one must still be there.
func (s *Session) accept(ctx context.Context, kind pack.Kind, waiting []storedPack, lease record.ID, list *Listing) ([]record.SegmentPack, error) {
	var packs []record.SegmentPack
	missing := 0
	for _, p := range waiting {
		ok, err := p.lease == lease, error(nil)
		if !ok {
			ok, err = s.standing(ctx, list, kind, p.ID, p.Size)
		}
		if err != nil {
			return nil, err
		}
		if ok {
			packs = append(packs, p.SegmentPack)
		} else {
			missing++
		}
	}
	s.segs.lose(missing)
	return packs, nil
}

func (s *Session) putSegment(ctx context.Context, session record.Session, kind pack.Kind, packs []record.SegmentPack) error {
	payload, err := record.EncodeSegment(kind, session, nil, packs)
	if err != nil {
		return err
	}
	id := newID()
	name := segmentPrefix(kind) + idHex(id)
	info, _, err := s.r.putSealed(ctx, seal.Segment, name, payload)
	if err != nil {
		return err
	}
	isLate := late(session, info.Time)
	s.segs.mu.Lock()
	s.segs.own = append(s.segs.own, ownSegment{name, kind, isLate, info.Size})
	s.segs.late = s.segs.late || isLate
	s.segs.mu.Unlock()
	if !isLate {
		return s.publishedSegment(kind, id, info.Size, payload)
	}
	return nil
}

// lateOne reports whether a segment came after its lease's time and is void.
func (g *segments) lateOne() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.late
}

// failed returns why the session can publish no snapshot any more, or nil.
func (g *segments) failed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// lose notes that packs of this session are gone or condemned, so that no root that needs them can be published.
func (g *segments) lose(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lost += n; g.lost > 0 {
		g.err = fmt.Errorf("%w: %d packs of this run were deleted or condemned while it slept; nothing was published, run the backup again", ErrLapsed, g.lost)
	}
}
