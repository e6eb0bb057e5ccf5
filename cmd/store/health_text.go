package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"savepoint/internal/when"
	"savepoint/verify"
	"savepoint/verify/health"
)

// Widths and numbers of lines that keep the text to what a person reads.
const (
	sourceWidth    = 28
	listedWarnings = 20
)

// printHealth prints a status for people: a line that sums it up, a table of the sources, a line about verifications, then what to do, and
// last what has changed.
func (a *app) printHealth(s *health.Status) error {
	var b strings.Builder
	fmt.Fprintln(&b, a.healthSummary(s))
	if s.ExitCode == exitDamage {
		fmt.Fprint(&b, firstAct(s.Warnings))
	}
	if len(s.Sources) > 0 {
		fmt.Fprintln(&b)
	}
	t := table{header: []string{"SOURCE", "LAST BACKUP", "EXPOSED", "SIZE", "LAST DRILL", "PROVEN", "RTO", "RPO"}, right: map[int]bool{2: true, 3: true, 6: true, 7: true}}
	names := sourceNames(s.Sources)
	for i, x := range s.Sources {
		t.add(a.healthRow(s.LookedAt, x, names[i])...)
	}
	if err := t.print(&b); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n%s\n", a.verifyLine(s))
	for _, line := range append(a.notices(s), a.figureLines(s)...) {
		fmt.Fprintln(&b, line)
	}
	if len(s.Warnings) > 0 {
		fmt.Fprintln(&b)
	}
	for _, w := range s.Warnings[:min(listedWarnings, len(s.Warnings))] {
		fmt.Fprintf(&b, "%s: %s\n", strings.TrimRight(printable(w.Message), "."), w.Next)
	}
	if more := len(s.Warnings) - listedWarnings; more > 0 {
		fmt.Fprintf(&b, "and %d more; --json has all\n", more)
	}
	if lines := a.trustLines(s); len(lines) > 0 {
		fmt.Fprintf(&b, "\n%s\n", strings.Join(lines, "\n"))
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

// firstAct names the first file that damage hits, or what else is damaged, and the command to begin with; the rest comes below.
func firstAct(warnings []health.Warning) string {
	i := slices.IndexFunc(warnings, func(w health.Warning) bool { return w.State == health.Damaged && w.File != "" && len(w.Commands) > 0 })
	switch {
	case i >= 0:
		return fmt.Sprintf("act first on %s: %s\n", printable(warnings[i].File), warnings[i].Commands[0])
	case len(warnings) > 0 && len(warnings[0].Commands) > 0:
		return fmt.Sprintf("act first: %s: %s\n", strings.TrimRight(printable(warnings[0].Message), "."), warnings[0].Commands[0])
	}
	return ""
}

// healthSummary answers in one line: is all well, and when was a restore last proven.
func (a *app) healthSummary(s *health.Status) string {
	bad := 0
	var proven *health.Source
	for _, x := range s.Sources {
		if x.State != health.Good {
			bad++
		}
		if x.LastProven != nil && (proven == nil || x.LastProven.At.After(proven.LastProven.At)) {
			proven = x
		}
	}
	verdict := "ok"
	switch {
	case s.ExitCode == exitDamage && s.ProbeAlone():
		verdict = "PROBE FAILED"
	case s.ExitCode == exitDamage:
		verdict = "DAMAGE"
	case len(s.Sources) == 0:
		verdict = "nothing was backed up yet"
	case bad > 0:
		verdict = fmt.Sprintf("%d of %s needs attention", bad, plural(len(s.Sources), "source", "sources"))
		if bad > 1 {
			verdict = fmt.Sprintf("%d of %s need attention", bad, plural(len(s.Sources), "source", "sources"))
		}
	case len(s.Warnings) > 0:
		verdict = "the sources are well, the repository needs attention"
	}
	if proven == nil {
		return verdict + "; no restore was ever proven"
	}
	d := proven.LastProven
	of := ""
	if d.Of != nil {
		of = ", of " + a.timeText(when.Incident(*d.Of))
	}
	took := " in " + secondsText(d.RTO)
	if d.RTO == nil {
		took = ", its time not judged" // it was held back
	}
	return fmt.Sprintf("%s; a restore was last proven %s (%s ago): %s%s%s", verdict, a.timeText(d.At), health.Age(s.LookedAt.Sub(d.At)),
		printable(proven.Name()), took, of)
}

// sourceNames returns the names of sources as short as they fit into the table.
func sourceNames(sources []*health.Source) []string {
	names := make([]string, len(sources))
	for i, x := range sources {
		names[i] = printable(x.Name())
	}
	return shortNames(names, sourceWidth)
}

// shortNames returns names as short as they fit into a width, and no shorter than that each is another.
func shortNames(full []string, most int) []string {
	different, longest := map[string]bool{}, 0
	for _, name := range full {
		different[name], longest = true, max(longest, utf8.RuneCountInString(name))
	}
	for width := most; ; width += 4 {
		names, seen := make([]string, len(full)), map[string]bool{}
		for i, name := range full {
			names[i] = elide(name, width)
			seen[names[i]] = true
		}
		if len(seen) == len(different) || longest <= width {
			return names
		}
	}
}

func (a *app) healthRow(now time.Time, x *health.Source, name string) []string {
	row := []string{name, "never", "all", "", "never", "never", "", ""}
	if b := x.LastBackup; b != nil {
		row[1], row[3] = health.Age(now.Sub(b.Published)), sizeText(b.Bytes)
		if word := backupWord(b); word != "" {
			row[1] += ", " + word
		}
	} else if x.LastReport != nil {
		row[1] = health.Age(now.Sub(x.LastReport.At)) + ", forgotten"
		if x.LostCount > 0 {
			row[1] = health.Age(now.Sub(x.LastReport.At)) + ", lost"
		}
	}
	if x.RecoveryPoint != nil {
		row[2] = health.Loss(now.Sub(x.RecoveryPoint.WindowStart))
	}
	if d := x.LastDrill; d != nil {
		row[4] = health.Age(now.Sub(d.At)) + ", " + verdictWord(d)
		if d.Of != nil {
			row[4] += " --at"
		}
	}
	if how := x.Partly(); how != "" {
		row[5] = "restored, " + how
	}
	if d := x.LastProven; d != nil {
		row[5] = d.At.In(a.zone).Format("2006-01-02 15:04 MST")
	}
	if d := x.LastMeasured(); d != nil {
		row[6], row[7] = secondsText(d.RTO), health.Loss(time.Duration(min(*d.RPO, 1e9)*float64(time.Second)))
	}
	return row
}

// backupWord says what is wrong with a snapshot.
func backupWord(b *health.Backup) string {
	switch {
	case b.Late:
		return "late"
	case b.Suspect:
		return "suspect"
	case b.Faults > 0:
		return plural(b.Faults, "fault", "faults")
	case b.Completeness != "complete":
		return b.Completeness
	}
	return ""
}

func verdictWord(d *health.Drill) string {
	switch {
	case d.ProbeFailed:
		return string(health.ProbeFailed)
	case d.Verdict == verify.ObjectiveMissed:
		return "missed"
	case d.Sample != "" && d.Verdict == verify.Restored:
		return "a sample"
	}
	return elide(printable(string(d.Verdict)), 13)
}

func (a *app) verifyLine(s *health.Status) string {
	v := s.Verify
	parts := []string{"verify: " + levelText("structure", v.Structure, s), levelText("data", v.Data, s)}
	if v.Packs > 0 {
		text := fmt.Sprintf("%s of %s read back within 30 days", humanize.Comma(int64(v.ReadBack)), plural(v.Packs, "pack", "packs"))
		if v.Coverage != nil {
			text += ", " + shareText(*v.Coverage) + " of their bytes"
		}
		parts = append(parts, text)
	}
	switch {
	case v.Never != nil && *v.Never > 0:
		parts = append(parts, humanize.Comma(int64(*v.Never))+" never")
	case v.Oldest != nil:
		parts = append(parts, "the oldest "+health.Age(s.LookedAt.Sub(*v.Oldest))+" ago")
	}
	if s.Missing > 0 {
		parts = append(parts, plural(s.Missing, "report is", "reports are")+" gone")
	}
	if n := len(s.Damaged); n > 0 {
		parts = append(parts, plural(n, "pack", "packs")+" marked damaged")
	}
	return strings.Join(parts, "; ")
}

// levelText says when one level of verification last found the repository whole, and that damage was found since.
func levelText(name string, l health.Level, s *health.Status) string {
	age := func(t time.Time) string { return health.Age(s.LookedAt.Sub(t)) + " ago" }
	if l.Last == nil && l.LastWhole == nil {
		return name + " never"
	}
	found, since := s.FoundSince(l), ""
	switch {
	case !found.IsZero():
		since = ", and the last look, " + age(found) + ", found damage"
	case s.DamagedSince(l):
		since = ", and damage was found since"
	case l.Last.ExitCode != exitOK:
		since = ", and the last look, " + age(l.Last.At) + ", saw not all"
	}
	switch {
	case l.LastWhole == nil:
		return name + " never found whole" + since
	case since == "" && l.Last.At.Equal(*l.LastWhole):
		return name + " whole " + age(*l.LastWhole)
	}
	return name + " last whole " + age(*l.LastWhole) + since
}

// secondsText returns a measured duration with two or three digits.
func secondsText(s *float64) string {
	switch {
	case s == nil:
		return "unknown"
	case *s > 0 && *s < 1:
		return when.ShortSpan(time.Duration(*s * float64(time.Second)))
	case *s < 9.95:
		return fmt.Sprintf("%.1fs", max(*s, 0))
	case *s >= 60 && *s < 3600:
		return fmt.Sprintf("%dm%02ds", int(*s)/60, int(*s)%60)
	}
	return health.Age(time.Duration(min(*s, 1e9) * float64(time.Second)))
}

// elide shortens a text to a width, its middle left out.
func elide(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	r := []rune(s)
	head := (width - 1) / 3
	return string(r[:head]) + "…" + string(r[len(r)-(width-1-head):])
}
