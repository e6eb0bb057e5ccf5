package when_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"savepoint/internal/when"
)

// TestShown is a property of every moment: a point is not shown later than it is, an incident not earlier, neither by a second or more; and what is
// shown of a point, told as an incident, is no moment before it, and is shown as it was told.
func TestShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nanos := rapid.OneOf(rapid.Int64Range(0, 999_999_999), rapid.SampledFrom([]int64{0, 1, 999_999_998, 999_999_999})).Draw(t, "nanos")
		at := time.Unix(rapid.Int64Range(-1e10, 1e10).Draw(t, "seconds"), nanos)
		point, incident := when.Point(at), when.Incident(at)
		if point.Nanosecond() != 0 || point.After(at) || at.Sub(point) >= time.Second {
			t.Errorf("a point at %v is shown as %v", at, point)
		}
		early := incident.Before(at) && nanos != 999_999_999 // which is how a whole second is told
		if incident.Nanosecond() != 0 || early || incident.Sub(at).Abs() >= time.Second {
			t.Errorf("an incident at %v is shown as %v", at, incident)
		}
		told := when.Told(point)
		if told.Before(at) || told.Sub(point) >= time.Second || !when.Incident(told).Equal(point) {
			t.Errorf("a point at %v, told as an incident, is %v", at, told)
		}
		if nanos != 0 && !when.Told(at).Equal(at) {
			t.Errorf("%v was told as it is, and is %v", at, when.Told(at))
		}
	})
}

// TestSpan holds that no span looks like nothing.
func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		0: {"0 ms", "0ms"}, 1: {"under 1 ms", "under 1ms"}, 999 * time.Microsecond: {"under 1 ms", "under 1ms"}, time.Millisecond: {"1 ms", "1ms"},
		420 * time.Millisecond: {"420 ms", "420ms"}, 4290 * time.Millisecond: {"4.2 s", "4.2s"}, 76 * time.Hour: {"3 d 4 h", "3d4h"}, 2285 * time.Second: {"38 min 5 s", "38min5s"},
	} {
		if got := [2]string{when.Span(d), when.ShortSpan(d)}; got != want {
			t.Errorf("%v is shown as %q, want %q", d, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(1, 1e18).Draw(t, "span"))
		if text := when.Span(d); text[0] == '0' {
			t.Errorf("%d ns are shown as %q", d, text)
		}
	})
}
