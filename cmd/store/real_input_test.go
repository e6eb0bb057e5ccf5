package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"savepoint/verify"
	"savepoint/verify/health"
)

// TestRealInput takes a small game's backend through what this program is for: ten backups while everything changes, drills in every way there
// is, and five ways in which it breaks, each of which has to be seen.
func TestRealInput(t *testing.T) {
	if testing.Short() {
		t.Skip("runs PostgreSQL, and backs it up ten times")
	}
	x := newSite(t)
	for _, step := range []struct {
		name string
		run  func(*site)
	}{
		{"ten backups", (*site).tenBackups},
		{"drills", (*site).drills},
		{"all is well", (*site).allIsWell},
		{"a dead exporter", (*site).deadExporter},
		{"a missed backup", (*site).missedBackup},
		{"a violated invariant", (*site).violatedInvariant},
		{"a lost pack", (*site).lostPack},
		{"a flipped bit", (*site).flippedBit},
		{"what holds of all", (*site).allSeen},
		{"healed", (*site).healed},
	} {
		began := time.Now()
		if !t.Run(step.name, func(t *testing.T) {
			step.run(x.in(t))
			t.Logf("%.1f s", time.Since(began).Seconds())
		}) {
			break // what comes next stands on it
		}
	}
}

func (x *site) tenBackups() {
	trades := 0
	for round := range 10 {
		if round > 0 {
			x.play(round)
		} else {
			x.ledger.copy()
		}
		n := x.ledger.trades()
		if n <= trades {
			x.t.Errorf("round %d: %d trades, and before there were %d: the database did not change", round, n, trades)
		}
		trades = n
		var doc backupAllDocument
		x.json(&doc, 0, "backup", "--all", "--json")
		var names []string
		for _, d := range doc.Datasets {
			names = append(names, d.Dataset)
			if d.Backup == nil || d.ExitCode != 0 || d.Backup.Snapshot.Completeness != "complete" {
				x.t.Errorf("round %d: %s: %+v, %+v", round, d.Dataset, d.Backup, d.Error)
			}
		}
		if !slices.Equal(names, datasets) {
			x.t.Errorf("round %d: backed up %q", round, names)
		}
	}
	if n := x.snapshots(); n != 10*len(datasets) {
		x.t.Errorf("%d snapshots, want %d", n, 10*len(datasets))
	}
	// Never drilled, never verified: that is for the day, not for the night.
	_, m := x.seen("ledger", health.NeverDrilled, 0, nagiosWarning, "was never drilled")
	for _, d := range datasets {
		if n := x.of(m, "savepoint_backup_runs_total", d, "result=success"); n != 10 {
			x.t.Errorf("%s: the metrics count %v backups", d, n)
		}
		if n := x.of(m, "savepoint_drill_last_success_timestamp_seconds", d); n != 0 {
			x.t.Errorf("%s: never drilled, and the metrics say %v", d, n)
		}
	}
}

func (x *site) drills() {
	for _, d := range x.drillAll("--host", x.name).Drills {
		if d.Conditions.Scenario != "cold" || !d.Conditions.IndexCold || !d.RTO.Judged || !d.RTO.Met || !d.RPO.Met || d.RTO.Objective == 0 || d.RPO.Objective == 0 {
			x.t.Errorf("cold drill of %s: %+v, %+v, %+v", d.Dataset, d.Conditions, d.RTO, d.RPO)
		}
	}
	for _, d := range x.drillAll("--scenario", "warm").Drills {
		if d.Conditions.Scenario != "warm" || d.RTO.Judged {
			x.t.Errorf("warm drill of %s: %+v, %+v", d.Dataset, d.Conditions, d.RTO)
		}
	}
	all := x.drillAll("--scenario", "site")
	last := 0.0
	for _, d := range all.Drills {
		if d.RTO.Seconds <= last {
			x.t.Errorf("site: %s took %v s in all, and those before it %v s", d.Dataset, d.RTO.Seconds, last)
		}
		last = d.RTO.Seconds
	}
	if all.SiteRTO == nil || *all.SiteRTO != last {
		x.t.Errorf("site: %v, want %v", all.SiteRTO, last)
	}

	d := x.drill(0, "--dataset", "profiles", "--sample", "20%")
	whole := all.Drills[slices.Index(datasets, "profiles")]
	if d.Conditions.Full || d.RTO.Judged || d.Restored.Files == 0 || d.Restored.Files >= whole.Restored.Files {
		x.t.Errorf("sample: %d of %d files, %+v", d.Restored.Files, whole.Restored.Files, d.Conditions)
	}
	d = x.drill(0, "--dataset", "ledger", "--random-within", "1h")
	if d.At == nil || d.RandomWithin != 3600 || d.At.Before(d.WindowEnd) || d.Restored.Bytes == 0 || d.Compared.DifferenceCount > 0 {
		x.t.Errorf("random: at %v, %v s, %+v", d.At, d.RandomWithin, d.Restored)
	}

	x.file("game/players/new", 1, 5000)
	d = x.drill(0, "--dataset", "profiles", "--against-source")
	if l := d.Loss; l == nil || l.New != 1 || l.Bytes != 5000 || l.DamagedCount != 0 || len(l.Listed) != 1 || filepath.Base(l.Listed[0].Path) != "new" {
		x.t.Errorf("against the source: %+v", l)
	}

	d = x.drill(0, append([]string{"--dataset", "ledger"}, x.ledger.probe()...)...)
	if p := d.Probe; d.Verdict != verify.Pass || p == nil || p.Builtin != "postgres" || p.Isolation != "full" || p.Checked < 6 || p.Left > 0 || !d.RTO.Met {
		x.t.Errorf("probe: %s, %+v, %+v", d.Verdict, p, d.RTO)
	}
}

