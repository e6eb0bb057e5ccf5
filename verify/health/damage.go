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

// Damage returns the snapshots, by ID, in which verifications or drills found damage that nothing has seen healed, as Look judges it. snaps are
// all that are listed. It reads the list of reports and those that this host has not read before. Reports that cannot be read count as
// nothing, which Look says; an error means that it could not look.
func Damage(ctx context.Context, r *repo.Repo, snaps []*repo.Snapshot) (map[string]Found, error) {
	l := newLook(r, Options{})
	reports, err := r.TakeReports(ctx, l.take)
	if err != nil && !errors.Is(err, repo.ErrCorrupt) && !errors.Is(err, repo.ErrNewer) {
		return nil, err
	}
	l.settle(&repo.Survey{Snapshots: snaps, Reports: reports})
	if err := l.findHit(ctx, l.lookAtChecks()); err != nil {
		return nil, err
	}
	found := map[string]Found{}
	for _, x := range l.sources {
		l.lookAtDrills(x, false)
		l.foundIn(x, found)
	}
	for id, c := range l.hit {
		found[id] = Found{ByVerify, c.at, c.Name}
	}
	return found, nil
}
