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

// mostOutput is how many bytes of a probe's output it keeps of such a snapshot.
const mostOutput = 2048

// lossy reports whether something did not come back as it was.
func lossy(d *verify.DrillDocument) bool { return d.DamagedCnt > 0 || d.Compared.DifferenceCount > 0 }

// probeFailed reports whether what came back does not do for what it is for.
func probeFailed(d *verify.DrillDocument) bool {
	return d.Probe != nil && d.Probe.Result == verify.ProbeFailed
}

// fallBack goes on with older snapshots, the newest first, until one comes back whole, as one would in an incident. The time of all tries is
// in the RTO, the RPO becomes that of the one that came back, and the verdict stays damage.
func (x *run) fallBack(ctx context.Context, failed *repo.Snapshot) error {
	for _, s := range older(x.snaps, failed) {
		if good, err := x.try(ctx, s, further); good || err != nil {
			return err
		}
	}
	return nil
}

// lastGood looks for the newest snapshot that passes the probe, when the one that was wanted did not. What broke the data stays broken in
// newer snapshots: so it goes back by 1, 2, 4, 8 … snapshots until one passes, and then halves what lies between that and the last one that did not.
// Of n snapshots it restores about 2·log₂ n, and the one after the one that it finds is one that failed.
func (x *run) lastGood(ctx context.Context, failed *repo.Snapshot) error {
	all := older(x.snaps, failed)
	bad, good := -1, len(all) // all[bad] failed, all[good] passed
	for step := 1; good == len(all) && bad+1 < len(all); step *= 2 {
		i := min(bad+step, len(all)-1)
		ok, err := x.try(ctx, all[i], further)
		if err != nil {
			return err
		}
		if ok {
			good = i
		} else {
			bad = i
		}
	}
	for good < len(all) && good-bad > 1 { // all[good] is the newest good one so far
		i := (bad + good) / 2
		ok, err := x.try(ctx, all[i], "trying %s, which is newer than "+all[good].Short()+", the newest so far that will do")
		if err != nil {
			return err
		}
		if ok {
			good = i
		} else {
			bad = i
		}
	}
	if good == len(all) {
		return nil
	}
	return x.keepGood(ctx, all[good])
}

// keepGood brings the newest good snapshot back once more when the folder is to be kept and another one is in it, which is no part of what is
// measured.
func (x *run) keepGood(ctx context.Context, s *repo.Snapshot) error {
	if !x.o.Keep || x.in == s.ID() {
		return nil
	}
	x.o.Events.Notice(fmt.Sprintf("restoring %s once more, to keep it", s.Short()))
	x.watch.lap("")
	watch, measured := x.watch, *x.watch
	x.watch = &measured
	_, o, err := x.again(ctx, s)
	x.watch = watch
	x.watch.lap("")
	if err == nil && !o.Good {
		err = fmt.Errorf("nothing is kept: snapshot %s came back before, and will not do now", s.Short())
	}
	return err
}

// further says that the snapshot tried last will not do, and which one comes next.
const further = "that snapshot will not do; trying %s, which is older"

// try says which older snapshot is next, restores it, compares it and runs the probe, and notes it in the document. A good one becomes the one that would be used.
func (x *run) try(ctx context.Context, s *repo.Snapshot, notice string) (good bool, err error) {
	x.o.Events.Notice(fmt.Sprintf(notice, s.Short()))
	is, o, err := x.again(ctx, s)
	if err != nil {
		return false, err
	}
	doc := x.doc
	doc.Older = append(doc.Older, o)
	if o.Good {
		doc.Instead = o.Snapshot
		doc.RPO.Seconds, doc.RPO.Since = is.RPO.Seconds, is.RPO.Since
	}
	return o.Good, nil
}

// again restores an older snapshot in the place of what is there, compares it and runs the probe. It returns a document of that alone.
func (x *run) again(ctx context.Context, s *repo.Snapshot) (is *verify.DrillDocument, o verify.Older, err error) {
	if err := x.scratch.again(); err != nil {
		return nil, o, err
	}
	choice, err := repo.Select(x.snaps, repo.Query{ID: s.ID(), Dataset: s.Dataset, Host: s.Host})
	if err != nil {
		return nil, o, fmt.Errorf("choose an older snapshot: %w", err)
	}
	x.watch.lap("") // what comparing and removing took is no part of a recovery
	doc := x.doc
	defer func() { x.doc = doc }()
	is = x.newDocument()
	is.Conditions, is.Incident, is.At = doc.Conditions, doc.Incident, doc.At
	x.doc, x.res = is, nil
	began := x.o.Now()
	if err := x.attempt(ctx, choice); err != nil {
		return nil, o, err
	}
	return is, tried(is, x.o.Now().Sub(began)), nil
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
	o := verify.Older{Snapshot: d.Snapshot, WindowStart: d.WindowStart, WindowEnd: d.WindowEnd, Complete: d.Complete == verify.Yes,
		Good: !lossy(d) && !probeFailed(d), Restored: d.Restored, Compared: d.Compared, Damaged: d.Damaged, DamagedCnt: d.DamagedCnt, Took: d.Took, Seconds: took.Seconds()}
	if d.Probe != nil {
		short := *d.Probe
		short.Output = short.Output[max(0, len(short.Output)-mostOutput):]
		o.Probe = &short
	}
	o.Damaged = o.Damaged[:min(mostOfOlder, len(o.Damaged))]
	o.Compared.Differences = o.Compared.Differences[:min(mostOfOlder, len(o.Compared.Differences))]
	return o
}
