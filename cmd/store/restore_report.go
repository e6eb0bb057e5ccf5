package main

import (
	"context"
	"fmt"
	"strings"

	"savepoint/internal/when"
	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/tree"
	"savepoint/verify/health"
)

// choiceLines says which snapshot was chosen, what may be missing from it, and what is next to it.
func (a *app) choiceLines(o restoreOptions, t task, found *health.Known) []string {
	s := t.choice.Snapshot
	var lines []string
	line := func(label, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%-15s", label)+fmt.Sprintf(format, args...))
	}
	until := a.now()
	if o.at != "" {
		until = o.moment
		line("time wanted", "%s", when.Format(o.moment, a.zone))
	}
	line("snapshot", "%s of %s: %s, %s", s.Short(), printable(s.Source()), stateWith(s, found), trust)
	line("read from", "%s", when.Format(s.Start(), a.zone))
	line("read to", "%s", when.Format(s.End(), a.zone))
	if missing := until.Sub(s.Start()); missing > 0 {
		line("may be missing", "what changed after %s, up to %s of changes", a.timeText(when.Point(s.Start())), durationText(missing))
	}
	if b := t.choice.Before; b != nil {
		line("before it", "%s, read to %s (%s)", b.Short(), a.endText(b), stateWith(b, found))
	}
	if n := t.choice.After; n != nil {
		line("after it", "%s, read to %s (%s)", n.Short(), a.endText(n), stateWith(n, found))
	}
	if w := t.choice.Without; len(w) > 0 && !o.all {
		line("nothing of", "%s: no backup had finished by then", someNames(w))
	}
	if t.place != nil {
		line("path", "%s", printable(t.place.original()))
	}
	line("target", "%s", printable(t.target))
	return lines
}

// someNames lists names, but no more than a line takes.
func someNames(names []string) string {
	const most = 5
	var list []string
	for _, n := range names[:min(most, len(names))] {
		list = append(list, printable(n))
	}
	if more := len(names) - most; more > 0 {
		return strings.Join(list, ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, ", ")
}

// warnChoice says what is not right with a snapshot that is restored all the same.
func (a *app) warnChoice(c repo.Choice) {
	s := c.Snapshot
	var what []string
	if s.Completeness == tree.WithFaults {
		what = append(what, "lacks "+plural(s.FaultCount, "entry", "entries")+" of the source, or has it torn")
	}
	if s.Completeness == tree.Interrupted {
		what = append(what, "is of a backup that was still running, and lacks what came later")
	}
	if s.Suspect {
		what = append(what, "has less than half of what the source had before, or less than its policy expected")
	}
	if s.Late {
		what = append(what, "was stored too late to count as one made at its time")
	}
	if len(what) == 0 {
		return
	}
	newest := "There is no complete one before it."
	if c.Clean != nil {
		newest = fmt.Sprintf("The newest complete one before it is %s, read to %s.", c.Clean.Short(), a.endText(c.Clean))
	}
	end := "."
	if list := faultList(s); list != "" {
		end = ":" + list
	}
	a.warnf("snapshot %s %s%s\n%s", s.Short(), strings.Join(what, " and "), end, newest)
}

// warnTooLate says before a restore begins that newer data than it brings back is there, which no time chooses, and how it comes back.
func (a *app) warnTooLate(c repo.Choice) {
	if s := c.TooLate; s != nil {
		a.warnf("snapshot %s of %s, read to %s, is newer than %s, and is never chosen by time: it was stored too late for that, or put back later. This restores it: %s",
			s.Short(), printable(s.Source()), a.endText(s), c.Short(), a.runnable("restore", s.Short()))
	}
}

// damageHint says where what was lost may still be whole.
func damageHint(t task) string {
	text := "What was restored is right; every byte of it was checked. Copy the repository as it is before anything is tried on it."
	if before := t.choice.Before; before != nil && !t.hit {
		text += fmt.Sprintf(" What is missing may be whole in %s, unless that needs the same pack.", before.Short())
	}
	return text
}

// damageList lists what was lost, and to which object.
func damageList(damaged []restore.Damage) string {
	var b strings.Builder
	for _, d := range damaged[:min(listedFaults, len(damaged))] {
		by := d.Object
		if by == "" {
			by = oneLine(d.Err)
		}
		fmt.Fprintf(&b, "\n  %s (%s)", printable(d.Path), by)
	}
	if more := len(damaged) - listedFaults; more > 0 {
		fmt.Fprintf(&b, "\n  and %d more; --json lists all", more)
	}
	return b.String()
}

func problemList(res *restore.Result) string {
	var b strings.Builder
	for _, p := range res.Problems[:min(listedFaults, len(res.Problems))] {
		fmt.Fprintf(&b, "\n  %s: %s", printable(p.Path), printable(problemText(p)))
	}
	if more := res.ProblemCount - uint64(min(listedFaults, len(res.Problems))); more > 0 {
		fmt.Fprintf(&b, "\n  and %d more", more)
	}
	return b.String()
}

func problemText(p restore.Problem) string {
	text := fmt.Sprintf("%s: %v", p.Op, p.Err)
	if p.Missing {
		text += " (it is not there)"
	}
	return text
}

// mostMarks bounds how many damaged packs one restore reads again and marks.
const mostMarks = 100

// markDamaged marks the packs that a restore found damaged, so that the next backup stores again what the source still has of them.
func (a *app) markDamaged(ctx context.Context, r *repo.Repo, res *restore.Result) {
	if res == nil || r.ReadOnly() != nil {
		return
	}
	seen := map[string]bool{}
	var marked []string
	for _, d := range res.Damaged {
		if d.Object == "" || seen[d.Object] || len(seen) == mostMarks {
			continue
		}
		seen[d.Object] = true
		name, err := r.MarkDamaged(ctx, d.Err)
		if err != nil {
			a.warnf("%s could not be marked as damaged, so the next backup takes what it holds for stored: %s", d.Object, oneLine(err))
		}
		if name != "" {
			marked = append(marked, name)
		}
	}
	if len(marked) > 0 {
		a.warnf("marked as damaged: %s\nThe next backup of each source stores again what that source still has of it.", strings.Join(marked, ", "))
	}
}
