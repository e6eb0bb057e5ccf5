package health

import (
	"encoding/json"
	"slices"
	"time"

	"savepoint/repo/pack"
	"savepoint/verify"
)

// levelData is the level of a verification that read packs back as well.
const levelData = "data"

func (l *look) lookAtChecks() {
	v := &l.status.Verify
	for _, r := range l.checks {
		c := &Check{At: r.at, ExitCode: r.check.ExitCode, Findings: r.check.FindingCnt, Object: r.Name, Document: json.RawMessage(r.Document), doc: r.check}
		data := r.check.Level == levelData
		whole := r.check.ExitCode == 0 && !harms(r.check)
		v.Structure.note(c, whole)
		if data {
			v.Data.note(c, whole)
		}
		switch {
		case harms(r.check):
			v.Unhealed = c
		case whole && v.Unhealed != nil && (data || seenByStructure(v.Unhealed.doc)):
			v.Unhealed = nil
		}
		if r.check.Structure.Packs > 0 {
			v.Packs = r.check.Structure.Packs
		}
		if data {
			v.debt(r.check.ReadBack)
		}
	}
	l.cover(v)
}

func (lv *Level) note(c *Check, whole bool) {
	lv.Last = c
	if whole {
		at := c.At
		lv.LastWhole = &at
	}
}

// harms reports whether a verification found damage, also when it was interrupted then.
func harms(d *verify.CheckDocument) bool {
	return d.ExitCode == exitDamage || slices.ContainsFunc(d.Findings, func(f verify.Finding) bool { return f.Harm == verify.Loss || f.Harm == verify.Risk })
}

// seenByStructure reports whether a later verification that reads no packs would find this damage too: it was found without reading
// packs, or the packs are marked since.
func seenByStructure(d *verify.CheckDocument) bool { return d.Level != levelData || len(d.Marked) > 0 }

// debt takes over what the last run that read packs back knew of those that were not.
func (v *Verification) debt(b verify.ReadBack) {
	never := b.Never
	v.Never, v.Oldest = &never, nil
	if never == 0 && b.Oldest != nil {
		t := b.Oldest.UTC()
		v.Oldest = &t
	}
}

// cover counts the packs that the ledger says were read back within the window. It is their number and not their bytes that it knows;
// nearly all packs have one size.
func (l *look) cover(v *Verification) {
	since := l.now.Add(-Window)
	read := map[pack.ID]bool{}
	for _, r := range l.checks {
		for _, b := range r.ReadBack {
			if t := earlier(time.Unix(0, b.Time), r.Stored); t.After(since) {
				read[b.ID] = true
			}
		}
	}
	v.ReadBack = uint64(len(read))
	if v.Packs > 0 {
		v.ReadBack = min(v.ReadBack, v.Packs) // some are gone since
		share := float64(v.ReadBack) / float64(v.Packs)
		v.Coverage = &share
	}
}
