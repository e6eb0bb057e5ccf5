package health

import (
	"slices"
	"time"

	"savepoint/internal/usage"
)

// The labels of backup_last_status.
const (
	statusSuccess     = "success"
	statusPartial     = "partial"     // with faults, or suspect
	statusInterrupted = "interrupted" // it has not finished
	statusLate        = "late"        // stored too late to count
)

// phases are those of a drill, levels those of a verification, and operations those of the storage.
var (
	phases = []string{"open", "index", "select", "plan", "transfer", "metadata", "start", "validate"}
	levels = []string{"structure", levelData}

	operations = []string{"put", "get", "stat", "list", "delete"}
)

func statusOf(b *Backup) string {
	switch {
	case b == nil:
		return ""
	case b.Completeness == interrupted:
		return statusInterrupted
	case b.Late:
		return statusLate
	case b.Suspect, b.Completeness != "complete":
		return statusPartial
	}
	return statusSuccess
}

func (c *collector) collectBackups(e emitter, s *Source) {
	var published *time.Time
	if b := s.LastBackup; b != nil {
		published = &b.Published
		e.emit(c.bytes, float64(b.Bytes))
		e.emit(c.newBytes, float64(b.New))
		e.emit(c.newStored, float64(b.NewStored))
		e.emit(c.files, float64(b.Files))
		e.emit(c.faults, float64(b.Faults))
		e.emit(c.seconds, b.Seconds)
	}
	c.collectUsage(e, s)
	e.emit(c.published, since(published))
	e.emit(c.success, since(s.LastSuccess))
	e.oneOf(c.lastStatus, statusOf(s.LastBackup), statusSuccess, statusPartial, statusInterrupted, statusLate)
	for _, n := range s.Backups {
		e.emit(c.backups, float64(n.Runs), n.Result)
	}
	e.emit(c.point, seconds(exposedSince(s)), "committed")
	e.emit(c.point, since(s.Verified), "verified")
	e.emit(c.point, since(s.Restored), "restored")
	e.emit(c.point, since(s.Drilled), "drilled")
}

// collectUsage exports what the last backup took that left a report; nothing when that does not say.
func (c *collector) collectUsage(e emitter, s *Source) {
	if s.usage == nil {
		return
	}
	u := s.usage
	e.emit(c.cpu, u.User.Seconds(), "user")
	e.emit(c.cpu, u.System.Seconds(), "system")
	if u.PeakMemory > 0 {
		e.emit(c.memory, float64(u.PeakMemory))
	}
	for _, r := range u.Requests {
		e.emit(c.latency, r.P50.Seconds(), r.Op, "p50")
		e.emit(c.latency, r.P99.Seconds(), r.Op, "p99")
		e.emit(c.latency, r.Max.Seconds(), r.Op, "max")
	}
}

// keptUsage returns what is kept of a usage: of its requests, one of each operation that there is, so that no two series are one.
func keptUsage(u *usage.Usage) *usage.Usage {
	if u == nil {
		return nil
	}
	kept := *u
	kept.Limit, kept.Requests = "", nil
	for _, r := range u.Requests {
		i := slices.Index(operations, r.Op)
		if i < 0 || slices.ContainsFunc(kept.Requests, func(k usage.Requests) bool { return k.Op == r.Op }) {
			continue
		}
		r.Op = operations[i]
		kept.Requests = append(kept.Requests, r)
	}
	return &kept
}

func (c *collector) collectDrills(e emitter, s *Source) {
	var ran, success *time.Time
	result := ""
	if d := s.LastDrill; d != nil {
		ran, result = &d.At, d.rep.result()
	}
	if d := s.LastProven; d != nil {
		success = &d.At
	}
	e.emit(c.drillRun, since(ran))
	e.emit(c.drillSuccess, since(success))
	for _, r := range drillResults {
		e.emit(c.drillResult, number(result == r.label), r.label)
	}
	e.emit(c.drillDamage, number(s.UnhealedDamage != nil))
	e.emit(c.drillProbe, number(s.FailedProbe != nil))
	e.emit(c.lost, float64(s.LostCount))
	for _, n := range s.Drills {
		e.emit(c.drills, float64(n.Runs), n.Result)
	}
	if s.measured == nil {
		return
	}
	d := s.measured.rep.drill
	e.emit(c.rta, d.RTO.Seconds)
	e.emit(c.rpa, d.RPO.Seconds)
	took := map[string]float64{}
	for _, p := range d.RTO.Phases {
		took[p.Name] += p.Seconds
	}
	for _, p := range phases { // those of a later program are in the whole alone
		e.emit(c.phase, took[p], p)
	}
	e.emit(c.restored, float64(d.Restored.Bytes))
	e.emit(c.restoredFiles, float64(d.Restored.Files))
	e.emit(c.fetched, float64(d.Restored.Fetched))
}

func (c *collector) collectRepository(e emitter) {
	v := &c.status.Verify
	for i, l := range []Level{v.Structure, v.Data} {
		var ran *time.Time
		if l.Last != nil {
			ran = &l.Last.At
		}
		e.emit(c.checkRun, since(ran), levels[i])
		e.emit(c.checkSuccess, since(l.LastWhole), levels[i])
	}
	if last := v.Structure.Last; last != nil {
		e.emit(c.findings, float64(last.Findings))
	}
	e.emit(c.checkDamage, number(v.Unhealed != nil))
	switch {
	case v.Never == nil, *v.Never > 0:
		e.emit(c.oldest, 0)
	case v.Oldest != nil:
		e.emit(c.oldest, seconds(*v.Oldest))
	}
	if v.Never != nil {
		e.emit(c.never, float64(*v.Never))
	}
	if v.Coverage != nil {
		e.emit(c.coverage, *v.Coverage, "30d")
	}
	e.emit(c.damaged, float64(len(c.status.Damaged)))
	e.emit(c.missing, float64(c.status.Missing))
	var proven *time.Time
	if k := c.status.Kit; k != nil && !k.Removed {
		proven = &k.Proven
	}
	e.emit(c.kit, since(proven))
	e.emit(c.keyChange, since(c.status.Trust.LastKey))
	e.emit(c.foreign, float64(len(c.status.Trust.Foreign)+len(c.status.Trust.Returned)))
	for _, kind := range []string{KindConfig, KindSnapshot, KindReport, KindRecord, KindDocument} {
		e.emit(c.unreadable, float64(c.status.count(kind)), kind)
	}
}

// count returns how many objects of a kind cannot be read.
func (s *Status) count(kind string) int {
	n := 0
	for _, u := range s.Unreadable {
		if u.Kind == kind {
			n++
		}
	}
	return n
}
