package health

import (
	"cmp"
	"math"
	"slices"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/measure"
)

// Plan is what the configuration says of a source. The zero value says nothing: figures that need it are not known then.
type Plan struct {
	RPO, RTO time.Duration             // objectives; 0: not said
	Interval time.Duration             // the longest between two backups that should run; 0: not said
	Next     func(time.Time) time.Time // the first time after a moment at which a backup should run; nil: not said
	// NextDrill and DrillInterval are the same of drills.
	NextDrill     func(time.Time) time.Time
	DrillInterval time.Duration
	Keep          []measure.Rule   // which snapshots of the past are kept
	Assumed       *measure.Assumed // times of a recovery that no drill measures
	Drills        bool             // it schedules drills, or has a probe for them; an RTO wants them too
}

// Trust is how far a recovery point is relied on.
type Trust string

// The levels of trust.
const (
	Committed Trust = "committed" // all its objects are there
	Verified  Trust = "verified"  // every pack was read back after it was there
	Restored  Trust = "restored"  // a drill restored and compared it
	Drilled   Trust = "drilled"   // and a probe passed
)

var trusts = []Trust{Committed, Verified, Restored, Drilled}

// Figures are what reports and snapshots say of a source over time; docs/operations.md defines them. What is not known is nil or empty.
type Figures struct {
	Plan Plan // what the configuration says
	// Exposure is over Window, by trust. That of committed points is one of reports, which stay when snapshots are forgotten.
	Exposure map[Trust]*measure.Exposure
	Breached *time.Duration  // for how long the objective was exceeded since the first report
	Bands    []measure.Band  // what retention leaves
	Kept     []measure.Reach // what it would leave by the rules of the configuration
	Coverage *measure.Coverage
	Missed   []time.Time // expected backups within Window that did not come; nil: not known
	// MissedDrills are the same of drills.
	MissedDrills []time.Time
	// Total is the recovery time from the incident on: the one that was measured, and what is assumed.
	Total     *time.Duration
	Predicted *measure.Prediction // of a full restore of the newest recovery point
	Unusual   []measure.Judgement // what is to be said of the newest backup, one of each kind; none when reports do not tell
	Growth    *measure.Growth     // of what backups added, removed since or not
	Cost      measure.Price       // of the last drill that measured times, as the store charges
	SetBack   time.Duration       // by how much the storage's clock was set back between backups
}

// Figures returns what is measured of the source over time; nil before Look is done.
func (s *Source) Figures() *Figures { return s.figures }

// counted is what is kept of the report of a backup, for figures.
type counted struct {
	measure.Run
	start, published time.Time
	told             bool // Run is known
}

// countedOf returns what a backup counted; nil when its report does not say, or says what cannot be.
func countedOf(s *record.Report) *counted {
	if s.Published <= 0 || s.Ran[0] <= 0 || s.Ran[0] > s.Published {
		return nil
	}
	c := &counted{start: time.Unix(0, s.Ran[0]).UTC(), published: time.Unix(0, s.Published).UTC()}
	c.At = c.start
	st, err := tree.DecodeStats(s.Stats)
	if err != nil || len(s.Stats) == 0 {
		return c
	}
	r := measure.Run{At: c.start, Files: st.Files, Changed: st.ChangedFiles, Bytes: st.FileBytes, Read: st.ReadBytes,
		New: st.NewBytes + st.NewTreeBytes, Stored: st.NewPackBytes + st.NewTreePack}
	if max(st.Files, st.ChangedFiles, st.FileBytes, st.ReadBytes, st.NewBytes, st.NewTreeBytes, st.NewPackBytes, st.NewTreePack) <= maxBytes {
		c.Run, c.told = r, true
	}
	return c
}

// maxBytes is more than a repository has.
const maxBytes = 1 << 60

// trial is what is kept of a drill, for figures.
type trial struct {
	machine  measure.Machine
	sample   measure.Sample // of a recovery that others can be compared with; no time of another
	complete bool           // the snapshot was
	compared uint64         // bytes that came back and were found as they were
	probed   bool
	received uint64 // bytes, by so many requests
	requests uint64
}

// trialOf returns what a drill in which everything came back says; nil of another.
func trialOf(d *verify.DrillDocument) *trial {
	if !cameBack(d) {
		return nil
	}
	c := &d.Conditions
	t := &trial{complete: d.Complete == verify.Yes, compared: min(d.Compared.Bytes, maxBytes), probed: d.Verdict == passed,
		machine: measure.Machine{CPUs: c.CPUs, Memory: measure.MemoryClass(c.MemoryBytes), Scenario: cut(c.Scenario, keptName), Scratch: cut(c.ScratchFS, keptName),
			Local: c.StorageLocal == verify.Yes, Key: repo.SlotKind(c.KeySlot), Program: cut(measure.Major(d.Program), keptName)}}
	for _, p := range d.RTO.Phases {
		t.received, t.requests = t.received+min(p.Received, maxBytes/keptPhases), t.requests+min(p.Requests, maxBytes/keptPhases)
	}
	if c.Full && c.Alone == verify.Yes && c.Throttled == verify.No && t.machine.Key != "" { // reports that do not tell the key may be of any
		t.sample = measure.Sample{Bytes: d.Restored.Bytes, Files: d.Restored.Files, Seconds: restoring(d.RTO)}
	}
	return t
}

