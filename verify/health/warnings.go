package health

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"savepoint/repo"
	"savepoint/verify"
)

// states are in order of rank.
var states = []State{Damaged, ProbeFailed, NeverBackedUp, NoPoint, Exposed, Stopped, BackupOverdue, Faulty, Unusual, Foreign, DrillMissed, DrillFailed, DrillOverdue, NeverDrilled, Good}

func rank(s State) int { return slices.Index(states, s) }

// warn says what needs attention, the worst first, and gives each source its state.
func (l *look) warn() {
	for _, u := range l.status.Unreadable {
		w := Warning{State: Damaged, Message: line(u.Message), Next: l.o.Command("verify")}
		switch u.Kind {
		case KindDocument: // it may be a later program's
			w.State, w.Next = DrillFailed, l.o.Command("version")
		case KindConfig:
			w.Message = "no host can back up any more: " + w.Message
			w.Next, w.Commands = "put back an earlier version or a copy of the object config, and then: "+w.Next, []string{w.Next}
		}
		l.add(w)
	}
	l.warnChecks()
	for _, x := range l.sources {
		l.warnBackups(x)
		l.warnDrills(x)
		l.warnFigures(x)
	}
	l.warnCapacity()
	l.warnTrust()
	l.warnClock()
	slices.SortStableFunc(l.status.Warnings, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), strings.Compare(a.Dataset, b.Dataset), strings.Compare(a.Host, b.Host))
	})
}

// add adds a warning. What to do next is a command, unless it says apart which commands are in it.
func (l *look) add(w Warning) {
	if w.Commands == nil {
		w.Commands = []string{w.Next}
	}
	l.status.Warnings = append(l.status.Warnings, w)
}

// lookThen ends the message about a probe that failed: the command that comes after it shows what came back.
const lookThen = "; a drill whose probe passes ends this; to look at what came back"

// lostThen ends the message about snapshots that are lost: the command that comes after it says where they go.
const lostThen = "; only putting back what is gone ends this, no command of this version does (docs/guide/night.md); to see what to put back"

// Fact returns the message without what leads on to Next, such as the host to be on: what is the matter, and nothing to do about it.
func (w Warning) Fact() string {
	m := strings.TrimSuffix(strings.TrimSuffix(w.Message, lookThen), lostThen)
	if on, is := strings.CutSuffix(m, "on "+w.Host); is && w.Host != "" {
		if i := strings.LastIndex(on, "; "); i >= 0 {
			return on[:i]
		}
	}
	return m
}

// tell adds a warning about a source, whose state is that of the worst.
func (l *look) tell(x *sight, state State, next, format string, args ...any) {
	l.add(Warning{State: state, Dataset: x.Dataset, Host: x.Host, Message: x.Name() + " " + fmt.Sprintf(format, args...), Next: next})
	if rank(state) < rank(x.State) {
		x.State = state
	}
}

// plan returns what the configuration says of a source.
func (l *look) plan(x *sight) Plan {
	if l.o.Plan == nil {
		return Plan{}
	}
	return l.o.Plan(x.Dataset, x.Host)
}

// wantsDrills reports whether the configuration wants a source drilled.
func (p Plan) wantsDrills() bool { return p.Drills || p.RTO > 0 }

