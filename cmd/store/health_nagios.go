package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"savepoint/verify/health"
)

// The exit codes that Nagios and what came after it want of a check.
const (
	nagiosOK       = 0
	nagiosWarning  = 1
	nagiosCritical = 2
	nagiosUnknown  = 3
)

// What Nagios reads of a check at most is 8 KiB; what is longer would lose its end.
const (
	nagiosLine    = 200 // characters of the first line, which goes into messages
	nagiosText    = 6000
	nagiosSources = 20 // of which measures are printed; of more, the worst is
	nagiosNamed   = 3  // sources in the first line, each shortened
)

// unrestorable returns the names of the sources that have no recovery point: all that they have would be lost.
func unrestorable(s *health.Status) []string {
	var out []string
	for _, x := range s.Sources {
		if x.RecoveryPoint == nil {
			out = append(out, elide(printable(x.Name()), sourceWidth))
		}
	}
	slices.Sort(out)
	return out
}

// nagiosCode returns the exit code of a check.
func nagiosCode(s *health.Status) int {
	switch severity := s.Severity(); {
	case severity == health.Critical:
		return nagiosCritical
	case s.ExitCode != exitOK: // something needs a newer program
		return nagiosUnknown
	case severity == health.Caution:
		return nagiosWarning
	}
	return nagiosOK
}

func nagiosWord(code int) string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[code]
}

// nagiosReport returns a status as a check prints it: one line with measures behind a pipe, then what needs attention, a line each.
func (a *app) nagiosReport(s *health.Status, code int) string {
	var b strings.Builder
	first := a.healthSummary(s)
	bare := unrestorable(s)
	if len(bare) > 0 {
		first += "; nothing to restore of " + strings.Join(bare[:min(nagiosNamed, len(bare))], ", ")
		if more := len(bare) - nagiosNamed; more > 0 {
			first += fmt.Sprintf(" and %d more", more)
		}
	}
	if urgent := s.Urgent(); len(urgent) > 0 && (len(bare) == 0 || urgent[0].State != health.NeverBackedUp && urgent[0].State != health.NoPoint) {
		first += "; " + printable(strings.TrimRight(urgent[0].Fact(), "."))
	}
	fmt.Fprintf(&b, "SAVEPOINT %s - %s | %s\n", nagiosWord(code), elideEnd(nagiosSafe(first), nagiosLine), strings.Join(nagiosMeasures(s), " "))
	for i, w := range s.Urgent() {
		next := w.Next
		if nagiosSafe(next) != next { // it would be another one
			next = "store health shows the command"
		}
		line := fmt.Sprintf("%s: %s: %s", w.State.Severity(), strings.TrimRight(printable(w.Message), "."), next)
		if b.Len()+len(line) > nagiosText {
			fmt.Fprintf(&b, "and %d more; store health lists them\n", len(s.Warnings)-i)
			break
		}
		fmt.Fprintln(&b, nagiosSafe(line))
	}
	return b.String()
}

// printNagios prints a status as a check and sets the exit code.
func (a *app) printNagios(s *health.Status) error {
	code := nagiosCode(s)
	a.verdict = &code
	return a.write([]byte(a.nagiosReport(s, code)), nil)
}

// nagiosFailed prints that a check could not look, and sets the exit code. A signal or an error on the way leaves nothing else on stdout.
func (a *app) nagiosFailed(err error) {
	code := nagiosUnknown
	a.verdict = &code
	if lost := a.write([]byte(nagiosFailure(oneLine(err), first(hint(err), a.storageAdvice(err)))), nil); lost != nil {
		a.warnf("%s", oneLine(err)) // it would be said nowhere
	}
}

// nagiosFailure returns what a check prints that could not look.
func nagiosFailure(message, next string) string {
	text := fmt.Sprintf("SAVEPOINT UNKNOWN - %s\n", elideEnd(nagiosSafe(printable(message)), nagiosLine))
	if utf8.RuneCountInString(message) > nagiosLine {
		text += nagiosSafe(printable(message)) + "\n"
	}
	if next != "" {
		text += nagiosSafe(next) + "\n"
	}
	return text
}

// nagiosSafe returns a text that Nagios takes for text: a pipe would begin measures, and what looks like a tag may be taken for one by the
// pages that show it.
func nagiosSafe(s string) string {
	return strings.NewReplacer("|", "¦", "<", "‹", ">", "›").Replace(s)
}

// nagiosMeasures returns the measures. What is not known has none. Ages are seconds up to now, since that is what Nagios draws.
func nagiosMeasures(s *health.Status) []string {
	out := []string{
		perf("sources", float64(len(s.Sources)), ""),
		perf("attention", float64(s.Attention()), ""),
		perf("damaged_packs", float64(len(s.Damaged)), ""),
		perf("unreadable", float64(len(s.Unreadable)), ""),
		perf("missing_reports", float64(s.Missing), ""),
	}
	age := func(t time.Time) float64 { return max(0, s.LookedAt.Sub(t).Seconds()) }
	if x, at := s.Proven(); x != nil {
		out = append(out, perf("proven_age", age(at), "s"))
	}
	sources := slices.Clone(s.Sources)
	slices.SortFunc(sources, func(a, b *health.Source) int { // the order stays: graphs go by it
		return cmp.Or(strings.Compare(a.Dataset, b.Dataset), strings.Compare(a.Host, b.Host))
	})
	exposed := 0.0
	for _, x := range sources {
		if x.RecoveryPoint == nil { // it has lost everything, since whenever it is there
			exposed = math.NaN()
			break
		}
		exposed = max(exposed, age(x.RecoveryPoint.WindowStart))
	}
	if len(sources) > 0 {
		out = append(out, perf("exposed_most", exposed, "s"))
	}
	if len(sources) > nagiosSources {
		return out
	}
	for i, x := range sources {
		name := measureName(x.Name())
		if i > 0 && name == measureName(sources[i-1].Name()) { // their names differ in what a label cannot hold
			name += " " + strconv.Itoa(i)
		}
		exposed := math.NaN()
		if x.RecoveryPoint != nil {
			exposed = age(x.RecoveryPoint.WindowStart)
		}
		out = append(out, perf("exposed "+name, exposed, "s"))
		if d := x.LastMeasured(); d != nil && d.RTO != nil {
			out = append(out, perf("rto "+name, max(0, *d.RTO), "s"))
		}
	}
	return out
}

// perf returns 'label'=value, and that it is never below 0; one that cannot be told, NaN here, is U.
func perf(label string, v float64, unit string) string {
	if strings.Contains(label, " ") {
		label = "'" + label + "'"
	}
	value := "U"
	if !math.IsNaN(v) {
		value = strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64) + unit
	}
	return label + "=" + value + ";;;0"
}

// measureName returns a name as a label can hold it.
func measureName(s string) string {
	return elide(strings.NewReplacer("'", "_", "=", "_", `"`, "_", ";", "_").Replace(nagiosSafe(printable(s))), 60)
}

// elideEnd shortens a text to a width, its end left out.
func elideEnd(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	return string(r[:width-1]) + "…"
}
