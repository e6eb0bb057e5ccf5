package repo

import (
	"context"
	"fmt"
	"sync"

	"savepoint/index"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// lazyTable is a session's table of one kind, which is made when it is first needed, and again after forget.
type lazyTable struct {
	mu    sync.Mutex
	t     table        // nil until it is made
	x     *index.Index // what t lies in; nil: in memory
	tried bool         // to open x
}

func (l *lazyTable) made() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.t != nil
}

// table returns what the session knows of the chunks of a kind, as listed under its lease.
func (s *Session) table(ctx context.Context, kind pack.Kind) (table, error) {
	l := &s.tables[kind]
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.t != nil {
		return l.t, nil
	}
	_, list := s.current()
	if !l.tried {
		l.x, l.tried = s.r.openIndex(kind), true
	}
	if l.x != nil {
		t, err := s.r.syncIndex(ctx, l.x, list, kind)
		if err != nil {
			return nil, err
		}
		if t != nil {
			l.t = t
			return t, nil
		}
		s.r.closeIndex(l.x)
		l.x = nil
	}
	v, err := s.r.views(ctx, list, kind)
	if err == nil {
		err = s.r.complete(ctx, v, kind)
	}
	if err != nil {
		return nil, err
	}
	if kind == pack.Data {
		v.segs, v.void = nil, nil // a writer only asks whether data chunks are there
	}
	l.t = v
	return v, nil
}

// forget makes the tables be made again, from the session's newest listing.
func (s *Session) forget() {
	for kind := range s.tables {
		l := &s.tables[kind]
		l.mu.Lock()
		l.t = nil
		l.mu.Unlock()
	}
}

func (s *Session) closeTables() {
	for kind := range s.tables {
		l := &s.tables[kind]
		l.mu.Lock()
		if l.x != nil {
			s.r.closeIndex(l.x)
		}
		l.t, l.x = nil, nil
		l.mu.Unlock()
	}
}

// publishedSegment moves the chunks of a segment that this session published from what the session holds in memory into the
// table. A table that cannot take them leaves them there.
func (s *Session) publishedSegment(kind pack.Kind, id record.ID, size int64, payload []byte) error {
	l := &s.tables[kind]
	l.mu.Lock()
	t := l.t
	l.mu.Unlock()
	if t == nil {
		return nil
	}
	seg, err := record.DecodeSegment(payload)
	if err != nil {
		return fmt.Errorf("read back an index segment that was just written; test this machine's memory: %w", err)
	}
	taken, err := t.add(id, size, seg)
	if err != nil {
		s.r.o.Logger.Warn("the index on this host did not take in a segment; its chunks stay in memory", "err", err)
	}
	if !taken {
		return nil
	}
	for i := range seg.Len() {
		s.pending[kind].drop(seg.Chunk(i))
	}
	return nil
}
