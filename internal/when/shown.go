package when

import (
	"fmt"
	"strings"
	"time"
)

// People are shown, and tell, whole seconds; what is measured is finer. One rule keeps that from making anything look better than it is: a
// recovery point is never shown later than it is, an incident never earlier, and an incident that is told in whole seconds was at the end of its
// second. So a point that is shown and given back as an incident finds what it was shown of.

// Point returns the whole second that is shown of a recovery point: the last one at or before it.
func Point(t time.Time) time.Time { return t.Add(-time.Duration(t.Nanosecond())) }

// Incident returns the whole second that is shown of an incident: the first one at or after it, and the one that was told of what Told returned.
func Incident(t time.Time) time.Time {
	p := Point(t)
	if p.Equal(t) || t.Equal(Told(p)) {
		return p
	}
	return p.Add(time.Second)
}

// Told returns the moment that is meant by an incident: the end of the second when it was told in whole seconds, else what was told.
func Told(t time.Time) time.Time {
	if t.Nanosecond() != 0 {
		return t
	}
	return t.Add(time.Second - 1)
}

// Span returns a measured time as people read it: 420 ms, 4.2 s, 38 min 5 s, 3 d 4 h. What is more than nothing is never shown as nothing.
func Span(d time.Duration) string {
	switch {
	case d > 0 && d < time.Millisecond:
		return "under 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	}
	units := []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.of {
			continue
		}
		text := fmt.Sprintf("%d %s", d/u.of, u.name)
		if rest := d % u.of / units[i+1].of; rest > 0 {
			text += fmt.Sprintf(" %d %s", rest, units[i+1].name)
		}
		return text
	}
	return d.String()
}

// ShortSpan returns a time of less than a second as Span does, and as narrow as a table has it: 420ms.
func ShortSpan(d time.Duration) string {
	text, number := strings.CutPrefix(Span(d), "under ")
	text = strings.ReplaceAll(text, " ", "")
	if number {
		text = "under " + text
	}
	return text
}
