package health_test

import (
	"strings"
	"testing"
	"time"

	"savepoint/verify"
	"savepoint/verify/health"
)

// TestWarmProvesNothing has drills that took from a host's cache: they are neither a proof, nor do they see damage healed.
func TestWarmProvesNothing(t *testing.T) {
	w := newWorld(t)
	snap := w.reported("world", "a", nil)
	warm := func() *health.Source {
		t.Helper()
		w.wait(time.Minute)
		w.drillWith("world", "a", snap, verify.Restored, nil, func(d *verify.DrillDocument) { d.Conditions.Scenario, d.RTO.Judged = "warm", false })
		return source(t, w.look(health.Options{}), "world@a")
	}
	if x := warm(); x.LastProven != nil || x.Restored != nil || x.LastDrill == nil {
		t.Errorf("proven %+v, restored %v, last drill %+v", x.LastProven, x.Restored, x.LastDrill)
	}
	w.wait(time.Minute)
	w.drill("world", "a", snap, verify.Damage)
	if x := warm(); x.UnhealedDamage == nil || x.State != health.Damaged {
		t.Errorf("healed by what was in a cache: %+v", x)
	}
	w.wait(time.Minute)
	w.drill("world", "a", snap, verify.Restored)
	if x := warm(); x.UnhealedDamage != nil || x.LastProven == nil {
		t.Errorf("%+v", x)
	}
}

// TestSilentlyDifferent has a drill that found files of the source that nothing has changed and that are not as in the snapshot: only one that
// compares with the source again, and reads something of it, sees that healed.
func TestSilentlyDifferent(t *testing.T) {
	w := newWorld(t)
	snap := w.reported("world", "a", nil)
	run := func(v verify.Verdict, l *verify.LossSet) *health.Source {
		t.Helper()
		w.wait(time.Minute)
		w.drillWith("world", "a", snap, v, nil, func(d *verify.DrillDocument) { d.Loss = l })
		return source(t, w.look(health.Options{}), "world@a")
	}
	damaged := &verify.LossSet{Same: 1, Damaged: []verify.LostFile{{Path: "/srv/gold"}}, DamagedCount: 1}
	run(verify.Damage, damaged)
	s := w.look(health.Options{Command: func(args ...string) string { return strings.Join(args, " ") }})
	if i := s.Warnings[0]; i.File != "/srv/gold" || !strings.Contains(i.Message, "silently differs from the source") || i.Next != "drill --dataset world --host a --against-source" {
		t.Errorf("%+v", i)
	}
	for _, i := range s.Warnings {
		if strings.HasPrefix(i.Next, "backup") {
			t.Errorf("what may be wrong is to be backed up: %+v", i)
		}
	}
	for _, l := range []*verify.LossSet{nil, {Gone: 3}, {Same: 3, Unreadable: 1}} {
		if x := run(verify.Restored, l); x.UnhealedDamage == nil {
			t.Errorf("healed by %+v", l)
		}
	}
	w.wait(time.Minute)
	w.drillLost("world", "a", snap, verify.Lost{Path: "/srv/b"}) // something else of the same snapshot, by one that did not look at the source
	if x := run(verify.Restored, nil); x.UnhealedDamage == nil {
		t.Error("healed by a drill that did not look at the source")
	}
	if x := run(verify.Restored, &verify.LossSet{Same: 3}); x.UnhealedDamage != nil {
		t.Errorf("not healed: %+v", x.UnhealedDamage)
	}
}

// TestKitOfASample has a drill of a part: the kit that opened the repository works all the same.
func TestKitOfASample(t *testing.T) {
	w := newWorld(t)
	snap := w.reported("world", "a", nil)
	w.wait(time.Minute)
	w.drillWith("world", "a", snap, verify.Restored, nil, func(d *verify.DrillDocument) {
		d.Conditions.Full, d.Conditions.Sample = false, "5%"
		d.Kit = &verify.KitProof{Slot: "keys/kit", Proven: w.clock()}
	})
	s := w.look(health.Options{})
	if s.Kit == nil || s.Kit.Slot != "keys/kit" || source(t, s, "world@a").LastProven != nil {
		t.Errorf("%+v", s.Kit)
	}
}

