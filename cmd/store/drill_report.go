package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"

	"savepoint/internal/bytesize"
	"savepoint/internal/when"
	"savepoint/verify"
	"savepoint/verify/drill"
	"savepoint/verify/measure"
	"savepoint/verify/probe"
)

// shortList is how many entries of one kind the text lists: with two lists it still fits a screen.
const shortList = 4

// printDrill prints what a drill came to: the verdict and the figures first. What the error says, which is printed behind it, it leaves out.
func (a *app) printDrill(d *verify.DrillDocument, why error) error {
	if a.g.json {
		return a.printJSON(d)
	}
	said := ""
	if why != nil {
		said = strings.ReplaceAll(why.Error(), "\n", "; ")
	}
	head := drill.Line(d, a.zone)
	if d.Verdict == verify.CouldNotRun && len(d.Reasons) > 0 && strings.Contains(said, d.Reasons[0]) {
		whole := *d
		whole.Reasons = nil
		head = drill.Line(&whole, a.zone)
	}
	if _, err := fmt.Fprintln(a.out, head); err != nil {
		return err
	}
	if d.Snapshot != "" {
		if err := a.printFigures(a.out, d); err != nil {
			return err
		}
	}
	var b strings.Builder
	for _, r := range d.Reasons {
		if !strings.Contains(said, r) {
			fmt.Fprintln(&b, printable(r))
		}
	}
	listLostPoints(&b, d)
	listLost(&b, d)
	listDifferent(&b, d)
	if d.Kept != "" {
		fmt.Fprintf(&b, "kept: %s\n", printable(d.Kept))
		if k := d.KeptSnapshot; k != d.Snapshot && k != "" {
			what := "the newest that will do"
			if k != d.Instead {
				what = "which will not do either"
			}
			fmt.Fprintf(&b, "In it is the older snapshot %.8s, %s.\n", k, what)
		}
		fmt.Fprintf(&b, "Nothing removes it, no later drill either. When it is not needed any more: rm -rf -- %s\n", shellQuote(filepath.Dir(d.Kept)))
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

// printFigures prints the phases, the comparison and the conditions.
func (a *app) printFigures(w io.Writer, d *verify.DrillDocument) error {
	drawn := ""
	if d.RandomWithin > 0 {
		drawn = fmt.Sprintf(", drawn from the last %s", drill.AgeText(time.Duration(d.RandomWithin*float64(time.Second))))
	}
	fmt.Fprintf(w, "snapshot %s, read from %s; incident at %s%s\n", d.Snapshot[:min(8, len(d.Snapshot))], a.timeText(when.Point(d.WindowStart)), a.timeText(when.Incident(d.Incident)), drawn)
	t := table{header: []string{"phase", "time", "requests", "retries", "received"}, right: map[int]bool{1: true, 2: true, 3: true, 4: true}}
	for _, p := range d.RTO.Phases {
		t.add(p.Name, spanText(p.Seconds), humanize.Comma(int64(p.Requests)), humanize.Comma(int64(p.Retries)), sizeText(p.Received))
	}
	if err := t.print(w); err != nil {
		return err
	}
	var b strings.Builder
	r, c := d.Restored, d.Compared
	fmt.Fprintf(&b, "restored %s in %s, %s\n", plural(r.Files, "file", "files"), plural(r.Directories, "folder", "folders"), sizeText(r.Bytes))
	if c.Entries > 0 || c.DifferenceCount > 0 {
		from := "read again from disk"
		if d.Conditions.CacheDropped != verify.Yes {
			from = "read again, not all of it from disk"
		}
		fmt.Fprintf(&b, "compared %s, %s %s, in %s: %s\n", plural(c.Entries, "entry", "entries"), sizeText(c.Bytes), from, spanText(c.Seconds),
			plural(c.DifferenceCount, "difference", "differences"))
	}
	if d.Loss != nil {
		fmt.Fprintf(&b, "%s\n", lossText(d.Loss))
		listLoss(&b, d.Loss)
	}
	for _, n := range c.NotCompared {
		fmt.Fprintf(&b, "not compared: %s\n", printable(n))
	}
	printProbe(&b, d.Probe)
	if r := d.Resume; r != nil && r.Passed {
		fmt.Fprintf(&b, "backed up again: %s, %s, in %s\n", plural(r.Files, "file", "files"), sizeText(r.Bytes), spanText(r.Seconds))
	}
	if d.RTO.Total > 0 {
		fmt.Fprintf(&b, "RTO total %s, with the times that the policy assumes for noticing, deciding and switching over\n", spanText(d.RTO.Total))
	}
	if cost := a.costOf(d); cost.Known() {
		fmt.Fprintf(&b, "cost %s, by the prices of the configuration\n", cost)
	}
	fmt.Fprintf(&b, "conditions: %s\n", strings.Join(conditionTexts(d.Conditions), ", "))
	if lost := d.Conditions.NotIndependent; len(lost) > 0 && d.Verdict != verify.CouldNotRun {
		fmt.Fprintf(&b, "not proven: that it works when this host is lost, for %s would be lost with it\n", printable(strings.Join(lost, " and ")))
		if advice := keyAdvice(lost); advice != "" {
			fmt.Fprintln(&b, advice)
		}
	}
	if k := d.Kit; k != nil {
		fmt.Fprintf(&b, "recovery kit: it works, its key opened %s\n", printable(k.Slot))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// costOf returns what a drill cost that came to an end.
func (a *app) costOf(d *verify.DrillDocument) measure.Price {
	var received, requests uint64
	for _, p := range d.RTO.Phases {
		received, requests = received+p.Received, requests+p.Requests
	}
	return a.prices().Drill(received, requests)
}

func spanText(seconds float64) string {
	return drill.SpanText(time.Duration(seconds * float64(time.Second)))
}

// conditionTexts says what is worth knowing of the conditions.
func conditionTexts(c verify.Conditions) []string {
	scenario := map[string]string{drill.Cold: "cold (no cache, no index)", drill.Warm: "warm (with the cache and the index of this host)",
		drill.Site: "site (no cache, no index, everything on one host)"}[c.Scenario]
	if c.Sample != "" {
		scenario += ", a sample of " + sampleText(c.Sample)
	}
	out := []string{scenario, plural(c.CPUs, "core", "cores"), c.ScratchFS}
	for _, x := range []struct {
		holds bool
		text  string
	}{
		{c.StorageLocal == verify.Yes, "repository on this host"},
		{c.SourceHost == verify.Yes, "on the host of the source"},
		{c.Throttled == verify.Yes, "held back by --limit-download"},
		{c.Alone == verify.No, "beside another drill"},
		{!c.Root, "not as root"},
		{c.Isolation == string(probe.None), "the probe not isolated"},
	} {
		if x.holds {
			out = append(out, x.text)
		}
	}
	return out
}

// sampleText shows a part of the files as people read it: 5%, 6 MiB.
func sampleText(s string) string {
	n, err := bytesize.Parse(s)
	if err != nil {
		return printable(s)
	}
	text := bytesize.Format(n)
	unit := strings.IndexFunc(text, unicode.IsLetter)
	if unit < 0 {
		return sizeText(uint64(n))
	}
	return text[:unit] + " " + text[unit:]
}

func listLostPoints(b *strings.Builder, d *verify.DrillDocument) {
	if len(d.LostPoints) == 0 {
		return
	}
	fmt.Fprintln(b, "lost recovery points:")
	for _, p := range d.LostPoints[:min(shortList, len(d.LostPoints))] {
		fmt.Fprintf(b, "  %s, published %s\n", printable(p.Object), p.Published.UTC().Format(time.RFC3339))
	}
	more(b, uint64(len(d.LostPoints)), len(d.LostPoints))
}

func listLost(b *strings.Builder, d *verify.DrillDocument) {
	if d.DamagedCnt == 0 {
		return
	}
	fmt.Fprintln(b, "lost to damage in the repository:")
	object := "" // of the entry before
	for _, l := range d.Damaged[:min(shortList, len(d.Damaged))] {
		name := printable(l.Path)
		switch {
		case l.Path == "":
			name = printable(first(l.Object, l.Message))
		case l.Object != object:
			name += " (" + printable(first(l.Object, "not known where")) + ")"
			object = l.Object
		}
		fmt.Fprintf(b, "  %s\n", name)
	}
	more(b, d.DamagedCnt, len(d.Damaged))
}

func listDifferent(b *strings.Builder, d *verify.DrillDocument) {
	c := d.Compared
	if c.DifferenceCount == 0 {
		return
	}
	fmt.Fprintln(b, "not as backed up:")
	for _, x := range c.Differences[:min(shortList, len(c.Differences))] {
		fmt.Fprintf(b, "  %s %s\n", printable(x.Path), printable(x.What))
	}
	more(b, c.DifferenceCount, len(c.Differences))
}

// more says how many of all are not in a list.
func more(b *strings.Builder, all uint64, listed int) {
	if rest := all - uint64(min(shortList, listed)); rest > 0 {
		fmt.Fprintf(b, "  and %s more; --json lists up to %s\n", humanize.Comma(int64(rest)), humanize.Comma(verify.MaxListed))
	}
}
