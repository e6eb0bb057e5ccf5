package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"savepoint/repo"
	"savepoint/verify"
)

// keptOlder is how many snapshots are kept of those that a drill tried after the one that was wanted; what came back is kept beyond that.
const keptOlder = 64

// tried is what is kept of a snapshot that a drill tried after the one that was wanted.
type tried struct {
	snapshot   string
	start, end time.Time
	good       bool   // all of it came back as it was, and its probe passed, if there was one
	lost       bool   // something of it did not come back as it was
	file       string // the first
	probed     bool   // a probe passed
	failed     bool   // nothing but a probe found it wanting
}

// keepOlder takes over what a drill says of the snapshots that it tried after the one that was wanted.
func (r *report) keepOlder(older []verify.Older) {
	for _, o := range older {
		t := tried{snapshot: cut(o.Snapshot, keptName), start: o.WindowStart, end: o.WindowEnd, lost: o.DamagedCnt+o.Compared.DifferenceCount > 0}
		t.good = o.Good && !t.lost && (o.Probe == nil || o.Probe.Result != verify.ProbeFailed)
		t.probed = t.good && o.Probe != nil && o.Probe.Result == verify.ProbePassed && o.Probe.Checked > 0
		t.failed = !t.lost && o.Probe != nil && o.Probe.Result == verify.ProbeFailed
		switch {
		case len(o.Damaged) > 0:
			t.file = cut(o.Damaged[0].Path, keptText)
		case len(o.Compared.Differences) > 0:
			t.file = cut(o.Compared.Differences[0].Path, keptText)
		}
		if len(r.older) < keptOlder || t.good && len(r.older) < 2*keptOlder {
			r.older = append(r.older, t)
		}
	}
}

// ofOlder returns what a drill would have reported that was of one older snapshot alone, at the moment when that ended.
func (r *report) ofOlder(t tried) *report {
	d := &verify.DrillDocument{Verdict: verify.Restored, Snapshot: t.snapshot, Incident: t.end, At: &t.end, WindowStart: t.start, WindowEnd: t.end, Conditions: r.drill.Conditions}
	if t.lost {
		d.Verdict = verify.Damage
		d.Reasons = []string{fmt.Sprintf("Snapshot %.8s, which it tried after that, did not come back whole either.", t.snapshot)}
	}
	return &report{StoredReport: r.StoredReport, at: r.at, drill: d, isOlder: true, dataLost: t.lost, lostFile: t.file, probePassed: t.probed}
}

// damages reports whether a drill found that something of what was backed up is not there as it was; a probe that failed did not.
func (r *report) damages() bool {
	return r.drill.Verdict == verify.Damage && (r.dataLost || r.lostManifest || r.silent || !r.probeFailed)
}

// probeAlone reports whether all came back as it was, and nothing but the probe found it wanting.
func (r *report) probeAlone() bool {
	return r.drill.Verdict == verify.Damage && r.probeFailed && !r.damages()
}

// faults returns what a drill found wrong, each as a report of that alone: damage, a probe that failed, and damage of older snapshots.
func (r *report) faults() []*report {
	var out []*report
	for _, t := range slices.Backward(r.older) {
		if t.lost {
			out = append(out, r.ofOlder(t))
		}
	}
	if r.damages() {
		damage := *r
		damage.probeFailed = false
		out = append(out, &damage)
	}
	if r.drill.Verdict == verify.Damage && r.probeFailed {
		failed := *r
		failed.dataLost, failed.lostManifest, failed.silent, failed.lostFile = false, false, false, ""
		if r.damages() { // the reason that is kept is of that
			d := *r.drill
			d.Reasons = []string{"its probe failed"}
			failed.drill = &d
		}
		out = append(out, &failed)
	}
	return out
}

// whole returns what came back whole in a drill that took all from the repository, each as a report of that alone.
func (r *report) whole() []*report {
	if !bare(r.drill) {
		return nil
	}
	var out []*report
	if cameBack(r.drill) || r.probeAlone() || r.onlyOlderThanWanted || r.silent && !r.dataLost && !r.lostManifest {
		out = append(out, r)
	}
	for _, t := range r.older {
		if t.good {
			out = append(out, r.ofOlder(t))
		}
	}
	return out
}

