package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"savepoint/internal/when"
	"savepoint/verify"
	"savepoint/verify/drill"
)

// outcomes are what drills come to, the worst first, with the words that count them.
var outcomes = []struct{ word, counted string }{
	{string(verify.Damage), "found damage"},
	{drill.ProbeFailed, "came back and failed its probe"},
	{noSnapshot, "had no snapshot"},
	{string(verify.CouldNotRun), "could not run"},
	{unsettled, "came back and ended with an error"},
	{string(verify.Inconclusive), "could not be judged"},
	{string(verify.ObjectiveMissed), "missed an objective"},
	{string(verify.Restored), "restored without a probe"},
	{string(verify.Pass), "passed"},
}

// What is shown in the place of a verdict.
const (
	noSnapshot = "no snapshot" // of a drill that could not run: there is nothing to restore
	unsettled  = "error"       // all came back, and then the report was not stored, or the folder not removed
)

// outcome returns what a drill came to, as the table and the line below it say it.
func (d *drillsDocument) outcome(x *verify.DrillDocument) string {
	switch {
	case slices.Contains(d.none, x):
		return noSnapshot
	case x.ExitCode != exitOK && (x.Verdict == verify.Pass || x.Verdict == verify.Restored):
		return unsettled
	case x.ProbeAlone():
		return drill.ProbeFailed
	}
	return string(x.Verdict)
}

// rankOf is the place of an outcome; one that is not known comes first.
func rankOf(outcome string) int {
	for i, o := range outcomes {
		if o.word == outcome {
			return i
		}
	}
	return -1
}

// worstFirst returns the drills in the order in which somebody must act on them, those that came to the same by name.
func (d *drillsDocument) worstFirst() []*verify.DrillDocument {
	out := slices.Clone(d.Drills)
	slices.SortStableFunc(out, func(a, b *verify.DrillDocument) int {
		return cmp.Or(cmp.Compare(rankOf(d.outcome(a)), rankOf(d.outcome(b))), strings.Compare(a.Dataset, b.Dataset), strings.Compare(a.Host, b.Host))
	})
	return out
}

// drilledWidth is how many characters of a source's name the table shows, unless two would look alike.
const drilledWidth = 48

// namesListed is how many sources a line names of each outcome.
const namesListed = 5

// drillsError says which drills ended otherwise than they should.
func drillsError(d *drillsDocument) error {
	names := map[string][]string{}
	for _, x := range d.worstFirst() {
		names[d.outcome(x)] = append(names[d.outcome(x)], drilledName(x))
	}
	var what []string
	for _, o := range outcomes[:rankOf(string(verify.Restored))] {
		if all := names[o.word]; len(all) > 0 {
			listed := strings.Join(all[:min(namesListed, len(all))], ", ")
			if more := len(all) - namesListed; more > 0 {
				listed += fmt.Sprintf(" and %s more", humanize.Comma(int64(more)))
			}
			what = append(what, fmt.Sprintf("%s %s (%s)", humanize.Comma(int64(len(all))), o.counted, listed))
		}
	}
	return fmt.Errorf("of %s %s", plural(len(d.Drills), "drill", "drills"), strings.Join(what, ", "))
}

// summary counts what the drills came to, and says what decides the exit code.
func (d *drillsDocument) summary() string {
	n := map[string]int{}
	for _, x := range d.Drills {
		n[d.outcome(x)]++
	}
	var what []string
	for _, o := range slices.Backward(outcomes) {
		if n[o.word] > 0 {
			what = append(what, humanize.Comma(int64(n[o.word]))+" "+o.counted)
		}
	}
	text := plural(len(d.Drills), "drill", "drills")
	if len(d.Drills) < d.wanted {
		text += " of " + humanize.Comma(int64(d.wanted)) + ", then it was ended"
	}
	text += ": " + strings.Join(what, ", ")
	switch d.ExitCode {
	case exitDamage:
		why := "damage weighs most"
		if n[string(verify.Damage)] == 0 {
			why = "a probe that failed weighs as much as damage"
		}
		text += "; exit code 4, for " + why
	case exitFailure:
		text += "; exit code 1, for not every drill came to a result"
	case exitObjective:
		text += "; exit code 5, for an objective was missed"
	}
	return text
}

// drilledName names the source of a drill in one line.
func drilledName(x *verify.DrillDocument) string {
	if x.Host == "" {
		return printable(x.Dataset)
	}
	return printable(x.Dataset) + "@" + printable(x.Host)
}

// printDrills prints a table of what the drills came to, the worst first, which objectives the configuration gave, and what it all comes to.
func (a *app) printDrills(d *drillsDocument, said []string) error {
	if a.g.json {
		return a.printJSON(d)
	}
	t := table{header: []string{"source", "verdict", "snapshot of", "RTO", "RPO", "restored"}, right: map[int]bool{3: true, 4: true, 5: true}}
	drills := d.worstFirst()
	var names []string
	for _, x := range drills {
		names = append(names, drilledName(x))
	}
	names = shortNames(names, drilledWidth)
	for i, x := range drills {
		row := []string{names[i], d.outcome(x), "", "", "", ""}
		if x.Snapshot != "" {
			row[2], row[3], row[4], row[5] = a.timeText(when.Point(x.WindowEnd)), spanText(x.RTO.Seconds), spanText(x.RPO.Seconds), sizeText(x.Restored.Bytes)
			if !x.RTO.Judged && x.Instead == "" || x.RTO.Seconds == 0 {
				row[3] = "none" // what was measured is no RTO
			}
			if x.RPO.Seconds == 0 {
				row[4] = "none"
			}
		}
		t.add(row...)
	}
	var b strings.Builder
	if err := t.print(&b); err != nil {
		return err
	}
	for _, s := range said {
		fmt.Fprintln(&b, s)
	}
	if d.SiteRTO != nil {
		fmt.Fprintf(&b, "everything was back after %s\n", spanText(*d.SiteRTO))
	}
	fmt.Fprintln(&b, d.summary())
	return a.write([]byte(b.String()), nil)
}
