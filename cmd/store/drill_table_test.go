package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"savepoint/verify"
)

// TestDrillsTable has forty sources, some of which need somebody: they come first, and the last line counts all.
func TestDrillsTable(t *testing.T) {
	d := &drillsDocument{wanted: 40}
	for i := range 40 {
		x := &verify.DrillDocument{Verdict: verify.Restored, Dataset: fmt.Sprintf("shard-%02d", i), Host: "db-1", Snapshot: "abc", WindowEnd: time.Unix(1.6e9, 0), RTO: verify.Recovery{Seconds: 61, Judged: true}}
		switch i {
		case 3:
			x.Verdict, x.ExitCode = verify.CouldNotRun, exitFailure
			d.none = append(d.none, x)
			x.Snapshot = ""
		case 7, 39:
			x.Verdict, x.ExitCode, x.RTO.Judged = verify.Damage, exitDamage, false
		case 8:
			x.Verdict, x.ExitCode, x.RTO.Judged, x.Instead = verify.Damage, exitDamage, false, "def"
		case 11:
			x.Verdict, x.ExitCode = verify.ObjectiveMissed, exitObjective
		case 12:
			x.ExitCode = exitFailure
		case 13:
			x.Verdict, x.ExitCode, x.Snapshot = verify.CouldNotRun, exitFailure, ""
		case 14:
			x.Verdict = verify.Pass
		case 15:
			x.Verdict, x.ExitCode, x.RTO.Judged, x.Probe = verify.Damage, exitDamage, false, &verify.Probe{Result: verify.ProbeFailed}
		case 20:
			x.Dataset = strings.Repeat("long", 40)
		}
		d.Drills, d.ExitCode = append(d.Drills, x), worst(d.ExitCode, x.ExitCode)
	}
	var b strings.Builder
	a := testApp()
	a.out = &b
	if err := a.printDrills(d, nil); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i, want := range []string{"source ", "shard-07@db-1 ", "shard-08@db-1 ", "shard-39@db-1 ", "shard-15@db-1 ", "shard-03@db-1 ", "shard-13@db-1 ", "shard-12@db-1 ", "shard-11@db-1 ", "long"} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d: %s", i, lines[i])
		}
	}
	for i, want := range map[int]string{1: "none", 2: "1 min 1 s", 4: "probe failed", 5: "no snapshot", 7: "error"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d lacks %s: %s", i, want, lines[i])
		}
	}
	for _, l := range lines[:len(lines)-1] {
		if columns(l) > 120 {
			t.Errorf("%d columns: %s", columns(l), l)
		}
	}
	const want = "40 drills: 1 passed, 31 restored without a probe, 1 missed an objective, 1 came back and ended with an error, 1 could not run, 1 had no snapshot, 1 came back and failed its probe, 3 found damage; exit code 4, for damage weighs most"
	if last := lines[len(lines)-1]; last != want {
		t.Errorf("%s, want\n%s", last, want)
	}
	const said = "of 40 drills 3 found damage (shard-07@db-1, shard-08@db-1, shard-39@db-1), 1 came back and failed its probe (shard-15@db-1), 1 had no snapshot (shard-03@db-1), 1 could not run (shard-13@db-1), " +
		"1 came back and ended with an error (shard-12@db-1), 1 missed an objective (shard-11@db-1)"
	if got := drillsError(d).Error(); got != said {
		t.Errorf("%s, want\n%s", got, said)
	}
	alone := &drillsDocument{Drills: d.Drills[14:16], wanted: 2, ExitCode: exitDamage}
	if got := alone.summary(); got != "2 drills: 1 passed, 1 came back and failed its probe; exit code 4, for a probe that failed weighs as much as damage" {
		t.Error(got)
	}
	d.wanted = 41
	if got := d.summary(); !strings.HasPrefix(got, "40 drills of 41, then it was ended: ") {
		t.Error(got)
	}
}
