package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/tree"
	"savepoint/verify"
)

// The scenarios.
const (
	Cold = "cold" // a host that has nothing: no cache and no index
	Warm = "warm" // this host, with its cache and its index
	Site = "site" // as Cold, and everything else is restored on the same host
)

// comparison compares a restored folder with the manifest, and says whether it read from disk.
type comparison func(ctx context.Context, r *repo.Repo, s *repo.Snapshot, folder string, o compareOptions) (verify.Comparison, bool, error)

// run is one drill.
type run struct {
	o       Options
	doc     *verify.DrillDocument
	scratch *scratch
	guard   *guard
	watch   *stopwatch
	opened  Opened
	known   bool // which source it is about
	snaps   []*repo.Snapshot
	assumed *time.Duration
	want    func(*tree.Entry) bool // files of the sample; nil: all
	res     *restore.Result
	in      string // ID of the snapshot that was restored last
	cannot  error  // why the drill did not come to its end

	recovered bool  // the snapshot that was wanted came back, and will do
	refused   error // what ended it without a document
	late      error // what went wrong after the verdict was known
}

// Run drills. It returns a document unless the repository could not be opened, the command line does not say which source is meant, or
// ctx ended. An error beside a document says what the verdict says; the document's exit code counts.
func Run(ctx context.Context, o Options) (*verify.DrillDocument, error) {
	x := &run{o: o.withDefaults()}
	x.doc = x.newDocument()
	if err := x.enter(); err != nil {
		x.cannot = err
		return x.conclude(ctx)
	}
	defer x.leave()
	x.watch = newStopwatch(x.o.Now, asleep) // the order
	if x.o.Scenario == Site {
		x.watch.wait = x.o.Behind
	}
	var err error
	if x.opened, err = o.Open(ctx, x.scratch.cache()); err != nil {
		return nil, err
	}
	if err := x.opened.ReadOnly(); err != nil {
		return nil, fmt.Errorf("a drill writes a lease and a report: %w", err)
	}
	x.watch.count = x.opened.Count
	x.describeHost()
	held := false
	err = x.opened.Hold(ctx, o.Dataset, func(ctx context.Context, began time.Time) error {
		held = true
		x.begin(began)
		x.drill(ctx)
		return nil
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if !held {
		x.cannot = err
	}
	return x.conclude(ctx)
}

// enter makes the scratch folder, and removes what killed drills left. That is no part of a recovery.
func (x *run) enter() error {
	s, removed, notices, err := openScratch(x.o.Scratch, x.o.Run)
	if err != nil {
		return err
	}
	x.scratch, x.doc.Leaks = s, uint64(removed+len(notices))
	for _, n := range notices {
		x.o.Events.Notice(n.Error())
	}
	if removed > 0 && x.o.Events.Leftovers != nil {
		x.o.Events.Leftovers(removed)
	}
	c := &x.doc.Conditions
	c.Scratch = s.path
	c.ScratchFS, err = x.o.checkFilesystem(s.path)
	if err == nil {
		var running int
		running, err = s.others()
		c.Alone = verify.Known(running == 0)
	}
	if err != nil {
		return errors.Join(err, s.remove())
	}
	return nil
}

// leave removes the scratch folder, if that has not been done.
func (x *run) leave() {
	if err := x.scratch.remove(); err != nil {
		x.o.Events.Notice(err.Error())
	}
}

// begin is called with the storage time at which the lease began.
func (x *run) begin(lease time.Time) {
	x.watch.lap("open")
	x.watch.forget("open", x.opened.Waited)
	x.doc.Ordered = lease.Add(-x.watch.since()).UTC()
	x.doc.Incident = x.doc.Ordered
	if !x.o.At.IsZero() {
		at := x.o.At.UTC()
		x.doc.At, x.doc.Incident = &at, at
	}
}

// drill does what is done under the lease.
func (x *run) drill(ctx context.Context) {
	x.known = x.o.Configured
	limited, stop := x.deadline(ctx)
	defer stop()
	limited, unguard := x.guarded(limited)
	defer unguard()
	x.cannot = x.recover(limited)
	if x.cannot == nil && x.refused == nil {
		x.resume(limited)
	}
	if errors.Is(context.Cause(limited), errTooLong) && x.cannot != nil {
		x.cannot = x.tooLong()
	}
	if why := context.Cause(limited); errors.Is(why, errGuard) && x.cannot != nil {
		x.cannot = why
	}
	unguard()
	if x.refused != nil || ctx.Err() != nil {
		return
	}
	x.tidy()
	x.settle()
	x.advise(ctx)
	if !x.known {
		return
	}
	x.doc.Usage = verify.UsageOf(x.opened.Options().Usage)
	if err := x.report(ctx); err != nil {
		x.later(err)
	}
	if err := x.finish(); err != nil {
		x.later(err)
	}
}

// recover restores the snapshot that is wanted, and older ones when damage has taken something of it. Its error is why there is nothing
// to be said of the data.
func (x *run) recover(ctx context.Context) error {
	choice, err := x.choose(ctx)
	x.watch.lap("select")
	switch {
	case errors.Is(err, repo.ErrNoSnapshot) && x.refused == nil:
		lookErr := x.lostPoints(ctx, nil)
		if errors.Is(err, ErrNoSource) && lookErr == nil && x.doc.DamagedCnt == 0 && len(x.doc.LostPoints) == 0 {
			x.refused = err
			return nil
		}
		return errors.Join(err, lookErr)
	case err != nil || x.refused != nil:
		return err
	}
	if s := choice.TooLate; s != nil {
		x.doc.TooLate = &verify.LostPoint{Snapshot: s.ID(), Object: s.Name, WindowStart: s.Start().UTC(), Published: s.Stored.UTC()}
	}
	manifests := x.doc.DamagedCnt // newer ones, which damage took: this one is what is tried instead
	err = x.attempt(ctx, choice)
	if lookErr := x.lostPoints(ctx, choice.Snapshot); err != nil || lookErr != nil {
		return errors.Join(err, lookErr)
	}
	if err := x.against(ctx, choice.Snapshot); err != nil {
		return err
	}
	lossy := x.doc.DamagedCnt > manifests || x.doc.Compared.DifferenceCount > 0
	x.recovered = !lossy && !probeFailed(x.doc)
	switch {
	case lossy:
		return x.fallBack(ctx, choice.Snapshot)
	case probeFailed(x.doc) && x.o.FindLastGood:
		return x.lastGood(ctx, choice.Snapshot)
	}
	return nil
}

// attempt restores one snapshot and compares it.
func (x *run) attempt(ctx context.Context, c repo.Choice) error {
	x.chosen(c)
	x.in = c.ID()
	if x.o.AgainstSource && x.doc.Conditions.SourceHost != verify.Yes {
		return fmt.Errorf("--against-source: this host is %s, the source is on %s", x.doc.Conditions.Machine, c.Host)
	}
	if err := x.probeReady(ctx); err != nil {
		return err
	}
	for sample := x.o.Sample; ; sample = sample.larger() {
		x.want = sample.of(c.Snapshot, x.o.Run)
		if err := x.restore(ctx, c.Snapshot); err != nil || x.res == nil {
			return err
		}
		if x.want == nil || x.res.Files > 0 || c.Stats.Files == 0 || lossy(x.doc) {
			break
		}
		if err := x.scratch.again(); err != nil { // folders alone
			return err
		}
	}
	if err := x.check(ctx, c.Snapshot); err != nil {
		return err
	}
	return x.probe(ctx)
}

// choose lists the snapshots and selects one. Manifests that cannot be read and might have been chosen are damage.
func (x *run) choose(ctx context.Context) (repo.Choice, error) {
	snaps, bad := x.opened.Snapshots(ctx)
	if bad != nil && !errors.Is(bad, repo.ErrCorrupt) && !errors.Is(bad, repo.ErrNewer) {
		return repo.Choice{}, fmt.Errorf("list the snapshots: %w", bad)
	}
	x.snaps = snaps
	choice, err := x.o.Select(snaps)
	switch {
	case errors.Is(err, repo.ErrNoSnapshot):
		x.lostManifests(bad, "")
		x.known = x.o.Configured || x.knownSource(snaps)
		return choice, err
	case err != nil:
		x.refused = err
		return choice, nil
	}
	if x.o.RandomWithin > 0 {
		if choice, err = x.draw(choice); err != nil {
			return choice, err
		}
	}
	x.lostManifests(bad, choice.Name)
	return choice, nil
}

// chosen notes which snapshot is restored and from when its data is.
func (x *run) chosen(c repo.Choice) {
	s, d := c.Snapshot, x.doc
	x.known = true
	if x.o.Wanted != nil && x.in == "" { // older ones that are tried are held against the same
		w := x.o.Wanted(s)
		d.RTO.Objective, d.RPO.Objective = cmp.Or(d.RTO.Objective, w.RTO.Seconds()), cmp.Or(d.RPO.Objective, w.RPO.Seconds())
		x.assumed = w.Assumed
		if x.o.Sample.All() {
			x.o.Probe = cmp.Or(x.o.Probe, w.Probe)
		}
	}
	d.Dataset, d.Host, d.Class, d.Snapshot, d.Faults = s.Dataset, s.Host, s.Class, s.ID(), &s.FaultCount
	d.Complete, d.WindowStart, d.WindowEnd, d.Published = verify.Known(complete(s)), s.Start().UTC(), s.End().UTC(), published(s).UTC()
	from := d.WindowStart
	if p := x.recoveryPoint(c); p != nil {
		from = p.Start().UTC()
		d.RPO.Since = &from
	}
	d.RPO.Seconds = max(time.Nanosecond, d.Incident.Sub(from)).Seconds() // storage that tells whole seconds can show an order before the backup it came after
	d.Conditions.SourceHost = verify.Known(s.Host == d.Conditions.Machine)
	d.Conditions.NotIndependent = x.notIndependent()
}

// restore restores all of a snapshot. Damage is no error here: the document has it.
func (x *run) restore(ctx context.Context, s *repo.Snapshot) error {
	target := x.scratch.restored()
	if err := x.o.Permit(s, target); err != nil {
		return err
	}
	res, err := restore.Run(ctx, x.opened.Repo, s, restore.Selection{Want: x.want}, restore.Options{
		Target: target, Now: x.o.Now,
		Approve: x.guard.approve,
		Events: restore.Events{
			Planned: x.o.Events.Planned, Progress: x.o.Events.Progress,
			Phase: func(p restore.Phase) { x.watch.lap(p.Name) },
		},
	})
	x.watch.lap("metadata")
	x.res = res
	x.restored(res)
	x.took(res)
	switch {
	case err == nil:
	case errors.Is(err, repo.ErrCorrupt) && ctx.Err() == nil:
		if res == nil || len(res.Damaged) == 0 { // nothing was begun, or it ended there
			x.res = nil
			x.lost("", err)
			x.doc.Took = tookOf(restore.Everything(s))
		}
	default:
		return unadvised(err)
	}
	if running, err := x.scratch.others(); err == nil && running > 0 {
		x.doc.Conditions.Alone = verify.No
	}
	return x.scratch.same()
}

// check compares what was restored with the manifest, and shows it to who wants to look.
func (x *run) check(ctx context.Context, s *repo.Snapshot) error {
	d := x.doc
	if x.o.Events.Comparing != nil {
		x.o.Events.Comparing(d.Restored.Files, d.Restored.Bytes)
	}
	began := x.o.Now()
	end := x.opened.Options().Usage.Writing()
	c, dropped, err := x.o.compare(ctx, x.opened.Repo, s, x.scratch.restored(), compareOptions{Restored: x.res, Want: x.want})
	end()
	if err == nil {
		err = x.scratch.same()
	}
	if errors.Is(err, repo.ErrCorrupt) && ctx.Err() == nil { // since it was restored
		x.lost("", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("compare what was restored: %w", err)
	}
	c.Seconds = x.o.Now().Sub(began).Seconds()
	c.Differences, c.NotCompared = append([]verify.Difference{}, c.Differences...), append([]string{}, c.NotCompared...)
	d.Compared, d.Conditions.CacheDropped = c, verify.Known(dropped)
	x.problems(x.res)
	if x.o.Inspect == nil {
		return nil
	}
	if err := x.o.Inspect(ctx, x.scratch.restored(), d); err != nil {
		return fmt.Errorf("inspect what was restored: %w", err)
	}
	return nil
}

// tidy removes what is in the scratch folder, so that the report says when that fails, or keeps what was compared.
func (x *run) tidy() {
	if x.o.Keep && x.res != nil && x.cannot == nil {
		x.doc.Kept, x.doc.KeptSnapshot = x.scratch.restored(), x.in
		return
	}
	if err := x.scratch.clear(); err != nil {
		x.later(err)
	}
}

// finish removes the scratch folder, or what lies in it beside what is kept. The report may have left its chain in the cache folder.
func (x *run) finish() error {
	if x.doc.Kept != "" {
		return x.scratch.keep()
	}
	return x.scratch.remove()
}

// later notes what went wrong beside the drill: its verdict stands, but somebody must see to it.
func (x *run) later(err error) {
	x.late = errors.Join(x.late, err)
	x.doc.Reasons = append(x.doc.Reasons, oneLine(err))
	if x.doc.ExitCode == 0 || x.doc.ExitCode == exits[verify.ObjectiveMissed] {
		x.doc.ExitCode = 1
	}
}

// settle writes the verdict into the document.
func (x *run) settle() {
	if x.watch != nil {
		x.watch.fill(&x.doc.RTO)
	}
	j, d := judge(*x.doc, x.cannot), x.doc
	d.Verdict, d.ExitCode = j.verdict, j.exit
	if x.assumed != nil && j.rtoJudged {
		d.RTO.Total = d.RTO.Seconds + x.assumed.Seconds()
	}
	d.RTO.Judged, d.RTO.Met, d.RPO.Judged, d.RPO.Met = j.rtoJudged, j.rtoMet, j.rpoJudged, j.rpoMet
	d.Reasons = append([]string{}, j.reasons...)
	x.measured()
	if late := x.late; late != nil {
		x.late = nil
		x.later(late)
	}
	x.proveKit()
}

// measured takes out of the document what was not measured: there is no recovery time, and no age of data, when nothing that will do came back.
func (x *run) measured() {
	d := x.doc
	back := x.recovered || d.Instead != ""
	switch {
	case d.Verdict == verify.CouldNotRun:
	case back:
		d.Recovered = verify.Yes
		return
	case x.cannot == nil:
		d.Recovered = verify.No
	}
	d.RTO.Seconds, d.RPO.Seconds, d.RPO.Since = 0, 0, nil
}

// proveKit notes that the recovery kit works: it opened the repository, and what is restored was opened with it. Whether all of that was whole
// is another matter.
func (x *run) proveKit() {
	if x.opened.Kit && x.res != nil && x.doc.Verdict != verify.CouldNotRun {
		x.doc.Kit = &verify.KitProof{Slot: x.opened.Slot(), Proven: x.doc.Ordered.Add(x.watch.since()).UTC()}
	}
}

// advise asks what to do next.
func (x *run) advise(ctx context.Context) {
	if x.o.Advise == nil {
		return
	}
	next, commands := x.o.Advise(x.doc, errors.Join(x.cannot, x.late))
	x.doc.Next, x.doc.Commands = next, append([]string{}, commands...)
}

// conclude returns the document with an error that says what it came to.
func (x *run) conclude(ctx context.Context) (*verify.DrillDocument, error) {
	if x.refused != nil {
		return nil, x.refused
	}
	if x.doc.Verdict == "" {
		x.settle()
		x.advise(ctx)
	}
	var err error
	switch v := x.doc.Verdict; {
	case x.doc.ProbeAlone():
		err = because(ErrProbe, x.doc, 1)
	case v == verify.Damage:
		err = because(ErrDamage, x.doc, 1)
	case v == verify.CouldNotRun:
		err = x.cannot
	case v == verify.ObjectiveMissed:
		err = because(ErrObjective, x.doc, missed(x.doc))
	case v == verify.Inconclusive:
		err = because(ErrInconclusive, x.doc, 1)
	}
	return x.doc, errors.Join(err, x.late)
}
