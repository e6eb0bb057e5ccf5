package drill

import (
	"testing"
	"time"

	"savepoint/verify"
)

// TestStopwatchAsleep has the machine sleep in the middle: the time passes for who waits, though the monotonic clock stands still.
func TestStopwatchAsleep(t *testing.T) {
	now, slept := time.Now(), 5*time.Hour
	w := newStopwatch(func() time.Time { return now }, func() time.Duration { return slept })
	now, slept = now.Add(time.Second), slept-time.Microsecond // as two clocks are read one after the other
	w.lap("open")
	now, slept = now.Add(time.Second), slept+time.Minute
	w.lap("transfer")
	var r verify.Recovery
	w.fill(&r)
	if r.Seconds < 61.8 || r.Seconds > 62 || r.Phases[0].Seconds != 1 || w.since() < 61*time.Second {
		t.Errorf("%+v, %v", r, w.since())
	}
}
