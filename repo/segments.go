package repo

import (
	"context"
	"sync"
	"time"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
)

// segmentTarget is where a segment is closed, well below what a reader accepts.
const segmentTarget = 48 << 20

// segments collects the directories of durable packs until a segment names them.
type segments struct {
	flushing sync.Mutex // one flush at a time

	mu      sync.Mutex
	waiting [pack.Meta + 1][]record.SegmentPack
	size    [pack.Meta + 1]int64
	flushed time.Time
	own     []ownSegment // what this session published
	late    bool         // one of them came after the lease's time
}

type ownSegment struct {
	name string
	kind pack.Kind
	late bool
}

// packStored takes in a pack that is durable, and publishes segments when it is time.
func (s *Session) packStored(ctx context.Context, f *pack.Finished) error {
	g := &s.segs
	g.mu.Lock()
	g.waiting[f.Kind] = append(g.waiting[f.Kind], record.SegmentPack{ID: f.ID, Size: uint32(len(f.Bytes)), Salt: f.Salt, Directory: f.Directory})
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

// publish puts segments for every durable pack that none names yet.
func (s *Session) publish(ctx context.Context) error {
	g := &s.segs
	g.flushing.Lock()
	defer g.flushing.Unlock()
	for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
		g.mu.Lock()
		packs := g.waiting[kind]
		g.waiting[kind], g.size[kind], g.flushed = nil, 0, s.r.o.Now()
		g.mu.Unlock()
		if len(packs) == 0 {
			continue
		}
		if err := s.putSegment(ctx, kind, packs); err != nil {
			g.mu.Lock()
			g.waiting[kind] = append(packs, g.waiting[kind]...)
			g.mu.Unlock()
			return err
		}
	}
	return nil
}

func (s *Session) putSegment(ctx context.Context, kind pack.Kind, packs []record.SegmentPack) error {
	session, _ := s.lease.session()
	payload, err := record.EncodeSegment(kind, session, nil, packs)
	if err != nil {
		return err
	}
	name := segmentPrefix(kind) + idHex(newID())
	info, _, err := s.r.putSealed(ctx, seal.Segment, name, payload)
	if err != nil {
		return err
	}
	isLate := late(session, info.Time)
	s.segs.mu.Lock()
	defer s.segs.mu.Unlock()
	s.segs.own = append(s.segs.own, ownSegment{name, kind, isLate})
	s.segs.late = s.segs.late || isLate
	return nil
}
