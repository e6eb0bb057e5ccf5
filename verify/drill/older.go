package drill

import (
	"context"
	"fmt"
	"slices"
	"time"

	"savepoint/repo"
	"savepoint/verify"
)

// mostOfOlder is how many entries of one kind the document lists of a snapshot that was tried after the one that was wanted.
const mostOfOlder = 10

// lossy reports whether something did not come back as it was.
func lossy(d *verify.DrillDocument) bool { return d.DamagedCnt > 0 || d.Compared.DifferenceCount > 0 }

// fallBack goes on with older snapshots, the newest first, until one comes back whole, as one would in an incident. The time of all tries is
// in the RTO, the RPO becomes that of the one that came back, and the verdict stays damage.
func (x *run) fallBack(ctx context.Context, failed *repo.Snapshot) error {
	doc := x.doc
	defer func() { x.doc = doc }()
	for _, s := range older(x.snaps, failed) {
		if err := x.scratch.again(); err != nil {
			return err
		}
		x.o.Events.Notice(fmt.Sprintf("not all came back; trying snapshot %s, the one before it", s.Short()))
		choice, err := repo.Select(x.snaps, repo.Query{ID: s.ID(), Dataset: s.Dataset, Host: s.Host})
		if err != nil {
			return fmt.Errorf("choose an older snapshot: %w", err)
		}
		x.watch.lap("") // what comparing and removing took is no part of a recovery
		try := x.newDocument()
		try.Conditions, try.Incident, try.At = doc.Conditions, doc.Incident, doc.At
		x.doc, x.res = try, nil
		began := x.o.Now()
		if err := x.attempt(ctx, choice); err != nil {
			return err
		}
		doc.Older = append(doc.Older, tried(try, x.o.Now().Sub(began)))
		if !lossy(try) {
			doc.RPO.Seconds, doc.RPO.Since = try.RPO.Seconds, try.RPO.Since
			return nil
		}
	}
	return nil
}

// older returns the snapshots of a source that a restore may bring back and that ended before one of them, the newest first.
func older(snaps []*repo.Snapshot, than *repo.Snapshot) []*repo.Snapshot {
	var out []*repo.Snapshot
	for _, s := range snaps {
		if s.Source() == than.Source() && s.Restorable() && s.End().Before(than.End()) {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b *repo.Snapshot) int { return b.End().Compare(a.End()) })
	return out
}

// tried is what a document says of an older snapshot.
func tried(d *verify.DrillDocument, took time.Duration) verify.Older {
	o := verify.Older{Snapshot: d.Snapshot, WindowStart: d.WindowStart, WindowEnd: d.WindowEnd, Complete: d.Complete == verify.Yes, Whole: !lossy(d),
		Restored: d.Restored, Compared: d.Compared, Damaged: d.Damaged, DamagedCnt: d.DamagedCnt, Seconds: took.Seconds()}
	o.Damaged = o.Damaged[:min(mostOfOlder, len(o.Damaged))]
	o.Compared.Differences = o.Compared.Differences[:min(mostOfOlder, len(o.Compared.Differences))]
	return o
}