// allIsWell holds that nothing is said when nothing is wrong: an alarm that always rings is none.
func (x *site) allIsWell() {
	x.run("verify", "--read-data=all", "-q").want(0)
	p := x.run("health", "--format", "nagios").want(nagiosOK)
	if !strings.HasPrefix(p.out.String(), "SAVEPOINT OK - ") {
		x.t.Errorf("Nagios reads %s", p.out.String())
	}
	var status health.Status
	x.json(&status, 0, "health", "--json")
	if len(status.Warnings) > 0 || len(status.Sources) != len(datasets) {
		x.t.Errorf("%+v", status.Warnings)
	}
	m := x.export(0)
	for _, d := range datasets {
		if n := x.of(m, "savepoint_drill_unhealed_damage", d); n != 0 {
			x.t.Errorf("%s: damage %v", d, n)
		}
		if n := x.of(m, "savepoint_backup_missed_runs", d); n != 0 {
			x.t.Errorf("%s: %v missed backups", d, n)
		}
		if n := x.of(m, "savepoint_objective_rto_seconds", d); n == 0 {
			x.t.Errorf("%s: no objective", d)
		}
	}
	if x.of(m, "savepoint_recovery_point_timestamp_seconds", "ledger", "trust=drilled") == 0 {
		x.t.Error("the probe's drill is no drilled recovery point")
	}
	if n := m.value(x.t, "savepoint_verify_unhealed_damage"); n != 0 {
		x.t.Errorf("damage %v", n)
	}
}

// deadExporter holds that a file that nobody renews fires MetricsStale, and that one that is renewed does not. What died an hour ago is an
// exporter whose clock is an hour back.
func (x *site) deadExporter() {
	allowed := ruleLimit(x.t, "MetricsStale", `time\(\) - savepoint_metrics_written_timestamp_seconds > (\d+)`)
	age := func(m metrics) float64 {
		return float64(time.Now().UnixMilli())/1000 - m.value(x.t, "savepoint_metrics_written_timestamp_seconds")
	}
	if a := age(x.export(0)); a < 0 || a > allowed {
		x.t.Errorf("a file that was just written is %v s old", a)
	}
	x.at(-time.Hour, func() { x.export(0) })
	before, err := os.ReadFile(x.prom)
	if err != nil {
		x.t.Fatal(err)
	}
	// Everything else goes on, and an exporter that cannot reach the repository leaves the file as it is.
	x.run("backup", "--dataset", "logs", "-q").want(0)
	x.run("health").want(0)
	x.run("health", "--repo", x.server.URL(x.bucket, "elsewhere"), "--all-hosts", "--textfile", x.prom).want(10)
	if after, err := os.ReadFile(x.prom); err != nil || !bytes.Equal(before, after) {
		x.t.Errorf("the file has changed: %v", err)
	}
	if a := age(x.readMetrics()); a <= allowed {
		x.t.Errorf("nobody renewed the file, and it is %v s old, want more than %v", a, allowed)
	}
	if a := age(x.export(0)); a > allowed {
		x.t.Errorf("it was renewed, and is %v s old", a)
	}
}

