package health_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo"
	"savepoint/repo/storage"
	"savepoint/verify"
	"savepoint/verify/health"
)

// triedOf returns what a drill says of an older snapshot that it tried.
func triedOf(s *repo.Snapshot, good bool) verify.Older {
	o := verify.Older{Snapshot: s.ID(), WindowStart: s.Start(), WindowEnd: s.End(), Good: good}
	if !good {
		o.Damaged, o.DamagedCnt = []verify.Lost{{Path: "/srv/b"}}, 1
	}
	return o
}

// fellBack puts the report of a drill in which a snapshot was lost, and that tried others after it.
func (w *world) fellBack(wanted *repo.Snapshot, older ...verify.Older) {
	w.t.Helper()
	w.drillWith("world", "a", wanted, damage, nil, func(d *verify.DrillDocument) {
		d.Damaged, d.DamagedCnt, d.Older = []verify.Lost{{Path: "/srv/a"}}, 1, older
		for _, o := range older {
			if o.Good {
				d.Instead = o.Snapshot
			}
		}
	})
}

// TestFallBack takes over what a drill found of all the snapshots that it tried, until later drills bring them back.
func TestFallBack(t *testing.T) {
	w := newWorld(t)
	var snaps []*repo.Snapshot
	for _, clock := range []string{"12:00", "13:00", "14:00", "15:00"} {
		w.at(clock)
		snaps = append(snaps, w.reported("world", "a", nil))
	}
	w.at("16:00")
	w.fellBack(snaps[3], triedOf(snaps[2], false), triedOf(snaps[1], true))
	look := func() (*health.Source, string) {
		s := w.look(health.Options{})
		var said []string
		for _, x := range s.Warnings {
			said = append(said, x.Message+": "+x.Next)
		}
		return source(t, s, "world@a"), strings.Join(said, "\n")
	}
	x, said := look()
	if x.LastGood == nil || x.LastGood.Snapshot != snaps[1].ID() || x.LastGood.Probed || !x.LastGood.WindowEnd.Equal(snaps[1].End()) {
		t.Errorf("the last good one is %+v", x.LastGood)
	}
	if x.UnhealedDamage == nil || x.UnhealedDamage.Snapshot != snaps[3].ID() || x.RecoveryPoint.Snapshot != snaps[1].ID() {
		t.Errorf("%+v, recovery point %+v", x.UnhealedDamage, x.RecoveryPoint)
	}
	if !strings.Contains(said, "one more snapshot of it did not: store verify --read-data=all; the last good snapshot, proven by the drill of 2026-11-20 16:00 UTC: store restore "+snaps[1].Short()) {
		t.Error(said)
	}
	want := map[string]string{snaps[2].ID(): health.ByDrill, snaps[3].ID(): health.ByDrill}
	if diff := cmp.Diff(want, w.damage()); diff != "" {
		t.Error(diff)
	}
	if len(x.Damages) != 2 || x.Damages[0].Snapshot != snaps[3].ID() || x.Damages[1].Snapshot != snaps[2].ID() || x.Damages[1].By != health.ByDrill || x.Damages[1].Object == "" {
		t.Errorf("%+v", x.Damages)
	}

	// The newest comes back; the older one has not.
	w.at("17:00")
	w.drill("world", "a", snaps[3], restored)
	x, said = look()
	if x.UnhealedDamage == nil || x.UnhealedDamage.Snapshot != snaps[2].ID() || x.RecoveryPoint.Snapshot != snaps[3].ID() || x.LastGood.Snapshot != snaps[3].ID() {
		t.Errorf("%+v, recovery point %+v, last good %+v", x.UnhealedDamage, x.RecoveryPoint, x.LastGood)
	}
	if !strings.Contains(said, "which it tried after that, did not come back whole either: store drill --dataset world --host a --at "+snaps[2].End().UTC().Format(time.RFC3339Nano)) {
		t.Error(said)
	}
	if diff := cmp.Diff(map[string]string{snaps[2].ID(): health.ByDrill}, w.damage()); diff != "" {
		t.Error(diff)
	}
	w.at("18:00")
	w.drillAt("world", "a", snaps[2], restored)
	if x, _ = look(); x.UnhealedDamage != nil || len(x.Damages) > 0 {
		t.Errorf("%+v, %+v", x.UnhealedDamage, x.Damages)
	}

	// One that comes back as an older one of a later drill is healed by that too; and one that is found damaged is good no more.
	w.at("19:00")
	w.fellBack(snaps[3], triedOf(snaps[2], false), triedOf(snaps[1], false))
	if x, _ = look(); len(x.Damages) != 3 || x.LastGood != nil {
		t.Errorf("%+v, last good %+v", x.Damages, x.LastGood)
	}
	w.at("20:00")
	w.fellBack(snaps[3], triedOf(snaps[2], true))
	if x, _ = look(); len(x.Damages) != 2 || x.LastGood == nil || x.LastGood.Snapshot != snaps[2].ID() {
		t.Errorf("%+v, last good %+v", x.Damages, x.LastGood)
	}
}

