package when

import (
	"slices"
	"time"
)

// horizon is farther from a wall time than any zone's clocks are from UTC, and
// than any change of theirs moved them.
const horizon = 49 * time.Hour

// resolve returns the one moment at which the clocks of loc show w.
func resolve(w wall, loc *time.Location) (time.Time, error) {
	moments := occurrences(w, loc)
	if len(moments) == 1 {
		return moments[0], nil
	}
	e := &AmbiguousError{Local: w.String(), Zone: loc.String(), Never: len(moments) == 0, Candidates: moments}
	if e.Never {
		e.Candidates = around(w, loc)
	}
	return time.Time{}, e
}

// lastTime returns the last moment at or before now at which the clocks of loc
// showed the time of day. It is refused if that day's clocks showed it twice
// by now, or skipped it.
func lastTime(clock time.Duration, now time.Time, loc *time.Location) (time.Time, error) {
	today := on(now, 0, clock)
	moments := occurrences(today, loc)
	if len(moments) == 0 {
		if edges := around(today, loc); len(edges) > 0 && edges[0].After(now) {
			return resolve(on(now, -1, clock), loc)
		}
		return resolve(today, loc)
	}
	passed := slices.DeleteFunc(slices.Clone(moments), func(t time.Time) bool { return t.After(now) })
	switch len(passed) {
	case 0:
		return resolve(on(now, -1, clock), loc)
	case 1: // the other, if there is one, is still to come
		return passed[0], nil
	default:
		return resolve(today, loc)
	}
}

// occurrences returns, in UTC and ascending, the moments at which the clocks of
// loc show w: one, or two where they were put back, or none where forward.
func occurrences(w wall, loc *time.Location) []time.Time {
	var found []time.Time
	for _, p := range periods(w, loc) {
		if t := w.utc.Add(-p.offset); p.holds(t) {
			found = append(found, t)
		}
	}
	slices.SortFunc(found, time.Time.Compare)
	return found
}

// around returns, for a wall time that the clocks skip, the two moments it
// would be if they had not been changed yet, or had been before.
func around(w wall, loc *time.Location) []time.Time {
	ps := periods(w, loc)
	for i := 1; i < len(ps); i++ {
		before, after := w.utc.Add(-ps[i-1].offset), w.utc.Add(-ps[i].offset)
		if !before.Before(ps[i].start) && after.Before(ps[i].start) {
			return []time.Time{after, before}
		}
	}
	return nil
}

// A period is a time during which the clocks of a zone keep one offset.
type period struct {
	start, end time.Time // zero: unbounded
	offset     time.Duration
}

func (p period) holds(t time.Time) bool {
	return (p.start.IsZero() || !t.Before(p.start)) && (p.end.IsZero() || t.Before(p.end))
}

// periods returns those of loc that come near w, in order.
func periods(w wall, loc *time.Location) []period {
	var ps []period
	for t := w.utc.Add(-horizon); ; {
		start, end := t.In(loc).ZoneBounds()
		_, seconds := t.In(loc).Zone()
		ps = append(ps, period{start, end, time.Duration(seconds) * time.Second})
		if end.IsZero() || end.After(w.utc.Add(horizon)) {
			return ps
		}
		t = end
	}
}
