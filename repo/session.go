package repo

import (
	"context"
	"sync"
	"time"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/tree"
)

// Session is one writer at work, from its lease to its manifest. Its methods are safe for concurrent use, but for Settle and
// Commit, beside which nothing may be put; its streams are not.
type Session struct {
	r       *Repo
	dataset string
	host    string
	started time.Time       // host clock
	life    context.Context // outlives the caller's for a while
	first   record.Session  // the lease under which the source is read
	packer  *packer
	segs    segments

	tables  [pack.Meta + 1]lazyTable
	pending [pack.Meta + 1]pending

	mu        sync.Mutex
	lease     *lease
	list      *Listing // what was listed under the lease; nil until it was
	published bool     // a snapshot
	unlisted  bool     // list is of the lease before
	moved     bool     // the lease is not the first: what was looked up before it must be verified
	totals    Totals
	sources   []*Snapshot // this source's manifests, newest first
}

// Totals count what a session has stored so far. Bytes of packs are known once the packs are durable.
type Totals struct {
	DataChunks, DataBytes, DataPackBytes uint64
	TreeChunks, TreeBytes, MetaPackBytes uint64
	DataPacks, MetaPacks                 uint64
}

// Write runs fn in a new session of a source. The session's lease is there before fn runs and is renewed while it does; what fn
// stored is durable and indexed when Write returns, also when fn failed or ctx was cancelled, as far as the store
// allows within half a minute: the next run finds it. Only [Session.Commit] makes a snapshot of it.
func (r *Repo) Write(ctx context.Context, dataset, host string, fn func(context.Context, *Session) error) error {
	if r.readOnly != nil {
		return r.readOnly
	}
	life, over := outlive(ctx)
	defer over()
	s := &Session{r: r, dataset: dataset, host: host, started: r.o.Now(), life: life}
	var err error
	if s.lease, err = r.newLease(ctx, record.Writer, dataset, nil); err != nil {
		return err
	}
	s.first, _ = s.lease.session()
	s.lease.start(life)
	err = s.run(ctx, fn)
	l, _ := s.current()
	if endErr := l.end(life); err == nil {
		err = endErr
	}
	return err
}

func (s *Session) run(ctx context.Context, fn func(context.Context, *Session) error) error {
	list, err := s.r.listAll(ctx)
	if err == nil {
		err = list.writable()
	}
	if err != nil {
		return err
	}
	s.list = list
	if err := s.refuseCopy(ctx); err != nil {
		return err
	}
	s.packer = &packer{r: s.r, uploaded: s.packStored, lease: s.leaseID}
	s.packer.start(s.life)
	defer s.closeTables()

	err = fn(ctx, s)
	if tidyErr := s.settle(s.life); err == nil {
		err = tidyErr
	}
	s.packer.stop()
	if err == nil && s.published {
		s.mergeIndex(ctx)
	}
	return err
}

// settle makes everything durable that was stored so far: packs first, then the segments that name them.
func (s *Session) settle(ctx context.Context) error {
	packErr := s.packer.drain()
	if err := s.publish(ctx); packErr == nil {
		return err
	}
	return packErr
}

// current returns the session's lease, and what was listed under it.
func (s *Session) current() (*lease, *Listing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lease, s.list
}

func (s *Session) leaseID() record.ID {
	l, _ := s.current()
	return l.id
}

// claim reports whether the chunk is new to the repository and to this session, and takes it as stored from now on. What
// the session has stored is asked first: it goes over from there into the table, never back.
func (s *Session) claim(ctx context.Context, kind pack.Kind, id chunk.ID) (bool, error) {
	t, err := s.table(ctx, kind)
	if err != nil {
		return false, err
	}
	if !s.pending[kind].add(id) {
		return false, nil
	}
	known, err := t.has(ctx, id)
	if known || err != nil {
		s.pending[kind].drop(id)
	}
	return !known, err
}

// Has reports whether the chunk lies in a live pack or was stored by this session.
func (s *Session) Has(ctx context.Context, kind pack.Kind, id chunk.ID) (bool, error) {
	t, err := s.table(ctx, kind)
	if err != nil {
		return false, err
	}
	if s.pending[kind].has(id) {
		return true, nil
	}
	return t.has(ctx, id)
}

// Trees returns a reader of the tree chunks that were there when the session began.
func (s *Session) Trees(ctx context.Context) (*TreeReader, error) {
	t, err := s.table(ctx, pack.Meta)
	if err != nil {
		return nil, err
	}
	return newTreeReader(s.r, t), nil
}

// Unlooked reports whether files that have not changed since this parent may be taken over without looking their chunks
// up: every condemned record that is listed was seen by the parent, nothing is marked damaged, and no index segment is lost
// that the last run saw.
func (s *Session) Unlooked(parent *tree.Manifest) bool {
	_, list := s.current()
	if len(list.damaged) > 0 || list.blind {
		return false
	}
	seen := map[record.ID]bool{}
	for _, id := range parent.Seen {
		seen[record.ID(id)] = true
	}
	for _, id := range list.Records {
		if !seen[id] {
			return false
		}
	}
	if name := s.missesSegment(); name != "" {
		s.r.o.Logger.Warn("an index segment is lost; every unchanged file is looked up, and stored again where need be", "segment", name)
		return false
	}
	return true
}

// Began returns the storage time at which the session began: everything written before it is in what the session reads.
func (s *Session) Began() time.Time { return time.Unix(0, s.first.Began) }

// Totals returns what the session stored so far.
func (s *Session) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals
}

func (s *Session) count(kind pack.Kind, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind == pack.Meta {
		s.totals.TreeChunks++
		s.totals.TreeBytes += uint64(n)
		return
	}
	s.totals.DataChunks++
	s.totals.DataBytes += uint64(n)
}

// Settle waits until everything stored so far is durable and indexed. Streams must have been flushed: it returns an error
// when one has not, and when a block was lost because its stream's context ended.
func (s *Session) Settle(ctx context.Context) error {
	err := s.settle(ctx)
	if err == nil {
		err = s.packer.whole()
	}
	return err
}
