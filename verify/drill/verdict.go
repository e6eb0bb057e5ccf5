package drill

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"savepoint/internal/when"
	"savepoint/verify"
)

// judgement is what a drill came to.
type judgement struct {
	verdict   verify.Verdict
	exit      int
	rtoJudged bool // everything came back, under conditions that allow to hold the time against an objective
	rtoMet    bool
	rpoJudged bool
	rpoMet    bool
	reasons   []string
}

// exits are the exit codes of the verdicts.
var exits = map[verify.Verdict]int{
	verify.Pass: 0, verify.Restored: 0, verify.CouldNotRun: 1, verify.Inconclusive: 1, verify.Damage: 4, verify.ObjectiveMissed: 5,
}

// judge decides what a drill came to, from what it found, its objectives and its conditions, and from nothing else. cannot is why it did not
// come to its end; nil: it did. Damage weighs most, for it is known whatever else went wrong. The two objectives are judged apart.
func judge(d verify.DrillDocument, cannot error) judgement {
	j := judgement{verdict: verify.Restored}
	if d.Probe != nil && d.Probe.Result == verify.ProbePassed {
		j.verdict = verify.Pass
	}
	failed := d.Probe != nil && d.Probe.Result == verify.ProbeFailed
	damage := d.DamagedCnt > 0 || len(d.LostPoints) > 0 || d.Compared.DifferenceCount > 0 || d.Loss != nil && d.Loss.DamagedCount > 0 || failed
	whole := !damage && cannot == nil
	chosen, doubts := doubtsOf(d.Conditions)
	if within := d.RTO.Seconds <= d.RTO.Objective; d.RTO.Objective > 0 && !within && d.Conditions.Alone != verify.Yes {
		doubts = append(doubts, "another drill ran on this host at the same time")
	}
	j.rtoJudged = whole && len(chosen)+len(doubts) == 0
	j.rtoMet = j.rtoJudged && d.RTO.Objective > 0 && d.RTO.Seconds <= d.RTO.Objective
	j.rpoJudged = whole
	j.rpoMet = j.rpoJudged && d.RPO.Objective > 0 && d.RPO.Since != nil && d.RPO.Seconds <= d.RPO.Objective

	rtoMissed := j.rtoJudged && d.RTO.Objective > 0 && !j.rtoMet
	rpoMissed := j.rpoJudged && d.RPO.Objective > 0 && !j.rpoMet
	switch {
	case damage:
		j.verdict = verify.Damage
	case cannot != nil:
		j.verdict = verify.CouldNotRun
	case rtoMissed || rpoMissed:
		j.verdict = verify.ObjectiveMissed
	case d.RTO.Objective > 0 && len(doubts) > 0:
		j.verdict = verify.Inconclusive
	}
	j.exit = exits[j.verdict]

	j.lostReasons(d.LostPoints)
	j.damageReasons(d)
	if failed {
		j.reason("The probe %s failed: %s.", printable(probeName(d.Probe)), Plain(strings.TrimRight(strings.Join(strings.Fields(d.Probe.Message), " "), ".")))
	}
	j.lossReasons(d.Loss)
	j.olderReasons(d)
	if cannot != nil {
		j.reason("%s", oneLine(cannot))
	}
	if rtoMissed {
		j.reason("The RTO of %s was missed by %s: the restore took %s.", AgeText(seconds(d.RTO.Objective)),
			over(d.RTO.Seconds, d.RTO.Objective), SpanText(seconds(d.RTO.Seconds)))
	}
	if rpoMissed {
		j.rpoReason(d.RPO)
	}
	if whole && d.RTO.Objective > 0 && !j.rtoJudged {
		for _, doubt := range append(chosen, doubts...) {
			j.reason("The RTO could not be judged: %s.", doubt)
		}
	}
	if d.At != nil && d.Published.After(*d.At) {
		j.reason("The snapshot was stored %s after the incident: the RPO counts from the one before it.", SpanText(d.Published.Sub(*d.At)))
	}
	if d.Snapshot != "" && d.Complete != verify.Yes {
		j.reason("%s", incompleteText(d))
	}
	if p := d.TooLate; p != nil {
		j.reason("Snapshot %s is newer, and is never chosen by time: it was stored too late for that, or put back later, at %s; `store restore %s` restores it.",
			short(p.Snapshot), p.Published.UTC().Format("2006-01-02 15:04:05Z"), short(p.Snapshot))
	}
	return j
}

func (j *judgement) reason(format string, args ...any) {
	j.reasons = append(j.reasons, fmt.Sprintf(format, args...))
}

