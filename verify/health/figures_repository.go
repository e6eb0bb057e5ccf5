package health

import (
	"time"

	"savepoint/verify/measure"
)

// NewHost is how long a host counts as new.
const NewHost = 7 * 24 * time.Hour

// Overall are the figures of the repository as a whole. What is not known is nil or empty.
type Overall struct {
	Growth   *measure.Growth   // of packs, as verifications counted them
	Full     *measure.Forecast // when a quota is reached; nil without quota or growth
	Coverage measure.Coverage  // by drills, of the sources that have a snapshot
	NewHosts []string          // that wrote their first report within NewHost
	Newest   string            // version of the program
	Outdated []string          // hosts whose last report came from an older one
}

// Figures returns what is measured of the repository over time; nil before Look is done.
func (s *Status) Figures() *Overall { return s.figures }

// overall returns the figures of the repository.
func (l *look) overall() *Overall {
	o := &Overall{}
	var stored []measure.Stored
	var seen []measure.Sighting
	for _, r := range l.checks {
		if r.check != nil && r.check.Stopped == "" && r.check.Structure.PackBytes <= maxBytes {
			stored = append(stored, measure.Stored{At: r.at, Bytes: float64(r.check.Structure.PackBytes)})
		}
		seen = append(seen, measure.Sighting{Host: r.Host, Version: r.Version, At: r.at})
	}
	for _, x := range l.sources {
		if c := x.figures.Coverage; c != nil {
			o.Coverage = o.Coverage.Plus(*c)
		}
		for _, r := range x.backups {
			seen = append(seen, measure.Sighting{Host: r.Host, Version: r.Version, At: r.at})
		}
	}
	o.NewHosts = measure.NewHosts(seen, l.now.Add(-NewHost))
	o.Newest, o.Outdated = measure.Outdated(seen)
	o.Growth = measure.Grow(stored)
	if o.Growth != nil && l.o.Quota > 0 {
		f := o.Growth.FullAt(float64(l.o.Quota))
		o.Full = &f
	}
	l.status.Capacity = o.capacity(stored, l.o.Quota)
	return o
}

// models are those of the machines that drills ran on.
type models struct {
	of     map[measure.Machine]*measure.Model
	latest *report // the last drill that can be compared with others
}

func (l *look) models() models {
	m := models{of: map[measure.Machine]*measure.Model{}}
	samples := map[measure.Machine][]measure.Sample{}
	for _, r := range l.trials {
		if r.trial != nil && r.trial.sample.Seconds > 0 {
			samples[r.trial.machine] = append(samples[r.trial.machine], r.trial.sample)
			m.latest = r
		}
	}
	for machine, s := range samples {
		if model, err := measure.Fit(s); err == nil {
			m.of[machine] = model
		}
	}
	return m
}

// predict returns what a full restore of the newest recovery point would take on the machine of the source's last drill that can be compared
// with others; of a source without one, on that of the last drill of any. Nil: that cannot be told.
func (m models) predict(x *sight) *measure.Prediction {
	on := m.latest
	for _, r := range x.drills {
		if r.trial != nil && r.trial.sample.Seconds > 0 {
			on = r
		}
	}
	if on == nil || x.RecoveryPoint == nil {
		return nil
	}
	model := m.of[on.trial.machine]
	if model == nil {
		return nil
	}
	p, err := model.Predict(x.RecoveryPoint.Bytes, x.RecoveryPoint.Files)
	if err != nil {
		return nil
	}
	return &p
}
