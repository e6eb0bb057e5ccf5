package measure

import (
	"errors"
	"slices"
	"time"
)

// ErrSchedule is returned for a schedule that does not go forward, or has more runs in a period than anybody could wish for.
var ErrSchedule = errors.New("not a schedule that can be judged")

// maxExpected is how many runs Missed expects at most: one a minute for 60 days.
const maxExpected = 60 * 24 * 60

// Missed returns the expected runs of (from, now] that did not come. next returns the first expected time after a moment, and the zero time
// when there is none any more: it knows of time zones and of clocks that change, this function does not.
//
// A run belongs to the expected time that is nearest to when it began; an expected time without a run is missed half an interval after it, so
// that the last run is one and a half intervals old then. Intervals are those between expected times, each its own.
func Missed(next func(time.Time) time.Time, runs []time.Time, from, now time.Time) ([]time.Time, error) {
	sorted := slices.SortedFunc(slices.Values(runs), time.Time.Compare)
	var missed []time.Time
	begin := from // of what belongs to the expected time
	at := next(from)
	for n := 0; !at.IsZero() && !at.After(now); n++ {
		after := next(at)
		if !at.After(begin) && n == 0 || !after.IsZero() && !after.After(at) || n == maxExpected {
			return nil, ErrSchedule
		}
		if after.IsZero() { // the last one: nothing says for how long it may be late
			break
		}
		end := at.Add(after.Sub(at) / 2)
		if !end.Before(now) { // it may still come
			break
		}
		i, _ := slices.BinarySearchFunc(sorted, begin, time.Time.Compare)
		if i == len(sorted) || !sorted[i].Before(end) {
			missed = append(missed, at)
		}
		begin, at = end, after
	}
	return missed, nil
}

// A Turn is an expected run. It is missed when none has begun by Until, half an interval after At.
type Turn struct{ At, Until time.Time }

// Turns returns the n expected runs after the one that a run which began at last belongs to, by the rule of Missed; fewer when there are no more,
// or when they cannot be told. interval is the longest between two of them, on the wall.
func Turns(next func(time.Time) time.Time, interval time.Duration, last time.Time, n int) []Turn {
	const clocks = 2 * time.Hour // more than clocks are changed by
	var out []Turn
	at := next(last.Add(-2*interval - clocks))
	for range maxExpected {
		after := next(at)
		if at.IsZero() || !after.After(at) || len(out) == n {
			break
		}
		if until := at.Add(after.Sub(at) / 2); until.After(last) {
			out = append(out, Turn{at, until})
			if len(out) == 1 { // its own
				n++
			}
		}
		at = after
	}
	return out[min(1, len(out)):]
}
