package main

import (
	"fmt"
	"strings"

	"savepoint/verify"
)

// verdictOf says in one line what a verification came to, and what it did not look at.
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
	left := leftOut(d)
	switch {
	case harm[verify.Loss] > 0:
		return fmt.Sprintf("DAMAGED: %s; %s hit%s", kindsText(d.ByCode), hitText(d.HitCount, d.FilesHit, d.HitAtLeast), left)
	case harm[verify.Risk] > 0 && d.Complete && harm[verify.Unknown] == 0 && d.Scope.OfSnapshots():
		return fmt.Sprintf("AT RISK: %s; none of these snapshots loses anything%s", kindsText(d.ByCode), left)
	case harm[verify.Risk] > 0 && d.Complete && harm[verify.Unknown] == 0:
		return fmt.Sprintf("AT RISK: %s; no snapshot loses anything%s", kindsText(d.ByCode), left)
	case harm[verify.Risk] > 0:
		return fmt.Sprintf("DAMAGED: %s; what that costs is not known in full%s", kindsText(d.ByCode), left)
	case harm[verify.Unknown] > 0:
		return fmt.Sprintf("NOT KNOWN: %s could not be looked at; what could be is whole%s%s", plural(harm[verify.Unknown], "object", "objects"), left, notes)
	case !d.Complete:
		return "NOT KNOWN: nothing that harms was found until it ended" + left + notes
	}
	snapshots, packs, size := d.Structure.Snapshots, d.Structure.Packs, d.Structure.PackBytes
	begin := "structure is whole"
	if s := d.Scope; s != nil {
		snapshots, packs, size = s.Snapshots, s.Packs, s.PackBytes
		begin = "structure of " + visible(s.Text()) + " is whole"
	} else if readAll(d) {
		begin = "whole"
	}
	counts := fmt.Sprintf("%s, %s of %s", plural(snapshots, "snapshot", "snapshots"), plural(packs, "pack", "packs"), sizeText(size))
	if d.ReadBack.Packs == 0 { // what was not done comes before what was counted
		return begin + left + ": " + counts + notes
	}
	return begin + ": " + counts + left + notes
}

// readAll reports whether every pack was read back that was to be looked at.
func readAll(d *verify.CheckDocument) bool {
	unread := d.ReadBack.Remaining
	if d.Scope != nil {
		unread = d.Scope.Remaining
	}
	return d.Level == "data" && unread == 0
}

// leftOut says what of the data was read, and what was not looked at.
func leftOut(d *verify.CheckDocument) string {
	packs := d.Structure.Packs
	if d.Scope != nil {
		packs = d.Scope.Packs
	}
	text := ""
	switch r := d.ReadBack; {
	case d.Level != "data" && packs > 0:
		text = "; no data was read"
	case r.Packs == 0 && !readAll(d) && packs > 0:
		text = "; no pack was read back"
	case r.Packs == 0:
	case readAll(d):
		text = fmt.Sprintf("; %s read back", plural(r.Packs, "pack", "packs"))
	default:
		text = fmt.Sprintf("; %s read back, the others not", plural(r.Packs, "pack", "packs"))
	}
	if b := d.ReadBack.Budget; b != nil && b.UsedUp {
		text += fmt.Sprintf(", as the budget of %s was used up", b.Limit)
	}
	switch s := d.Scope; {
	case s == nil:
	case s.OfSnapshots() && s.Shard != "":
		text += "; the other snapshots and shards were not looked at"
	case s.OfSnapshots():
		text += "; the rest of the repository was not looked at"
	default:
		text += "; the packs of the other shards were not looked at"
	}
	return text
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