// replaces reports whether a drill found of the same snapshot all that an earlier one found of it. One that found something else does not
// stand for it: what heals one need not heal the other.
func (r *report) replaces(old *report) bool {
	return old.drill.Snapshot == r.drill.Snapshot && r.asFar(old) && (r.silent || !old.silent) && r.probeFailed == old.probeFailed &&
		(r.dataLost || !old.dataLost) && (r.lostManifest || !old.lostManifest)
}

// hurts reports whether a fault says that a snapshot is not what was backed up. A manifest that is lost beside it says nothing of it.
func (r *report) hurts(id string) bool {
	return r.drill.Snapshot == id && !r.probeFailed && (r.dataLost || r.silent || !r.lostManifest)
}

// damages counts the faults that are no matter of a probe alone.
func (x *sight) damages() int {
	n := 0
	for _, f := range x.damage {
		if !f.probeFailed {
			n++
		}
	}
	return n
}

// settleFaults says what is left of the faults that drills found.
func (l *look) settleFaults(x *sight, listed map[string]*repo.Snapshot) {
	var damage *report
	for _, f := range x.damage {
		switch {
		case f.probeFailed:
			x.FailedProbe = drillOf(f)
		case damage == nil || damage.isOlder || !f.isOlder: // that of what was wanted is told first
			damage = f
		}
	}
	if damage != nil {
		x.UnhealedDamage = drillOf(damage)
	}
	found := map[string]Found{}
	l.foundIn(x, found)
	for _, s := range slices.Backward(x.snaps) {
		if f, ok := found[s.ID()]; ok {
			x.Damages = append(x.Damages, SnapshotDamage{Snapshot: s.ID(), WindowEnd: s.End().UTC(), By: f.By, At: f.At.UTC(), Object: f.Object})
		}
	}
	for _, r := range x.wholes {
		s := listed[r.drill.Snapshot]
		if s == nil || !l.unhurt(x, s, x.FailedProbe != nil) || x.FailedProbe != nil && !r.probePassed {
			continue
		}
		if x.LastGood == nil || !s.End().Before(x.LastGood.WindowEnd) {
			x.LastGood = &GoodSnapshot{Snapshot: s.ID(), WindowStart: s.Start().UTC(), WindowEnd: s.End().UTC(), At: r.at.UTC(), Probed: r.probePassed, Object: r.Name}
		}
	}
}

// unhurt reports whether nothing is known to be wrong with a snapshot; probed: no probe has found it wanting either.
func (l *look) unhurt(x *sight, s *repo.Snapshot, probed bool) bool {
	return l.hit[s.ID()] == nil && !slices.ContainsFunc(x.damage, func(f *report) bool {
		return f.hurts(s.ID()) || probed && f.probeFailed && f.drill.Snapshot == s.ID()
	})
}

// foundIn notes the snapshots of a source of which something is lost, as drills and verifications found it.
func (l *look) foundIn(x *sight, found map[string]Found) {
	for _, d := range x.damage {
		if d.dataLost {
			found[d.drill.Snapshot] = Found{ByDrill, d.at, d.Name}
		}
	}
	for _, s := range x.snaps {
		if c := l.hit[s.ID()]; c != nil {
			found[s.ID()] = Found{ByVerify, c.at, c.Name}
		}
	}
}

// probesIn notes the snapshots of a source that came back as they were and failed a probe, and have not passed one since.
func (x *sight) probesIn(found map[string]Found) {
	for _, r := range x.drills {
		note := func(id string, failed, passed bool) {
			switch {
			case failed:
				found[id] = Found{ByDrill, r.at, r.Name}
			case passed:
				delete(found, id)
			}
		}
		note(r.drill.Snapshot, r.probeFailed, r.probePassed)
		for _, t := range r.older {
			note(t.snapshot, t.failed, t.probed)
		}
	}
}

// settleLost gives the snapshots that are lost to their sources.
func (l *look) settleLost(lost []repo.LostSnapshot) {
	for _, s := range lost {
		if !l.o.wants(s.Dataset, s.Host) {
			continue
		}
		x := l.source(s.Dataset, s.Host)
		if x.lost == nil {
			x.lost = map[string]bool{}
		}
		x.lost[s.ID()] = true
		if x.LostCount++; x.LostCount <= verify.MaxListed {
			x.Lost = append(x.Lost, verify.LostPoint{Snapshot: s.ID(), Object: s.Name, WindowStart: s.Start, Published: s.Published})
		}
	}
}

// idOf returns the ID of a snapshot by the name of its manifest.
func idOf(manifest string) string { return manifest[strings.LastIndexByte(manifest, '-')+1:] }