func (j *judgement) damageReasons(d verify.DrillDocument) {
	if n := d.DamagedCnt; n > 0 {
		first := d.Damaged[0].Path
		if first == "" {
			first = d.Damaged[0].Object
		}
		what := count(n, "entry", "entries")
		if d.Took != nil {
			what = TookText(d.Took)
		}
		j.reason("Damage in the repository took %s; the first is %s.", what, printable(first))
	}
	if n := d.Compared.DifferenceCount; n > 0 {
		first := ""
		if len(d.Compared.Differences) > 0 {
			first = fmt.Sprintf("; the first is %s: it %s", printable(d.Compared.Differences[0].Path), d.Compared.Differences[0].What)
		}
		verb := "are"
		if n == 1 {
			verb = "is"
		}
		j.reason("After the restore %s %s not as backed up%s.", count(n, "entry", "entries"), verb, first)
	}
}

// lossReasons says what silently differs from the source, and what could not be compared with it.
func (j *judgement) lossReasons(l *verify.LossSet) {
	if l == nil {
		return
	}
	if n := l.DamagedCount; n > 0 {
		verb := "have"
		if n == 1 {
			verb = "has"
		}
		j.reason("%s of the source %s other bytes than in the snapshot, though nothing has changed them since; the first is %s.", count(n, "file", "files"), verb, printable(l.Damaged[0].Path))
	}
	if l.Unreadable > 0 {
		j.reason("%s of the source could not be read: what is lost is not known in full.", count(l.Unreadable, "entry", "entries"))
	}
}

// olderReasons says what came of the snapshots that were tried instead.
func (j *judgement) olderReasons(d verify.DrillDocument) {
	if len(d.Older) == 0 {
		return
	}
	i := slices.IndexFunc(d.Older, func(o verify.Older) bool { return o.Snapshot == d.Instead && o.Good })
	switch {
	case i < 0 && len(d.Older) == 1:
		j.reason("The one older snapshot that was tried will not do either.")
	case i < 0:
		j.reason("None of %d older snapshots that were tried will do either.", len(d.Older))
	default:
		well := "came back whole"
		if d.Probe != nil {
			well += " and passed the probe"
		}
		j.reason("Snapshot %s, read to %s, %s; the RTO counts all %d tries.", short(d.Instead), when.Point(d.Older[i].WindowEnd).UTC().Format("2006-01-02 15:04:05Z"), well, len(d.Older)+1)
	}
}

func short(id string) string { return id[:min(8, len(id))] }

func (j *judgement) rpoReason(r verify.Exposure) {
	if r.Since == nil {
		j.reason("The RPO of %s was missed: there is no complete snapshot, at or before this one, that it could be counted from.", AgeText(seconds(r.Objective)))
		return
	}
	j.reason("The RPO of %s was missed by %s: the newest complete snapshot began to be read %s before the incident.", AgeText(seconds(r.Objective)),
		over(r.Seconds, r.Objective), SpanText(seconds(r.Seconds)))
}

// over returns by how much a time is longer than its objective, never so little that it looks like nothing.
func over(is, objective float64) string {
	return SpanText(max(seconds(is-objective), time.Millisecond))
}

// probeName is what a probe is called in a sentence.
func probeName(p *verify.Probe) string {
	if p.Builtin != "" {
		return p.Builtin
	}
	if len(p.Argv) == 0 {
		return ""
	}
	return path.Base(p.Argv[0])
}

func incompleteText(d verify.DrillDocument) string {
	if d.Faults != nil && *d.Faults > 0 {
		return fmt.Sprintf("The snapshot is not complete: the backup could not read %s as it was.", count(*d.Faults, "entry of the source", "entries of the source"))
	}
	return "The snapshot is suspect: the source had lost more than half since the one before, or had less than its policy expects."
}

// doubtsOf returns why a time that was measured under these conditions must not be held against an objective, whether it is within it or
// not: what was chosen so, of which nobody expects it, and what kept the drill from it.
func doubtsOf(c verify.Conditions) (chosen, doubts []string) {
	for _, d := range []struct {
		holds bool
		to    *[]string
		text  string
	}{
		{c.Scenario != Cold && c.Scenario != Site, &chosen, "this was no drill of a host that has nothing"},
		{!c.Full, &chosen, "only a part of the snapshot was restored"},
		{c.Scenario != Warm && !c.IndexCold, &doubts, "an index of this host was used"},
		{c.Throttled == verify.Yes, &doubts, "--limit-download held the restore back"},
	} {
		if d.holds {
			*d.to = append(*d.to, d.text)
		}
	}
	return chosen, doubts
}

func count(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
