package repo

import (
	"context"
	"fmt"
	"time"

	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/tree"
)

// commitTries bounds how often a manifest that came late is put again under a new lease.
const commitTries = 5

// Commit publishes a snapshot of roots that this session stored or took over from its parent. It fills in what the
// session knows: seq and prev, the window, clocks, lease, records seen, host, dataset and version. Everything stored is
// durable before the manifest is put. It returns ErrLapsed when the session slept too long and what it relied on is gone.
func (s *Session) Commit(ctx context.Context, m *tree.Manifest) (*Snapshot, error) {
	if err := s.Settle(ctx); err != nil {
		return nil, err
	}
	for range commitTries {
		if err := s.verify(ctx, m); err != nil {
			return nil, err
		}
		mine, err := s.Source(ctx)
		if err != nil {
			return nil, err
		}
		l, list := s.current()
		session, ok, err := l.renew(ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		snap, err := s.putManifest(ctx, s.fill(m, mine, session, list))
		if err != nil {
			return nil, err
		}
		if !snap.Late {
			if m.Completeness != tree.Interrupted { // which replaces only a part of what a lost segment located
				s.remember()
			}
			return snap, nil
		}
		s.r.o.Logger.Warn("manifest came after its lease's time and counts for nothing; putting it again", "snapshot", snap.Name)
		l.giveUp()
	}
	return nil, fmt.Errorf("%w: the store took longer than %v for a small object, %d times", ErrLapsed, TTL, commitTries)
}

// putManifest puts the manifest under a new name and says whether it is late.
func (s *Session) putManifest(ctx context.Context, m *tree.Manifest) (*Snapshot, error) {
	payload, err := tree.EncodeManifest(m)
	if err != nil {
		return nil, err
	}
	start := time.Unix(0, m.Window[0]).UTC()
	name := s.sourcePrefix() + start.Format(startLayout) + "-" + idHex(newID())
	info, _, err := s.r.putSealed(ctx, seal.Manifest, name, payload)
	if err != nil {
		return nil, err
	}
	snap := &Snapshot{Name: name, Stored: info.Time, Manifest: m}
	snap.Late = late(snap.session(), info.Time)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources, s.published = append([]*Snapshot{snap}, s.sources...), true
	return snap, nil
}

// fill completes m, and returns a copy that is not touched again.
func (s *Session) fill(m *tree.Manifest, mine []*Snapshot, session record.Session, list *Listing) *tree.Manifest {
	m.Seq, m.Prev = 1, ""
	for _, old := range mine {
		if old.Seq >= m.Seq {
			m.Seq, m.Prev = old.Seq+1, old.Name
		}
	}
	m.Window = [2]int64{s.first.Began, max(s.first.Began, roundUp(session.Renewed))} // the storage's clock may have gone back
	m.HostClock = s.started.UnixNano()
	m.ClockOffset = s.first.Began - m.HostClock
	m.Host, m.Dataset, m.Version = s.host, s.dataset, s.r.o.Version
	m.Lease, m.LeaseBegan, m.LeaseRenewed = session.Lease, session.Began, session.Renewed
	m.Seen = nil
	for _, id := range list.Records {
		m.Seen = append(m.Seen, id)
	}
	out := *m
	return &out
}

// roundUp returns the end of what a storage time may mean: stores that tell whole seconds cut the rest off.
func roundUp(t int64) int64 {
	if t%int64(time.Second) == 0 {
		return t + int64(time.Second)
	}
	return t
}
