package health

import (
	"time"

	"savepoint/verify/measure"
)

// Turns are what a schedule of the configuration expects of a source.
type Turns struct {
	// Next is the first expected run after the last one that came, and Due when it is missed unless it has come: half an interval after it, a quarter
	// of an hour, and what the longest of the last ten runs took, which may be at work until then.
	Next time.Time `json:"next_expected_at"`
	Due  time.Time `json:"due_at"`
	// Missed is how many within Window did not come; null when that is not known, as where there is no report. LastMissed is the last of them.
	Missed     *int       `json:"missed_count"`
	LastMissed *time.Time `json:"last_missed_at,omitempty"`

	again time.Time // when the one after Next is missed as well; zero: there is none
}

// longestRun bounds what a run may take before its report is missed, whatever the ones before took.
const longestRun = 24 * time.Hour

// patience is how long after a run should have begun its report may come: clocks drift, what starts it waits, and it takes its time.
func patience(runs []*report) time.Duration {
	longest := time.Duration(0)
	for _, r := range runs[max(0, len(runs)-recent):] {
		if r.Ran[0] > 0 && r.Ran[1] > r.Ran[0] {
			longest = max(longest, min(longestRun, time.Duration(r.Ran[1]-r.Ran[0])))
		}
	}
	return slack + longest
}

// turnsOf returns what is expected after a run that began at last.
func turnsOf(next func(time.Time) time.Time, interval time.Duration, last time.Time, runs []*report, missed []time.Time) *Turns {
	if next == nil || last.IsZero() {
		return nil
	}
	turns, wait := measure.Turns(next, interval, last, 2), patience(runs)
	if len(turns) == 0 {
		return nil
	}
	t := &Turns{Next: turns[0].At.UTC(), Due: turns[0].Until.Add(wait).UTC()}
	if len(turns) > 1 {
		t.again = turns[1].Until.Add(wait)
	}
	if missed != nil {
		n := len(missed)
		t.Missed = &n
		if n > 0 {
			at := missed[n-1].UTC()
			t.LastMissed = &at
		}
	}
	return t
}

// fillTurns says what is expected of a source, and what did not come.
func (l *look) fillTurns(x *sight, f *Figures, window measure.Period) {
	f.Missed = missedOf(f.Plan.Next, startsOf(x.backups), patience(x.backups), window)
	f.MissedDrills = missedOf(f.Plan.NextDrill, startsOf(x.drills), patience(x.drills), window)
	last := newest(startsOf(x.backups))
	for _, s := range x.snaps { // one may have left no report
		if s.Restorable() && s.Start().After(last) {
			last = s.Start()
		}
	}
	x.BackupTurns = turnsOf(f.Plan.Next, f.Plan.Interval, last, x.backups, f.Missed)
	drilled := newest(startsOf(x.drills))
	if drilled.IsZero() { // there was nothing to drill before the first backup
		drilled = x.oldest()
	}
	x.DrillTurns = turnsOf(f.Plan.NextDrill, f.Plan.DrillInterval, drilled, x.drills, f.MissedDrills)
}

// startsOf returns when runs began, of those that say so.
func startsOf(runs []*report) []time.Time {
	var out []time.Time
	for _, r := range runs {
		switch {
		case r.counted != nil:
			out = append(out, r.counted.start)
		case r.drill != nil && r.Ran[0] > 0:
			out = append(out, earlier(time.Unix(0, r.Ran[0]), r.at).UTC())
		}
	}
	return out
}

// newest returns the last of some moments; the zero time when there is none.
func newest(times []time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// oldest returns when the first backup began that is known; the zero time when none is.
func (x *sight) oldest() time.Time {
	var first time.Time
	starts := startsOf(x.backups)
	for _, s := range x.snaps {
		starts = append(starts, s.Start())
	}
	for _, t := range starts {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return first
}

// missedOf returns the expected runs that did not come since the first one that reports tell of.
func missedOf(next func(time.Time) time.Time, runs []time.Time, wait time.Duration, p measure.Period) []time.Time {
	if next == nil || len(runs) == 0 {
		return nil
	}
	from := p.From
	first := runs[0]
	for _, t := range runs {
		first = earlier(first, t)
	}
	if first.After(from) {
		from = first
	}
	missed, err := measure.Missed(next, runs, from, p.To.Add(-wait))
	if err != nil {
		return nil
	}
	return append([]time.Time{}, missed...) // none is not the same as not known
}

// warnBackupTurns says that an expected backup did not come. One is no reason to wake anybody, as long as the exposure is within its objective; two
// in a row say that they have stopped. It reports whether the schedule says what is expected.
func (l *look) warnBackupTurns(x *sight, backup string) bool {
	t := x.BackupTurns
	switch {
	case t == nil:
		return false
	case !t.again.IsZero() && l.now.After(t.again):
		l.tell(x, Stopped, backup, "was last backed up %s ago, and is scheduled at least every %s; on %s", Age(l.now.Sub(x.lastBackedUp())), Age(x.figures.Plan.Interval), x.Host)
	case l.now.After(t.Due):
		l.tell(x, BackupOverdue, backup, "was not backed up at %s, as scheduled; on %s", l.moment(t.Next), x.Host)
	}
	return true
}

// lastBackedUp returns when the last backup was published that is known of.
func (x *sight) lastBackedUp() time.Time {
	if x.LastBackup != nil {
		return x.LastBackup.Published
	}
	return newest(startsOf(x.backups))
}

// warnDrillTurns says that an expected drill did not come. That nothing was ever drilled is said anyway.
func (l *look) warnDrillTurns(x *sight, drill string) {
	if t := x.DrillTurns; t != nil && x.LastDrill != nil && l.now.After(t.Due) {
		l.tell(x, DrillOverdue, drill, "was not drilled at %s, as scheduled", l.moment(t.Next))
	}
}

// collectTurns exports when the next run is missed: of what never ran, now.
func (m *figureMetrics) collectTurns(e emitter, s *Source, f *Figures) {
	switch {
	case s.BackupTurns != nil:
		e.emit(m.backupDue, seconds(s.BackupTurns.Due))
	case f.Plan.Next != nil && s.LastBackup == nil && s.LastReport == nil:
		e.emit(m.backupDue, 0)
	}
	if s.DrillTurns != nil {
		e.emit(m.drillDue, seconds(s.DrillTurns.Due))
	}
	if f.MissedDrills != nil {
		e.emit(m.missedDrills, float64(len(f.MissedDrills)), windowLabel)
	}
}
