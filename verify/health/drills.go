package health

import (
	"slices"
	"time"

	"savepoint/repo"
	"savepoint/verify"
)

// passed is the verdict of a drill whose probe passed.
const passed = verify.Pass

// proven reports whether a verdict says that everything came back and nothing was missed.
func proven(v verify.Verdict) bool { return v == verify.Restored || v == passed }

// proves reports whether a drill restored all of its snapshot and nothing was missed. A sample proves nothing of the rest.
func proves(d *verify.DrillDocument) bool { return proven(d.Verdict) && d.Conditions.Full }

// cameBack reports whether a drill restored all of its snapshot, whatever came of its objectives.
func cameBack(d *verify.DrillDocument) bool {
	return d.Conditions.Full && (proven(d.Verdict) || d.Verdict == verify.ObjectiveMissed || d.Verdict == verify.Inconclusive)
}

// cameToData reports whether a drill restored something: what it says of the secret that opened the repository is proven then.
func cameToData(d *verify.DrillDocument) bool { return cameBack(d) || d.Verdict == verify.Damage }

// drillResult is a verdict as a label.
type drillResult struct {
	verdict verify.Verdict
	label   string
}

// drillResults are the verdicts that are told apart in labels; those of later programs are other.
var drillResults = []drillResult{
	{passed, "pass"}, {verify.Restored, "restored"}, {verify.Damage, "damage"}, {verify.ObjectiveMissed, "objective_missed"},
	{verify.Inconclusive, "inconclusive"}, {verify.CouldNotRun, "could_not_run"}, {"", "other"},
}

func labelOf(v verify.Verdict) string {
	for _, r := range drillResults {
		if r.verdict == v {
			return r.label
		}
	}
	return "other"
}

// lookAtDrills fills in what the drills of a source say.
func (l *look) lookAtDrills(x *sight, counted bool) {
	listed := map[string]*repo.Snapshot{}
	for _, s := range x.snaps {
		listed[s.ID()] = s
	}
	n := map[string]uint64{}
	for _, r := range x.drills {
		n[labelOf(r.drill.Verdict)]++
		d := drillOf(r)
		prefer(&x.LastDrill, d)
		switch {
		case r.drill.Verdict == verify.Damage:
			x.damage = slices.DeleteFunc(x.damage, func(old *report) bool { return old.drill.Snapshot == r.drill.Snapshot && r.asFar(old) })
			x.damage = append(x.damage, r)
		case cameBack(r.drill):
			x.damage = slices.DeleteFunc(x.damage, func(old *report) bool { return r.heals(old, listed[old.drill.Snapshot] != nil, l.whole) })
			if r.drill.RTO.Judged {
				prefer(&x.measured, d)
			}
		}
		if proves(r.drill) {
			prefer(&x.LastProven, d)
		}
	}
	if i := len(x.damage) - 1; i >= 0 {
		x.UnhealedDamage = drillOf(x.damage[i])
	}
	for _, r := range x.drills {
		if s := listed[r.drill.Snapshot]; s != nil && proves(r.drill) && l.point(x, s) {
			latest(&x.Restored, s.Start())
			failed := slices.ContainsFunc(x.damage, func(d *report) bool { return d.drill.Snapshot == s.ID() })
			if r.drill.Verdict == passed && !failed {
				latest(&x.Drilled, s.Start())
			}
		}
	}
	if counted {
		var labels []string
		for _, r := range drillResults {
			labels = append(labels, r.label)
		}
		x.Drills = counts(n, labels...)
	}
}

// asFar reports whether a drill assumed an incident as late as another: what the other looked at, it looked at too.
func (r *report) asFar(other *report) bool { return !r.drill.Incident.Before(other.drill.Incident) }

// heals reports whether a drill in which everything came back sees the damage healed that an earlier one found. The same snapshot came back,
// or a newer one, and the damaged one is gone since, or every pack has been read back after it was found. An older snapshot that comes back
// says nothing, and a newer one may need nothing of what is damaged. What a probe found, of data that came back as it was, only one that
// passes sees healed.
func (r *report) heals(old *report, listed bool, whole time.Time) bool {
	if old.probeFailed {
		return r.probePassed && r.asFar(old)
	}
	if r.drill.Snapshot == old.drill.Snapshot && !old.lostManifest {
		return true
	}
	return r.asFar(old) && (r.drill.Snapshot == old.drill.Snapshot || !listed || whole.After(old.at))
}

// prefer puts a later drill in the place of another, unless it is of an older moment and the other is not: that says nothing of the newest
// data.
func prefer(to **Drill, d *Drill) {
	if *to == nil || (*to).Of != nil || d.Of == nil {
		*to = d
	}
}

func latest(to **time.Time, t time.Time) {
	if t = t.UTC(); *to == nil || t.After(**to) {
		*to = &t
	}
}

func drillOf(r *report) *Drill {
	d := &Drill{At: r.at, Of: r.drill.At, Verdict: r.drill.Verdict, Snapshot: r.drill.Snapshot, Object: r.Name, Sample: r.drill.Conditions.Sample, Isolation: r.drill.Conditions.Isolation, rep: r}
	if cameBack(r.drill) {
		d.RPO = &r.drill.RPO.Seconds
	}
	if cameBack(r.drill) && r.drill.RTO.Judged {
		d.RTO = &r.drill.RTO.Seconds
	}
	return d
}