// restoring returns what of a recovery's time went into the restore: waiting for other restores and what a probe took depend on something else.
func restoring(r verify.Recovery) float64 {
	s := r.Seconds
	for _, p := range r.Phases {
		if p.Name == "wait" || p.Name == "start" || p.Name == "validate" {
			s -= p.Seconds
		}
	}
	return max(0, s)
}

// measure fills in the figures of every source, and those of the repository. all says that every report could be read.
func (l *look) measure(all bool) {
	checks := l.verifications()
	models := l.models()
	for _, x := range l.sources {
		x.figures = l.figures(x, checks, all)
		x.figures.Predicted = models.predict(x)
	}
	l.status.figures = l.overall()
}

func (l *look) figures(x *sight, checks []measure.Verification, all bool) *Figures {
	plan := l.plan(x)
	f := &Figures{Plan: plan, Exposure: map[Trust]*measure.Exposure{}}
	points := x.points(checks)
	window := measure.Period{From: l.now.Add(-Window), To: l.now, Objective: plan.RPO}
	for _, t := range trusts {
		if e := measure.Expose(points[t], window); e != nil {
			f.Exposure[t] = e
		}
	}
	f.lost(x, l.now, plan.RPO)
	if ever := measure.Expose(points[Committed], measure.Period{To: l.now, Objective: plan.RPO}); ever != nil && plan.RPO > 0 && all {
		f.Breached = &ever.Breached
	}
	var there []measure.Point
	for _, s := range x.snaps {
		if l.point(x, s) {
			there = append(there, measure.Point{Start: s.Start(), Since: s.End()})
		}
	}
	f.Bands = measure.Granularity(there, l.now)
	x.fillRetention(f)
	switch {
	case x.RecoveryPoint != nil:
		c := measure.Cover(x.RecoveryPoint.Bytes, x.restores(window.From), window.From)
		f.Coverage = &c
	case x.AllLost():
		f.Coverage = &measure.Coverage{Live: x.hadBytes()}
	}
	if x.measured != nil {
		f.Total = measure.Total(time.Duration(min(x.measured.rep.drill.RTO.Seconds, 1e9)*float64(time.Second)), plan.Assumed)
		f.Cost = l.o.Prices.Drill(x.measured.rep.trial.received, x.measured.rep.trial.requests)
	}
	l.fillTurns(x, f, window)
	f.Unusual, f.Growth, f.SetBack = x.unusual(), x.growth(), x.setBack()
	return f
}

// AllLost reports whether there were backups of a source, and none is there to go back to.
func (s *Source) AllLost() bool {
	begun := s.LastBackup != nil && s.LastBackup.Completeness != interrupted // else the first one may still run
	return s.RecoveryPoint == nil && (begun || s.LastReport != nil || s.LostCount > 0)
}

// hadBytes returns how much the newest snapshot of a source has, or had, whatever it is worth now; 0 when nobody knows.
func (x *sight) hadBytes() uint64 {
	if x.LastBackup != nil {
		return x.LastBackup.Bytes
	}
	if told := x.told(); len(told) > 0 {
		return told[len(told)-1].Bytes
	}
	return 0
}

// lost takes into account that the newest points that reports tell of may be gone, or damaged: then going back means going back further, and further
// still to a point that is trusted more. That breaks an objective now; since when, nobody knows.
func (f *Figures) lost(x *sight, now time.Time, objective time.Duration) {
	since := func(start *time.Time) time.Duration {
		if start == nil {
			return math.MaxInt64
		}
		return now.Sub(*start)
	}
	committed := since(nil)
	if x.RecoveryPoint != nil {
		committed = since(&x.RecoveryPoint.WindowStart)
	}
	for t, e := range f.Exposure {
		told := e.Open
		e.Open = max(e.Open, committed)
		if t == Committed && objective > 0 && e.Open > objective && told <= objective { // Expose has not counted it
			e.Breaches++
		}
		switch t {
		case Restored:
			e.Open = max(e.Open, since(x.Restored))
		case Drilled:
			e.Open = max(e.Open, since(x.Drilled))
		}
		if e.Open > e.Worst {
			e.Worst, e.WorstAt = e.Open, now
		}
		if e.Gaps < 100 { // then 99% of them are all
			e.P99 = e.Worst
		}
	}
}

