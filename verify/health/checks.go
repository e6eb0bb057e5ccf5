package health

import (
	"context"
	"slices"
	"time"

	"savepoint/verify"
	"savepoint/verify/measure"
)

// levelData is the level of a verification that read packs back as well.
const levelData = "data"

// maxUnhealed is how many verifications with damage that nothing has seen healed are remembered. Later ones see most of what earlier ones saw.
const maxUnhealed = 8

// lookAtChecks fills in what verifications say, and returns those that found damage which nothing has seen healed.
func (l *look) lookAtChecks() []*report {
	v := &l.status.Verify
	var unhealed []*report
	parts := shards{}
	for _, r := range l.checks {
		c := &Check{At: r.at, ExitCode: int(r.Exit), Message: r.Message, Object: r.Name, rep: r}
		d := r.check
		if d == nil { // it did not come to its end, and read packs back until then
			v.Structure.note(c, false)
			v.Data.note(c, false)
			continue
		}
		c.ExitCode, c.Findings = d.ExitCode, d.FindingCnt
		if d.Stopped != "" {
			c.Message = d.Stopped
		}
		whole := d.ExitCode == 0 && !r.harm
		since := r.at // everything was looked at since, if this run and others together looked at everything
		_, _, isShard := shardOf(d.Scope)
		all := d.Scope == nil
		walked := all || isShard // all trees were walked
		if all {
			v.Structure.note(c, whole)
			if d.Level == levelData {
				v.Data.note(c, whole)
			}
		} else {
			c.Scope = d.Scope.Text()
			v.Part = c
			since, all = parts.add(r, whole)
			if all {
				v.Structure.complete(c, since)
			}
			if at, read := parts.since(r, levelData); all && read && d.Level == levelData {
				v.Data.complete(c, at)
			}
		}
		if d.Stopped == "" && (d.ExitCode == 0 || d.ExitCode == exitDamage) { // it came to its end, and could look at all that it was to
			unhealed = slices.DeleteFunc(unhealed, func(old *report) bool {
				return all && old.seen && !old.at.After(since) || walked && r.readSince(old.at)
			})
			l.debt(r)
		}
		if r.harm {
			unhealed = append(unhealed, r)
			unhealed = unhealed[max(0, len(unhealed)-maxUnhealed):]
			v.Unhealed = c
		}
		if all && whole && d.ReadBack.Never == 0 && d.ReadBack.Oldest != nil && d.ReadBack.Oldest.After(l.whole) {
			l.whole = *d.ReadBack.Oldest
		}
	}
	switch n := len(unhealed); {
	case n == 0:
		v.Unhealed = nil
	case v.Unhealed.rep != unhealed[n-1]:
		r := unhealed[n-1]
		v.Unhealed = &Check{At: r.at, ExitCode: r.check.ExitCode, Findings: r.check.FindingCnt, Object: r.Name, Scope: r.check.Scope.Text(), rep: r}
	}
	l.cover(v)
	return unhealed
}

// findHit notes the snapshots that lose something.
func (l *look) findHit(ctx context.Context, unhealed []*report) error {
	for _, r := range unhealed {
		b, err := l.document(ctx, r)
		if err != nil {
			return err
		}
		if d, err := verify.DecodeCheck(b); err == nil {
			for _, h := range d.Hit {
				l.hit[h.Snapshot] = r // they are in order of time
			}
		}
	}
	return nil
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
	return d.ExitCode == exitDamage || slices.ContainsFunc(d.Findings, harmful)
}

func harmful(f verify.Finding) bool { return f.Harm == verify.Loss || f.Harm == verify.Risk }

// What only reading packs back finds, as package check says it: a pack whose bytes are not what was written, and one that reads differently
// each time.
const (
	codePackDamaged verify.Code = "pack-damaged"
	codeUnsteady    verify.Code = "reads-differ"
)

// seenByStructure reports whether a later verification that reads no packs would find this damage too: it was found without reading
// packs, or the packs are marked since.
func seenByStructure(d *verify.CheckDocument) bool {
	if d.Level != levelData {
		return true
	}
	marked := len(d.Marked) > 0 && d.NotMarked == ""
	hidden := func(f verify.Finding) bool {
		return harmful(f) && (f.Code == codeUnsteady || f.Code == codePackDamaged && !marked)
	}
	return !slices.ContainsFunc(d.Findings, hidden) && (marked || d.FindingCnt <= uint64(len(d.Findings)))
}

// readSince reports whether every pack had been read back after a moment when this verification ended.
func (r *report) readSince(t time.Time) bool {
	b := r.check.ReadBack
	return b.Never == 0 && (b.Oldest != nil && b.Oldest.After(t) || b.Oldest == nil && r.check.Level == levelData)
}

// debt takes over how many packs there were, and what was known of those that were not read back.
func (l *look) debt(r *report) {
	v, b := &l.status.Verify, r.check.ReadBack
	v.Packs = r.check.Structure.Packs
	l.days = b
	never := b.Never
	v.Never, v.Oldest = &never, nil
	if never == 0 && b.Oldest != nil {
		t := earlier(*b.Oldest, r.at).UTC()
		v.Oldest = &t
	}
}

// cover counts the packs that the ledger says were read back within the window, and the share of their bytes. The ledger knows packs too that are
// gone since: no more count than the last verification says were ever read back. It does not know how long packs are: for bytes, verifications say
// what they found in it by day. So days leave the window whether anything verifies or not; what a run read that left no document counts
// with the next one that does.
func (l *look) cover(v *Verification) {
	since := l.now.Add(-Window)
	for _, t := range l.got.read {
		if t.After(since) {
			v.ReadBack++
		}
	}
	if v.Packs > 0 {
		v.ReadBack = min(v.ReadBack, v.Packs-min(v.Packs, *v.Never))
	}
	var days []measure.ReadDay
	for _, d := range l.days.Days {
		days = append(days, measure.ReadDay{At: d.At, Bytes: d.Bytes})
	}
	if share, ok := measure.ReadRatio(days, l.days.PackBytes, since); ok {
		v.Coverage = &share
	}
}
