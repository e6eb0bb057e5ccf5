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

// daily returns what was stored on days one after the other.
func daily(bytes ...float64) []measure.Stored {
	var out []measure.Stored
	for i, b := range bytes {
		out = append(out, measure.Stored{At: noon.Add(time.Duration(i) * measure.Day), Bytes: b})
	}
	return out
}

func TestGrow(t *testing.T) {
	for name, tt := range map[string]struct {
		stored []measure.Stored
		want   *measure.Growth
	}{
		"nothing":  {nil, nil},
		"six days": {daily(0, 10, 20, 30, 40, 50), nil},
		"even": {daily(0, 10, 20, 30, 40, 50, 60),
			&measure.Growth{PerDay: 10, Low: 10, High: 10, Stored: 60, At: noon.Add(6 * measure.Day), Days: 7}},
		"one deploy is not the trend": {daily(0, 1010, 1020, 1030, 1040, 1050, 1060, 1070, 1080),
			&measure.Growth{PerDay: 10, Low: 10, High: 510, Stored: 1080, At: noon.Add(8 * measure.Day), Days: 9}},
		"it shrinks": {daily(60, 50, 40, 30, 20, 10, 0),
			&measure.Growth{PerDay: -10, Low: -10, High: -10, At: noon.Add(6 * measure.Day), Days: 7}},
		"many in one day are one": {append(daily(0, 10, 20, 30, 40, 50, 60), measure.Stored{At: noon.Add(time.Hour), Bytes: 1}, measure.Stored{At: noon.Add(2 * time.Hour), Bytes: 1e9}),
			nil},
	} {
		got := measure.Grow(tt.stored)
		if name == "many in one day are one" {
			if got == nil || got.Days != 7 {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestForecast(t *testing.T) {
	in := func(days float64) *time.Time {
		at := noon.Add(time.Duration(days * float64(measure.Day)))
		return &at
	}
	g := measure.Growth{PerDay: 10, Low: 5, High: 20, Stored: 100, At: noon}
	for name, tt := range map[string]struct {
		growth measure.Growth
		quota  float64
		want   measure.Forecast
	}{
		"some time":        {g, 200, measure.Forecast{Full: in(10), Earliest: in(5), Last: in(20)}},
		"full":             {g, 100, measure.Forecast{Full: in(0), Earliest: in(0), Last: in(0), AlreadyExceeded: true}},
		"never":            {measure.Growth{PerDay: -1, Low: -2, High: 0, Stored: 100, At: noon}, 200, measure.Forecast{}},
		"perhaps":          {measure.Growth{PerDay: 0, Low: -2, High: 10, Stored: 100, At: noon}, 200, measure.Forecast{Earliest: in(10)}},
		"in 300,000 years": {measure.Growth{PerDay: 1e-6, Low: 1e-6, High: 1e-6, Stored: 100, At: noon}, 200, measure.Forecast{}},
	} {
		if diff := cmp.Diff(tt.want, tt.growth.FullAt(tt.quota)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestGrowProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(7, 70).Draw(t, "days")
		slope := rapid.Float64Range(-1e9, 1e9).Draw(t, "slope")
		var stored []measure.Stored
		for i := range n {
			h := time.Duration(rapid.Int64Range(-int64(5*time.Hour), int64(5*time.Hour)).Draw(t, "jitter"))
			at := time.Duration(i)*measure.Day + h
			stored = append(stored, measure.Stored{At: noon.Add(at), Bytes: 1e12 + slope*at.Hours()/24})
		}
		g := measure.Grow(rapid.Permutation(stored).Draw(t, "shuffled"))
		if g == nil {
			t.Fatal("no growth")
		}
		if tolerance := 1e-6*math.Abs(slope) + 1e-3; math.Abs(g.PerDay-slope) > tolerance || g.Low > g.PerDay+tolerance || g.High < g.PerDay-tolerance {
			t.Fatalf("%v a day: %+v", slope, g)
		}
		last := slices.MaxFunc(stored, func(a, b measure.Stored) int { return a.At.Compare(b.At) })
		if !g.At.Equal(last.At) || g.Stored != last.Bytes {
			t.Fatalf("the last is %+v: %+v", last, g)
		}
	})
}
