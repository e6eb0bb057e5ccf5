package health_test

import (
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/verify"
	"savepoint/verify/health"
)

// TestProbed has drills with a probe: only one that passed makes a point drilled, and only such a one sees healed what another found.
func TestProbed(t *testing.T) {
	w := newWorld(t)
	snap := w.reported("world", "a", nil)
	w.wait(time.Minute)
	run := func(s *repo.Snapshot, v verify.Verdict, p *verify.Probe) *health.Source {
		t.Helper()
		d := &verify.DrillDocument{Verdict: v, Dataset: "world", Host: "a", Ordered: w.clock(), Incident: w.clock(), Snapshot: s.ID(), WindowStart: s.Start(),
			WindowEnd: s.End(), Probe: p, Reasons: []string{"The probe sh failed: no gold."}, Conditions: verify.Conditions{Full: true, Isolation: "none"}}
		b, err := verify.Encode(d)
		if err != nil {
			t.Fatal(err)
		}
		w.put("world", "a", &record.Report{Kind: record.DrillReport, Ran: [2]int64{w.clock().UnixNano(), w.clock().UnixNano()}, Document: b})
		w.wait(time.Minute)
		return source(t, w.look(health.Options{}), "world@a")
	}
	passed := &verify.Probe{Result: verify.ProbePassed, Checked: 1}
	failed := &verify.Probe{Result: verify.ProbeFailed}

	if x := run(snap, verify.Restored, nil); x.Restored == nil || x.Drilled != nil {
		t.Errorf("without a probe: restored %v, drilled %v", x.Restored, x.Drilled)
	}
	// A verdict that its own document does not carry.
	for _, p := range []*verify.Probe{nil, failed, {Result: verify.ProbePassed}} {
		run(snap, verify.Pass, p)
		status := w.look(health.Options{})
		x := source(t, status, "world@a")
		if x.Drilled != nil || x.LastDrill.Verdict != verify.Restored || len(status.Unreadable) == 0 {
			t.Errorf("%+v: drilled %v, last drill %+v, %d documents are refused", p, x.Drilled, x.LastDrill, len(status.Unreadable))
		}
	}
	if x := run(snap, verify.Pass, passed); x.Drilled == nil || !x.Drilled.Equal(snap.Start()) || x.LastProven.Isolation != "none" {
		t.Errorf("drilled %v, %+v", x.Drilled, x.LastProven)
	}
	x := run(snap, verify.Damage, failed)
	if x.UnhealedDamage != nil || x.FailedProbe == nil || !x.LastDrill.ProbeFailed || len(x.Damages) > 0 || x.State != health.ProbeFailed || x.Drilled != nil || x.Restored == nil || x.RecoveryPoint == nil {
		t.Errorf("%+v", x)
	}
	// It pages, and is told apart from damage.
	status := w.look(health.Options{})
	if status.ExitCode != 4 || status.Severity() != health.Critical || !status.ProbeAlone() {
		t.Errorf("exit code %d, %s, the probe alone: %v", status.ExitCode, status.Severity(), status.ProbeAlone())
	}
	series := samples(t, w.scrape(health.Options{}))
	for name, want := range map[string]float64{"savepoint_drill_unhealed_damage{": 0, "savepoint_drill_failed_probe{": 1} {
		if got := series[name+`class="state",dataset="world",host="a"}`]; got != want {
			t.Errorf("%s} is %v, want %v", name, got, want)
		}
	}
	if series[`savepoint_drill_last_result{class="state",dataset="world",host="a",result="probe_failed"}`] != 1 {
		t.Error("its result is another")
	}
	var said strings.Builder
	for _, warning := range status.Warnings {
		said.WriteString(warning.Message + "\n")
	}
	if !strings.Contains(said.String(), "came back, and failed its probe, in the drill of") || !strings.Contains(said.String(), "no gold; a drill whose probe passes ends this") {
		t.Error(said.String())
	}
	// All of it came back before, too: that heals nothing.
	if x = run(snap, verify.Restored, nil); x.FailedProbe == nil {
		t.Error("healed by a drill without a probe")
	}
	next := w.reported("world", "a", nil)
	w.wait(time.Minute)
	if x = run(next, verify.ObjectiveMissed, passed); x.FailedProbe != nil {
		t.Errorf("not healed by a probe that passed: %+v", x.FailedProbe)
	}
}