func (l *look) warnBackups(x *sight) {
	backup, plan := l.backupCommand(x.Source), l.plan(x)
	hit := 0
	for _, s := range x.snaps {
		if l.hit[s.ID()] != nil {
			hit++
		}
	}
	if hit > 0 {
		l.tell(x, Damaged, l.o.Command("verify"), "has snapshots that lose something to damage which a verification found: %d", hit)
	}
	if p := x.Lost; len(p) > 0 {
		what := fmt.Sprintf("lost snapshot %.8s, published at %s: it is gone, and nobody forgot it", p[0].Snapshot, l.moment(p[0].Published))
		if x.LostCount > 1 {
			what = fmt.Sprintf("lost %d snapshots, which are gone, and nobody forgot them; the newest is %.8s, published at %s", x.LostCount, p[0].Snapshot, l.moment(p[0].Published))
		}
		l.tell(x, Damaged, l.o.Command("verify"), "%s%s", what, lostThen)
	}
	switch {
	case x.LastBackup == nil && x.LastReport == nil && x.LostCount == 0 && !slices.ContainsFunc(x.drills, func(d *report) bool { return d.drill.Snapshot != "" }):
		l.tell(x, NeverBackedUp, backup, "was never backed up; on %s", x.Host)
		return
	case x.RecoveryPoint == nil:
		if d := x.UnhealedDamage; d != nil && d.rep.silent { // what is wrong would be backed up, and then nothing tells which was right
			backup = l.damageCommand(x)
		}
		l.tell(x, NoPoint, backup, "has no snapshot that is complete, on time, not suspect and not damaged; on %s", x.Host)
	case l.warnBackupTurns(x, backup):
	case x.stopped(l.now):
		l.tell(x, Stopped, backup, "was last backed up %s ago, and before that at least every %s; on %s", Age(l.now.Sub(x.LastBackup.Published)), Age(x.habit()), x.Host)
	}
	if p := x.RecoveryPoint; p != nil && plan.RPO > 0 && l.now.Sub(p.WindowStart) > plan.RPO {
		l.tell(x, Exposed, backup, "would lose %s, where its RPO is %s; on %s", Loss(l.now.Sub(p.WindowStart)), Objective(plan.RPO), x.Host)
	}
	switch b := x.LastBackup; {
	case b == nil:
	case b.Completeness == interrupted:
		l.tell(x, Faulty, backup, "has a backup that began at %s and has not finished; it may still run, else on %s", l.moment(b.WindowStart), x.Host)
	case b.Late:
		l.tell(x, Faulty, backup, "has a last snapshot that was stored too late to count; on %s", x.Host)
	case b.Suspect && l.short(x, b) != "":
		l.tell(x, Faulty, "see that everything of it is mounted; if it has what it should, lower `expect` in its configuration, and then: "+backup,
			"has too little in its last backup: %s; on %s", l.short(x, b), x.Host)
		l.status.Warnings[len(l.status.Warnings)-1].Commands = []string{backup}
	case b.Suspect:
		l.tell(x, Faulty, l.backupCommand(x.Source, "--allow-shrink"), "lost more than half of what it had before its last backup; when everything is mounted, and it lost what it should, on %s", x.Host)
	case b.Completeness != "complete": // faults that the policy tolerates leave it so
		l.tell(x, Faulty, backup, "has faults in its last backup, files that are missing or torn: %d; when they can be read, on %s", b.Faults, x.Host)
	}
}

// short says what a backup has less of than its policy expects; "" when it has enough. No flag of a backup helps there.
func (l *look) short(x *sight, b *Backup) string {
	i := slices.IndexFunc(x.snaps, func(s *repo.Snapshot) bool { return s.ID() == b.Snapshot })
	if i < 0 || l.o.Expect == nil {
		return ""
	}
	var parts []string
	files, bytes := l.o.Expect(x.snaps[i])
	if b.Files < files {
		parts = append(parts, fmt.Sprintf("files: %d, where its policy expects %d", b.Files, files))
	}
	if b.Bytes < bytes {
		parts = append(parts, fmt.Sprintf("bytes: %d, where its policy expects %d", b.Bytes, bytes))
	}
	return strings.Join(parts, "; ")
}

func (l *look) warnDrills(x *sight) {
	drill := l.o.Command("drill", "--dataset", x.Dataset, "--host", x.Host)
	if d := x.UnhealedDamage; d != nil {
		l.tell(x, Damaged, l.damageCommand(x), "%s in the drill of %s%s%s%s", d.rep.whatHappened(), l.moment(d.At), reason(d), x.moreDamage(), x.backAgain())
		l.status.Warnings[len(l.status.Warnings)-1].File = d.rep.lostFile
		l.pointBack(x)
	}
	if d := x.FailedProbe; d != nil {
		l.tell(x, ProbeFailed, l.o.Command("drill", "--dataset", x.Dataset, "--host", x.Host, "--keep"),
			"came back, and failed its probe, in the drill of %s%s%s", l.moment(d.At), reason(d), lookThen)
		l.pointBack(x)
	}
	switch d := x.LastDrill; {
	case d != nil && d.Verdict == verify.Damage && (x.UnhealedDamage != nil || x.FailedProbe != nil):
	case d == nil && x.RecoveryPoint != nil:
		l.tell(x, NeverDrilled, drill, "was never drilled")
	case x.Partly() != "" && l.plan(x).wantsDrills():
		how := map[string]string{sampled: "by samples", warmed: "with the cache of a host"}[x.Partly()]
		l.tell(x, NeverDrilled, drill, "was drilled %s alone: that all of it comes back was never proven", how)
	case d == nil || proven(d.Verdict) || d.Verdict == verify.Inconclusive: // all came back, and the table says that its time proves nothing
	case d.Verdict == verify.ObjectiveMissed:
		l.tell(x, DrillMissed, drill, "missed an objective in the drill of %s%s", l.moment(d.At), reason(d))
	default:
		l.tell(x, DrillFailed, drill, "was last drilled at %s: %s%s", l.moment(d.At), line(string(d.Verdict)), reason(d))
	}
	l.warnDrillTurns(x, drill)
}

