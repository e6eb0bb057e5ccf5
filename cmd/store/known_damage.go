package main

import (
	"context"
	"fmt"
	"time"

	"savepoint/internal/when"
	"savepoint/repo"
	"savepoint/verify/health"
)

// damageWithin is how long a restore waits at most to hear what verifications found: at night, on a host that has read no report yet, that is
// not what it is about.
const damageWithin = 5 * time.Second

// knownDamage returns what verifications and drills say of snapshots; snaps are all that are listed. That it
// cannot be found out is said, and no error.
func (a *app) knownDamage(ctx context.Context, r *repo.Repo, snaps []*repo.Snapshot) *health.Known {
	found, err := health.Damage(ctx, r, snaps)
	if err != nil && ctx.Err() == nil {
		a.warnf("what verifications and drills found is not known: %s", oneLine(err))
	}
	if found == nil {
		return new(health.Known)
	}
	return found
}

// knownSoon is knownDamage of who does not wait long for it.
func (a *app) knownSoon(ctx, soon context.Context, r *repo.Repo, snaps []*repo.Snapshot) *health.Known {
	found := a.knownDamage(soon, r, snaps)
	if soon.Err() != nil && ctx.Err() == nil {
		a.infof("there are too many reports to see before the restore whether a verification found damage: `store health` says")
	}
	return found
}

// warnFound says before a restore begins that damage is known in the snapshot, and which command shows it.
func (a *app) warnFound(s *repo.Snapshot, found *health.Known) {
	if f, ok := found.Damaged[s.ID()]; ok {
		a.warnf("snapshot %s is damaged: %s found so at %s. What can be read is restored. To see what it found: %s", s.Short(), finder(f), a.timeText(f.At),
			a.runnable("health", "--dataset", s.Dataset, "--host", s.Host))
	}
}

// warnProbe says before a restore begins that a probe found the snapshot wanting, and which one is known to be better.
func (a *app) warnProbe(s *repo.Snapshot, found *health.Known) {
	f, ok := found.Probes[s.ID()]
	if !ok {
		return
	}
	text := "No snapshot of " + printable(s.Source()) + " is known that passes one."
	if good, ok := goodBeside(s, found); ok {
		text = fmt.Sprintf("The last good snapshot is %.8s, read to %s, whose probe passed in the drill of %s: %s", good.Snapshot, a.timeText(when.Point(good.WindowEnd)), a.timeText(good.At),
			a.runnable("restore", good.Snapshot[:8]))
	}
	a.warnf("snapshot %s failed its probe in the drill of %s: it comes back as it was backed up, and that is not what it should be. %s", s.Short(), a.timeText(f.At), text)
}

// goodBeside returns the newest snapshot of the same source that passed a probe, when a snapshot has failed one.
func goodBeside(s *repo.Snapshot, found *health.Known) (health.GoodSnapshot, bool) {
	good, ok := found.LastGood[[2]string{s.Dataset, s.Host}]
	_, failed := found.Probes[s.ID()]
	_, too := found.Probes[good.Snapshot]
	return good, ok && failed && !too && good.Probed
}

// finder names what found damage.
func finder(f health.Found) string {
	return fmt.Sprintf("a %s", map[string]string{health.ByVerify: "verification", health.ByDrill: "drill"}[f.By])
}

// stateWith is stateOf with what is known of damage.
func stateWith(s *repo.Snapshot, found *health.Known) string {
	text := stateOf(s)
	if _, ok := found.Damaged[s.ID()]; ok {
		text += ", DAMAGED"
	}
	if _, ok := found.Probes[s.ID()]; ok {
		text += ", probe failed"
	}
	return text
}

// foundDocumentOf is documentOf with what is known of damage.
func foundDocumentOf(s *repo.Snapshot, found *health.Known) *snapshotDocument {
	d := documentOf(s)
	if d != nil {
		d.DamageFoundBy = found.Damaged[s.ID()].By
		_, d.ProbeFailed = found.Probes[s.ID()]
	}
	return d
}
