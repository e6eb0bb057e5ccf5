package measure

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Point is a recovery point at one level of trust: what was written before Start is in it, and it could be relied on from Since.
//
// A point that is committed is there from its publication, a verified one from the end of the verification that had read all of it, a drilled one from the
// end of the drill.
type Point struct{ Start, Since time.Time }

// Period is what Expose looks at.
type Period struct {
	From, To  time.Time
	Objective time.Duration // 0: none
}

// Exposure is how much would have been lost within a period (the recovery point actual over it): at a moment t, t less the start of the newest
// point that there was then.
type Exposure struct {
	// From is when the first point was there, or the start of the period when that is later. What was before it is not known: there was
	// nothing to go back to.
	From time.Time
	// Worst is the largest exposure, and WorstAt when it was. For consecutive points it is since(k) - start(k-1), and the one that is still
	// open is To - start(newest).
	Worst   time.Duration
	WorstAt time.Time
	Closed  time.Duration // the largest that has ended in a new point; 0 when none has
	P99     time.Duration // of the exposures that ended in a new point, and of the open one, by nearest rank
	Open    time.Duration // at the end of the period
	Gaps    int           // of how many exposures this is
	// Breaches are how many times the objective was exceeded, and Breached for how long in all. Both are 0 without an objective.
	Breaches int
	Breached time.Duration
	// Contradicting are points that were relied on before they began, or that lie after the period's end: a clock was set back. They do not count.
	Contradicting int
}

// Expose returns the exposure within a period; nil when there was no point before its end. Points may come in any order. Those of older data
// than what there was already change nothing: going back to them would lose more.
//
// Adding a point never makes Worst larger unless it makes From earlier; leaving out one, as a failed run does, never makes it smaller; it
// never falls while To grows. It is the definition of DESIGN 10 and of "exposure" in the docs.
func Expose(points []Point, p Period) *Exposure {
	e := &Exposure{}
	steps := e.steps(points, p.To)
	if len(steps) == 0 || !p.From.Before(p.To) {
		return nil
	}
	e.From = later(steps[0].Since, p.From)
	var peaks []time.Duration
	var exceeded time.Time // until when the objective was exceeded last
	for i, s := range steps {
		until := p.To
		if i+1 < len(steps) {
			until = steps[i+1].Since
		}
		if until.Before(e.From) { // it ended before the period
			continue
		}
		peak := until.Sub(s.Start)
		peaks = append(peaks, peak)
		if peak >= e.Worst {
			e.Worst, e.WorstAt = peak, until
		}
		if i+1 < len(steps) {
			e.Closed = max(e.Closed, peak)
		}
		if p.Objective > 0 && peak > p.Objective {
			from := later(later(s.Start.Add(p.Objective), s.Since), e.From)
			if until.After(from) && (e.Breaches == 0 || !from.Equal(exceeded)) {
				e.Breaches++
			}
			e.Breached += until.Sub(from)
			exceeded = until
		}
		e.Open = peak
	}
	slices.Sort(peaks)
	e.Gaps, e.P99 = len(peaks), quantile(peaks, 0.99)
	return e
}

// steps returns the points that each made things better, in order of time.
func (e *Exposure) steps(points []Point, to time.Time) []Point {
	sorted := make([]Point, 0, len(points))
	for _, x := range points {
		if x.Since.Before(x.Start) || x.Since.After(to) || tooFar(x.Start, to) {
			e.Contradicting++
			continue
		}
		sorted = append(sorted, x)
	}
	slices.SortFunc(sorted, func(a, b Point) int { return cmp.Or(a.Since.Compare(b.Since), a.Start.Compare(b.Start)) })
	steps := sorted[:0]
	for _, x := range sorted {
		if n := len(steps); n == 0 || x.Start.After(steps[n-1].Start) {
			steps = append(steps, x)
		}
	}
	return steps
}

// tooFar reports whether a duration cannot hold what lies between two times.
func tooFar(a, b time.Time) bool { return b.Sub(a) == math.MaxInt64 }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// SetBack returns by how much a clock was set back between runs that are in the order in which they were made, at most; 0 when each was
// published no earlier than all before it.
func SetBack(published []time.Time) time.Duration {
	var last time.Time
	var most time.Duration
	for i, t := range published {
		if i > 0 {
			most = max(most, last.Sub(t))
		}
		if i == 0 || t.After(last) {
			last = t
		}
	}
	return most
}

// Verification is one that found nothing that harms, after which every pack had been read back: the one longest ago at ReadBack. It ended at
// Ended.
type Verification struct{ Ended, ReadBack time.Time }

// Verified returns the points that verifications made trustworthy: at the end of each, the newest committed one that had been published when the
// pack was read that was read longest ago. All its bytes were read after it was there.
func Verified(committed []Point, checks []Verification) []Point {
	sorted := slices.Clone(committed)
	slices.SortFunc(sorted, func(a, b Point) int { return a.Since.Compare(b.Since) })
	newest := make([]time.Time, len(sorted)) // start of the newest of those up to here
	for i, p := range sorted {
		newest[i] = p.Start
		if i > 0 {
			newest[i] = later(newest[i-1], p.Start)
		}
	}
	var out []Point
	for _, c := range checks {
		n, _ := slices.BinarySearchFunc(sorted, c.ReadBack, func(p Point, t time.Time) int {
			if p.Since.After(t) {
				return 1
			}
			return -1
		})
		if n > 0 && !c.ReadBack.After(c.Ended) {
			out = append(out, Point{newest[n-1], c.Ended})
		}
	}
	return out
}

// Band is what retention leaves within a range of ages.
type Band struct {
	Name     string
	Youngest time.Duration // from this age
	Oldest   time.Duration // to this one
	Worst    time.Duration // the largest loss when going back to any moment of the band
	Whole    bool          // there are points back to its oldest age
}

// Granularity returns, for the snapshots that are still there, what going back to a moment of the past would lose at most: from the start of
// the newest snapshot whose window had ended by then. Since of a point is the end of its window here. A band into which nothing reaches is
// left out; one that is reached in part counts in part.
func Granularity(points []Point, now time.Time) []Band {
	var out []Band
	youngest := time.Duration(0)
	for _, b := range []Band{{Name: "1d", Oldest: Day}, {Name: "7d", Oldest: 7 * Day}, {Name: "30d", Oldest: 30 * Day}, {Name: "365d", Oldest: 365 * Day}} {
		b.Youngest, youngest = youngest, b.Oldest
		from := now.Add(-b.Oldest)
		if e := Expose(points, Period{From: from, To: now.Add(-b.Youngest)}); e != nil {
			b.Worst, b.Whole = e.Worst, !e.From.After(from)
			out = append(out, b)
		}
	}
	return out
}
