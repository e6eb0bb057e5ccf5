package main

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"savepoint/verify"
)

// lossList is how many files of each kind the text names that a restore would not bring back.
const lossList = 10

// lossText says what of the live source would be lost.
func lossText(l *verify.LossSet) string {
	text := fmt.Sprintf("against the source: %s of %s would be lost (%s new, %s changed); %s the same", sizeText(l.Bytes), plural(l.Files, "file", "files"),
		humanize.Comma(int64(l.New)), humanize.Comma(int64(l.Changed)), humanize.Comma(int64(l.Same)))
	if l.Gone > 0 {
		text += fmt.Sprintf("; %s no longer in the source", plural(l.Gone, "entry", "entries"))
	}
	if l.Moving > 0 {
		text += fmt.Sprintf("; %s went while it was read", plural(l.Moving, "entry", "entries"))
	}
	return text + ", in " + spanText(l.Seconds)
}

// listLoss names the first files of each kind that a restore would not bring back, and says where the others are.
func listLoss(b *strings.Builder, l *verify.LossSet) {
	by := map[verify.LossKind][]verify.LostFile{}
	for _, f := range l.Listed {
		by[f.Kind] = append(by[f.Kind], f)
	}
	unlisted := l.Files - min(l.Files, l.New+l.Changed) // their lists of chunks cannot be read
	left := false
	for _, k := range []struct {
		head         string
		files, bytes uint64
		listed       []verify.LostFile
	}{
		{"damaged, with other bytes than the snapshot though nothing has changed them", l.DamagedCount, l.DamagedBytes, l.Damaged},
		{"damaged in the snapshot, so that they cannot be compared", unlisted, l.Bytes - min(l.Bytes, l.NewBytes+l.ChangedBytes), by[verify.LossDamaged]},
		{"not in the snapshot", l.New, l.NewBytes, by[verify.LossNew]},
		{"newer in the source", l.Changed, l.ChangedBytes, by[verify.LossChanged]},
		{"not readable in the source, so that what is lost is not known", l.Unreadable, 0, by[verify.LossUnreadable]},
	} {
		if k.files == 0 {
			continue
		}
		size := ""
		if k.bytes > 0 {
			size = ", " + sizeText(k.bytes)
		}
		fmt.Fprintf(b, "%s: %s%s\n", k.head, plural(k.files, "file", "files"), size)
		for _, f := range k.listed[:min(lossList, len(k.listed))] {
			what := sizeText(f.Bytes)
			if f.Kind == verify.LossUnreadable || f.Bytes == 0 {
				what = printable(f.What)
			}
			fmt.Fprintf(b, "  %s, %s\n", printable(f.Path), what)
		}
		if rest := k.files - uint64(min(lossList, len(k.listed))); rest > 0 {
			fmt.Fprintf(b, "  and %s more\n", humanize.Comma(int64(rest)))
			left = true
		}
	}
	if left {
		fmt.Fprintf(b, "--json has all of them, up to %s\n", humanize.Comma(verify.MaxListed))
	}
}
