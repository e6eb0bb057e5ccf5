package repo

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"savepoint/repo/storage"
	"savepoint/repo/tree"
)

// Survey is what lists and small objects tell of a repository. Nothing in it was read from a pack.
type Survey struct {
	Snapshots []*Snapshot     // as of Repo.Snapshots, but without roots and lists, of which there can be much: faults are counted only
	Reports   []*StoredReport // as of Repo.Reports
	Damaged   []MarkedPack    // in order of name
	Lost      []LostSnapshot  // in order of name
	// BadSnapshots and BadReports name what cannot be read, and wrap ErrCorrupt or ErrNewer; nil when all could be.
	BadSnapshots, BadReports error
	// BadRecords are condemned records and marks that cannot be read, so that Damaged may be short of some.
	BadRecords []string
	Slots      []KeySlot // as of Repo.KeySlots
	// KeyChanges are as of Repo.KeyChanges, as far as marks can be read.
	KeyChanges []KeyChange
	// Foreign are key slots that no mark tells of and that Init did not make: somebody put them there around the program. Returned are those
	// that lie in keys/ a while after a mark says that they were removed.
	Foreign, Returned []KeySlot
	// Copied says that the objects' times are those of a copy: backups are refused until it is adopted.
	Copied bool
}

// MarkedPack is a pack that a mark without a release says is damaged.
type MarkedPack struct {
	Name   string
	Marked time.Time // by the clock of the host that put the mark
}

// Survey looks at a repository as often as every few minutes: manifests and reports that this host read before come from its cache, but for
// the newest manifests of each source, which are read every time. So it sees that one of these is damaged, and that an object is gone, has
// another size, or is new and unreadable; a bit that flipped in an older one that was read before is for verify to find. An error means
// that it could not look.
//
// Each report is handed to take, by many goroutines, which may take out of it what needs no keeping: all reports with all their documents can be
// more than fits into memory. Nil takes nothing.
func (r *Repo) Survey(ctx context.Context, take func(*StoredReport)) (*Survey, error) {
	if take == nil {
		take = func(*StoredReport) {}
	}
	slots, err := r.KeySlots(ctx) // before the marks: one that is seen has its mark
	if err != nil {
		return nil, err
	}
	l, err := r.listAll(ctx)
	if err != nil {
		return nil, err
	}
	s := &Survey{BadRecords: l.unreadable}
	for _, name := range slices.Sorted(maps.Keys(l.damaged)) {
		if strings.HasPrefix(name, "index/") {
			continue
		}
		s.Damaged = append(s.Damaged, MarkedPack{name, l.damaged[name]})
	}
	cache := r.loadSealed("manifests-all") // a session's cache holds those of its source alone
	cache.reread = newestOfEach(l.Snapshots)
	cache.slim = func(m *tree.Manifest) {
		m.Roots, m.Faults, m.Devices, m.Seen, m.Tags = nil, nil, nil, nil, nil
		if !m.Suspect { // of those, it may say why
			m.Policy = nil
		}
	}
	s.Snapshots, err = r.snapshots(ctx, l, cache)
	if s.BadSnapshots = err; err != nil && !unreadable(err) {
		return nil, err
	}
	s.Copied = l.copied
	losses := newLosses(r, l.explains)
	s.Reports, err = r.reports(ctx, time.Time{}, func(rep *StoredReport) {
		losses.Take(rep.Report)
		take(rep)
	})
	if s.BadReports = err; err != nil && !unreadable(err) {
		return nil, err
	}
	if s.Lost, err = losses.Find(ctx); err != nil {
		return nil, err
	}
	return s, r.surveySlots(ctx, s, l, slots)
}

// readAlways is how many manifests of each source Survey reads from the store every time.
const readAlways = 2

// newestOfEach returns the names of the newest manifests in each source's folder. The listing is in order of name, and names begin with
// the start of the window.
func newestOfEach(infos []storage.Info) map[string]bool {
	out := map[string]bool{}
	folder, n := "", 0
	for _, i := range slices.Backward(infos) {
		if f := path.Dir(i.Name); f != folder {
			folder, n = f, 0
		}
		if n++; n <= readAlways {
			out[i.Name] = true
		}
	}
	return out
}
