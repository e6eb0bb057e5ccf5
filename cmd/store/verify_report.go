package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"

	"savepoint/verify"
)

// What a person is shown, so that it fits on a screen: the JSON document and the report have up to a thousand of each.
const (
	shownFindings  = 4 // in full
	shownCodes     = 8 // of findings that are not
	shownSnapshots = 4
	shownPaths     = 12 // of all snapshots together
)

// printVerified prints what a verification found: the verdict, the findings, the snapshots hit, and counts.
func (a *app) printVerified(d *verify.CheckDocument) error {
	if a.g.quiet && d.ExitCode == exitOK {
		return nil
	}
	var b strings.Builder
	fmt.Fprintln(&b, verdictOf(d))
	writeFindings(&b, d)
	a.writeHits(&b, d)
	if len(d.Marked) > 0 {
		fmt.Fprintf(&b, "\nmarked as damaged, so that the next backup stores again what its source still has: %s\n", plural(len(d.Marked), "object", "objects"))
	}
	if d.NotMarked != "" {
		what := "nothing was marked as damaged"
		if len(d.Marked) > 0 {
			what = "not everything could be marked as damaged"
		}
		fmt.Fprintf(&b, "\n%s, and backups go on relying on it: %s\n", what, visible(d.NotMarked))
	}
	a.writeCounts(&b, d)
	_, err := io.WriteString(a.out, b.String())
	return err
}

// visible returns text with what a terminal would not show, or take for a command, written out. Commands in it stay as they are.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// writeFindings writes the first findings of each code in full, then how many more there are.
func writeFindings(b *strings.Builder, d *verify.CheckDocument) {
	told := map[verify.Count]uint64{}
	var shown []int
	for most := uint64(1); most <= shownFindings && len(shown) < shownFindings; most++ { // one of each code, then the second of each, ...
		for i, f := range d.Findings {
			c := verify.Count{Code: f.Code, Harm: f.Harm}
			if told[c] < most && len(shown) < shownFindings && !slices.Contains(shown, i) {
				told[c]++
				shown = append(shown, i)
			}
		}
	}
	slices.Sort(shown)
	for _, i := range shown {
		f := d.Findings[i]
		fmt.Fprintf(b, "\n%s %s: %s\n  %s\n", f.Harm, f.Code, printable(f.Object), visible(f.Message))
		if f.Snapshots > 0 {
			fmt.Fprintf(b, "  needed by %s\n", hitText(f.Snapshots, f.Files, f.AtLeast))
		}
		fmt.Fprintf(b, "  next: %s\n", visible(f.Next))
	}
	rest := 0
	for _, c := range d.ByCode {
		more := c.Count - told[verify.Count{Code: c.Code, Harm: c.Harm}]
		if more == 0 {
			continue
		}
		if rest++; rest == 1 {
			fmt.Fprintln(b)
		}
		if rest <= shownCodes {
			fmt.Fprintf(b, "and %s more: %s %s\n", humanize.Comma(int64(more)), c.Harm, c.Code)
		}
	}
	if rest > 0 {
		fmt.Fprintln(b, "verify --json lists up to 1,000 of them, and so does the report of this run")
	}
}

// hitText says how many snapshots and files are meant; atLeast: files of folders that are lost come to these.
func hitText(snapshots, files uint64, atLeast bool) string {
	if snapshots == 0 && files == 0 {
		return "no snapshot that is left"
	}
	text := plural(snapshots, "snapshot", "snapshots")
	switch {
	case files > 0 && atLeast:
		text += ", at least " + plural(files, "file", "files")
	case files > 0:
		text += ", " + plural(files, "file", "files")
	}
	return text
}

// writeCounts says what was looked at.
func (a *app) writeCounts(b *strings.Builder, d *verify.CheckDocument) {
	count := func(n uint64) string { return humanize.Comma(int64(n)) }
	s, r := d.Structure, d.ReadBack
	snapshots := plural(s.Snapshots, "snapshot", "snapshots")
	if d.Scope != nil {
		fmt.Fprintf(b, "\n%-12s%s: %s of %s, %s (%s) of %s\n", "part", visible(d.Scope.Text()), count(d.Scope.Snapshots), snapshots, count(d.Scope.Packs),
			sizeText(d.Scope.PackBytes), plural(s.Packs, "pack", "packs"))
		snapshots = plural(d.Scope.Snapshots, "snapshot", "snapshots")
	} else {
		fmt.Fprintln(b)
	}
	fmt.Fprintf(b, "%-12s%s, %s, %s in different folders\n", "looked at", snapshots, plural(s.Directories, "folder", "folders"), plural(s.Files, "file", "files"))
	fmt.Fprintf(b, "%-12s%s of data and %s of trees located by %s in %s (%s)\n", "chunks", count(s.Chunks), count(s.TreeChunks),
		plural(s.Segments, "index segment", "index segments"), plural(s.Packs, "pack", "packs"), sizeText(s.PackBytes))
	if s.Orphans > 0 {
		fmt.Fprintf(b, "%-12s%s (%s) that no index segment names\n", "besides", plural(s.Orphans, "pack", "packs"), sizeText(s.OrphanBytes))
	}
	text := "nothing now"
	if r.Packs > 0 {
		text = fmt.Sprintf("%s (%s) in %s", plural(r.Packs, "pack", "packs"), sizeText(r.Bytes), durationText(time.Duration(r.Seconds*float64(time.Second))))
	}
	switch {
	case r.Never > 0:
		text += fmt.Sprintf("; %s never", plural(r.Never, "pack", "packs"))
	case r.Oldest != nil:
		text += fmt.Sprintf("; every pack since %s", a.timeText(*r.Oldest))
	}
	fmt.Fprintf(b, "%-12s%s\n", "read back", text)
	if u := r.Budget; u != nil && u.UsedUp {
		fmt.Fprintf(b, "%-12s%s\n", "left", a.leftText(u))
	}
	fmt.Fprintf(b, "%-12s%s\n", "took", durationText(time.Duration(d.Seconds*float64(time.Second))))
}

// leftText says what a budget left unread, and since when.
func (a *app) leftText(u *verify.Budget) string {
	text := fmt.Sprintf("%s (%s) that --read-data wanted, for the budget of %s", plural(u.LeftPacks, "pack", "packs"), sizeText(u.LeftBytes), u.Limit)
	switch {
	case u.LeftNever == u.LeftPacks:
		text += "; never read back"
	case u.LeftNever > 0:
		text += fmt.Sprintf("; %s of them never read back", humanize.Comma(int64(u.LeftNever)))
	case u.LeftOldest != nil:
		text += fmt.Sprintf("; not read back since %s", a.timeText(*u.LeftOldest))
	}
	return text + ". The same command goes on there"
}
