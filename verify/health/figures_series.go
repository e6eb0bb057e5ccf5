package health

import "time"

// figureMetrics are the families of figures.
type figureMetrics struct {
	gap, breaches, breached, granularity, coverage, missed metric
	backupDue, drillDue, missedDrills                      metric
	predicted, total, growth, unusual, setBack             metric
	rpo, rto, interval                                     metric // what is wanted

	stored, quota, repoGrowth, full, newHosts, outdated metric
}

// family makes one family with these labels beside its own.
type family func(name, help string, labels ...string) metric

func newFigureMetrics(source, counter, gauge family) figureMetrics {
	return figureMetrics{
		gap:          source("rpo_worst_gap_seconds", "Largest exposure that ended within the window; the one that is still open counts from recovery_point_timestamp_seconds.", "trust", "window"),
		breaches:     source("rpo_breaches", "How often the exposure exceeded the objective within the window.", "window"),
		breached:     counter("rpo_breach_seconds_total", "Seconds in which the exposure exceeded the objective, since the first backup that left a report."),
		granularity:  source("recovery_granularity_seconds", "What going back to the worst moment of an age would lose, by the snapshots that are left; age is that of the oldest moment.", "age"),
		coverage:     source("restore_coverage_ratio", "Share of the live bytes that a drill within the window restored and compared, at least; probed: and a probe passed.", "level", "window"),
		missed:       source("backup_missed_runs", "Backups that the schedule expected within the window and that did not come.", "window"),
		backupDue:    source("backup_due_timestamp_seconds", "When the next backup that the schedule expects is missed, unless it has come; 0 if there never was one."),
		drillDue:     source("drill_due_timestamp_seconds", "When the next drill that the schedule expects is missed, unless it has come."),
		missedDrills: source("drill_missed_runs", "Drills that the schedule expected within the window and that did not come.", "window"),
		predicted:    source("rto_predicted_seconds", "Predicted, not measured: what a full restore would take, by drills of equal machines.", "quantile"),
		total:        source("drill_rta_total_seconds", "Recovery time of the last drill that measured one, and the times assumed to notice, decide and switch over."),
		growth:       source("backup_growth_bytes_per_day", "Bytes that backups add to the repository in a day, the median and the band of the slopes between two days.", "quantile"),
		unusual:      source("backup_anomaly", "1 if the last backup is unusual in this way, compared with earlier ones.", "kind"),
		setBack:      source("storage_clock_set_back_seconds", "By how much the storage's clock was set back between two backups, at most."),

		rpo:      source("objective_rpo_seconds", "How much may be lost, as the configuration says."),
		rto:      source("objective_rto_seconds", "How long a recovery may take, as the configuration says."),
		interval: source("schedule_expected_interval_seconds", "The longest time between two backups that the schedule in the configuration leaves."),

		stored:     gauge("repo_stored_bytes", "Bytes of all packs, as the last verification counted them."),
		quota:      gauge("repo_capacity_bytes", "Bytes that all packs may have, as the configuration says."),
		repoGrowth: gauge("repo_growth_bytes_per_day", "Bytes by which the packs grow in a day, the median and the band of the slopes between two days.", "quantile"),
		full:       gauge("repo_forecast_full_timestamp_seconds", "Predicted: when the quota will be reached, at each quantile of the growth.", "quantile"),
		newHosts:   gauge("new_hosts", "Hosts that wrote their first report within the window, while others are older.", "window"),
		outdated:   gauge("outdated_hosts", "Hosts whose last report came from an older version of the program than the newest seen."),
	}
}

func (m *figureMetrics) all() []metric {
	return []metric{m.gap, m.breaches, m.breached, m.granularity, m.coverage, m.missed, m.backupDue, m.drillDue, m.missedDrills, m.predicted, m.total, m.growth, m.unusual, m.setBack, m.rpo, m.rto, m.interval,
		m.stored, m.quota, m.repoGrowth, m.full, m.newHosts, m.outdated}
}

// The labels of windows and quantiles.
const (
	windowLabel  = "30d"
	newHostLabel = "7d"
	lowLabel     = "0.05"
	midLabel     = "0.5"
	highLabel    = "0.95"
)

func (m *figureMetrics) collect(e emitter, s *Source) {
	f := s.figures
	if f == nil {
		return
	}
	for _, w := range []struct {
		m metric
		d time.Duration
	}{{m.rpo, f.Plan.RPO}, {m.rto, f.Plan.RTO}, {m.interval, f.Plan.Interval}} {
		if w.d > 0 {
			e.emit(w.m, w.d.Seconds())
		}
	}
	for _, t := range trusts {
		if x := f.Exposure[t]; x != nil && x.Closed > 0 {
			e.emit(m.gap, x.Closed.Seconds(), string(t), windowLabel)
		}
	}
	if x := f.Exposure[Committed]; f.Breached != nil && x != nil {
		e.emit(m.breaches, float64(x.Breaches), windowLabel)
		e.emit(m.breached, f.Breached.Seconds())
	}
	for _, b := range f.Bands {
		e.emit(m.granularity, b.Worst.Seconds(), b.Name)
	}
	if f.Coverage != nil {
		if restored, probed, ok := f.Coverage.Ratios(); ok || s.AllLost() {
			e.emit(m.coverage, restored, "restored", windowLabel)
			e.emit(m.coverage, probed, "probed", windowLabel)
		}
	}
	if f.Missed != nil {
		e.emit(m.missed, float64(len(f.Missed)), windowLabel)
	}
	m.collectTurns(e, s, f)
	if p := f.Predicted; p != nil {
		e.quantiles(m.predicted, p.Low, p.Seconds, p.High)
	}
	if f.Total != nil {
		e.emit(m.total, f.Total.Seconds())
	}
	if g := f.Growth; g != nil {
		e.quantiles(m.growth, g.Low, g.PerDay, g.High)
	}
	for _, j := range f.Unusual {
		if j.Known {
			e.emit(m.unusual, number(j.Unusual), string(j.Kind))
		}
	}
	e.emit(m.setBack, f.SetBack.Seconds())
}

func (m *figureMetrics) collectRepository(e emitter, s *Status) {
	m.collectCapacity(e, s.Capacity)
	o := s.figures
	if o == nil {
		return
	}
	if g := o.Growth; g != nil {
		e.quantiles(m.repoGrowth, g.Low, g.PerDay, g.High)
	}
	if f := o.Full; f != nil {
		for _, q := range []struct {
			at    *time.Time
			label string
		}{{f.Last, lowLabel}, {f.Full, midLabel}, {f.Earliest, highLabel}} {
			if q.at != nil { // else never
				e.emit(m.full, seconds(*q.at), q.label)
			}
		}
	}
	e.emit(m.newHosts, float64(len(o.NewHosts)), newHostLabel)
	e.emit(m.outdated, float64(len(o.Outdated)))
}

func (e emitter) quantiles(m metric, low, mid, high float64) {
	e.emit(m, low, lowLabel)
	e.emit(m, mid, midLabel)
	e.emit(m, high, highLabel)
}

// warnFigures says what is unusual about the last backup.
func (l *look) warnFigures(x *sight) {
	for _, j := range x.figures.Unusual {
		if j.Unusual {
			l.tell(x, Unusual, l.o.Command("snapshots", "--dataset", x.Dataset, "--host", x.Host), "is unusual (%s): its last backup %s", string(j.Kind), j.Sentence)
		}
	}
}
