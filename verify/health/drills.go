package health

import (
	"encoding/json"

	"savepoint/repo"
	"savepoint/verify"
)

// passed is the verdict of a drill whose probe passed, which later programs give.
const passed verify.Verdict = "pass"

// proven reports whether a verdict says that everything came back and nothing was missed.
func proven(v verify.Verdict) bool { return v == verify.Restored || v == passed }

// cameBack reports whether a drill restored all of its snapshot, whatever came of its objectives: then it measured times.
func cameBack(d *verify.DrillDocument) bool {
	return proven(d.Verdict) || d.Verdict == verify.ObjectiveMissed || d.Verdict == verify.Inconclusive
}

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

func (x *sight) lookAtDrills(counted bool) {
	points := map[string]*repo.Snapshot{} // recovery points that are still there, by ID
	for _, s := range x.snaps {
		if good(s) {
			points[s.ID()] = s
		}
	}
	n := map[string]uint64{}
	for _, r := range x.drills {
		n[labelOf(r.drill.Verdict)]++
		d := drillOf(r)
		x.LastDrill = d
		switch {
		case r.drill.Verdict == verify.Damage:
			x.UnhealedDamage = d
		case cameBack(r.drill):
			x.UnhealedDamage, x.measured = nil, d
		}
		if !proven(r.drill.Verdict) {
			continue
		}
		x.LastProven = d
		if p := points[r.drill.Snapshot]; p != nil {
			t := p.Start().UTC()
			if x.Restored == nil || t.After(*x.Restored) {
				x.Restored = &t
			}
			if r.drill.Verdict == passed && (x.Drilled == nil || t.After(*x.Drilled)) {
				x.Drilled = &t
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

func drillOf(r *report) *Drill {
	d := &Drill{At: r.at, Verdict: verify.Verdict(text(string(r.drill.Verdict))), Snapshot: text(r.drill.Snapshot), Object: r.Name,
		Document: json.RawMessage(r.Document), doc: r.drill}
	if cameBack(r.drill) {
		d.RTO, d.RPO = &r.drill.RTO.Seconds, &r.drill.RPO.Seconds
	}
	return d
}
