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
	writeCounts(&b, d)
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
			fmt.Fprintf(b, "  needed by %s\n", hitText(f.Snapshots, f.Files))
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

// verdictOf says in one line what a verification came to.
func verdictOf(d *verify.CheckDocument) string {
	harm := map[verify.Harm]uint64{}
	for _, c := range d.ByCode {
		harm[c.Harm] += c.Count
	}
	text := verdictText(d, harm)
	if unknown := harm[verify.Unknown]; unknown > 0 && harm[verify.Loss]+harm[verify.Risk] > 0 {
		text += fmt.Sprintf("; %s could not be looked at", plural(unknown, "object", "objects"))
	}
	if !d.Complete {
		text += "; NOT EVERYTHING WAS LOOKED AT: " + visible(d.Stopped)
	}
	return text
}

func verdictText(d *verify.CheckDocument, harm map[verify.Harm]uint64) string {
	notes := ""
	if n := harm[verify.Note]; n > 0 {
		notes = "; " + plural(n, "note", "notes")
	}
	switch {
	case harm[verify.Loss] > 0:
		return fmt.Sprintf("DAMAGED: %s; %s hit", kindsText(d.ByCode), hitText(d.HitCount, d.FilesHit))
	case harm[verify.Risk] > 0 && d.Complete && harm[verify.Unknown] == 0:
		return fmt.Sprintf("AT RISK: %s; no snapshot loses anything", kindsText(d.ByCode))
	case harm[verify.Risk] > 0:
		return fmt.Sprintf("DAMAGED: %s; what that costs is not known in full", kindsText(d.ByCode))
	case harm[verify.Unknown] > 0:
		return fmt.Sprintf("NOT KNOWN: %s could not be looked at; what could be is whole%s", plural(harm[verify.Unknown], "object", "objects"), notes)
	case !d.Complete:
		return "NOT KNOWN: nothing that harms was found until it ended" + notes
	}
	read := ""
	if d.ReadBack.Packs > 0 {
		read = fmt.Sprintf("; %s read back", plural(d.ReadBack.Packs, "pack", "packs"))
	}
	s := d.Structure
	return fmt.Sprintf("whole: %s, %s of %s%s%s", plural(s.Snapshots, "snapshot", "snapshots"), plural(s.Packs, "pack", "packs"), sizeText(s.PackBytes), read, notes)
}

// kindsText counts what is damaged, by kind.
func kindsText(counts []verify.Count) string {
	kinds := []struct{ prefix, one, many string }{
		{"pack-", "pack", "packs"}, {"snapshot-", "manifest", "manifests"}, {"index-", "part of the index", "parts of the index"}, {"", "other object", "other objects"},
	}
	found := make([]uint64, len(kinds))
	for _, c := range counts {
		if c.Harm != verify.Loss && c.Harm != verify.Risk {
			continue
		}
		for i, k := range kinds {
			if strings.HasPrefix(string(c.Code), k.prefix) {
				found[i] += c.Count
				break
			}
		}
	}
	var parts []string
	for i, k := range kinds {
		if found[i] > 0 {
			parts = append(parts, plural(found[i], k.one, k.many))
		}
	}
	return strings.Join(parts, ", ")
}

// hitText says how many snapshots and files are meant.
func hitText(snapshots, files uint64) string {
	text := plural(snapshots, "snapshot", "snapshots")
	if files > 0 {
		text += ", " + plural(files, "file", "files")
	}
	return text
}

// cutPath returns a path that takes a few lines at most.
func cutPath(p string) string {
	const most = 120
	if len(p) <= most {
		return p
	}
	return p[:most/2] + "..." + p[len(p)-most/2:]
}

// writeHits lists the snapshots that damage reaches, and some of the paths.
func (a *app) writeHits(b *strings.Builder, d *verify.CheckDocument) {
	shown := d.Hit[:min(shownSnapshots, len(d.Hit))]
	if len(shown) == 0 {
		return
	}
	fmt.Fprintln(b, "\nsnapshots that lose something, newest first:")
	for _, h := range shown {
		source := "source unknown"
		if h.Dataset != "" {
			source = printable(h.Dataset + "@" + h.Host)
		}
		what := "all of it"
		if h.FileCount > 0 {
			what = plural(h.FileCount, "file", "files")
		}
		fmt.Fprintf(b, "  %.8s  %s  %s: %s\n", h.Snapshot, a.timeText(wholeSecond(h.WindowEnd)), source, what)
		paths := h.Paths[:min(shownPaths/len(shown), len(h.Paths))]
		for _, p := range paths {
			fmt.Fprintf(b, "    %s\n", printable(cutPath(p)))
		}
		if n := uint64(len(paths)); n > 0 && h.FileCount > n {
			fmt.Fprintf(b, "    and %s more\n", humanize.Comma(int64(h.FileCount-n)))
		}
	}
	if more := d.HitCount - uint64(len(shown)); more > 0 {
		fmt.Fprintf(b, "  and %s\n", plural(more, "more snapshot", "more snapshots"))
	}
}

// writeCounts says what was looked at.
func writeCounts(b *strings.Builder, d *verify.CheckDocument) {
	count := func(n uint64) string { return humanize.Comma(int64(n)) }
	s, r := d.Structure, d.ReadBack
	fmt.Fprintf(b, "\n%-12s%s, %s, %s in different folders\n", "looked at", plural(s.Snapshots, "snapshot", "snapshots"), plural(s.Directories, "folder", "folders"),
		plural(s.Files, "file", "files"))
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
		text += fmt.Sprintf("; every pack since %s", r.Oldest.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	fmt.Fprintf(b, "%-12s%s\n", "read back", text)
	fmt.Fprintf(b, "%-12s%s\n", "took", durationText(time.Duration(d.Seconds*float64(time.Second))))
}
