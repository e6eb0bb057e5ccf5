package repo

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/tree"
)

const startLayout = "20060102T150405Z"

var snapshotName = regexp.MustCompile(`^snapshots/([0-9a-f]{8})/([0-9]{8}T[0-9]{6}Z)-([0-9a-f]{32})$`)

// Snapshot is a listed manifest.
type Snapshot struct {
	Name   string    // object name
	Stored time.Time // storage time of the manifest
	Late   bool      // it came after its lease's time: no parent, never chosen by time
	*tree.Manifest
}

// ID returns the random part of the name, 32 hex digits: unique in the repository.
func (s *Snapshot) ID() string { return s.Name[strings.LastIndexByte(s.Name, '-')+1:] }

// Short returns the first 8 digits of ID, which people type.
func (s *Snapshot) Short() string { return s.ID()[:8] }

// Source returns dataset@host.
func (s *Snapshot) Source() string { return s.Dataset + "@" + s.Host }

// Start and End return the read window in storage time.
func (s *Snapshot) Start() time.Time { return time.Unix(0, s.Window[0]) }

// End returns the end of the read window.
func (s *Snapshot) End() time.Time { return time.Unix(0, s.Window[1]) }

// Snapshots returns every listed manifest, oldest window first. Those that cannot be read are left out, and the error,
// which wraps ErrCorrupt or ErrNewer, names them: the rest is returned with it.
func (r *Repo) Snapshots(ctx context.Context) ([]*Snapshot, error) {
	l, err := r.listAll(ctx)
	if err != nil {
		return nil, err
	}
	return r.snapshots(ctx, l, new(sealedCache))
}

// snapshots reads the manifests of a listing, from a cache those that it has.
func (r *Repo) snapshots(ctx context.Context, l *Listing, cache *sealedCache) ([]*Snapshot, error) {
	snaps, err := r.readSnapshotsBy(ctx, l, l.Snapshots, cache)
	if copyErr := r.findCopy(ctx, l, snaps); copyErr != nil {
		return nil, copyErr
	}
	if l.copied {
		r.o.Logger.Warn("this repository is a copy made by other means, or its files were touched: restores work, backups are refused until `store adopt`")
		for _, s := range snaps {
			s.Late = false
		}
	}
	r.warnGaps(l, snaps)
	return snaps, err
}

// warnGaps says which snapshots are gone that nobody forgot: each names the one of its source before it. Interrupted ones go after seven
// days, so what is older is not spoken of.
func (r *Repo) warnGaps(l *Listing, snaps []*Snapshot) {
	listed := map[string]bool{}
	for _, i := range l.Snapshots {
		listed[i.Name] = true
	}
	for _, s := range snaps {
		m := snapshotName.FindStringSubmatch(s.Prev)
		if m == nil || listed[s.Prev] || l.forgot[s.Prev] {
			continue
		}
		if start, err := time.Parse(startLayout, m[2]); err == nil && r.o.Now().Sub(start) < MaxSession {
			r.o.Logger.Warn("a snapshot is gone that was not forgotten", "snapshot", s.Prev, "source", s.Source())
		}
	}
}

// readers is how many small objects are read at once: what their reading takes is the way to the store and back.
const readers = 16

// readSnapshots reads manifests, oldest window first. The error names those that cannot be read.
func (r *Repo) readSnapshots(ctx context.Context, l *Listing, infos []storage.Info) ([]*Snapshot, error) {
	return r.readSnapshotsBy(ctx, l, infos, new(sealedCache))
}

