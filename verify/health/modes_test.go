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
