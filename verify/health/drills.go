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

// warm is the scenario of a drill that took from this host's cache what a host that replaces it would have to fetch.
const warm = "warm"

// bare reports whether a drill was one of all of its snapshot, on a host that has nothing. A sample proves nothing of the rest, and a cache may
// hold what the repository has lost.
func bare(d *verify.DrillDocument) bool { return d.Conditions.Full && d.Conditions.Scenario != warm }

// proves reports whether a drill restored all of its snapshot from the repository alone and nothing was missed.
func proves(d *verify.DrillDocument) bool { return proven(d.Verdict) && bare(d) }

// cameBack reports whether a drill restored all of its snapshot from the repository alone, whatever came of its objectives.
func cameBack(d *verify.DrillDocument) bool { return bare(d) && cameWhole(d.Verdict) }

// cameWhole reports whether a verdict says that all came back that was to.
func cameWhole(v verify.Verdict) bool {
	return proven(v) || v == verify.ObjectiveMissed || v == verify.Inconclusive
}

// The words of Partly.
const (
	sampled = "sampled"
	warmed  = "warm"
)

// Partly returns how the source was restored when that never was all of a snapshot from the repository alone, and the last drill found nothing
// wrong: "sampled" or "warm", which proves nothing of the rest. Else it is empty.
func (s *Source) Partly() string {
	d := s.LastDrill
	switch {
	case s.whole || d == nil || d.rep == nil || d.rep.drill == nil || bare(d.rep.drill) || !cameWhole(d.Verdict):
		return ""
	case d.rep.drill.Conditions.Full:
		return warmed
	}
	return sampled
}

// cameToData reports whether a drill restored something, be it a part: what it says of the secret that opened the repository is proven then.
func cameToData(d *verify.DrillDocument) bool {
	return cameWhole(d.Verdict) || d.Verdict == verify.Damage
}

// drillResult is a verdict as a label.
type drillResult struct {
	verdict verify.Verdict
	label   string
}

// resultProbe is the label of a drill in which all came back as it was, and whose probe failed. Its verdict is damage.
const resultProbe = "probe_failed"

// drillResults are the verdicts that are told apart in labels; those of later programs are other.
var drillResults = []drillResult{
	{passed, "pass"}, {verify.Restored, "restored"}, {verify.Damage, "damage"}, {resultProbe, resultProbe}, {verify.ObjectiveMissed, "objective_missed"},
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

// result returns what a drill came to as a label.
func (r *report) result() string {
	if r.probeAlone() {
		return resultProbe
	}
	return labelOf(r.drill.Verdict)
}

// lookAtDrills fills in what the drills of a source say.
func (l *look) lookAtDrills(x *sight, counted bool) {
	listed := map[string]*repo.Snapshot{}
	for _, s := range x.snaps {
		listed[s.ID()] = s
	}
	still := func(id string) bool { return x.lost[id] || l.bad[id] }
	n := map[string]uint64{}
	for _, r := range x.drills {
		n[r.result()]++
		d := drillOf(r)
		prefer(&x.LastDrill, d)
		for _, w := range r.whole() {
			x.damage = slices.DeleteFunc(x.damage, func(old *report) bool { return w.heals(old, listed[old.drill.Snapshot] != nil, still, l.whole) })
			x.wholes = append(x.wholes, w)
		}
		for _, f := range r.faults() {
			x.damage = append(slices.DeleteFunc(x.damage, f.replaces), f)
		}
		if cameBack(r.drill) {
			x.whole = true
		}
		if cameBack(r.drill) && r.drill.RTO.Judged {
			prefer(&x.measured, d)
		}
		if proves(r.drill) {
			prefer(&x.LastProven, d)
		}
	}
	l.settleFaults(x, listed)
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
// says nothing, and a newer one may need nothing of what is damaged. Where manifests alone were lost, it is enough that they are back, or were forgotten. What a
// probe found, of data that came back as it was, only one that passes sees healed; and what differs silently from the source, only one that
// compared it with the source and found nothing so.
func (r *report) heals(old *report, listed bool, lost func(id string) bool, whole time.Time) bool {
	if old.silent && !(r.likeSource && r.asFar(old)) {
		return false
	}
	if old.probeFailed {
		return r.probePassed && r.asFar(old)
	}
	if old.silent && !old.lostManifest && !old.dataLost {
		return true
	}
	if r.drill.Snapshot == old.drill.Snapshot && !old.lostManifest {
		return true
	}
	back := len(old.manifests) > 0 && !old.dataLost && !slices.ContainsFunc(old.manifests, lost)
	return r.asFar(old) && (back || r.drill.Snapshot == old.drill.Snapshot || !listed || whole.After(old.at))
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
	d := &Drill{At: r.at, Of: r.drill.At, Verdict: r.drill.Verdict, Snapshot: r.drill.Snapshot, Object: r.Name, Sample: r.drill.Conditions.Sample, Isolation: r.drill.Conditions.Isolation,
		NotIndependent: r.drill.Conditions.NotIndependent, ProbeFailed: r.probeAlone(), rep: r}
	if cameBack(r.drill) {
		d.RPO = &r.drill.RPO.Seconds
	}
	if cameBack(r.drill) && r.drill.RTO.Judged {
		d.RTO = &r.drill.RTO.Seconds
	}
	return d
}
