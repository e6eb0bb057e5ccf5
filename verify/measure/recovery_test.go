package measure_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"savepoint/verify/measure"
)

func TestTotal(t *testing.T) {
	if got := measure.Total(time.Hour, nil); got != nil {
		t.Errorf("without what is assumed: %v, which is not known", *got)
	}
	if got := measure.Total(time.Hour, &measure.Assumed{}); got == nil || *got != time.Hour {
		t.Errorf("when nothing else takes time: %v", got)
	}
	a := measure.Assumed{Detect: time.Minute, Decide: 2 * time.Minute, Cutover: 4 * time.Minute}
	if got := measure.Total(time.Hour, &a); got == nil || *got != 67*time.Minute {
		t.Errorf("in all: %v", got)
	}
	a.Decide = -time.Minute
	if got := measure.Total(time.Hour, &a); got != nil {
		t.Errorf("with a time below zero: %v", *got)
	}
}

func TestCover(t *testing.T) {
	drill := func(h float64, bytes, since uint64, probe bool) measure.Restored {
		return measure.Restored{At: at(h), Bytes: bytes, Since: since, Probe: probe}
	}
	for name, tt := range map[string]struct {
		drills []measure.Restored
		want   measure.Coverage
	}{
		"none":                     {nil, measure.Coverage{Live: 100}},
		"all":                      {[]measure.Restored{drill(1, 100, 0, false)}, measure.Coverage{Live: 100, Restored: 100, Probed: 0}},
		"all, and a probe":         {[]measure.Restored{drill(1, 100, 0, true)}, measure.Coverage{Live: 100, Restored: 100, Probed: 100}},
		"of more than there is":    {[]measure.Restored{drill(1, 1000, 0, true)}, measure.Coverage{Live: 100, Restored: 100, Probed: 100}},
		"much is new since":        {[]measure.Restored{drill(1, 100, 70, true)}, measure.Coverage{Live: 100, Restored: 30, Probed: 30}},
		"all is new since":         {[]measure.Restored{drill(1, 100, 700, true)}, measure.Coverage{Live: 100, Restored: 0, Probed: 0}},
		"too long ago":             {[]measure.Restored{drill(-1, 100, 0, true)}, measure.Coverage{Live: 100, Restored: 0, Probed: 0}},
		"they are not added up":    {[]measure.Restored{drill(1, 60, 0, false), drill(2, 60, 0, true)}, measure.Coverage{Live: 100, Restored: 60, Probed: 60}},
		"the probe was in a small": {[]measure.Restored{drill(1, 90, 0, false), drill(2, 20, 0, true)}, measure.Coverage{Live: 100, Restored: 90, Probed: 20}},
	} {
		if diff := cmp.Diff(tt.want, measure.Cover(100, tt.drills, noon)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
	both := measure.Coverage{Live: 100, Restored: 50, Probed: 0}.Plus(measure.Coverage{Live: 300, Restored: 50, Probed: 50})
	if r, p, ok := both.Ratios(); !ok || r != 0.25 || p != 0.125 {
		t.Errorf("together: %v, %v, %v", r, p, ok)
	}
	if _, _, ok := (measure.Coverage{}).Ratios(); ok {
		t.Error("nothing has a share")
	}
	if c := (measure.Coverage{Live: math.MaxUint64}).Plus(measure.Coverage{Live: 9}); c.Live != math.MaxUint64 {
		t.Errorf("too much: %+v", c)
	}
}

func TestReadRatio(t *testing.T) {
	days := []measure.ReadDay{{At: at(3), Bytes: 10}, {At: at(0), Bytes: 20}, {At: at(-2), Bytes: 30}}
	for _, tt := range []struct {
		days []measure.ReadDay
		all  uint64
		want float64
	}{{nil, 100, 0}, {days, 100, 0.3}, {days[2:], 100, 0}, {days, 20, 1}, {[]measure.ReadDay{{At: at(1), Bytes: math.MaxUint64}, {At: at(1), Bytes: 5}}, math.MaxUint64, 1}} {
		if got, ok := measure.ReadRatio(tt.days, tt.all, noon); !ok || got != tt.want {
			t.Errorf("of %d, %+v: %v, %v, want %v", tt.all, tt.days, got, ok, tt.want)
		}
	}
	if got, ok := measure.ReadRatio(days, 0, noon); ok {
		t.Errorf("of nothing: %v", got)
	}
}

func TestMissed(t *testing.T) {
	hourly := func(t time.Time) time.Time { return t.Truncate(time.Hour).Add(time.Hour) }
	nightly := func(t time.Time) time.Time {
		if n := t.Truncate(measure.Day).Add(3 * time.Hour); n.After(t) {
			return n
		}
		return t.Truncate(measure.Day).Add(27 * time.Hour)
	}
	for name, tt := range map[string]struct {
		next func(time.Time) time.Time
		runs []float64
		now  float64
		want []float64
	}{
		"none came":                    {hourly, nil, 3.6, []float64{1, 2, 3}},
		"all came":                     {hourly, []float64{1, 2.01, 3.2}, 3.6, nil},
		"the last may still come":      {hourly, []float64{1, 2}, 3.5, nil},
		"and then not":                 {hourly, []float64{1, 2}, 3.51, []float64{3}},
		"a late one is of its own":     {hourly, []float64{1, 2.49, 4}, 4.6, []float64{3}},
		"a later one is of the next":   {hourly, []float64{1, 2.51, 4}, 4.6, []float64{2}},
		"two of one time are one":      {hourly, []float64{1, 1.1, 1.2}, 2.6, []float64{2}},
		"by hand, a little before":     {hourly, []float64{0.9, 1.9}, 2.6, nil},
		"nightly, and two nights went": {nightly, []float64{15}, 15 + 24*2 + 13, []float64{15 + 24, 15 + 48}},
		"in any order":                 {hourly, []float64{3, 1}, 3.6, []float64{2}},
	} {
		var runs, want []time.Time
		for _, h := range tt.runs {
			runs = append(runs, at(h))
		}
		for _, h := range tt.want {
			want = append(want, at(h))
		}
		got, err := measure.Missed(tt.next, runs, noon, at(tt.now))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
	still := func(t time.Time) time.Time { return t }
	back := func(t time.Time) time.Time { return noon.Add(time.Hour) }
	every := func(t time.Time) time.Time { return t.Add(time.Nanosecond) }
	for name, next := range map[string]func(time.Time) time.Time{"stands still": still, "goes back": back, "never ends": every} {
		if got, err := measure.Missed(next, nil, noon, at(9)); err != measure.ErrSchedule {
			t.Errorf("a schedule that %s: %v, %v", name, got, err)
		}
	}
	never := func(time.Time) time.Time { return time.Time{} }
	if got, err := measure.Missed(never, nil, noon, at(9)); err != nil || got != nil {
		t.Errorf("a schedule without runs: %v, %v", got, err)
	}
}

// TestMissedClocks runs at 02:30 in a zone whose clocks skip and repeat that hour, and hourly: every run came.
func TestMissedClocks(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	daily := func(t time.Time) time.Time {
		t = t.In(berlin)
		for d := 0; ; d++ {
			if n := time.Date(t.Year(), t.Month(), t.Day()+d, 2, 30, 0, 0, berlin); n.After(t) {
				return n
			}
		}
	}
	for _, from := range []time.Time{time.Date(2026, 3, 26, 12, 0, 0, 0, berlin), time.Date(2026, 10, 22, 12, 0, 0, 0, berlin)} {
		now := from.AddDate(0, 0, 6)
		var runs []time.Time
		for r := daily(from); r.Before(now); r = daily(r) {
			runs = append(runs, r.Add(20*time.Minute))
		}
		if got, err := measure.Missed(daily, runs, from, now); err != nil || len(got) > 0 || len(runs) != 6 {
			t.Errorf("from %v: %v of %d, %v", from, got, len(runs), err)
		}
		if got, err := measure.Missed(daily, append(runs[:2:2], runs[3:]...), from, now); err != nil || len(got) != 1 || !got[0].Equal(runs[2].Add(-20*time.Minute)) {
			t.Errorf("from %v, without one: %v, %v", from, got, err)
		}
	}
}

// TestMissedProperties leaves out runs, and finds these.
func TestMissedProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var expected []time.Time
		now := noon
		for range rapid.IntRange(2, 20).Draw(t, "expected") {
			now = now.Add(time.Duration(rapid.Int64Range(int64(time.Minute), int64(50*time.Hour)).Draw(t, "interval")))
			expected = append(expected, now)
		}
		next := func(t time.Time) time.Time {
			for _, e := range expected {
				if e.After(t) {
					return e
				}
			}
			return time.Time{}
		}
		var runs, want []time.Time
		for i, e := range expected[:len(expected)-1] {
			half := int64(expected[i+1].Sub(e)/2) - 1
			if rapid.Bool().Draw(t, "came") {
				runs = append(runs, e.Add(time.Duration(rapid.Int64Range(0, half).Draw(t, "late"))))
			} else {
				want = append(want, e)
			}
		}
		got, err := measure.Missed(next, runs, noon, now)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("%v (-want +got)\n%s", err, diff)
		}
		// What is expected after the last run is what Missed finds after it, and only then.
		if len(runs) == 0 {
			return
		}
		last := runs[len(runs)-1]
		late := slices.DeleteFunc(slices.Clone(want), func(t time.Time) bool { return t.Before(last) })
		turns := measure.Turns(next, 50*time.Hour, last, len(expected))
		for i, m := range late {
			if !turns[i].At.Equal(m) || turns[i].Until.After(now) {
				t.Fatalf("turn %d: %v, missed %v", i, turns[i], m)
			}
		}
		if len(turns) > len(late) && turns[len(late)].Until.Before(now) {
			t.Fatalf("%v is not missed", turns[len(late)])
		}
	})
}
