package health

import (
	"fmt"
	"math"
	"time"

	"savepoint/internal/when"
)

// Loss returns how much would be lost, in the units of Age and with the seconds up to an hour: 40s, 3m50s, 5h20m. What is left of the last unit
// counts as a whole one, so that no loss looks smaller than it is.
func Loss(d time.Duration) string {
	up := func(unit time.Duration) time.Duration {
		if rest := d % unit; rest > 0 && d < math.MaxInt64-unit {
			return d - rest + unit
		}
		return d
	}
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return Age(d)
	case up(time.Second) < time.Hour:
		return Objective(up(time.Second))
	case up(time.Minute) < day:
		return Age(up(time.Minute))
	case up(time.Hour) < 10*day:
		return Age(up(time.Hour))
	}
	return Age(up(day))
}

// Objective returns an objective as it was set, however many units that takes: 1m30s, 1d2h5m.
func Objective(d time.Duration) string {
	text := ""
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / u.of; n > 0 {
			text += fmt.Sprintf("%d%s", n, u.name)
			d -= n * u.of
		}
	}
	if d > 0 || text == "" {
		text += d.String() // of less than a minute
	}
	return text
}

// Age returns a duration for people, in two units at most: 40s, 38m, 5h20m, 3d4h, 41d.
func Age(d time.Duration) string {
	d = max(d, 0)
	two := func(unit time.Duration, large string, part time.Duration, small string) string {
		if rest := d % unit / part; rest > 0 {
			return fmt.Sprintf("%d%s%d%s", d/unit, large, rest, small)
		}
		return fmt.Sprintf("%d%s", d/unit, large)
	}
	const day = 24 * time.Hour
	switch {
	case d > 0 && d < time.Second:
		return when.ShortSpan(d)
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < day:
		return two(time.Hour, "h", time.Minute, "m")
	case d < 10*day:
		return two(day, "d", time.Hour, "h")
	}
	return fmt.Sprintf("%dd", d/day)
}