// points returns the recovery points that reports tell of.
func (x *sight) points(checks []measure.Verification) map[Trust][]measure.Point {
	out := map[Trust][]measure.Point{}
	for _, r := range x.backups {
		if r.counted != nil && r.Exit == 0 {
			out[Committed] = append(out[Committed], measure.Point{Start: r.counted.start, Since: r.counted.published})
		}
	}
	out[Verified] = measure.Verified(out[Committed], checks)
	for _, r := range x.drills {
		if r.trial == nil || !r.trial.complete || !proven(r.drill.Verdict) {
			continue
		}
		p := measure.Point{Start: r.drill.WindowStart, Since: r.at}
		out[Restored] = append(out[Restored], p)
		if r.trial.probed {
			out[Drilled] = append(out[Drilled], p)
		}
	}
	return out
}

// verifications returns those that found no harm, and after which every pack had been read back.
func (l *look) verifications() []measure.Verification {
	var out []measure.Verification
	for _, r := range l.checks {
		if r.check == nil || r.check.Stopped != "" || r.check.ExitCode != 0 || r.harm || r.check.ReadBack.Never > 0 {
			continue
		}
		switch b := r.check.ReadBack; {
		case b.Oldest != nil:
			out = append(out, measure.Verification{Ended: r.at, ReadBack: *b.Oldest})
		case r.check.Level == levelData && r.Ran[0] > 0: // it read them all itself
			out = append(out, measure.Verification{Ended: r.at, ReadBack: time.Unix(0, r.Ran[0])})
		}
	}
	return out
}

// restores returns what drills since a moment brought back.
func (x *sight) restores(since time.Time) []measure.Restored {
	var out []measure.Restored
	starts, added := x.added()
	for _, r := range x.drills {
		if r.trial == nil || !proven(r.drill.Verdict) || r.at.Before(since) {
			continue
		}
		n, there := slices.BinarySearchFunc(starts, r.drill.WindowStart, time.Time.Compare)
		if there {
			n++ // the one that it restored
		}
		out = append(out, measure.Restored{At: r.at, Bytes: r.trial.compared, Since: added[n], Probe: r.trial.probed})
	}
	return out
}

// added returns when backups began, in order, and what each and all after it added; the largest number when nobody knows.
func (x *sight) added() (starts []time.Time, added []uint64) {
	runs := make([]counted, 0, len(x.backups))
	for _, b := range x.backups {
		if b.counted != nil {
			runs = append(runs, *b.counted)
		} else {
			runs = append(runs, counted{start: b.at})
		}
	}
	slices.SortFunc(runs, func(a, b counted) int { return a.start.Compare(b.start) })
	added = make([]uint64, len(runs)+1)
	for i, r := range slices.Backward(runs) {
		if added[i] = added[i+1] + r.New; !r.told || added[i+1] > maxBytes {
			added[i] = math.MaxUint64
		}
	}
	for _, r := range runs {
		starts = append(starts, r.start)
	}
	return starts, added
}

// told returns the runs whose counts are known, in order of time.
func (x *sight) told() []measure.Run {
	var out []measure.Run
	for _, r := range x.backups {
		if r.counted != nil && r.counted.told {
			out = append(out, r.counted.Run)
		}
	}
	slices.SortStableFunc(out, func(a, b measure.Run) int { return a.At.Compare(b.At) })
	return out
}

// unusual judges the newest backup, unless its report does not say what it counted.
func (x *sight) unusual() []measure.Judgement {
	if n := len(x.backups); n == 0 || x.backups[n-1].counted == nil || !x.backups[n-1].counted.told {
		return nil
	}
	return measure.Unusual(x.told(), time.UTC)
}

// growth returns how much backups add in a day.
func (x *sight) growth() *measure.Growth {
	var stored []measure.Stored
	all := 0.0
	for _, r := range x.told() {
		all += float64(r.Stored)
		stored = append(stored, measure.Stored{At: r.At, Bytes: all})
	}
	return measure.Grow(stored)
}

// setBack compares when backups were published with the order in which their writer numbered them.
func (x *sight) setBack() time.Duration {
	byWriter := map[record.ID][]*report{}
	for _, r := range x.backups {
		if r.counted != nil {
			byWriter[r.Writer] = append(byWriter[r.Writer], r)
		}
	}
	most := time.Duration(0)
	for _, reports := range byWriter {
		slices.SortFunc(reports, func(a, b *report) int { return cmp.Compare(a.Seq, b.Seq) })
		var published []time.Time
		for _, r := range reports {
			published = append(published, r.counted.published)
		}
		most = max(most, measure.SetBack(published))
	}
	return most
}
