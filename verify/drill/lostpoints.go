package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"savepoint/repo"
	"savepoint/verify"
)

// lostPoints notes the recovery points that would have been chosen and are gone, though nobody forgot them: the data that comes back is right,
// and older than it should be. chosen is nil when there was nothing to choose. What it takes is no part of a recovery, which would not look.
func (x *run) lostPoints(ctx context.Context, chosen *repo.Snapshot) error {
	defer x.watch.lap("")
	var since time.Time
	wants := func(s repo.LostSnapshot) bool {
		return (x.o.Dataset == "" || s.Dataset == x.o.Dataset) && (x.o.Host == "" || s.Host == x.o.Host)
	}
	if chosen != nil {
		since = chosen.Start()
		wants = func(s repo.LostSnapshot) bool { return s.Newer(chosen) }
	}
	lost, bad := x.opened.LostSince(ctx, x.snaps, since)
	if bad != nil && !errors.Is(bad, repo.ErrCorrupt) && !errors.Is(bad, repo.ErrNewer) {
		return fmt.Errorf("look for recovery points that are lost: %w", bad)
	}
	for _, err := range flatten(bad) {
		x.o.Events.Notice(oneLine(err))
	}
	lost = slices.DeleteFunc(lost, func(s repo.LostSnapshot) bool { return !wants(s) || !x.o.At.IsZero() && s.Start.After(x.o.At) })
	sources := map[[2]string]bool{}
	for _, s := range lost {
		sources[[2]string{s.Dataset, s.Host}] = true
	}
	if len(sources) == 1 && chosen == nil {
		x.known, x.doc.Dataset, x.doc.Host = true, lost[0].Dataset, lost[0].Host
	}
	for _, s := range lost[:min(len(lost), verify.MaxListed)] {
		x.doc.LostPoints = append(x.doc.LostPoints, verify.LostPoint{Snapshot: s.ID(), Object: s.Name, WindowStart: s.Start, Published: s.Published})
	}
	return nil
}

// lostReasons names the newest recovery point that is lost.
func (j *judgement) lostReasons(points []verify.LostPoint) {
	if len(points) == 0 {
		return
	}
	p := points[0]
	text := fmt.Sprintf("snapshot %s, published at %s", short(p.Snapshot), p.Published.UTC().Format("2006-01-02 15:04:05Z"))
	if n := len(points); n > 1 {
		j.reason("%d recovery points are lost; the newest is %s: they are gone, and nobody forgot them.", n, text)
		return
	}
	j.reason("A recovery point is lost, %s: it is gone, and nobody forgot it.", text)
}
