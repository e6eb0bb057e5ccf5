package measure_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"savepoint/verify/measure"
)

func even(every time.Duration, count int) measure.Rule {
	return measure.Rule{Shortest: every, Longest: every, Count: count}
}

func TestRetention(t *testing.T) {
	month := measure.Rule{Shortest: 28 * measure.Day, Longest: 31 * measure.Day, Count: 12}
	for name, tt := range map[string]struct {
		rules    []measure.Rule
		interval time.Duration
		want     []measure.Reach
	}{
		"none":                   {nil, time.Hour, nil},
		"the newest alone":       {[]measure.Rule{even(time.Hour, 2), even(measure.Day, 0)}, time.Hour, nil},
		"hours, days and months": {[]measure.Rule{month, even(time.Hour, 48), even(measure.Day, 30)}, time.Hour, []measure.Reach{{Back: 46 * time.Hour, Worst: 2 * time.Hour}, {Back: 28 * measure.Day, Worst: 25 * time.Hour}, {Back: 280 * measure.Day, Worst: 31*measure.Day + time.Hour}}},
		"not known how often":    {[]measure.Rule{even(measure.Day, 8)}, 0, []measure.Reach{{Back: 6 * measure.Day, Worst: 2 * measure.Day}}},
		"rarer than the periods": {[]measure.Rule{even(time.Hour, 48)}, measure.Day, []measure.Reach{{Back: 46 * time.Hour, Worst: 25 * time.Hour}}},
		"days that add nothing":  {[]measure.Rule{even(time.Hour, 1000), even(measure.Day, 30)}, time.Minute, []measure.Reach{{Back: 998 * time.Hour, Worst: time.Hour + time.Minute}}},
		"for ever":               {[]measure.Rule{even(365*measure.Day, 1_000_000)}, time.Hour, []measure.Reach{{Back: 100 * 365 * measure.Day, Worst: 365*measure.Day + time.Hour}}},
	} {
		if diff := cmp.Diff(tt.want, measure.Retention(tt.rules, tt.interval)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// TestRetentionKeeps holds what is said of rules against what they leave of backups that came at intervals.
func TestRetentionKeeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := time.Duration(rapid.IntRange(60, 600).Draw(t, "minutes")) * time.Minute
		rules := []measure.Rule{even(6*time.Hour, rapid.IntRange(0, 12).Draw(t, "quarters")), even(measure.Day, rapid.IntRange(0, 12).Draw(t, "days")), even(7*measure.Day, rapid.IntRange(0, 5).Draw(t, "weeks"))}
		now := noon.Add(time.Duration(rapid.IntRange(0, 8*24*60).Draw(t, "now")) * time.Minute)
		var starts []time.Time // newest first
		for at := now; at.After(now.Add(-40 * measure.Day)); {
			at = at.Add(-time.Duration(rapid.Int64Range(int64(interval)/2, int64(interval)).Draw(t, "gap")))
			starts = append(starts, at)
		}
		var kept []measure.Point
		for _, r := range rules {
			last, left := time.Time{}, r.Count
			for _, s := range starts {
				if p := s.Truncate(r.Shortest); left > 0 && !p.Equal(last) {
					kept, last, left = append(kept, measure.Point{Start: s, Since: s}), p, left-1
				}
			}
		}
		for _, r := range measure.Retention(rules, interval) {
			e := measure.Expose(kept, measure.Period{From: now.Add(-r.Back), To: now})
			if e == nil || e.From.After(now.Add(-r.Back)) || e.Worst > r.Worst {
				t.Fatalf("up to %v: %+v, said was %v", r.Back, e, r.Worst)
			}
		}
	})
}
