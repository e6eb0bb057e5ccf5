package measure_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"savepoint/verify/measure"
)

// noon is when tests begin.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// at returns a time by hours after noon.
func at(hours float64) time.Time { return noon.Add(time.Duration(hours * float64(time.Hour))) }

func hours(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }

// point is one that began and was published at so many hours after noon.
func point(start, since float64) measure.Point {
	return measure.Point{Start: at(start), Since: at(since)}
}

func TestExpose(t *testing.T) {
	for name, tt := range map[string]struct {
		points    []measure.Point
		from, to  float64
		objective float64
		want      *measure.Exposure
	}{
		"no point":               {nil, 0, 9, 1, nil},
		"no point yet":           {[]measure.Point{point(10, 11)}, 0, 9, 1, nil},
		"four hundred years old": {[]measure.Point{{Start: noon.AddDate(-400, 0, 0), Since: at(1)}}, 0, 9, 1, nil},
		"an empty period":        {[]measure.Point{point(0, 1)}, 9, 9, 1, nil},
		"one, open since": {[]measure.Point{point(0, 0.5)}, 0, 4, 0,
			&measure.Exposure{From: at(0.5), Worst: hours(4), WorstAt: at(4), P99: hours(4), Open: hours(4), Gaps: 1}},
		"published less start before": {[]measure.Point{point(0, 0.5), point(1, 1.5), point(5, 6)}, 0, 7, 0,
			&measure.Exposure{From: at(0.5), Worst: hours(5), WorstAt: at(6), Closed: hours(5), P99: hours(5), Open: hours(2), Gaps: 3}},
		"the open one is the worst": {[]measure.Point{point(0, 0.5), point(1, 1.5)}, 0, 9, 0,
			&measure.Exposure{From: at(0.5), Worst: hours(8), WorstAt: at(9), Closed: hours(1.5), P99: hours(8), Open: hours(8), Gaps: 2}},
		"one that ended within the period counts in full": {[]measure.Point{point(-9, -9), point(1, 1)}, 0, 2, 0,
			&measure.Exposure{From: at(0), Worst: hours(10), WorstAt: at(1), Closed: hours(10), P99: hours(10), Open: hours(1), Gaps: 2}},
		"one that ended before does not": {[]measure.Point{point(-9, -9), point(-2, -1), point(1, 1)}, 0, 2, 0,
			&measure.Exposure{From: at(0), Worst: hours(3), WorstAt: at(1), Closed: hours(3), P99: hours(3), Open: hours(1), Gaps: 2}},
		"older data helps nobody": {[]measure.Point{point(0, 0), point(4, 4), point(1, 5)}, 0, 6, 0,
			&measure.Exposure{From: at(0), Worst: hours(4), WorstAt: at(4), Closed: hours(4), P99: hours(4), Open: hours(2), Gaps: 2}},
		"breaches": {[]measure.Point{point(0, 0), point(1, 1), point(4, 4), point(5, 5), point(8, 8.5)}, 0, 12, 2,
			&measure.Exposure{From: at(0), Worst: hours(4), WorstAt: at(12), Closed: hours(3.5), P99: hours(4), Open: hours(4), Gaps: 5, Breaches: 3, Breached: hours(1 + 1.5 + 2)}},
		"a backup that takes longer than the objective ends no breach": {[]measure.Point{point(0, 0), point(1, 4), point(5, 8)}, 0, 8, 2,
			&measure.Exposure{From: at(0), Worst: hours(7), WorstAt: at(8), Closed: hours(7), P99: hours(7), Open: hours(3), Gaps: 3, Breaches: 1, Breached: hours(6)}},
		"clocks that went back": {[]measure.Point{point(0, 0), point(5, 4), point(9, 10)}, 0, 6, 1,
			&measure.Exposure{From: at(0), Worst: hours(6), WorstAt: at(6), P99: hours(6), Open: hours(6), Gaps: 1, Breaches: 1, Breached: hours(5), Contradicting: 2}},
		"only what contradicts itself": {[]measure.Point{point(5, 4)}, 0, 6, 1, nil},
	} {
		got := measure.Expose(tt.points, measure.Period{From: at(tt.from), To: at(tt.to), Objective: hours(tt.objective)})
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// drawPoints draws runs one after the other, as one host makes them.
func drawPoints(t *rapid.T) []measure.Point {
	var out []measure.Point
	now := noon
	for range rapid.IntRange(1, 12).Draw(t, "runs") {
		start := now.Add(time.Duration(rapid.Int64Range(0, int64(30*time.Hour)).Draw(t, "pause")))
		now = start.Add(time.Duration(rapid.Int64Range(0, int64(5*time.Hour)).Draw(t, "took")))
		out = append(out, measure.Point{Start: start, Since: now})
	}
	return out
}

func TestExposeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points := drawPoints(t)
		last := points[len(points)-1].Since
		to := last.Add(time.Duration(rapid.Int64Range(1, int64(40*time.Hour)).Draw(t, "since")))
		p := measure.Period{From: noon, To: to, Objective: hours(6)}
		all := measure.Expose(points, p)

		// The definition, word by word.
		worst := to.Sub(points[len(points)-1].Start)
		for i := range points[1:] {
			gap := points[i+1].Since.Sub(points[i].Start)
			if gap > all.Worst {
				t.Fatalf("worst is %v, and one gap is %v", all.Worst, gap)
			}
			worst = max(worst, gap)
		}
		if all.Worst != worst || worst != max(all.Closed, all.Open) || all.Contradicting != 0 || all.P99 > worst || all.Open > worst || all.Breached < 0 || (all.Breaches > 0) != (worst > hours(6)) {
			t.Fatalf("worst is %v: %+v", worst, all)
		}

		if n := len(points); n > 2 { // a run failed that was neither the first nor the last
			i := rapid.IntRange(1, n-2).Draw(t, "failed")
			without := append(append([]measure.Point{}, points[:i]...), points[i+1:]...)
			if e := measure.Expose(without, p); e.Worst < all.Worst || e.Breached < all.Breached {
				t.Fatalf("without run %d: %+v, with it %+v", i, e, all)
			}
		}
		later := p
		later.To = to.Add(time.Duration(rapid.Int64Range(0, int64(9*time.Hour)).Draw(t, "later")))
		if e := measure.Expose(points, later); e.Worst < all.Worst || e.Breached < all.Breached || e.Open < all.Open {
			t.Fatalf("at %v: %+v, at %v: %+v", later.To, e, to, all)
		}
		shuffled := rapid.Permutation(points).Draw(t, "shuffled")
		if diff := cmp.Diff(all, measure.Expose(shuffled, p)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestExposeAnything holds that nothing is ever negative, whatever clocks did.
func TestExposeAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moment := rapid.Custom(func(t *rapid.T) time.Time { return time.Unix(0, rapid.Int64().Draw(t, "moment")) })
		points := rapid.SliceOf(rapid.Custom(func(t *rapid.T) measure.Point {
			return measure.Point{Start: moment.Draw(t, "start"), Since: moment.Draw(t, "since")}
		})).Draw(t, "points")
		p := measure.Period{From: moment.Draw(t, "from"), To: moment.Draw(t, "to"), Objective: time.Hour}
		if e := measure.Expose(points, p); e != nil && min(e.Worst, e.P99, e.Open, e.Breached) < 0 {
			t.Fatalf("%+v", e)
		}
		for _, b := range measure.Granularity(points, p.To) {
			if b.Worst < 0 {
				t.Fatalf("%+v", b)
			}
		}
	})
}