// whatHappened says what a drill found, of its source.
func (r *report) whatHappened() string {
	switch {
	case r.onlyOlderThanWanted:
		return "came back, and older than it should be,"
	case r.silent && !r.dataLost && !r.lostManifest:
		return "came back, and silently differs from the source,"
	}
	return "did not come back whole"
}

// moreDamage counts the snapshots in which drills found damage beside the one that is told of.
func (x *sight) moreDamage() string {
	n := 0
	for _, d := range x.Damages {
		if d.By == ByDrill && d.Snapshot != x.UnhealedDamage.Snapshot {
			n++
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return "; one more snapshot of it did not"
	}
	return fmt.Sprintf("; %d more snapshots of it did not", n)
}

// allBack reports whether the damage that is told of is that newer snapshots were lost, and all of them are back, or were forgotten.
func (x *sight) allBack() bool { return x.UnhealedDamage.rep.onlyOlderThanWanted && x.LostCount == 0 }

// backAgain says what ends the damage when what was lost is there again.
func (x *sight) backAgain() string {
	if x.allBack() {
		return "; that is not so any more, and a drill that finds it so ends this"
	}
	return ""
}

// pointBack adds to the last warning how to get the newest snapshot that a drill proved good.
func (l *look) pointBack(x *sight) {
	if x.LastGood == nil {
		return
	}
	w, back := &l.status.Warnings[len(l.status.Warnings)-1], l.o.Command("restore", x.LastGood.Snapshot[:8])
	w.Next += fmt.Sprintf("; the last good snapshot, proven by the drill of %s: %s", l.moment(x.LastGood.At), back)
	w.Commands = append(slices.Clone(w.Commands), back)
}

// damageCommand returns what finds out more of what drills found: a verification that reads everything; a drill when one has found nothing since;
// or the drill once more of the one snapshot that is in question when what is newer has come back since.
func (l *look) damageCommand(x *sight) string {
	d := x.UnhealedDamage
	switch {
	case x.allBack():
		return l.o.Command("drill", "--dataset", x.Dataset, "--host", x.Host)
	case d.rep.onlyOlderThanWanted:
		return l.o.Command("verify")
	}
	if d.rep.silent && !d.rep.dataLost && !d.rep.lostManifest {
		return l.o.Command("drill", "--dataset", x.Dataset, "--host", x.Host, "--against-source")
	}
	at := d.rep.drill.WindowEnd
	if d.Of != nil && !d.Of.Before(at) {
		at = *d.Of
	}
	if x.LastProven == nil || !x.LastProven.At.After(d.At) || at.IsZero() || x.damages() > 1 {
		if whole := l.status.Verify.Data.LastWhole; whole != nil && whole.After(d.At) {
			return l.o.Command("drill", "--dataset", x.Dataset, "--host", x.Host)
		}
		return l.o.Command("verify", "--read-data=all")
	}
	return l.o.Command("drill", "--dataset", x.Dataset, "--host", x.Host, "--at", at.UTC().Format(time.RFC3339Nano))
}

// reason returns why a drill's verdict is not a better one.
func reason(d *Drill) string {
	if len(d.rep.drill.Reasons) == 0 {
		return ""
	}
	return ": " + line(d.rep.drill.Reasons[0])
}

func (l *look) warnChecks() {
	v := l.status.Verify
	check := l.o.Command("verify")
	if l.empty() {
		if len(l.sources) == 0 {
			l.add(Warning{State: NeverBackedUp, Message: "nothing was backed up yet", Next: l.o.Command("backup", "FOLDER")})
		}
		return
	}
	if c := v.Unhealed; c != nil {
		w := Warning{State: Damaged, Message: "the verification of " + l.moment(c.At) + ofPart(c) + " found damage", Next: check}
		for _, f := range c.rep.check.Findings { // one at most is kept
			w.Message += ": " + line(f.Object) + ": " + line(f.Message)
			if next := line(f.Next); next != "" {
				w.Next, w.Commands = next, append([]string{}, f.Commands...)
			}
		}
		for _, h := range c.rep.check.Hit {
			w.File = h.Paths[0]
			w.Message += fmt.Sprintf("; the first file that it hits is %s in snapshot %.8s", line(w.File), line(h.Snapshot))
		}
		l.add(w)
	}
	if len(l.status.Damaged) > 0 && v.Unhealed == nil && (v.Structure.LastWhole == nil || l.marked.After(*v.Structure.LastWhole)) {
		l.add(Warning{State: Damaged, Message: fmt.Sprintf("packs are marked as damaged: %d, and no verification has looked since what that costs",
			len(l.status.Damaged)), Next: check})
	}
	last := v.Structure.Last
	if v.Part != nil && last != nil && v.Part.At.After(last.At) && v.Part.ExitCode != 0 {
		last = v.Part
	}
	switch {
	case last == nil && v.Part != nil:
		l.add(Warning{State: NeverDrilled, Message: "only parts of the repository were verified, the last one at " + l.moment(v.Part.At) + ": " + line(v.Part.Scope), Next: check})
	case last == nil:
		l.add(Warning{State: NeverDrilled, Message: "the repository was never verified", Next: check})
	case v.Unhealed == nil && last.ExitCode != 0:
		why := " did not come to its end"
		if d := last.rep.check; d != nil && d.Stopped == "" {
			why = " could not look at everything"
		} else if last.Message != "" {
			why += ": " + line(last.Message)
		}
		l.add(Warning{State: DrillFailed, Message: "the verification of " + l.moment(last.At) + ofPart(last) + why, Next: check})
	}
	if v.Data.Last == nil && v.ReadBack == 0 {
		l.add(Warning{State: NeverDrilled, Message: "no pack was ever read back", Next: l.o.Command("verify", "--read-data=5%")})
	}
	if l.status.Copied {
		l.add(Warning{State: Faulty, Message: "this repository is a copy made by other means, or its files were touched: backups are refused", Next: l.o.Command("adopt")})
	}
}

// empty reports whether the repository has nothing that could be verified, as far as that can be read.
func (l *look) empty() bool {
	s := l.status
	return !l.snapshots && len(s.Unreadable) == 0 && len(l.checks) == 0 && !s.Copied
}

// skew is how far clocks may differ before what depends on them does not count as well.
const skew = 5 * time.Minute

// warnClock says that clocks differ. What is dated after now looks fresh for as long as it is, and hides that nothing came since: a source of
// which anything is, is not well.
func (l *look) warnClock() {
	behind := l.now.Sub(l.host)
	if behind <= time.Minute {
		return
	}
	l.add(Warning{State: Faulty, Message: fmt.Sprintf("this host's clock is at least %s behind the storage's, which has shown %s: alerts come late, or never for what is dated after now",
		Age(behind), l.moment(l.now)), Next: "timedatectl"})
	for _, x := range l.sources {
		ahead := func(t time.Time) bool { return t.Sub(l.host) > skew }
		b, p, d := x.LastBackup, x.RecoveryPoint, x.LastProven
		if (b != nil && ahead(b.Published) || p != nil && ahead(p.WindowStart) || d != nil && ahead(d.At)) && rank(Faulty) < rank(x.State) {
			x.State = Faulty
		}
	}
}

// backupCommand returns what backs the source up, to be run on its host.
func (l *look) backupCommand(s *Source, more ...string) string {
	args := []string{"backup"}
	if s.Host != l.o.Here {
		args = append(args, "--host", s.Host)
	}
	args = append(args, more...)
	if path.IsAbs(s.Dataset) {
		return l.o.Command(append(args, s.Dataset)...)
	}
	return l.o.Command(append(args, "--dataset", s.Dataset)...)
}

func (l *look) moment(t time.Time) string { return t.In(l.o.Zone).Format("2006-01-02 15:04 MST") }
