package when

import (
	"strconv"
	"strings"
	"time"
)

// maxAge bounds an age, so that it cannot overflow a time.Duration.
const maxAge = 200 * 365 * 24 * time.Hour

// A wall is a date and time as a clock on the wall shows it. It is kept as the
// moment at which a clock in UTC shows the same.
type wall struct{ utc time.Time }

func (w wall) String() string { return w.utc.Format("2006-01-02 15:04:05.999999999") }

// parseRFC3339 accepts what RFC 3339 does: also a space for the T and small
// letters.
func parseRFC3339(s string) (time.Time, bool) {
	s = strings.ToUpper(s)
	if len(s) > 10 && s[10] == ' ' {
		s = s[:10] + "T" + s[11:]
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

// parseDateTime reads a local date with or without a time.
func parseDateTime(s string) (wall, bool) {
	for _, layout := range []string{
		"2006-01-02", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02T15:04:05",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return wall{t}, true
		}
	}
	return wall{}, false
}

// parseDay reads "today" and "yesterday", alone (00:00) or with a clock time.
func parseDay(s string, now time.Time) (wall, bool) {
	day, clock, timed := strings.Cut(s, " ")
	back := 0
	switch strings.ToLower(day) {
	case "today":
	case "yesterday":
		back = -1
	default:
		return wall{}, false
	}
	var at time.Duration
	if timed {
		var ok bool
		if at, ok = parseClock(clock); !ok {
			return wall{}, false
		}
	}
	return on(now, back, at), true
}

// parseClock reads a time of day as the time since midnight.
func parseClock(s string) (time.Duration, bool) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Sub(t.Truncate(24 * time.Hour)), true
		}
	}
	return 0, false
}

// on returns the wall time clock on the day of now, or days after it.
func on(now time.Time, days int, clock time.Duration) wall {
	y, m, d := now.Date()
	return wall{time.Date(y, m, d+days, 0, 0, 0, 0, time.UTC).Add(clock)}
}

// ParseAge reads a length of time as Parse reads an age: 90m, 2h, 3d12h, 1w. What is none is a *SyntaxError.
func ParseAge(s string) (time.Duration, error) {
	age, ok, err := parseAge(s)
	if err == nil && !ok {
		err = &SyntaxError{Text: s, Reason: "an age is wanted"}
	}
	return age, err
}

// parseAge reads numbers with units from weeks to seconds, the larger first.
// It reports false if s does not look like an age at all; an error says that
// it does, and is none.
func parseAge(s string) (age time.Duration, ok bool, err error) {
	const order = "wdhms"
	units := []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}
	if s == "" || strings.Trim(s, "0123456789"+order) != "" || s[0] > '9' || s[len(s)-1] <= '9' {
		return 0, false, nil
	}
	largest := 0
	for rest := s; rest != ""; {
		digits := strings.IndexAny(rest, order)
		unit := strings.IndexByte(order, rest[digits])
		if digits == 0 || unit < largest {
			return 0, true, &SyntaxError{Text: s, Reason: "an age counts each of w, d, h, m and s once, in this order"}
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil || n > int64((maxAge-age)/units[unit]) {
			return 0, true, &SyntaxError{Text: s, Reason: "an age is at most 200 years"}
		}
		age += time.Duration(n) * units[unit]
		largest, rest = unit+1, rest[digits+1:]
	}
	return age, true, nil
}
