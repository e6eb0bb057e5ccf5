package health_test

import (
	"math"
	"testing"
	"time"

	"savepoint/verify/health"
)

// TestLoss holds that no loss looks smaller than it is.
func TestLoss(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		0: "0s", -time.Second: "0s", 400 * time.Millisecond: "400ms", 40 * time.Second: "40s", 40*time.Second + 1: "41s", time.Minute: "1m", 3*time.Minute + 50*time.Second: "3m50s",
		time.Hour - 1: "1h", time.Hour: "1h", time.Hour + time.Second: "1h1m", 5*time.Hour + 20*time.Minute: "5h20m", day - 1: "1d", day + time.Minute: "1d1h",
		10*day - 1: "10d", 10 * day: "10d", 10*day + 1: "11d", math.MaxInt64: "106751d",
	} {
		if got := health.Loss(d); got != want {
			t.Errorf("%v: %s, not %s", d, got, want)
		}
	}
}

// TestObjective holds that an objective is shown as it was set.
func TestObjective(t *testing.T) {
	for d, want := range map[time.Duration]string{
		90 * time.Second: "1m30s", 24 * time.Hour: "1d", 26*time.Hour + 5*time.Minute: "1d2h5m", 1500 * time.Millisecond: "1.5s", 0: "0s",
	} {
		if got := health.Objective(d); got != want {
			t.Errorf("%v: %s, not %s", d, got, want)
		}
	}
}
