package drill

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"savepoint/internal/when"
	"savepoint/verify"
)

// ProbeFailed is what is shown in the place of the verdict damage when nothing but the probe found what came back wanting.
const ProbeFailed = "probe failed"

// Line returns what a drill came to in one line. Times are shown in zone.
func Line(d *verify.DrillDocument, zone *time.Location) string {
	var b strings.Builder
	word := string(d.Verdict)
	if d.ProbeAlone() {
		word = ProbeFailed
	}
	b.WriteString(word)
	if d.Dataset != "" {
		fmt.Fprintf(&b, ": %s", sourceText(d))
	}
	if d.Snapshot != "" {
		fmt.Fprintf(&b, " of %s", when.Point(d.WindowEnd).In(zone).Format("2006-01-02 15:04:05 MST"))
	}
	switch d.Verdict {
	case verify.CouldNotRun:
		if len(d.Reasons) > 0 {
			fmt.Fprintf(&b, ": %s", Plain(d.Reasons[0]))
		}
		return b.String()
	case verify.Damage:
		var what []string
		if n := uint64(len(d.LostPoints)); n > 0 {
			what = append(what, count(n, "recovery point", "recovery points")+" lost")
		}
		if n := d.DamagedCnt; n > 0 {
			what = append(what, lostText(d))
		}
		if n := d.Compared.DifferenceCount; n > 0 {
			what = append(what, fmt.Sprintf("%d not as backed up", n))
		}
		switch {
		case d.ProbeAlone():
			what = append(what, "all came back as it was backed up")
		case probeFailed(d):
			what = append(what, "the probe failed")
		}
		if d.Loss != nil && d.Loss.DamagedCount > 0 {
			what = append(what, fmt.Sprintf("%d silently different from the source", d.Loss.DamagedCount))
		}
		fmt.Fprintf(&b, ", %s", strings.Join(what, ", "))
	}
	if d.Recovered == verify.No {
		b.WriteString("; nothing that will do was recovered, so no RTO and no RPO")
	}
	if d.RTO.Seconds > 0 && d.Snapshot != "" {
		least := ""
		if d.RPO.Since == nil {
			least = "at least "
		}
		name := "RTO"
		if !d.Conditions.Full || d.Conditions.Scenario == Warm {
			name = "no RTO, took"
		}
		fmt.Fprintf(&b, ", %s %s%s, RPO %s%s%s", name, SpanText(seconds(d.RTO.Seconds)), objectiveText(d.RTO.Objective, d.RTO.Judged, d.RTO.Met),
			least, SpanText(seconds(d.RPO.Seconds)), objectiveText(d.RPO.Objective, d.RPO.Judged, d.RPO.Met))
	}
	return b.String()
}

// lostText says what damage in the repository took.
func lostText(d *verify.DrillDocument) string {
	if d.Took == nil {
		return fmt.Sprintf("%d lost in the repository", d.DamagedCnt)
	}
	return TookText(d.Took) + " lost in the repository"
}

// TookText says how much damage took of a snapshot, as "all of it (317 files, 1.3 MiB)" or "at least 3 files, 12 B".
func TookText(t *verify.Took) string {
	text := fmt.Sprintf("%s, %s", count(t.Files, "file", "files"), sizeText(t.Bytes))
	switch {
	case t.All:
		return fmt.Sprintf("all of it (%s)", text)
	case t.AtLeast && t.Files == 0:
		return "an unknown number of files"
	case t.AtLeast:
		return "at least " + text
	case t.Files == 0:
		return "entries that are no files"
	}
	return text
}

// sourceText names the source in one line, as far as it is known.
func sourceText(d *verify.DrillDocument) string {
	name := printable(d.Dataset)
	if d.Host != "" {
		name += "@" + printable(d.Host)
	}
	return name
}

// printable quotes what would not be one line of text.
func printable(s string) string {
	if q := strconv.Quote(s); q[1:len(q)-1] != s {
		return q
	}
	return s
}

// Plain writes what would do something to a terminal as Go does, and leaves quotes, and ends of lines, as they are.
func Plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) || r == '\n' {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRune(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

func objectiveText(objective float64, judged, met bool) string {
	switch {
	case objective == 0:
		return ""
	case !judged:
		return fmt.Sprintf(" (objective %s, not judged)", AgeText(seconds(objective)))
	case !met:
		return fmt.Sprintf(" (objective %s, missed)", AgeText(seconds(objective)))
	}
	return fmt.Sprintf(" (objective %s)", AgeText(seconds(objective)))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// SpanText returns a measured time as people read it, as when.Span says.
func SpanText(d time.Duration) string { return when.Span(d) }

// AgeText returns a time as it is typed: 90s is 1m30s, 84h is 3d12h.
func AgeText(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	days := d / (24 * time.Hour)
	rest := (d % (24 * time.Hour)).String()
	if d%time.Minute == 0 {
		rest = strings.TrimSuffix(rest, "0s")
	}
	if d%time.Hour == 0 {
		rest = strings.TrimSuffix(rest, "0m")
	}
	switch {
	case days == 0:
		return rest
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", days)
	}
	return fmt.Sprintf("%dd%s", days, rest)
}

// sizeText returns bytes as people read them.
func sizeText(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/1024, 0
	for size >= 1024 && unit < 5 {
		size, unit = size/1024, unit+1
	}
	if size >= 9.95 {
		return fmt.Sprintf("%.0f %ciB", size, "KMGTPE"[unit])
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGTPE"[unit])
}