// missedBackup holds that the one dataset is named whose schedule and objective want a backup that does not come.
func (x *site) missedBackup() {
	const later = 3 * time.Hour // two and a half of which the first run after the last backup may need to count as missed
	x.at(later, func() {
		s, m := x.seen("regions", health.Exposed, 0, nagiosCritical, "where its RPO is 2h")
		exposed := func(d string) float64 {
			return float64(time.Now().Add(later).Unix()) - x.of(m, "savepoint_recovery_point_timestamp_seconds", d, "trust=committed")
		}
		for _, d := range datasets {
			over, missed := exposed(d) > x.of(m, "savepoint_objective_rpo_seconds", d), x.of(m, "savepoint_backup_missed_runs", d) > 0
			if want := d == "regions"; over != want || missed != want {
				x.t.Errorf("%s: RPOExceeded %t, missed runs %t, want both %t", d, over, missed, want)
			}
		}
		if p := x.run("health").want(0); !strings.Contains(p.out.String(), "expected backups that did not come within 30 days: ") {
			x.t.Errorf("health does not count the missed backups:\n%s", p.out.String())
		}
		if s.RecoveryPoint == nil {
			x.t.Error("the last backup is no recovery point any more")
		}
	})
	// A drill counts by the storage's clock, which nobody here can set: the objective becomes shorter.
	d := x.drill(exitObjective, "--dataset", "regions", "--config", x.config("rpo: 2h", "rpo: 1s"))
	if d.Verdict != verify.ObjectiveMissed || d.RPO.Met || d.RPO.Objective != 1 || d.RPO.Seconds <= 1 || !d.RTO.Met {
		x.t.Errorf("drill: %s, %+v, %+v", d.Verdict, d.RPO, d.RTO)
	}
	_, m := x.seen("regions", health.DrillMissed, 0, nagiosCritical, "missed an objective in the drill")
	if x.of(m, "savepoint_drill_last_result", "regions", "result=objective_missed") != 1 {
		x.t.Error("the metrics do not say that an objective was missed")
	}
	x.run("backup", "--dataset", "regions", "-q").want(0)
	x.drill(0, "--dataset", "regions")
}

// violatedInvariant changes one row behind the program's back.
func (x *site) violatedInvariant() {
	x.ledger.sql("UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = 1")
	x.ledger.copy()
	x.run("backup", "--dataset", "ledger", "-q").want(0)
	// What was backed up comes back as it was: only the probe can know.
	d := x.drill(exitDamage, append([]string{"--dataset", "ledger", "--find-last-good"}, x.ledger.probe()...)...)
	if d.Verdict != verify.Damage || d.Compared.DifferenceCount > 0 || d.DamagedCnt > 0 || d.Probe.Result != verify.ProbeFailed || !strings.Contains(d.Probe.Message, invariants[0]) {
		x.t.Errorf("drill: %s, %q, %+v", d.Verdict, d.Reasons, d.Probe)
	}
	if d.Instead == "" || d.Instead == d.Snapshot || len(d.Older) != 1 || !d.Older[0].Good {
		x.t.Errorf("the backup before is good, and the drill names %q: %+v", d.Instead, d.Older)
	}
	s, m := x.seen("ledger", health.ProbeFailed, exitDamage, nagiosCritical, "came back, and failed its probe, in the drill of")
	if s.UnhealedDamage != nil || s.FailedProbe == nil || s.FailedProbe.Snapshot != d.Snapshot || s.LastGood == nil || s.LastGood.Snapshot != d.Instead {
		x.t.Errorf("%+v, %+v, last good %+v", s.UnhealedDamage, s.FailedProbe, s.LastGood)
	}
	if x.of(m, "savepoint_drill_unhealed_damage", "ledger") != 0 || x.of(m, "savepoint_drill_failed_probe", "ledger") != 1 || x.of(m, "savepoint_drill_last_result", "ledger", "result=probe_failed") != 1 {
		x.t.Error("the metrics do not say that the probe of the ledger failed")
	}

	// A drill that does not ask brings back the same wrong row, and says nothing to the contrary.
	x.drill(0, "--dataset", "ledger", "--probe", "none")
	x.seen("ledger", health.ProbeFailed, exitDamage, nagiosCritical, "came back, and failed its probe, in the drill of")

	// The row is put right, and the next drill that passes ends the alarm.
	x.ledger.sql("UPDATE pgbench_accounts SET abalance = abalance - 1 WHERE aid = 1")
	x.ledger.copy()
	x.run("backup", "--dataset", "ledger", "-q").want(0)
	x.drill(0, append([]string{"--dataset", "ledger"}, x.ledger.probe()...)...)
	if m := x.export(0); x.of(m, "savepoint_drill_unhealed_damage", "ledger") != 0 {
		x.t.Error("the drill passes again, and the metrics still say damage")
	}
}

// lostPack removes a pack that one dataset alone needs.
func (x *site) lostPack() {
	pack := x.fresh("profiles", "game/players/lost", 7)
	if err := x.server.Client(x.t).RemoveObject(x.t.Context(), x.bucket, pack, minio.RemoveObjectOptions{}); err != nil {
		x.t.Fatal(err)
	}
	x.damaged("profiles", "lost", pack)
}