// TestLastGoodProbe names the newest snapshot that passed the probe, when the one that was wanted did not, and calls none damaged.
func TestLastGoodProbe(t *testing.T) {
	w := newWorld(t)
	first := w.reported("world", "a", nil)
	w.at("13:00")
	second := w.reported("world", "a", nil)
	w.at("14:00")
	newest := w.reported("world", "a", nil)
	w.at("15:00")
	w.drill("world", "a", newest, restored) // that all came back says nothing against what the probe finds
	w.at("16:00")
	failed, passed := &verify.Probe{Result: verify.ProbeFailed}, &verify.Probe{Result: verify.ProbePassed, Checked: 3}
	w.drillWith("world", "a", newest, damage, nil, func(d *verify.DrillDocument) {
		d.Probe, d.Instead = failed, first.ID()
		d.Older = []verify.Older{{Snapshot: second.ID(), WindowStart: second.Start(), WindowEnd: second.End(), Probe: failed},
			{Snapshot: first.ID(), WindowStart: first.Start(), WindowEnd: first.End(), Probe: passed, Good: true}}
	})
	s := w.look(health.Options{})
	x := source(t, s, "world@a")
	if x.LastGood == nil || x.LastGood.Snapshot != first.ID() || !x.LastGood.Probed || len(x.Damages) > 0 || len(w.damage()) > 0 || x.UnhealedDamage != nil || x.FailedProbe == nil {
		t.Fatalf("%+v, last good %+v", x, x.LastGood)
	}
	if back := "store restore " + first.Short(); !slices.Contains(s.Warnings[0].Commands, back) || s.Warnings[0].State != health.ProbeFailed {
		t.Errorf("%+v", s.Warnings[0])
	}

	// Damage that is found later takes the place of no failed probe, nor the other way.
	w.at("17:00")
	w.drill("world", "a", newest, damage)
	if x = source(t, w.look(health.Options{}), "world@a"); x.UnhealedDamage == nil || x.FailedProbe == nil || x.State != health.Damaged {
		t.Errorf("%+v, %+v, %q", x.UnhealedDamage, x.FailedProbe, x.State)
	}
	w.at("18:00")
	w.drillWith("world", "a", newest, damage, nil, func(d *verify.DrillDocument) { d.Probe = failed })
	if x = source(t, w.look(health.Options{}), "world@a"); x.UnhealedDamage != nil || x.FailedProbe == nil || x.State != health.ProbeFailed {
		t.Errorf("%+v, %+v, %q", x.UnhealedDamage, x.FailedProbe, x.State)
	}
}

