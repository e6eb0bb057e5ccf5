package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"savepoint/internal/when"
	"savepoint/verify"
)

// cutPath returns a path that takes a few lines at most.
func cutPath(p string) string {
	const most = 120
	if len(p) <= most {
		return p
	}
	return p[:most/2] + "..." + p[len(p)-most/2:]
}

// writeHits lists the snapshots that damage reaches, and then some of the paths, each once with the snapshots that lose it.
func (a *app) writeHits(b *strings.Builder, d *verify.CheckDocument) {
	shown := d.Hit[:min(shownSnapshots, len(d.Hit))]
	if len(shown) == 0 {
		return
	}
	fmt.Fprintln(b, "\nsnapshots that lose something, newest first:")
	for _, h := range shown {
		what := plural(h.FileCount, "file", "files")
		switch {
		case h.All && h.Bytes != nil:
			what = fmt.Sprintf("all of it (%s, %s)", what, sizeText(*h.Bytes))
		case h.FileCount == 0: // a manifest
			what = "all of it, an unknown number of files"
		case h.AtLeast:
			what = "at least " + what
		}
		fmt.Fprintf(b, "  %.8s  %s  %s: %s\n", h.Snapshot, a.timeText(when.Point(h.WindowEnd)), sourceOf(h), what)
	}
	if more := d.HitCount - uint64(len(shown)); more > 0 {
		fmt.Fprintf(b, "  and %s\n", plural(more, "more snapshot", "more snapshots"))
	}
	writeLost(b, d)
}

func sourceOf(h verify.Hit) string {
	if h.Dataset == "" {
		return "source unknown"
	}
	return printable(h.Dataset + "@" + h.Host)
}

// lostPath is a path of a source that snapshots lose.
type lostPath struct {
	source, path string
	snapshots    []string
}

// lostPaths returns the paths of all hits that are listed, each once. The first are those of the first hits; more reports whether hits lose others
// that are not listed.
func lostPaths(hits []verify.Hit) (list []*lostPath, more bool) {
	type key struct{ source, path string }
	known := map[key]*lostPath{}
	for _, h := range hits {
		folder := func(p string) bool { return strings.HasSuffix(p, "/") } // stands for all that is in it
		more = more || len(h.Paths) > 0 && h.FileCount > uint64(len(h.Paths)) && !slices.ContainsFunc(h.Paths, folder)
		for _, p := range h.Paths {
			k := key{h.Dataset + "@" + h.Host, p}
			l := known[k]
			if l == nil {
				l = &lostPath{source: sourceOf(h), path: p}
				known[k] = l
				list = append(list, l)
			}
			if !slices.Contains(l.snapshots, h.Snapshot) {
				l.snapshots = append(l.snapshots, h.Snapshot)
			}
		}
	}
	return list, more
}

// writeLost lists some of the paths, of different sources apart.
func writeLost(b *strings.Builder, d *verify.CheckDocument) {
	list, more := lostPaths(d.Hit)
	if len(list) == 0 {
		return
	}
	several := slices.ContainsFunc(list, func(l *lostPath) bool { return l.source != list[0].source })
	fmt.Fprintln(b, "\nwhat they lose:")
	for _, l := range list[:min(shownPaths, len(list))] {
		of := ""
		if several {
			of = " of " + l.source
		}
		fmt.Fprintf(b, "  %s%s, in %s\n", printable(cutPath(l.path)), of, shortIDs(l.snapshots))
	}
	switch rest := len(list) - shownPaths; {
	case rest > 0 && (more || d.HitCount > uint64(len(d.Hit))):
		fmt.Fprintf(b, "  and at least %s more\n", humanize.Comma(int64(rest)))
	case rest > 0:
		fmt.Fprintf(b, "  and %s more\n", humanize.Comma(int64(rest)))
	case more || d.HitCount > uint64(len(d.Hit)):
		fmt.Fprintln(b, "  and more that are not listed")
	}
}

// shortIDs names a few snapshots.
func shortIDs(ids []string) string {
	const most = 3
	var short []string
	for _, id := range ids[:min(most, len(ids))] {
		short = append(short, fmt.Sprintf("%.8s", id))
	}
	text := strings.Join(short, ", ")
	if more := len(ids) - len(short); more > 0 {
		text += fmt.Sprintf(" and %s more", humanize.Comma(int64(more)))
	}
	return text
}
