package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"savepoint/repo"
	"savepoint/verify"
)

// lostSoon returns the snapshots that are gone, though nobody forgot them, and that are newer than one that was chosen; none when one was named by
// its ID. It reads the reports alone that were stored since the oldest of these began, and waits for them until soon ends. That it cannot
// be found out is said, and no error.
func (a *app) lostSoon(ctx, soon context.Context, r *repo.Repo, s selection, choices []repo.Choice) []repo.LostSnapshot {
	if s.named() {
		return nil
	}
	var since time.Time
	for _, c := range choices {
		if since.IsZero() || c.Start().Before(since) {
			since = c.Start()
		}
	}
	lost, err := r.LostSince(soon, s.found, since)
	if err != nil && ctx.Err() == nil {
		a.warnf("whether newer recovery points were lost is not known in full: %s; `store verify` says", oneLine(err))
	}
	return lost
}

// named reports whether a snapshot is meant by its ID, and not the newest at a time.
func (s *selection) named() bool { return s.id != "" && s.id != "latest" }

// within reports whether a snapshot that is lost may be one that had ended at the time wanted, as far as its start tells.
func (s *selection) within(lost repo.LostSnapshot) bool {
	at := s.query().At
	return at.IsZero() || !lost.Start.After(at)
}

// lostAfter returns those that would have been chosen instead of a snapshot, the newest first.
func lostAfter(lost []repo.LostSnapshot, s selection, chosen *repo.Snapshot) []repo.LostSnapshot {
	return slices.DeleteFunc(slices.Clone(lost), func(x repo.LostSnapshot) bool { return !x.Newer(chosen) || !s.within(x) })
}

// lostText names snapshots that are lost, of which there is one at least.
func (a *app) lostText(lost []repo.LostSnapshot) string {
	text := fmt.Sprintf("%.8s of %s@%s, published %s", lost[0].ID(), printable(lost[0].Dataset), printable(lost[0].Host), a.timeText(lost[0].Published))
	if len(lost) > 1 {
		return fmt.Sprintf("%s are lost, which are gone, and nobody forgot them: the newest is %s", plural(len(lost), "recovery point", "recovery points"), text)
	}
	return fmt.Sprintf("a recovery point is lost, which is gone, and nobody forgot it: %s", text)
}

// warnLost says before a restore begins that newer data than it brings back was there and is lost.
func (a *app) warnLost(t task) {
	if len(t.lost) > 0 {
		a.warnf("%s. Snapshot %s is older. %s", a.lostText(t.lost), t.choice.Short(), pointHint)
	}
}

// lostError is the error of a restore in which all came back, and newer data than that is lost.
func lostError(t task) error {
	if len(t.lost) == 0 {
		return nil
	}
	return &exitError{code: exitDamage, hint: "What was restored is right; every byte of it was checked. " + pointHint,
		err: fmt.Errorf("snapshot %s is restored into %s, whole, and is not the newest that there was: %s %s lost", t.choice.Short(), printable(t.target),
			plural(len(t.lost), "newer snapshot", "newer snapshots"), map[bool]string{true: "is", false: "are"}[len(t.lost) == 1])}
}

// explainLost says that there were snapshots, when none is left that fits.
func (a *app) explainLost(ctx context.Context, r *repo.Repo, s selection, err error) error {
	soon, cancel := context.WithTimeout(ctx, damageWithin)
	defer cancel()
	lost := slices.DeleteFunc(a.lostSoon(ctx, soon, r, s, nil), func(x repo.LostSnapshot) bool {
		return s.dataset != "" && x.Dataset != s.dataset || s.host != "" && x.Host != s.host || !s.within(x)
	})
	if len(lost) == 0 {
		return err
	}
	return &exitError{code: exitDamage, hint: "Nothing was restored. " + pointHint, err: errors.Join(errors.New(a.lostText(lost)), err)}
}

// lostPoints returns what a document says of snapshots that are lost.
func lostPoints(lost []repo.LostSnapshot) []verify.LostPoint {
	var out []verify.LostPoint
	for _, s := range lost[:min(len(lost), verify.MaxListed)] {
		out = append(out, verify.LostPoint{Snapshot: s.ID(), Object: s.Name, WindowStart: s.Start, Published: s.Published})
	}
	return out
}
