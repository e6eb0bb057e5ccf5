package health

import "savepoint/repo/tree"

// pointMetrics are the families of what a source and the repository can go back to, and of what drills did beside their times.
type pointMetrics struct {
	points, changed                              metric
	leaks, probe, pointAge, throughput, requests metric

	readBytes, damagedSnapshots, objects, chunks metric
}

func newPointMetrics(source, gauge, counter family) pointMetrics {
	return pointMetrics{
		points:     source("recovery_points", "Recovery points that are still there.", "trust"),
		changed:    source("backup_changed_ratio", "Share of the files that were new or had changed, in the last backup that left a report and was not full: a full one reads every file."),
		leaks:      source("drill_sandbox_leaks", "Scratch folders of drills that were killed, which the last drill found."),
		probe:      source("drill_probe_success", "1 if the probe of the last drill that had a probe passed, 0 if it did not."),
		pointAge:   source("drill_point_age_seconds", "How long before its incident the snapshot began to be read that the last drill which measured times restored."),
		throughput: source("drill_throughput_bytes_per_second", "Bytes of files that came back in that drill, by its time in the phase transfer."),
		requests:   source("drill_requests", "Requests to the storage in that drill."),

		readBytes:        counter("verify_read_bytes_total", "Bytes of packs that verifications read back and found whole."),
		damagedSnapshots: gauge("damaged_snapshots", "Snapshots that lose something to damage which a verification or a drill found and nothing has seen healed."),
		objects:          gauge("repo_objects", "Objects that the last verification listed.", "kind"),
		chunks:           gauge("repo_chunks", "Different chunks that snapshots need, as the last verification of everything counted them.", "kind"),
	}
}

func (m *pointMetrics) all() []metric {
	return []metric{m.points, m.changed, m.leaks, m.probe, m.pointAge, m.throughput, m.requests, m.readBytes, m.damagedSnapshots, m.objects, m.chunks}
}

func (m *pointMetrics) collect(e emitter, s *Source) {
	for _, t := range trusts {
		e.emit(m.points, float64(s.there[t]), string(t))
	}
	if r := s.changed; r != nil && r.Files > 0 {
		e.emit(m.changed, float64(min(r.Changed, r.Files))/float64(r.Files))
	}
	if s.leaks != nil {
		e.emit(m.leaks, float64(*s.leaks))
	}
	if s.probed != nil {
		e.emit(m.probe, number(*s.probed))
	}
	if s.measured == nil {
		return
	}
	d := s.measured.rep.drill
	if age := d.Incident.Sub(d.WindowStart); !d.WindowStart.IsZero() && age > 0 {
		e.emit(m.pointAge, age.Seconds())
	}
	requests, transfer := uint64(0), 0.0
	for _, p := range d.RTO.Phases {
		requests += p.Requests
		if p.Name == "transfer" {
			transfer += p.Seconds
		}
	}
	e.emit(m.requests, float64(requests))
	if transfer > 0 {
		e.emit(m.throughput, float64(d.Restored.Bytes)/transfer)
	}
}

func (m *pointMetrics) collectRepository(e emitter, s *Status) {
	if s.counts.known {
		e.emit(m.readBytes, float64(s.counts.readBytes))
	}
	e.emit(m.damagedSnapshots, float64(s.counts.damagedSnapshots))
	if c := s.counts.structure; c != nil {
		e.emit(m.objects, float64(c.Packs), "pack")
		e.emit(m.objects, float64(c.Segments), "segment")
		e.emit(m.objects, float64(c.Snapshots), "snapshot")
		e.emit(m.chunks, float64(c.Chunks), "data")
		e.emit(m.chunks, float64(c.TreeChunks), "tree")
	}
}

// countPoints counts the recovery points of a source that are still there, by trust, and what its reports say of last.
func (l *look) countPoints(x *sight) {
	x.there = map[Trust]int{}
	restored, drilled := map[string]bool{}, map[string]bool{}
	for _, r := range x.drills {
		if proves(r.drill) {
			restored[r.drill.Snapshot] = true
			drilled[r.drill.Snapshot] = drilled[r.drill.Snapshot] || r.drill.Verdict == passed
		}
		x.leaks = &r.drill.Leaks
		if r.probePassed || r.probeFailed {
			x.probed = &r.probePassed
		}
	}
	full := map[string]bool{}
	for _, s := range x.snaps {
		full[s.Name] = s.Mode == tree.Full
		if !l.point(x, s) {
			continue
		}
		x.there[Committed]++
		if !l.whole.Before(s.Stored) {
			x.there[Verified]++
		}
		if restored[s.ID()] {
			x.there[Restored]++
		}
		if drilled[s.ID()] {
			x.there[Drilled]++
		}
	}
	for _, r := range x.backups {
		if r.counted != nil && r.counted.told {
			x.lastRun = &r.counted.Run
			if r.counted.Full = full[r.Manifest]; !r.counted.Full {
				x.changed = x.lastRun
			}
		}
	}
}

// countRepository sums up what reports say of verifications, and the damage that is known. all says that every report could be read.
func (l *look) countRepository(all bool) {
	c := &l.status.counts
	damaged := map[string]bool{} // a verification may name some that are not listed
	for id := range l.hit {
		damaged[id] = true
	}
	for _, x := range l.sources {
		for _, d := range x.Damages {
			damaged[d.Snapshot] = true
		}
	}
	c.known, c.damagedSnapshots = all, len(damaged)
	for _, r := range l.checks {
		if r.check == nil {
			continue
		}
		c.readBytes = min(c.readBytes+min(r.check.ReadBack.Bytes, maxBytes), maxBytes)
		if r.check.Stopped == "" && r.check.Scope == nil {
			c.structure = &r.check.Structure
		}
	}
}
