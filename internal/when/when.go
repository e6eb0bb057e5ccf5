// Package when reads and prints the moments that an operator types: the T of
// `--at T`.
//
// It refuses to guess. A local time that the clocks show twice in a year, or
// skip, is an error that carries the moments it could mean.
package when

import (
	"fmt"
	"strings"
	"time"
)

// forms lists what Parse accepts, for messages.
const forms = `2026-11-20T01:41:00Z (RFC 3339), 2026-11-20 or 2026-11-20 02:41[:30] (local), ` +
	`02:41[:30] (the last time it passed), yesterday 18:00, today 09:00, now, or an age: 90m, 2h, 3d12h, 1w`

// SyntaxError says that a text is none of the accepted forms.
type SyntaxError struct {
	Text   string // as given
	Reason string // what is wrong with it, if more is known than that no form fits
}

// Error names the text and lists the accepted forms.
func (e *SyntaxError) Error() string {
	if e.Reason != "" {
		return fmt.Sprintf("%q is not a time: %s; use %s", e.Text, e.Reason, forms)
	}
	return fmt.Sprintf("%q is not a time; use %s", e.Text, forms)
}

// AmbiguousError says that a local time names no single moment, because the
// clocks were put back over it (it occurs twice) or forward (never).
type AmbiguousError struct {
	Local      string      // the local date and time
	Zone       string      // name of the time zone
	Never      bool        // the clocks skip it; else they show it more than once
	Candidates []time.Time // the moments it could mean, in UTC, ascending
}

// Error names the candidates in a form that Parse accepts.
func (e *AmbiguousError) Error() string {
	said := make([]string, len(e.Candidates))
	for i, c := range e.Candidates {
		said[i] = c.Format(time.RFC3339Nano)
	}
	how := "occurs twice"
	if e.Never {
		how = "never occurs"
	}
	return fmt.Sprintf("%s %s in %s, where the clocks change: say which moment is meant: %s",
		e.Local, how, e.Zone, strings.Join(said, " or "))
}

// Parse reads a moment. Local forms are in loc (nil is UTC); now is what ages,
// clock times, "today" and "yesterday" count from. The result is in loc.
//
// A text of no known form is a *SyntaxError, a local time that is not exactly
// one moment an *AmbiguousError.
func Parse(s string, now time.Time, loc *time.Location) (time.Time, error) {
	if loc == nil {
		loc = time.UTC
	}
	text := strings.Join(strings.Fields(s), " ")
	now = now.In(loc)
	if strings.EqualFold(text, "now") {
		return now, nil
	}
	t, err := parse(text, now, loc)
	if err != nil {
		return time.Time{}, err
	}
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return time.Time{}, &SyntaxError{Text: text, Reason: "it lies outside the years 1 to 9999"}
	}
	return t.In(loc), nil
}

func parse(text string, now time.Time, loc *time.Location) (time.Time, error) {
	if t, ok := parseRFC3339(text); ok {
		return t, nil
	}
	if d, ok, err := parseAge(text); ok {
		return now.Add(-d), err
	}
	if c, ok := parseClock(text); ok {
		return lastTime(c, now, loc)
	}
	if w, ok := parseDay(text, now); ok {
		return resolve(w, loc)
	}
	if w, ok := parseDateTime(text); ok {
		return resolve(w, loc)
	}
	return time.Time{}, &SyntaxError{Text: text}
}

// Format prints t in loc (nil is UTC), with the zone's offset and name, and in
// UTC. Both parts are forms that a person can copy; the one in UTC is accepted
// by Parse.
func Format(t time.Time, loc *time.Location) string {
	if loc == nil {
		loc = time.UTC
	}
	t = t.In(loc)
	utc := t.UTC().Format(time.RFC3339Nano)
	if loc == time.UTC {
		return t.Format("2006-01-02 15:04:05.999999999 UTC") + " (" + utc + ")"
	}
	local := t.Format("2006-01-02 15:04:05.999999999 -07:00")
	// Zones without an abbreviation of their own are named by their offset.
	if name, _ := t.Zone(); name != "" && !strings.ContainsAny(name[:1], "+-") {
		local += " " + name
	}
	return local + " (" + utc + ")"
}