// flippedBit changes one bit of a pack that one dataset alone needs.
func (x *site) flippedBit() {
	pack := x.fresh("regions", "game/world/flipped", 8)
	c := x.server.Client(x.t)
	r, err := c.GetObject(x.t.Context(), x.bucket, pack, minio.GetObjectOptions{})
	if err != nil {
		x.t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		x.t.Fatal(err)
	}
	b[len(b)/2] ^= 0x10
	if _, err := c.PutObject(x.t.Context(), x.bucket, pack, bytes.NewReader(b), int64(len(b)), minio.PutObjectOptions{}); err != nil {
		x.t.Fatal(err)
	}
	x.damaged("regions", "flipped", pack)
}

// damaged holds that a drill finds which file is hit and that the backup before is good, and that health and metrics tell of it.
func (x *site) damaged(dataset, file, pack string) {
	d := x.drill(exitDamage, "--dataset", dataset)
	if d.Verdict != verify.Damage || !slices.ContainsFunc(d.Damaged, func(l verify.Lost) bool {
		return strings.HasSuffix(l.Path, "/"+file) && l.Object == strings.TrimPrefix(pack, "repo/")
	}) {
		x.t.Errorf("drill: %s, %+v", d.Verdict, d.Damaged)
	}
	if d.Instead == "" || d.Instead == d.Snapshot || d.RTO.Judged {
		x.t.Errorf("the backup before is good, and the drill names %q: %+v", d.Instead, d.Older)
	}
	s, m := x.seen(dataset, health.Damaged, exitDamage, nagiosCritical, "did not come back whole in the drill of")
	if s.UnhealedDamage == nil || s.UnhealedDamage.Snapshot != d.Snapshot || s.RecoveryPoint == nil || s.RecoveryPoint.Snapshot == d.Snapshot {
		x.t.Errorf("damage %+v, recovery point %+v", s.UnhealedDamage, s.RecoveryPoint)
	}
	if p := x.run("health").want(exitDamage); !strings.Contains(p.out.String(), "act first on ") || !strings.Contains(p.out.String(), "/"+file+": ") {
		x.t.Errorf("health does not begin with the file that is hit:\n%s", p.out.String())
	}
	if x.of(m, "savepoint_drill_unhealed_damage", dataset) != 1 || x.of(m, "savepoint_drill_last_result", dataset, "result=damage") != 1 {
		x.t.Errorf("the metrics do not say that the drill of %s found damage", dataset)
	}
	for _, other := range []string{"ledger", "logs"} {
		if x.of(m, "savepoint_drill_unhealed_damage", other) != 0 {
			x.t.Errorf("the metrics say damage of %s, which has none", other)
		}
	}
}

// allSeen holds that a verification finds both packs, and that one run over all sources ends with the worst code and drills the others.
func (x *site) allSeen() {
	x.run("verify", "--read-data=all", "-q").want(exitDamage)
	if m := x.export(exitDamage); m.value(x.t, "savepoint_verify_unhealed_damage") != 1 || m.value(x.t, "savepoint_damaged_packs") < 1 {
		x.t.Error("the metrics do not say what the verification found")
	}
	var all drillsDocument
	x.json(&all, exitDamage, "drill", "--all", "--json")
	verdicts := map[string]bool{}
	for _, d := range all.Drills {
		verdicts[d.Dataset] = d.Verdict == verify.Damage
	}
	for _, d := range datasets {
		if want := d == "profiles" || d == "regions"; verdicts[d] != want {
			x.t.Errorf("drill --all: damage of %s is %t, want %t", d, verdicts[d], want)
		}
	}
}

// healed holds that the source heals what was lost, and that all alarms end then.
func (x *site) healed() {
	x.run("backup", "--all", "-q").want(0)
	x.drillAll()
	x.run("verify", "--read-data=all", "-q").want(0)
	x.run("health", "--format", "nagios").want(nagiosOK)
	m := x.export(0)
	for _, d := range datasets {
		if x.of(m, "savepoint_drill_unhealed_damage", d)+x.of(m, "savepoint_drill_failed_probe", d) != 0 ||
			x.of(m, "savepoint_drill_runs_total", d, "result=damage")+x.of(m, "savepoint_drill_runs_total", d, "result=probe_failed") == 0 && d != "logs" {
			x.t.Errorf("%s: the metrics still say damage, or forgot that there was some", d)
		}
	}
	if m.value(x.t, "savepoint_verify_unhealed_damage") != 0 {
		x.t.Error("the metrics still say that a verification found damage")
	}
}