// TestLost shows a manifest that is gone and that nobody forgot as damage at once, until it is back or was forgotten.
func TestLost(t *testing.T) {
	w := newWorld(t)
	first := w.reported("world", "a", nil)
	w.drill("world", "a", first, restored)
	w.at("13:00")
	second := w.reported("world", "a", nil)
	w.reported("other", "b", nil)
	w.check(verify.CheckDocument{Level: "structure"})
	if s := w.look(health.Options{}); s.ExitCode != 0 {
		t.Fatalf("%+v", s.Warnings)
	}
	b, err := w.store.Get(t.Context(), second.Name, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.lose(second)
	s := w.look(health.Options{})
	x := source(t, s, "world@a")
	want := []verify.LostPoint{{Snapshot: second.ID(), Object: second.Name, WindowStart: second.Start().UTC(), Published: second.Stored.UTC()}}
	if diff := cmp.Diff(want, x.Lost); diff != "" || x.LostCount != 1 || x.State != health.Damaged || s.ExitCode != 4 || s.Severity() != health.Critical || s.ProbeAlone() {
		t.Errorf("%s\n%+v", diff, x)
	}
	if x.RecoveryPoint.Snapshot != first.ID() || !x.LastSuccess.Before(second.Start()) {
		t.Errorf("recovery point %+v, last success %v", x.RecoveryPoint, x.LastSuccess)
	}
	if m := s.Warnings[0]; m.State != health.Damaged || m.Message != "world@a lost snapshot "+second.Short()+", published at 2026-11-20 13:00 UTC: it is gone, and nobody forgot it; only putting back what is gone ends this, no command of this version does (docs/guide/night.md); to see what to put back" || m.Next != "store verify" {
		t.Errorf("%+v", m)
	}
	if got := samples(t, w.scrape(health.Options{}))[`savepoint_lost_recovery_points{class="state",dataset="world",host="a"}`]; got != 1 {
		t.Errorf("%v are exported", got)
	}
	if s := w.look(health.Options{Dataset: "other"}); s.ExitCode != 0 || len(s.Sources) != 1 {
		t.Errorf("of another source: %d, %+v", s.ExitCode, s.Warnings)
	}

	// A drill that could restore an older one alone says so; the older one stays a point to go back to.
	w.at("14:00")
	lost := func(d *verify.DrillDocument) { d.LostPoints, d.Compared.Entries = want, 3 }
	w.drillWith("world", "a", first, damage, nil, lost)
	x = source(t, w.look(health.Options{}), "world@a")
	if x.UnhealedDamage == nil || x.RecoveryPoint == nil || x.RecoveryPoint.Snapshot != first.ID() || x.LastGood == nil || x.LastGood.Snapshot != first.ID() || len(x.Damages) > 0 {
		t.Errorf("%+v, recovery point %+v, last good %+v", x.UnhealedDamage, x.RecoveryPoint, x.LastGood)
	}

	// Put back, and drilled.
	if err := w.store.Put(t.Context(), second.Name, bytes.NewReader(b), int64(len(b)), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	w.store.SetTime(second.Name, second.Stored)
	if x = source(t, w.look(health.Options{}), "world@a"); x.LostCount != 0 || x.UnhealedDamage == nil {
		t.Errorf("put back: %d, %+v", x.LostCount, x.UnhealedDamage)
	}
	if m := w.look(health.Options{}).Warnings[0]; !strings.HasSuffix(m.Message, "; that is not so any more, and a drill that finds it so ends this") || !strings.HasPrefix(m.Next, "store drill --dataset world --host a; ") {
		t.Errorf("put back: %+v", m)
	}
	w.at("15:00")
	w.drill("world", "a", second, restored)
	if s = w.look(health.Options{}); s.ExitCode != 0 {
		t.Errorf("put back and drilled: %+v", s.Warnings)
	}

	// Forgotten: what a report says of it is no loss.
	w.forget(second)
	if s = w.look(health.Options{}); s.ExitCode != 0 || source(t, s, "world@a").LostCount != 0 {
		t.Errorf("forgotten: %+v", s.Warnings)
	}

	// All of them: the source stays, however long ago that was.
	w.lose(first)
	w.wait(2 * health.Window)
	if x = source(t, w.look(health.Options{}), "world@a"); x.LostCount != 1 || x.State != health.Damaged {
		t.Errorf("%+v", x)
	}
}
