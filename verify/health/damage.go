package health

import (
	"context"
	"errors"
	"time"

	"savepoint/repo"
)

// Who found damage.
const (
	ByVerify = "verify"
	ByDrill  = "drill"
)

// Found is damage in a snapshot that nothing has seen healed.
type Found struct {
	By     string    // ByVerify or ByDrill
	At     time.Time // when that run ended, storage time
	Object string    // its report
}

// Known is what verifications and drills found of snapshots.
type Known struct {
	Damaged  map[string]Found           // by ID, those that lose something to damage which nothing has seen healed, as Look judges it
	Probes   map[string]Found           // by ID, those that came back as they were backed up and failed a probe, and have not passed one since
	LastGood map[[2]string]GoodSnapshot // by dataset and host, the newest that a drill brought back whole, as Look judges it
}

// Damage returns what verifications and drills found of snapshots. snaps are
// all that are listed. It reads the list of reports and those that this host has not read before. Reports that cannot be read count as
// nothing, which Look says; an error means that it could not look.
func Damage(ctx context.Context, r *repo.Repo, snaps []*repo.Snapshot) (*Known, error) {
	l := newLook(r, Options{})
	reports, err := r.TakeReports(ctx, l.take)
	if err != nil && !errors.Is(err, repo.ErrCorrupt) && !errors.Is(err, repo.ErrNewer) {
		return nil, err
	}
	l.settle(&repo.Survey{Snapshots: snaps, Reports: reports})
	if err := l.findHit(ctx, l.lookAtChecks()); err != nil {
		return nil, err
	}
	found := &Known{Damaged: map[string]Found{}, Probes: map[string]Found{}, LastGood: map[[2]string]GoodSnapshot{}}
	for _, x := range l.sources {
		l.lookAtDrills(x, false)
		l.foundIn(x, found.Damaged)
		x.probesIn(found.Probes)
		if x.LastGood != nil {
			found.LastGood[[2]string{x.Dataset, x.Host}] = *x.LastGood
		}
	}
	for id, c := range l.hit {
		found.Damaged[id] = Found{ByVerify, c.at, c.Name}
	}
	return found, nil
}
