package health

import (
	"slices"
	"time"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// The results of backups that are counted.
const (
	resultSuccess = "success"
	resultPartial = "partial"
	resultFailed  = "failed"
)

func (l *look) lookAtBackups(x *sight, counted bool) {
	published := map[string]time.Time{} // by manifest, as the backup saw it
	for _, b := range x.backups {
		if b.Manifest != "" && b.Published > 0 {
			published[b.Manifest] = time.Unix(0, b.Published)
		}
	}
	listed := map[string]bool{}
	var last, point *Backup
	for _, s := range x.snaps {
		listed[s.Name] = true
		b := backupOf(s, published[s.Name])
		if last == nil || newer(s, b, last) {
			last = b
		}
		if l.point(x, s) && (point == nil || !b.WindowStart.Before(point.WindowStart)) {
			point = b
		}
		if !l.whole.Before(b.Published) && l.point(x, s) {
			latest(&x.Verified, s.Start())
		}
		if good(s) {
			x.succeeded(b.Published)
		}
		x.Class = s.Class // that of the newest window
	}
	x.LastBackup, x.RecoveryPoint = last, point
	for _, b := range x.backups {
		x.usage = b.Usage
		x.LastReport = &Report{At: b.at, ExitCode: int(b.Exit), Message: b.Message}
		if b.Exit == 0 && b.Published > 0 && !listed[b.Manifest] && !x.lost[idOf(b.Manifest)] { // forgotten since
			x.succeeded(earlier(time.Unix(0, b.Published), b.Stored))
		}
	}
	if counted {
		x.Backups = x.countBackups()
	}
}

func (x *sight) succeeded(t time.Time) {
	if t = t.UTC(); x.LastSuccess == nil || t.After(*x.LastSuccess) {
		x.LastSuccess = &t
	}
}

// good reports whether a snapshot is a point to go back to that nothing is known to be wrong with.
func good(s *repo.Snapshot) bool {
	return s.Restorable() && s.Completeness == tree.Complete && !s.Suspect
}

// point reports whether a snapshot is one to go back to: good, and not damaged as far as is known.
func (l *look) point(x *sight, s *repo.Snapshot) bool {
	return good(s) && l.unhurt(x, s, false)
}

// newer reports whether a snapshot tells more of the last backup than the one so far. A finished one wins over an interrupted one
// of the same session.
func newer(s *repo.Snapshot, b, last *Backup) bool {
	if b.WindowStart.Equal(last.WindowStart) && s.Completeness == tree.Interrupted != (last.Completeness == interrupted) {
		return s.Completeness != tree.Interrupted
	}
	return !b.Published.Before(last.Published)
}

const interrupted = "interrupted"

// backupOf describes a snapshot. reported is when its backup saw it published; zero when that is not known. The object's own time is
// that of a copy in a copy, and says nothing then.
func backupOf(s *repo.Snapshot, reported time.Time) *Backup {
	at := s.Stored
	if renewed := time.Unix(0, s.LeaseRenewed); !s.Late && s.LeaseRenewed > 0 && at.Sub(renewed) > repo.TTL {
		at = renewed
	}
	if !reported.IsZero() {
		at = earlier(at, reported)
	}
	b := &Backup{
		Snapshot: s.ID(), Published: at.UTC(), WindowStart: s.Start().UTC(), WindowEnd: s.End().UTC(),
		Suspect: s.Suspect, Late: s.Late, Faults: s.FaultCount, Files: s.Stats.Files, Bytes: s.Stats.FileBytes,
		New: s.Stats.NewBytes + s.Stats.NewTreeBytes, NewStored: s.Stats.NewPackBytes + s.Stats.NewTreePack,
		Seconds: time.Duration(s.Stats.Nanoseconds).Seconds(),
	}
	switch s.Completeness {
	case tree.Complete:
		b.Completeness = "complete"
	case tree.WithFaults:
		b.Completeness = "with faults"
	default:
		b.Completeness = interrupted
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// countBackups counts the reports, which forget leaves.
func (x *sight) countBackups() []Count {
	n := map[string]uint64{}
	for _, b := range x.backups {
		switch b.Exit {
		case 0:
			n[resultSuccess]++
		case 3:
			n[resultPartial]++
		default:
			n[resultFailed]++
		}
	}
	return counts(n, resultSuccess, resultPartial, resultFailed)
}

func counts(n map[string]uint64, results ...string) []Count {
	out := []Count{}
	for _, r := range results {
		out = append(out, Count{r, n[r]})
	}
	return out
}

// fewest is how many intervals between backups make a habit, and slack what is no delay whatever the habit.
const (
	fewest = 3
	recent = 10
	slack  = 15 * time.Minute
	trying = 3 * time.Hour // what began so short a time before the last one may have been done by hand
)

// habit returns the longest of the last intervals between backups that were reported; 0 when there are too few to tell.
func (x *sight) habit() time.Duration {
	list := x.backups[max(0, len(x.backups)-recent-1):]
	if len(list) <= fewest || list[len(list)-1].at.Sub(x.backups[0].at) < trying {
		return 0
	}
	var gaps []time.Duration
	for i := range list[1:] {
		gaps = append(gaps, list[i+1].at.Sub(list[i].at))
	}
	return slices.Max(gaps)
}

// stopped reports whether backups came at intervals, and now none has for more than twice the longest. Where a schedule says what is expected, that
// counts instead: what was backed up by hand some times in a row is no interval.
func (x *sight) stopped(now time.Time) bool {
	h := x.habit()
	return h > 0 && x.LastBackup != nil && now.Sub(x.LastBackup.Published) > 2*h+slack
}
