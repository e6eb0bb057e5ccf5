package repo

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"savepoint/repo/record"
)

// LostSnapshot is a snapshot that was published, as the report of its backup says, that is gone, and that nobody forgot. What it held may be
// nowhere else.
type LostSnapshot struct {
	Name          string // object name of its manifest
	Dataset, Host string
	Start         time.Time // of its read window
	Published     time.Time // storage time
}

// ID returns the random part of the name, as that of a Snapshot.
func (s LostSnapshot) ID() string { return s.Name[strings.LastIndexByte(s.Name, '-')+1:] }

// Newer reports whether it was of the same source as a snapshot and of later data: it would have been chosen instead.
func (s LostSnapshot) Newer(than *Snapshot) bool {
	if s.Dataset != than.Dataset || s.Host != than.Host {
		return false
	}
	return s.Start.After(than.Start()) || s.Start.Equal(than.Start()) && s.Published.After(than.Stored)
}

// Losses finds lost snapshots among those that reports tell of. It may be used by several goroutines.
type Losses struct {
	r     *Repo
	known func(name string) bool // it is listed, or was forgotten

	mu       sync.Mutex
	reported map[string]LostSnapshot
}

func newLosses(r *Repo, known func(string) bool) *Losses {
	return &Losses{r: r, known: known, reported: map[string]LostSnapshot{}}
}

// Losses returns what finds the snapshots that are lost, of those that this inspection does not list.
func (x *Inspection) Losses() *Losses { return newLosses(x.r, x.list.explains) }

// explains reports whether a snapshot is listed, or a tombstone says that it was forgotten.
func (l *Listing) explains(name string) bool { return l.shows(name) || l.forgot[name] }

// Take notes what a report says was published.
func (l *Losses) Take(rep *record.Report) {
	m := snapshotName.FindStringSubmatch(rep.Manifest)
	if rep.Kind != record.BackupReport || m == nil || l.known(rep.Manifest) {
		return
	}
	s := LostSnapshot{Name: rep.Manifest, Dataset: rep.Dataset, Host: rep.Host, Published: time.Unix(0, rep.Published).UTC()}
	s.Start, _ = time.Parse(startLayout, m[2]) // the zero time of a name that no program makes
	if ran := time.Unix(0, rep.Ran[0]).UTC(); ran.Truncate(time.Second).Equal(s.Start) {
		s.Start = ran
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reported[s.Name] = s
}

// Reported reports whether a report was taken that tells of this snapshot, which is not listed.
func (l *Losses) Reported(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.reported[name]
	return ok
}

// Find returns those that are lost, the last one published first. It asks the store once more: one may have been published, or forgotten, since it was
// listed.
func (l *Losses) Find(ctx context.Context) ([]LostSnapshot, error) {
	l.mu.Lock()
	names := slices.Sorted(maps.Keys(l.reported))
	l.mu.Unlock()
	names, err := l.r.vanished(ctx, names)
	if err != nil {
		return nil, err
	}
	var out []LostSnapshot
	for _, name := range names {
		out = append(out, l.reported[name])
	}
	slices.SortStableFunc(out, func(a, b LostSnapshot) int { return b.Published.Compare(a.Published) })
	return out, nil
}

// lostMargin is how much earlier than a report says the store may date it: it may tell whole seconds, and its clock may be set.
const lostMargin = time.Hour

// LostSince returns the snapshots that are lost of those that were published since a moment, and perhaps some from shortly before, the last
// one first. snaps are all that are listed. It reads no reports that are older, so that it is fast when the moment is that of the newest snapshot;
// the zero time reads all. Reports that cannot be read are left out, and the error, which wraps ErrCorrupt or ErrNewer, names
// them: what the others say is returned with it.
func (r *Repo) LostSince(ctx context.Context, snaps []*Snapshot, since time.Time) ([]LostSnapshot, error) {
	listed := make(map[string]bool, len(snaps))
	for _, s := range snaps {
		listed[s.Name] = true
	}
	l := newLosses(r, func(name string) bool { return listed[name] })
	if !since.IsZero() {
		since = since.Add(-lostMargin)
	}
	_, bad := r.reports(ctx, since, func(rep *StoredReport) {
		l.Take(rep.Report)
		rep.Document, rep.ReadBack, rep.Stats = nil, nil, nil
	})
	if bad != nil && !unreadable(bad) {
		return nil, bad
	}
	lost, err := l.Find(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(lost, func(s LostSnapshot) bool { return s.Published.Before(since) }), bad
}

// statAtMost is of how many objects the store is asked whether each is there; of more, all are listed.
const statAtMost = 64

// vanished returns those of snapshots that were not listed which are still not there, and of which no tombstone says now that they were
// forgotten: one may have been put after the marks were listed. Where a mark cannot be read there are none.
func (r *Repo) vanished(ctx context.Context, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	later := newListing()
	if err := r.listMarks(ctx, later); Unread(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return later.forgot[name] })
	there, err := r.stillThere(ctx, names)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool { return there[name] }), nil
}

// stillThere returns which of some snapshots the store shows now. One that it will not show counts as there.
func (r *Repo) stillThere(ctx context.Context, names []string) (map[string]bool, error) {
	there := make(map[string]bool, len(names))
	if len(names) > statAtMost {
		infos, err := r.list(ctx, "snapshots/")
		for _, i := range infos {
			there[i.Name] = true
		}
		return there, err
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, name := range names {
		g.Go(func() error {
			is, err := r.shows(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			there[name] = is
			return err
		})
	}
	return there, g.Wait()
}

// shows reports whether the store shows an object. One that it will not show counts as there.
func (r *Repo) shows(ctx context.Context, name string) (bool, error) {
	_, err := r.st.Stat(ctx, name)
	if gone(err) {
		return false, nil
	}
	if Unread(err) {
		return true, nil
	}
	return err == nil, err
}
