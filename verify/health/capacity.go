package health

import (
	"fmt"
	"math"
	"strings"
	"time"

	"savepoint/internal/bytesize"
	"savepoint/verify/measure"
)

// Capacity says how much of its quota the repository takes, and when it will take all of it. What is not known is nil.
type Capacity struct {
	Quota uint64 `json:"quota_bytes,omitempty"` // as the configuration says; 0: it does not
	// Stored are the bytes of all packs, as the last verification counted them at Counted.
	Stored  *float64   `json:"stored_bytes"`
	Counted *time.Time `json:"counted_at"`
	// PerDay is by how many bytes the packs grow in a day: the median of the slopes between two days, and Low and High what 5% and 95% of
	// them do not exceed. It is known when seven days have a verification.
	PerDay *float64 `json:"growth_bytes_per_day"`
	Low    *float64 `json:"growth_low_bytes_per_day"`
	High   *float64 `json:"growth_high_bytes_per_day"`
	Days   int      `json:"measured_days"` // with a verification
	// Full is when the quota is reached at that growth; Earliest and Latest at High and at Low. Null without quota or growth, and for never.
	Full     *time.Time `json:"full_at"`
	Earliest *time.Time `json:"full_earliest_at"`
	Latest   *time.Time `json:"full_latest_at"`
	Exceeded bool       `json:"exceeded"`
}

// fullSoon is how long before a quota may be reached somebody is told.
const fullSoon = 14 * 24 * time.Hour

// capacity returns what packs take of the quota; nil when nothing is known of either.
func (o *Overall) capacity(stored []measure.Stored, quota uint64) *Capacity {
	c := &Capacity{Quota: quota}
	var last *measure.Stored
	for i, s := range stored {
		if last == nil || s.At.After(last.At) {
			last = &stored[i]
		}
	}
	if last == nil {
		if quota == 0 {
			return nil
		}
		return c
	}
	at := last.At.UTC()
	c.Stored, c.Counted, c.Exceeded = &last.Bytes, &at, quota > 0 && last.Bytes >= float64(quota)
	if g := o.Growth; g != nil {
		c.PerDay, c.Low, c.High, c.Days = &g.PerDay, &g.Low, &g.High, g.Days
	}
	if f := o.Full; f != nil {
		c.Full, c.Earliest, c.Latest = inUTC(f.Full), inUTC(f.Earliest), inUTC(f.Last)
	}
	return c
}

// QuotaText returns the quota in the units of the configuration: 10TiB, 500GB.
func (c *Capacity) QuotaText() string { return bytesize.Format(int64(min(c.Quota, math.MaxInt64))) }

// InBinary reports whether the quota is one in powers of 1024.
func (c *Capacity) InBinary() bool { return strings.HasSuffix(c.QuotaText(), "iB") }

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// warnCapacity says that the quota is reached, or may be soon.
func (l *look) warnCapacity() {
	c := l.status.Capacity
	if c == nil || c.Quota == 0 || c.Stored == nil {
		return
	}
	shown := l.o.Command("snapshots")
	w := Warning{State: Faulty, Next: "what each backup added: " + shown + "; when there is room for it, raise `quota` in the configuration", Commands: []string{shown}}
	of := fmt.Sprintf("the packs have %.0f%% of the quota of %s", 100**c.Stored/float64(c.Quota), c.QuotaText())
	switch {
	case c.Exceeded:
		w.Message = of + ": it is exceeded"
	case c.Earliest != nil && c.Earliest.Sub(l.now) < fullSoon:
		w.Message = fmt.Sprintf("%s, and may reach it in %s", of, Age(c.Earliest.Sub(l.now)))
	default:
		return
	}
	l.add(w)
}

// collectCapacity exports what packs take, and of how much.
func (m *figureMetrics) collectCapacity(e emitter, c *Capacity) {
	if c == nil {
		return
	}
	if c.Quota > 0 {
		e.emit(m.quota, float64(c.Quota))
	}
	if c.Stored != nil {
		e.emit(m.stored, *c.Stored)
	}
}
