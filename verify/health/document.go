package health

import (
	"math"
	"time"

	"savepoint/verify"
	"savepoint/verify/measure"
)

// FiguresDocument is what JSON has of Figures. Times are seconds; what is not known is null or not there.
type FiguresDocument struct {
	RTO          *float64           `json:"measured_rto_seconds"` // of the last drill that measured one
	RPO          *float64           `json:"measured_rpo_seconds"` // of that drill
	Total        *float64           `json:"rto_total_seconds"`    // with what the configuration assumes
	RTOObjective float64            `json:"rto_objective_seconds,omitempty"`
	RPOObjective float64            `json:"rpo_objective_seconds,omitempty"`
	Predicted    *PredictedDocument `json:"rto_predicted"`
	Exposures    []ExposureDocument `json:"exposures"` // within Window, by trust
	Breached     *float64           `json:"rpo_breached_seconds"`
	Coverage     *CoverageDocument  `json:"restore_coverage"`
	Growth       *GrowthDocument    `json:"growth"`
	Cost         string             `json:"drill_cost,omitempty"` // of that drill, by the prices of the configuration
	Latencies    []verify.Latency   `json:"storage_latencies"`    // of the last backup that left a report
	SetBack      float64            `json:"clock_set_back_seconds"`
}

// PredictedDocument is a prediction, not a measurement.
type PredictedDocument struct {
	Seconds float64 `json:"seconds"`
	Low     float64 `json:"low_seconds"`
	High    float64 `json:"high_seconds"`
	Drills  int     `json:"drills"`
}

// ExposureDocument is what would have been lost. Open is null when there is nothing to go back to any more, and so are Worst and P99 then.
type ExposureDocument struct {
	Trust    Trust     `json:"trust"`
	From     time.Time `json:"from_at"`
	Worst    *float64  `json:"worst_seconds"`
	WorstAt  time.Time `json:"worst_at"`
	Closed   float64   `json:"worst_ended_seconds"`
	P99      *float64  `json:"p99_seconds"`
	Open     *float64  `json:"open_seconds"`
	Gaps     int       `json:"gaps"`
	Breaches int       `json:"breaches"`
	Breached float64   `json:"breached_seconds"`
}

// CoverageDocument is how many live bytes drills brought back.
type CoverageDocument struct {
	Live     uint64   `json:"live_bytes"`
	Restored uint64   `json:"restored_bytes"`
	Probed   uint64   `json:"probed_bytes"`
	Ratio    *float64 `json:"restored_ratio"`
	Probe    *float64 `json:"probed_ratio"`
}

// GrowthDocument is how much is added in a day.
type GrowthDocument struct {
	Stored float64 `json:"stored_bytes"`
	PerDay float64 `json:"bytes_per_day"`
	Low    float64 `json:"low_bytes_per_day"`
	High   float64 `json:"high_bytes_per_day"`
	Days   int     `json:"days"`
}

// OverallDocument is what JSON has of the repository beside Capacity and TrustChanges.
type OverallDocument struct {
	Coverage CoverageDocument `json:"restore_coverage"`
}

// fillFigures puts the figures into what JSON has.
func (l *look) fillFigures() {
	for _, x := range l.status.Sources {
		x.Document = x.figuresDocument()
	}
	l.status.Document = &OverallDocument{Coverage: *coverageDocument(&l.status.figures.Coverage)}
}

func (s *Source) figuresDocument() *FiguresDocument {
	f := s.figures
	d := &FiguresDocument{RTOObjective: f.Plan.RTO.Seconds(), RPOObjective: f.Plan.RPO.Seconds(), Exposures: []ExposureDocument{},
		Total: secondsOf(f.Total), Breached: secondsOf(f.Breached), Coverage: coverageDocument(f.Coverage), Growth: growthDocument(f.Growth), Latencies: s.latencies(),
		SetBack: f.SetBack.Seconds()}
	if m := s.measured; m != nil {
		d.RTO, d.RPO = m.RTO, m.RPO
	}
	if p := f.Predicted; p != nil {
		d.Predicted = &PredictedDocument{p.Seconds, p.Low, p.High, p.Drills}
	}
	for _, t := range trusts {
		if e := f.Exposure[t]; e != nil {
			d.Exposures = append(d.Exposures, ExposureDocument{Trust: t, From: e.From.UTC(), Worst: finite(e.Worst), WorstAt: e.WorstAt.UTC(), Closed: e.Closed.Seconds(),
				P99: finite(e.P99), Open: finite(e.Open), Gaps: e.Gaps, Breaches: e.Breaches, Breached: e.Breached.Seconds()})
		}
	}
	if f.Cost.Known() {
		d.Cost = f.Cost.String()
	}
	return d
}

// latencies returns how long the requests of the last backup took that left a report.
func (s *Source) latencies() []verify.Latency {
	out := []verify.Latency{}
	if s.usage == nil {
		return out
	}
	for _, r := range s.usage.Requests {
		out = append(out, verify.Latency{Op: r.Op, Count: r.Count, Retries: r.Retries, P50: r.P50.Seconds(), P99: r.P99.Seconds(), Max: r.Max.Seconds()})
	}
	return out
}

// finite returns seconds; nil for a span without an end.
func finite(d time.Duration) *float64 {
	if d == math.MaxInt64 {
		return nil
	}
	return secondsOf(&d)
}

func secondsOf(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := d.Seconds()
	return &s
}

func coverageDocument(c *measure.Coverage) *CoverageDocument {
	if c == nil {
		return nil
	}
	d := &CoverageDocument{Live: c.Live, Restored: c.Restored, Probed: c.Probed}
	if restored, probed, ok := c.Ratios(); ok {
		d.Ratio, d.Probe = &restored, &probed
	}
	return d
}

func growthDocument(g *measure.Growth) *GrowthDocument {
	if g == nil {
		return nil
	}
	return &GrowthDocument{g.Stored, g.PerDay, g.Low, g.High, g.Days}
}