func TestSetBack(t *testing.T) {
	for _, tt := range []struct {
		hours []float64
		want  float64
	}{{nil, 0}, {[]float64{1, 2, 2, 3}, 0}, {[]float64{1, 5, 3, 2, 6, 5}, 3}} {
		var times []time.Time
		for _, h := range tt.hours {
			times = append(times, at(h))
		}
		if got := measure.SetBack(times); got != hours(tt.want) {
			t.Errorf("%v: %v", tt.hours, got)
		}
	}
}

func TestVerified(t *testing.T) {
	committed := []measure.Point{point(4, 5), point(0, 1), point(8, 9)}
	check := func(read, ended float64) measure.Verification {
		return measure.Verification{ReadBack: at(read), Ended: at(ended)}
	}
	for name, tt := range map[string]struct {
		checks []measure.Verification
		want   []measure.Point
	}{
		"none":                      {nil, nil},
		"before anything":           {[]measure.Verification{check(0.5, 3)}, nil},
		"read while it was written": {[]measure.Verification{check(4.5, 7)}, []measure.Point{point(0, 7)}},
		"read at its publication":   {[]measure.Verification{check(5, 7)}, []measure.Point{point(4, 7)}},
		"a rolling one":             {[]measure.Verification{check(2, 20), check(9, 30)}, []measure.Point{point(0, 20), point(8, 30)}},
		"read after it ended":       {[]measure.Verification{check(9, 7)}, nil},
	} {
		if diff := cmp.Diff(tt.want, measure.Verified(committed, tt.checks)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestGranularity(t *testing.T) {
	day := func(d float64) measure.Point { return point(-24*d, -24*d+1) } // each took an hour
	points := []measure.Point{day(0.5), day(0.75), day(2), day(3), day(10), day(40)}
	want := []measure.Band{
		{Name: "1d", Oldest: measure.Day, Worst: hours((2-0.75)*24 + 1), Whole: true},
		{Name: "7d", Youngest: measure.Day, Oldest: 7 * measure.Day, Worst: hours(7*24 + 1), Whole: true},
		{Name: "30d", Youngest: 7 * measure.Day, Oldest: 30 * measure.Day, Worst: hours(30*24 + 1), Whole: true},
		{Name: "365d", Youngest: 30 * measure.Day, Oldest: 365 * measure.Day, Worst: hours(10 * 24)},
	}
	if diff := cmp.Diff(want, measure.Granularity(points, noon)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := measure.Granularity(points[:2], noon); len(got) != 1 || got[0].Whole {
		t.Errorf("of two of today: %+v", got)
	}
}