func (r *Repo) readSnapshotsBy(ctx context.Context, l *Listing, infos []storage.Info, cache *sealedCache) ([]*Snapshot, error) {
	snaps, bad := make([]*Snapshot, len(infos)), make([]error, len(infos))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for n, i := range infos {
		if !snapshotName.MatchString(i.Name) {
			continue
		}
		g.Go(func() error {
			m, err := r.readManifest(ctx, cache, i)
			switch {
			case gone(err): // forgotten a moment ago
				return nil
			case unreadable(err):
				r.note(err)
				bad[n] = err
				return nil
			case err != nil:
				return err
			}
			if cache.slim != nil {
				cache.slim(m)
			}
			snaps[n] = &Snapshot{Name: i.Name, Stored: i.Time, Manifest: m}
			snaps[n].Late = l.late(snaps[n].session(), i)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := cache.save(l.shows); err != nil {
		r.o.Logger.Debug("cache could not be written", "err", err)
	}
	snaps = slices.DeleteFunc(snaps, func(s *Snapshot) bool { return s == nil })
	slices.SortFunc(snaps, byWindow)
	return snaps, errors.Join(bad...)
}

// readManifest reads a manifest from this host's cache or from the store.
func (r *Repo) readManifest(ctx context.Context, cache *sealedCache, i storage.Info) (*tree.Manifest, error) {
	if sealed := cache.get(i.Name, i.Size); sealed != nil {
		if m, err := r.openManifest(i.Name, sealed); err == nil {
			cache.use(i.Name, sealed, false)
			return m, nil
		}
	}
	sealed, err := r.getListed(ctx, i)
	if err != nil {
		return nil, err
	}
	m, err := r.openManifest(i.Name, sealed)
	if err == nil {
		cache.use(i.Name, sealed, true)
	}
	return m, err
}

func (r *Repo) openManifest(name string, sealed []byte) (*tree.Manifest, error) {
	b, err := r.ring.Open(seal.Manifest, name, sealed, nil)
	if err != nil {
		return nil, corrupt(name, err)
	}
	m, err := tree.DecodeManifest(b)
	if err != nil {
		return nil, corrupt(name, err)
	}
	return m, nil
}

// shows reports whether a snapshot is listed.
func (l *Listing) shows(name string) bool {
	_, ok := slices.BinarySearchFunc(l.Snapshots, name, func(i storage.Info, name string) int { return strings.Compare(i.Name, name) })
	return ok
}

// byWindow orders snapshots by window. A bucket tells whole seconds, so several of one source can have the same: then they count.
func byWindow(a, b *Snapshot) int {
	return cmp.Or(a.Start().Compare(b.Start()), a.End().Compare(b.End()), strings.Compare(a.Source(), b.Source()),
		cmp.Compare(a.Seq, b.Seq), strings.Compare(a.Name, b.Name))
}

// sourcePrefix is what the names of this source's manifests begin with, and perhaps another's.
func (s *Session) sourcePrefix() string {
	return "snapshots/" + s.r.SourceTag(s.dataset, s.host) + "/"
}

// Source returns this source's manifests as listed when the session began and those it put itself, newest first. A damaged
// one is left out and logged: it costs a parent, not the backup.
func (s *Session) Source(ctx context.Context) ([]*Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sources != nil {
		return s.sources, nil
	}
	prefix := s.sourcePrefix()
	var mine []storage.Info
	for _, i := range s.list.Snapshots {
		if strings.HasPrefix(i.Name, prefix) {
			mine = append(mine, i)
		}
	}
	snaps, err := s.r.readSnapshotsBy(ctx, s.list, mine, s.r.loadSealed("manifests"))
	if unreadable(err) {
		s.r.o.Logger.Warn("snapshots of this source cannot be read", "err", err)
	} else if err != nil {
		return nil, err
	}
	s.sources = make([]*Snapshot, 0, len(snaps)) // not nil: it was read
	for _, x := range slices.Backward(snaps) {
		if x.Dataset == s.dataset && x.Host == s.host { // another source can have the same tag
			s.sources = append(s.sources, x)
		}
	}
	return s.sources, nil
}

// Parent returns the newest on-time manifest of this source, interrupted ones included, or nil.
func (s *Session) Parent(ctx context.Context) (*Snapshot, error) {
	mine, err := s.Source(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range mine {
		if !x.Late {
			return x, nil
		}
	}
	return nil, nil
}

// LastFull returns the newest on-time manifest of this source that read every byte, or nil.
func (s *Session) LastFull(ctx context.Context) (*Snapshot, error) {
	mine, err := s.Source(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range mine {
		if !x.Late && x.Mode == tree.Full && x.Completeness != tree.Interrupted {
			return x, nil
		}
	}
	return nil, nil
}

func (s *Snapshot) session() record.Session {
	return record.Session{Lease: record.ID(s.Lease), Began: s.LeaseBegan, Renewed: s.LeaseRenewed}
}