// TestPartly has drills of a part, and with a cache: they prove nothing of the rest, which is said, and is a warning where drills are wanted.
func TestPartly(t *testing.T) {
	part := func(d *verify.DrillDocument) { d.Conditions.Full, d.Conditions.Sample = false, "5%" }
	all := func(*verify.DrillDocument) {}
	cached := func(d *verify.DrillDocument) { d.Conditions.Scenario = "warm" }
	wanted := func(string, string) health.Plan { return health.Plan{Drills: true} }
	timed := func(string, string) health.Plan { return health.Plan{RTO: time.Hour} }
	for _, tt := range []struct {
		name    string
		changes []func(*verify.DrillDocument)
		plan    func(string, string) health.Plan
		partly  string
		state   health.State
	}{
		{"a sample", []func(*verify.DrillDocument){part}, nil, "sampled", health.Good},
		{"a cache", []func(*verify.DrillDocument){cached}, nil, "warm", health.Good},
		{"a sample, drills wanted", []func(*verify.DrillDocument){part}, wanted, "sampled", health.NeverDrilled},
		{"a cache, an RTO", []func(*verify.DrillDocument){cached}, timed, "warm", health.NeverDrilled},
		{"all, then a sample", []func(*verify.DrillDocument){all, part}, wanted, "", health.Good},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			snap := w.reported("world", "a", nil)
			for _, change := range tt.changes {
				w.wait(time.Minute)
				w.drillWith("world", "a", snap, verify.Restored, nil, change)
			}
			s := w.look(health.Options{Plan: tt.plan})
			x := source(t, s, "world@a")
			if x.Partly() != tt.partly || x.State != tt.state {
				t.Errorf("%q, %s: %+v", x.Partly(), x.State, s.Warnings)
			}
			test := s.Suites()[1].Tests[6]
			if want := map[bool]health.Outcome{true: health.Passed, false: health.Skipped}[tt.partly == ""]; tt.state == health.Good && (test.Name != "drilled" || test.Outcome != want) {
				t.Errorf("%+v, want %s", test, want)
			}
		})
	}
}

// TestOtherDamage has drills of one snapshot that find one thing after another wrong: none of that hides what was found before, which ends by what
// heals it and not sooner.
func TestOtherDamage(t *testing.T) {
	w := newWorld(t)
	snap := w.reported("world", "a", nil)
	run := func(v verify.Verdict, change func(*verify.DrillDocument)) *health.Source {
		t.Helper()
		w.wait(time.Minute)
		w.drillWith("world", "a", snap, v, nil, change)
		return source(t, w.look(health.Options{}), "world@a")
	}
	probed := func(result string) func(*verify.DrillDocument) {
		return func(d *verify.DrillDocument) { d.Probe = &verify.Probe{Result: result, Checked: 1} }
	}
	lost := func(d *verify.DrillDocument) { d.Damaged, d.DamagedCnt = []verify.Lost{{Path: "/srv/a"}}, 1 }
	silent := func(d *verify.DrillDocument) {
		d.Loss = &verify.LossSet{Damaged: []verify.LostFile{{Path: "/srv/a"}}, DamagedCount: 1}
	}
	nothing := func(*verify.DrillDocument) {}

	run(verify.Damage, probed(verify.ProbeFailed))
	run(verify.Damage, lost)
	if x := run(verify.Restored, nothing); x.FailedProbe == nil || x.UnhealedDamage != nil {
		t.Error("what the probe found was forgotten when something else was lost")
	}
	if x := run(verify.Pass, probed(verify.ProbePassed)); x.UnhealedDamage != nil || x.FailedProbe != nil {
		t.Errorf("not healed: %+v, %+v", x.UnhealedDamage, x.FailedProbe)
	}
	// A part came back, and differs from the source: what was lost is not in it.
	run(verify.Damage, lost)
	run(verify.Damage, func(d *verify.DrillDocument) { silent(d); d.Conditions.Full = false })
	next := w.reported("world", "a", nil)
	w.wait(time.Minute)
	w.drillWith("world", "a", next, verify.Restored, nil, func(d *verify.DrillDocument) { d.Loss = &verify.LossSet{Same: 3} })
	if x := source(t, w.look(health.Options{}), "world@a"); x.UnhealedDamage == nil {
		t.Error("what was lost was forgotten when a part differed from the source")
	}
	// All of it came back since, only its probe finds it wanting.
	run(verify.Damage, probed(verify.ProbeFailed))
	if x := run(verify.Pass, probed(verify.ProbePassed)); x.UnhealedDamage != nil || x.FailedProbe != nil {
		t.Errorf("not healed: %+v, %+v", x.UnhealedDamage, x.FailedProbe)
	}
	// Documents that contradict themselves prove nothing.
	run(verify.Damage, lost)
	run(verify.Damage, probed(verify.ProbeFailed))
	if x := run(verify.Damage, lost); x.UnhealedDamage == nil || x.FailedProbe == nil {
		t.Errorf("%+v, %+v", x.UnhealedDamage, x.FailedProbe)
	}
	for _, v := range []verify.Verdict{verify.Restored, verify.ObjectiveMissed, verify.Inconclusive} {
		for _, change := range []func(*verify.DrillDocument){lost, silent, probed(verify.ProbeFailed)} {
			if x := run(v, change); x.UnhealedDamage == nil {
				t.Fatalf("healed by %s that found something wanting", v)
			}
		}
	}
}
