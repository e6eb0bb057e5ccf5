package repo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/tree"
)

// commitTries bounds how often a manifest that came late is put again under a new lease.
const commitTries = 5

// Commit publishes a snapshot of roots that this session stored or took over from its parent (W5 to W7). It fills in what the
// session knows: seq and prev, the window, clocks, lease, records seen, host, dataset and version. Everything stored is
// durable before the manifest is put. It returns ErrLapsed when the session slept too long and what it relied on is gone.
func (s *Session) Commit(ctx context.Context, m *tree.Manifest) (*Snapshot, error) {
	if err := s.Settle(ctx); err != nil {
		return nil, err
	}
	for range commitTries {
		if err := s.lease.renew(ctx); err != nil {
			return nil, err
		}
		if _, lapsed := s.lease.session(); lapsed || s.segs.lateOne() {
			if err := s.replaceLease(ctx, m); err != nil {
				return nil, err
			}
		}
		snap, err := s.putManifest(ctx, m)
		if err != nil {
			return nil, err
		}
		if !snap.Late {
			return snap, nil
		}
		s.r.o.Logger.Warn("manifest came after its lease's time and counts for nothing; putting it again", "snapshot", snap.Name)
		s.lease.mu.Lock()
		s.lease.lapsed = true
		s.lease.mu.Unlock()
	}
	return nil, fmt.Errorf("%w: the store took longer than %v for a small object, %d times", ErrLapsed, TTL, commitTries)
}

func (g *segments) lateOne() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.late
}

// putManifest puts the manifest under a new name and says whether it is late.
func (s *Session) putManifest(ctx context.Context, m *tree.Manifest) (*Snapshot, error) {
	session, _ := s.lease.session()
	if err := s.fill(ctx, m, session); err != nil {
		return nil, err
	}
	payload, err := tree.EncodeManifest(m)
	if err != nil {
		return nil, err
	}
	start := time.Unix(0, m.Window[0]).UTC()
	name := "snapshots/" + s.r.SourceTag(s.dataset, s.host) + "/" + start.Format(startLayout) + "-" + idHex(newID())
	info, _, err := s.r.putSealed(ctx, seal.Manifest, name, payload)
	if err != nil {
		return nil, err
	}
	snap := &Snapshot{Name: name, Stored: info.Time, Manifest: m, Late: late(session, info.Time)}
	s.sources = append([]*Snapshot{snap}, s.sources...)
	return snap, nil
}

func (s *Session) fill(ctx context.Context, m *tree.Manifest, session record.Session) error {
	mine, err := s.Source(ctx)
	if err != nil {
		return err
	}
	m.Seq, m.Prev = 1, ""
	for _, old := range mine {
		if old.Seq >= m.Seq {
			m.Seq, m.Prev = old.Seq+1, old.Name
		}
	}
	m.Window = [2]int64{s.first.Began, roundUp(session.Renewed)}
	m.HostClock = s.started.UnixNano()
	m.ClockOffset = s.first.Began - m.HostClock
	m.Host, m.Dataset, m.Version = s.host, s.dataset, s.r.o.Version
	m.Lease, m.LeaseBegan, m.LeaseRenewed = session.Lease, session.Began, session.Renewed
	m.Seen = nil
	for _, id := range s.list.Records {
		m.Seen = append(m.Seen, id)
	}
	return nil
}

// roundUp returns the end of what a storage time may mean: stores that tell whole seconds cut the rest off.
func roundUp(t int64) int64 {
	if t%int64(time.Second) == 0 {
		return t + int64(time.Second)
	}
	return t
}

// replaceLease goes on after the session lapsed, or published a segment too late: a lease under a new ID, new lists, and the
// whole root is verified against them before anything more is published.
func (s *Session) replaceLease(ctx context.Context, m *tree.Manifest) error {
	old := s.lease
	l, err := s.r.newLease(ctx, record.Writer, s.dataset, &old.id)
	if err != nil {
		return err
	}
	s.lease = l
	if err := old.end(ctx); err != nil {
		return err
	}
	if s.list, err = s.r.listAll(ctx); err != nil {
		return err
	}
	s.sources = nil
	for kind := range s.views {
		s.views[kind].ok = false
	}
	if err := s.republish(ctx); err != nil {
		return err
	}
	if err := s.verifyRoots(ctx, m); err != nil {
		return err
	}
	return l.renew(ctx)
}

// republish names the packs of this session's late segments again, those that are still there and no record names, and
// lists the index once more.
func (s *Session) republish(ctx context.Context) error {
	own := s.segs.own
	s.segs.own, s.segs.late = nil, false
	for _, o := range own {
		seg, err := readRecord(ctx, s.r, seal.Segment, o.name, record.DecodeSegment)
		if gone(err) {
			continue // void ones may be removed; what is missing shows below
		}
		if err != nil {
			return err
		}
		packs, missing, err := s.standing(ctx, seg)
		if err != nil {
			return err
		}
		if !o.late && missing == 0 {
			s.segs.own = append(s.segs.own, o)
			continue
		}
		if missing > 0 {
			return fmt.Errorf("%w: %d packs of this run were deleted while it slept; nothing was published, run the backup again", ErrLapsed, missing)
		}
		if err := s.putSegment(ctx, o.kind, packs); err != nil {
			return err
		}
	}
	var err error
	s.list.Segments, err = s.r.list(ctx, "index/")
	return err
}

// standing returns the packs of a segment with their chunks, and how many of them are gone, condemned or of another size.
func (s *Session) standing(ctx context.Context, seg *record.Segment) ([]record.SegmentPack, int, error) {
	packs := seg.Directories()
	missing := 0
	for _, p := range packs {
		info, err := s.r.st.Stat(ctx, pack.Name(seg.Kind, p.ID))
		if err != nil && !gone(err) {
			return nil, 0, fmt.Errorf("look for pack %s: %w", p.ID, err)
		}
		if err != nil || s.list.dead[p.ID] || info.Size != int64(p.Size) {
			missing++
		}
	}
	return packs, missing, nil
}

// verifyRoots looks every chunk of the roots up in the new lists.
func (s *Session) verifyRoots(ctx context.Context, m *tree.Manifest) error {
	data, err := s.view(ctx, pack.Data)
	if err != nil {
		return err
	}
	meta, err := s.view(ctx, pack.Meta)
	if err != nil {
		return err
	}
	src := &strictSource{newTreeReader(s.r, meta), meta}
	for i := range m.Roots {
		if err := verifyEntry(ctx, src, data, &m.Roots[i].Entry); err != nil {
			if errors.Is(err, errNotLive) {
				return fmt.Errorf("%w: %w; nothing was published, run the backup again", ErrLapsed, err)
			}
			return err
		}
	}
	return nil
}

var errNotLive = errors.New("a chunk that it relied on is in no live pack")

// strictSource reads tree chunks in live packs only.
type strictSource struct {
	*TreeReader
	v *view
}

func (s *strictSource) TreeChunk(ctx context.Context, id chunk.ID) ([]byte, error) {
	if !s.v.has(id) {
		return nil, errNotLive
	}
	return s.TreeReader.TreeChunk(ctx, id)
}

func verifyEntry(ctx context.Context, src tree.Source, data *view, e *tree.Entry) error {
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
			if !x.Hole && !data.has(x.ID) {
				return errNotLive
			}
		}
	}
	return nil
}
