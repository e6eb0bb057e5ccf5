package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"savepoint/verify"
)

// listedFindings is how many findings, snapshots, and paths of each, a person is shown.
const listedFindings = 20

// printVerified prints what a verification found: the verdict, the findings, the snapshots hit, and counts.
func (a *app) printVerified(d *verify.CheckDocument) error {
	if a.g.quiet && d.ExitCode == exitOK {
		return nil
	}
	var b strings.Builder
	fmt.Fprintln(&b, verdictOf(d))
	for _, f := range d.Findings[:min(listedFindings, len(d.Findings))] {
		fmt.Fprintf(&b, "\n%s %s: %s\n  %s\n", f.Harm, f.Code, printable(f.Object), printable(f.Message))
		if f.Snapshots > 0 {
			fmt.Fprintf(&b, "  needed by %s\n", hitText(f.Snapshots, f.Files))
		}
		fmt.Fprintf(&b, "  next: %s\n", f.Next)
	}
	if more := d.FindingCnt - uint64(min(listedFindings, len(d.Findings))); more > 0 {
		fmt.Fprintf(&b, "\nand %s\n", plural(more, "more finding", "more findings"))
	}
	a.writeHits(&b, d)
	if len(d.Marked) > 0 {
		fmt.Fprintf(&b, "\nmarked as damaged, so that the next backup stores again what its source still has: %s\n", plural(len(d.Marked), "pack", "packs"))
	}
	if d.NotMarked != "" {
		what := "nothing was marked as damaged"
		if len(d.Marked) > 0 {
			what = "not everything could be marked as damaged"
		}
		fmt.Fprintf(&b, "\n%s, and backups go on relying on it: %s\n", what, printable(d.NotMarked))
	}
	writeCounts(&b, d)
	_, err := io.WriteString(a.out, b.String())
	return err
}

// verdictOf says in one line what a verification came to.
func verdictOf(d *verify.CheckDocument) string {
	s, harm := d.Structure, map[verify.Harm]int{}
	for _, f := range d.Findings {
		harm[f.Harm]++
	}
	read := ""
	if d.ReadBack.Packs > 0 {
		read = fmt.Sprintf("; %s read back", plural(d.ReadBack.Packs, "pack", "packs"))
	}
	switch {
	case harm[verify.Loss] > 0:
		files := uint64(0)
		for _, h := range d.Hit {
			files += h.FileCount
		}
		return fmt.Sprintf("DAMAGED: %s; %s hit", kindsText(d.Findings), hitText(d.HitCount, files))
	case harm[verify.Risk] > 0:
		return fmt.Sprintf("AT RISK: %s; no snapshot loses anything", kindsText(d.Findings))
	}
	notes := ""
	if n := harm[verify.Note]; n > 0 {
		notes = "; " + plural(n, "note", "notes")
	}
	return fmt.Sprintf("whole: %s, %s of %s%s%s", plural(s.Snapshots, "snapshot", "snapshots"), plural(s.Packs, "pack", "packs"), sizeText(s.PackBytes), read, notes)
}

// kindsText counts what is damaged, by kind.
func kindsText(findings []verify.Finding) string {
	kinds := []struct{ prefix, one, many string }{
		{"pack-", "pack", "packs"}, {"snapshot-", "manifest", "manifests"}, {"index-", "part of the index", "parts of the index"}, {"", "other object", "other objects"},
	}
	counts := make([]int, len(kinds))
	for _, f := range findings {
		if f.Harm == verify.Note {
			continue
		}
		for i, k := range kinds {
			if strings.HasPrefix(string(f.Code), k.prefix) {
				counts[i]++
				break
			}
		}
	}
	var parts []string
	for i, k := range kinds {
		if counts[i] > 0 {
			parts = append(parts, plural(counts[i], k.one, k.many))
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

// writeHits lists the snapshots that damage reaches, and some of the paths.
func (a *app) writeHits(b *strings.Builder, d *verify.CheckDocument) {
	if len(d.Hit) > 0 {
		fmt.Fprintln(b, "\nsnapshots that lose something, newest first:")
	}
	for _, h := range d.Hit[:min(listedFindings, len(d.Hit))] {
		source := "source unknown"
		if h.Dataset != "" {
			source = printable(h.Dataset + "@" + h.Host)
		}
		what := "all of it"
		if h.FileCount > 0 {
			what = plural(h.FileCount, "file", "files")
		}
		fmt.Fprintf(b, "  %.8s  %s  %s: %s\n", h.Snapshot, a.timeText(wholeSecond(h.WindowEnd)), source, what)
		for _, p := range h.Paths[:min(listedFindings, len(h.Paths))] {
			fmt.Fprintf(b, "    %s\n", printable(p))
		}
		if more := h.FileCount - uint64(min(listedFindings, len(h.Paths))); len(h.Paths) > listedFindings {
			fmt.Fprintf(b, "    and %d more\n", more)
		}
	}
	if more := d.HitCount - uint64(min(listedFindings, len(d.Hit))); more > 0 {
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
