package main

import (
	"context"
	"fmt"
	"time"

	"savepoint/repo"
	"savepoint/verify/health"
)

// damageWithin is how long a restore waits at most to hear what verifications found: at night, on a host that has read no report yet, that is
// not what it is about.
const damageWithin = 5 * time.Second

// knownDamage returns the snapshots, by ID, of which verifications and drills say that something is lost; snaps are all that are listed. That it
// cannot be found out is said, and no error.
func (a *app) knownDamage(ctx context.Context, r *repo.Repo, snaps []*repo.Snapshot) map[string]health.Found {
	found, err := health.Damage(ctx, r, snaps)
	if err != nil && ctx.Err() == nil {
		a.warnf("what verifications and drills found is not known: %s", oneLine(err))
	}
	return found
}

// knownSoon is knownDamage of who does not wait long for it.
func (a *app) knownSoon(ctx, soon context.Context, r *repo.Repo, snaps []*repo.Snapshot) map[string]health.Found {
	found := a.knownDamage(soon, r, snaps)
	if soon.Err() != nil && ctx.Err() == nil {
		a.infof("there are too many reports to see before the restore whether a verification found damage: `store health` says")
	}
	return found
}

// warnFound says before a restore begins that damage is known in the snapshot, and which command shows it.
func (a *app) warnFound(s *repo.Snapshot, found map[string]health.Found) {
	if f, ok := found[s.ID()]; ok {
		a.warnf("snapshot %s is damaged: %s found so at %s. What can be read is restored. To see what it found: %s", s.Short(), finder(f), a.timeText(f.At),
			a.runnable("health", "--dataset", s.Dataset, "--host", s.Host))
	}
}

// finder names what found damage.
func finder(f health.Found) string {
	return fmt.Sprintf("a %s", map[string]string{health.ByVerify: "verification", health.ByDrill: "drill"}[f.By])
}

// stateWith is stateOf with what is known of damage.
func stateWith(s *repo.Snapshot, found map[string]health.Found) string {
	if _, ok := found[s.ID()]; ok {
		return stateOf(s) + ", DAMAGED"
	}
	return stateOf(s)
}

// foundDocumentOf is documentOf with what is known of damage.
func foundDocumentOf(s *repo.Snapshot, found map[string]health.Found) *snapshotDocument {
	d := documentOf(s)
	if d != nil {
		d.DamageFoundBy = found[s.ID()].By
	}
	return d
}
