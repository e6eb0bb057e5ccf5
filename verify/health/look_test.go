package health_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/storage/fault"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/health"
)

const (
	restored = verify.Restored
	damage   = verify.Damage
	notRun   = verify.CouldNotRun
)

var unexported = cmpopts.IgnoreUnexported(health.Status{}, health.Source{}, health.Drill{}, health.Check{})

// facts are what the tests look at of a source. Times are of the day's clock; empty is never.
type facts struct {
	state                     health.State
	backup, word, point, ok   string
	drill, proven, back, harm string
}

func factsOf(x *health.Source) facts {
	clock := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Format("15:04:05")
	}
	drill := func(d *health.Drill) string {
		if d == nil {
			return ""
		}
		return clock(&d.At)
	}
	f := facts{state: x.State, ok: clock(x.LastSuccess), drill: drill(x.LastDrill), proven: drill(x.LastProven), back: clock(x.Restored), harm: drill(x.UnhealedDamage)}
	if b := x.LastBackup; b != nil {
		f.backup, f.word = clock(&b.Published), b.Completeness
	}
	if x.RecoveryPoint != nil {
		f.point = clock(&x.RecoveryPoint.WindowStart)
	}
	return f
}

// TestSources tells what is known of one source after a history.
func TestSources(t *testing.T) {
	const d, h = "world", "world-1"
	interrupted := func(m *tree.Manifest) { m.Completeness = tree.Interrupted }
	suspect := func(m *tree.Manifest) { m.Suspect = true }
	for name, c := range map[string]struct {
		history func(w *world)
		want    facts
		exit    int
	}{
		"one backup": {func(w *world) {
			w.reported(d, h, nil)
		}, facts{state: health.NeverDrilled, backup: "12:00:01", word: "complete", point: "12:00:00", ok: "12:00:01"}, 0},
		"drilled": {func(w *world) {
			s := w.reported(d, h, nil)
			w.at("13:00")
			w.drill(d, h, s, restored)
		}, facts{state: health.Good, backup: "12:00:01", word: "complete", point: "12:00:00", ok: "12:00:01", drill: "13:00:00", proven: "13:00:00", back: "12:00:00"}, 0},
		"a backup with faults moves no recovery point": {func(w *world) {
			s := w.reported(d, h, nil)
			w.drill(d, h, s, restored)
			w.at("13:00")
			w.reported(d, h, faulty)
		}, facts{state: health.Faulty, backup: "13:00:01", word: "with faults", point: "12:00:00", ok: "12:00:01", drill: "12:00:01", proven: "12:00:01", back: "12:00:00"}, 0},
		"nor a suspect one": {func(w *world) {
			w.reported(d, h, nil)
			w.at("13:00")
			w.drill(d, h, w.reported(d, h, suspect), restored)
		}, facts{state: health.Faulty, backup: "13:00:01", word: "complete", point: "12:00:00", ok: "12:00:01", drill: "13:00:01", proven: "13:00:01"}, 0},
		"nor an interrupted one": {func(w *world) {
			w.reported(d, h, nil)
			w.at("13:00")
			w.backup(d, h, interrupted)
		}, facts{state: health.Faulty, backup: "13:00:01", word: "interrupted", point: "12:00:00", ok: "12:00:01"}, 0},
		"nor one that came late": {func(w *world) {
			w.reported(d, h, nil)
			w.at("13:00")
			s := w.backup(d, h, nil)
			w.at("15:00")
			w.store.SetTime(s.Name, w.clock())
		}, facts{state: health.Faulty, backup: "15:00:00", word: "complete", point: "12:00:00", ok: "12:00:01"}, 0},
		"an interrupted one that was finished is no matter": {func(w *world) {
			w.backup(d, h, interrupted)
			w.at("13:00")
			w.drill(d, h, w.reported(d, h, nil), restored)
		}, facts{state: health.Good, backup: "13:00:01", word: "complete", point: "13:00:00", ok: "13:00:01", drill: "13:00:01", proven: "13:00:01", back: "13:00:00"}, 0},
		"nothing to go back to": {func(w *world) {
			w.reported(d, h, faulty)
		}, facts{state: health.NoPoint, backup: "12:00:01", word: "with faults"}, 0},
		"a drill that finds damage": {func(w *world) {
			s := w.reported(d, h, nil)
			w.drill(d, h, s, restored)
			w.at("13:00")
			w.drill(d, h, s, damage)
		}, facts{state: health.Damaged, backup: "12:00:01", word: "complete", ok: "12:00:01", drill: "13:00:00", proven: "12:00:01", harm: "13:00:00"}, 4},
		"one that is inconclusive brought everything back": {func(w *world) {
			s := w.reported(d, h, nil)
			w.drill(d, h, s, restored)
			w.at("14:00")
			w.drill(d, h, s, verify.Inconclusive)
		}, facts{state: health.Good, backup: "12:00:01", word: "complete", point: "12:00:00", ok: "12:00:01", drill: "14:00:00", proven: "12:00:01", back: "12:00:00"}, 0},
		"one that could not run after it heals nothing": {func(w *world) {
			w.drill(d, h, w.reported(d, h, nil), damage)
			w.at("14:00")
			w.drill(d, h, nil, notRun)
		}, facts{state: health.Damaged, backup: "12:00:01", word: "complete", ok: "12:00:01", drill: "14:00:00", harm: "12:00:01"}, 4},
		"one that came back does": {func(w *world) {
			s := w.reported(d, h, nil)
			w.drill(d, h, s, damage)
			w.at("14:00")
			w.drill(d, h, s, verify.ObjectiveMissed)
		}, facts{state: health.DrillMissed, backup: "12:00:01", word: "complete", point: "12:00:00", ok: "12:00:01", drill: "14:00:00"}, 0},
		"another source's does not": {func(w *world) {
			s := w.reported(d, h, nil)
			w.drill(d, h, s, damage)
			w.at("14:00")
			w.drill(d, "world-2", w.reported(d, "world-2", nil), restored)
		}, facts{state: health.Damaged, backup: "12:00:01", word: "complete", ok: "12:00:01", drill: "12:00:01", harm: "12:00:01"}, 4},
		"nor does an older snapshot that comes back": {func(w *world) {
			old := w.reported(d, h, nil)
			w.at("13:00")
			w.drill(d, h, w.reported(d, h, nil), damage)
			w.at("14:00")
			w.drillAt(d, h, old, restored)
		}, facts{state: health.Damaged, backup: "13:00:01", word: "complete", point: "12:00:00", ok: "13:00:01", drill: "13:00:01", proven: "14:00:00", back: "12:00:00", harm: "13:00:01"}, 4},
		"nor a newer one while the damaged one is there": {func(w *world) {
			w.drill(d, h, w.reported(d, h, nil), damage)
			w.at("14:00")
			w.drill(d, h, w.reported(d, h, nil), restored)
		}, facts{state: health.Damaged, backup: "14:00:01", word: "complete", point: "14:00:00", ok: "14:00:01", drill: "14:00:01", proven: "14:00:01", back: "14:00:00", harm: "12:00:01"}, 4},
		"but when that is forgotten": {func(w *world) {
			old := w.reported(d, h, nil)
			w.drill(d, h, old, damage)
			w.at("14:00")
			w.drill(d, h, w.reported(d, h, nil), restored)
			w.forget(old)
		}, facts{state: health.Good, backup: "14:00:01", word: "complete", point: "14:00:00", ok: "14:00:01", drill: "14:00:01", proven: "14:00:01", back: "14:00:00"}, 0},
		"or every pack has been read back since": {func(w *world) {
			w.drill(d, h, w.reported(d, h, nil), damage)
			w.at("14:00")
			w.drill(d, h, w.reported(d, h, nil), restored)
			w.at("15:00")
			now := w.clock()
			w.check(verify.CheckDocument{Level: "data", Structure: verify.Structure{Packs: 1}, ReadBack: verify.ReadBack{Packs: 1, Oldest: &now}})
		}, facts{state: health.Good, backup: "14:00:01", word: "complete", point: "14:00:00", ok: "14:00:01", drill: "14:00:01", proven: "14:00:01", back: "14:00:00"}, 0},
		"a drill of an older moment is no proof of now": {func(w *world) {
			old := w.reported(d, h, nil)
			w.drill(d, h, old, restored)
			w.at("13:00")
			w.drill(d, h, w.reported(d, h, nil), verify.ObjectiveMissed)
			w.at("14:00")
			w.drillAt(d, h, old, restored)
		}, facts{state: health.DrillMissed, backup: "13:00:01", word: "complete", point: "13:00:00", ok: "13:00:01", drill: "13:00:01", proven: "12:00:01", back: "12:00:00"}, 0},
		"a verification that says a snapshot is hit": {func(w *world) {
			w.drill(d, h, w.reported(d, h, nil), restored)
			w.at("13:00")
			s := w.reported(d, h, nil)
			w.check(verify.CheckDocument{Level: "structure", ExitCode: 4, Findings: []verify.Finding{{Code: "pack-missing", Harm: verify.Loss, Message: strings.Repeat("long", 8000)}},
				FindingCnt: 1, Hit: []verify.Hit{{Snapshot: s.ID()}}, HitCount: 1})
		}, facts{state: health.Damaged, backup: "13:00:01", word: "complete", point: "12:00:00", ok: "13:00:01", drill: "12:00:01", proven: "12:00:01", back: "12:00:00"}, 4},
		"a verdict of a later program": {func(w *world) {
			w.drill(d, h, w.reported(d, h, nil), "proved twice")
		}, facts{state: health.DrillFailed, backup: "12:00:01", word: "complete", point: "12:00:00", ok: "12:00:01", drill: "12:00:01"}, 0},
		"one of three that stopped": {func(w *world) {
			for _, clock := range []string{"13:00", "14:00", "15:00", "16:00"} {
				w.at(clock)
				w.reported(d, h, nil)
			}
			w.at("18:30")
		}, facts{state: health.Stopped, backup: "16:00:01", word: "complete", point: "16:00:00", ok: "16:00:01"}, 0},
		"one that is a little late": {func(w *world) {
			for _, clock := range []string{"13:00", "14:00", "15:00", "16:00"} {
				w.at(clock)
				w.reported(d, h, nil)
			}
			w.at("18:10")
		}, facts{state: health.NeverDrilled, backup: "16:00:01", word: "complete", point: "16:00:00", ok: "16:00:01"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.history(w)
			s := w.look(health.Options{})
			if diff := cmp.Diff(c.want, factsOf(source(t, s, d+"@"+h)), cmp.AllowUnexported(facts{})); diff != "" {
				t.Error(diff)
			}
			if s.ExitCode != c.exit {
				t.Errorf("exit code %d, want %d", s.ExitCode, c.exit)
			}
			warned := slices.ContainsFunc(s.Warnings, func(x health.Warning) bool { return x.Dataset == d && x.Host == h && x.Next != "" })
			if warned != (c.want.state != health.Good) {
				t.Errorf("state %q, warnings %+v", c.want.state, s.Warnings)
			}
		})
	}
}

// TestForgotten deletes manifests: what was counted, and what drills proved when, stays.
func TestForgotten(t *testing.T) {
	w := newWorld(t)
	old := w.reported("world", "a", nil)
	w.drill("world", "a", old, restored)
	w.at("13:00")
	newest := w.reported("world", "a", nil)
	before := source(t, w.look(health.Options{}), "world@a")
	w.forget(old, newest)
	after := source(t, w.look(health.Options{}), "world@a")
	if diff := cmp.Diff(before.LastProven, after.LastProven, unexported); diff != "" || after.LastProven == nil {
		t.Error(diff)
	}
	if !after.LastSuccess.Equal(*before.LastSuccess) || !slices.Equal(before.Backups, after.Backups) || !slices.Equal(before.Drills, after.Drills) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if after.RecoveryPoint != nil || after.Restored != nil || after.LastBackup != nil || after.State != health.NoPoint {
		t.Errorf("with nothing left to go back to: %+v", after)
	}
	w.wait(health.Window)
	if s := w.look(health.Options{}); len(s.Sources) != 1 {
		t.Error("a source is dropped within the window")
	}
	w.wait(2 * time.Hour)
	if s := w.look(health.Options{}); len(s.Sources) != 0 {
		t.Error("a source of which nothing is left is shown for ever")
	}
}

// TestUnreadable says what cannot be read, and counts it as nothing.
func TestUnreadable(t *testing.T) {
	w := newWorld(t)
	snap := w.reported("world", "a", nil)
	w.drill("world", "a", snap, restored)
	w.at("13:00")
	w.put("world", "a", &record.Report{Kind: record.DrillReport, Document: []byte(`{"verdict":3}`)})
	w.put("world", "a", &record.Report{Kind: record.DrillReport})
	w.put("world", "a", &record.Report{Kind: 77})
	s := w.look(health.Options{})
	x := source(t, s, "world@a")
	if s.ExitCode != 0 || len(s.Unreadable) != 2 || s.Unreadable[0].Kind != health.KindDocument || !x.LastDrill.At.Before(w.clock()) || x.Drills[1].Runs != 1 {
		t.Errorf("documents that are none: exit %d, %+v, last drill %+v", s.ExitCode, s.Unreadable, x.LastDrill)
	}

	proof := x.LastDrill.Object
	flip(t, w, proof)
	w.cache = t.TempDir() // reports that were read before come from the cache
	w.reopen()
	s = w.look(health.Options{})
	x = source(t, s, "world@a")
	if s.ExitCode != 4 || !mentions(s.Unreadable, health.KindReport, proof) || x.LastProven != nil || x.LastDrill != nil || len(x.Drills) != 0 || len(x.Backups) != 0 {
		t.Errorf("a damaged report: exit %d, %+v, %+v", s.ExitCode, s.Unreadable, x)
	}

	w.at("14:00")
	newest := w.reported("world", "a", nil)
	flip(t, w, newest.Name)
	s = w.look(health.Options{})
	x = source(t, s, "world@a")
	if s.ExitCode != 4 || !mentions(s.Unreadable, health.KindSnapshot, newest.Name) || x.RecoveryPoint.Snapshot != snap.ID() {
		t.Errorf("a damaged manifest: exit %d, %+v, %+v", s.ExitCode, s.Unreadable, x.RecoveryPoint)
	}
}

func mentions(list []health.Unreadable, kind, object string) bool {
	return slices.ContainsFunc(list, func(u health.Unreadable) bool { return u.Kind == kind && strings.Contains(u.Message, object) })
}

func flip(t *testing.T, w *world, name string) {
	t.Helper()
	b, err := w.store.Get(t.Context(), name, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	w.store.Replace(name, b)
}

// reopen opens the repository with the cache folder as it is set now.
func (w *world) reopen() {
	w.t.Helper()
	var err error
	if w.repo, err = repo.Open(w.t.Context(), w.store, repo.Secret{Passphrase: password}, w.options()); err != nil {
		w.t.Fatal(err)
	}
}

// TestExpected shows sources that were never backed up, and leaves out those that are not asked for.
func TestExpected(t *testing.T) {
	w := newWorld(t)
	w.reported("world", "a", nil)
	w.reported("world", "b", nil)
	w.drill("wrld", "a", nil, notRun) // a slip
	expected := []health.Expected{{Dataset: "users", Class: "user", Host: "a"}, {Dataset: "world", Class: "state", Host: "a"}}
	s := w.look(health.Options{Host: "a", Expected: expected})
	if len(s.Sources) != 2 || s.Sources[0].Name() != "users@a" || s.Sources[0].State != health.NeverBackedUp || s.Sources[0].Class != "user" {
		t.Errorf("%+v", s.Sources)
	}
	if s = w.look(health.Options{Dataset: "world"}); len(s.Sources) != 2 {
		t.Errorf("of one dataset: %+v", s.Sources)
	}
}

// TestOrder shows what needs attention first, and among equals who would lose most.
func TestOrder(t *testing.T) {
	w := newWorld(t)
	w.reported("world", "old", nil)
	w.at("13:00")
	w.reported("world", "young", nil)
	w.drill("world", "good", w.reported("world", "good", nil), restored)
	w.at("14:00")
	w.drill("world", "damaged", w.reported("world", "damaged", nil), damage)
	w.reported("world", "faulty", faulty)
	s := w.look(health.Options{})
	var got []string
	for _, x := range s.Sources {
		got = append(got, x.Host)
	}
	if want := []string{"damaged", "faulty", "old", "young", "good"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if s.Warnings[0].Host != "damaged" {
		t.Errorf("the first warning is %+v", s.Warnings[0])
	}
}

// TestClock counts ages up to the newest time that the storage has shown when this host's clock is behind.
func TestClock(t *testing.T) {
	w := newWorld(t)
	w.reported("world", "a", nil)
	now := w.clock()
	s := w.look(health.Options{Now: func() time.Time { return now.Add(-time.Hour) }})
	if !s.LookedAt.Equal(now) || s.ClockBehind != 3600 || !slices.ContainsFunc(s.Warnings, func(x health.Warning) bool { return strings.Contains(x.Message, "clock") }) {
		t.Errorf("looked at %v, behind by %v s, %+v", s.LookedAt, s.ClockBehind, s.Warnings)
	}
	if s = w.look(health.Options{Now: func() time.Time { return now.Add(time.Hour) }}); s.ClockBehind != 0 || !s.LookedAt.Equal(now.Add(time.Hour)) {
		t.Errorf("ahead: %v, %v", s.LookedAt, s.ClockBehind)
	}
}

// TestCopy gives every object the time of a copy: nothing looks newer for it.
func TestCopy(t *testing.T) {
	w := newWorld(t)
	snap := w.backup("world", "a", nil)
	w.reported("world", "b", nil)
	w.drill("world", "a", snap, restored)
	w.check(verify.CheckDocument{Level: "data"})
	w.wait(48 * time.Hour)
	for _, name := range w.store.Objects() {
		w.store.SetTime(name, w.clock())
	}
	s := w.look(health.Options{})
	if !s.Copied || !slices.ContainsFunc(s.Warnings, func(x health.Warning) bool { return x.Next == "store adopt" }) {
		t.Errorf("that it is a copy is not said: %+v", s.Warnings)
	}
	for _, name := range []string{"world@a", "world@b"} {
		x := source(t, s, name)
		if age := w.clock().Sub(*x.LastSuccess); age < 47*time.Hour {
			t.Errorf("%s looks as if it was backed up %v ago", name, age)
		}
	}
	if age := w.clock().Sub(source(t, s, "world@a").LastProven.At); age < 47*time.Hour {
		t.Errorf("a drill looks as if it was %v ago", age)
	}
	if age := w.clock().Sub(*s.Verify.Data.LastWhole); age < 47*time.Hour {
		t.Errorf("a verification looks as if it was %v ago", age)
	}
}

// TestErrors fails the i-th operation of the storage: Look fails, or says the same as without.
func TestErrors(t *testing.T) {
	w := newWorld(t)
	w.drill("world", "a", w.reported("world", "a", nil), restored)
	w.reported("world", "b", faulty)
	want := w.look(health.Options{})
	failed := 0
	for i := 0; ; i++ {
		st := fault.New(w.store)
		r, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: password}, repo.Options{Now: w.clock})
		if err != nil {
			t.Fatal(err)
		}
		rule := fault.Rule{At: i, Do: fault.Fail, Err: errors.New("away")}
		st.Arm(rule)
		before := st.Ops()
		got, err := health.Look(t.Context(), r, health.Options{})
		if err != nil {
			failed++
			continue
		}
		if diff := cmp.Diff(want, got, unexported); diff != "" {
			t.Fatalf("operation %d failed: %s", i, diff)
		}
		if st.Ops()-before <= i {
			break
		}
	}
	if failed < 8 {
		t.Errorf("only %d operations were ever failed", failed)
	}
}

// TestKit holds that a recovery kit counts as proven by the last drill that restored something with it, of whichever source, and by no other.
func TestKit(t *testing.T) {
	w, _ := twoHosts(t)
	look := func(o health.Options) *health.KitProof {
		t.Helper()
		s, err := health.Look(t.Context(), w.repo, o)
		if err != nil {
			t.Fatal(err)
		}
		return s.Kit
	}
	if k := look(health.Options{}); k != nil {
		t.Errorf("a kit was proven %v by drills without one", k)
	}
	const slot = "keys/machine-kit-00000000000000000000000000000000"
	drill := func(clock string, v verify.Verdict, proven time.Duration) {
		w.at(clock)
		d := &verify.DrillDocument{Verdict: v, Dataset: "world", Host: "world-1", Snapshot: "x", Ordered: w.clock(), Incident: w.clock(),
			Kit: &verify.KitProof{Slot: slot, Proven: w.clock().Add(proven)}}
		b, err := verify.Encode(d)
		if err != nil {
			t.Fatal(err)
		}
		w.put("world", "world-1", &record.Report{Kind: record.DrillReport, Ran: [2]int64{w.clock().UnixNano(), w.clock().UnixNano()}, Document: b})
	}
	drill("18:00", verify.Damage, -time.Minute) // the key worked
	drill("19:00", verify.CouldNotRun, 0)
	w.drill("world", "world-1", nil, verify.CouldNotRun)
	w.at("20:00")
	want := w.clock().Add(-2*time.Hour - time.Minute).UTC()
	for name, o := range map[string]health.Options{"all": {}, "another host": {Host: "world-2"}} {
		if k := look(o); k == nil || !k.Proven.Equal(want) || k.Slot != slot || k.Object == "" {
			t.Errorf("%s: proven %+v, want at %v", name, k, want)
		}
	}
	drill("21:00", verify.Restored, 100*time.Hour) // no report says what will be
	w.at("22:00")
	if k := look(health.Options{}); k == nil || k.Proven.After(w.clock()) {
		t.Errorf("proven %+v, which is later than now", k)
	}
}

// TestTriedByHand has somebody back up ten times in a row on the first day: that makes no interval at which more must come, and pages nobody.
func TestTriedByHand(t *testing.T) {
	w := newWorld(t)
	for range 10 {
		w.reported("world", "a", nil)
		w.wait(time.Minute)
	}
	w.wait(20 * time.Hour)
	if s := w.look(health.Options{}); s.Severity() != health.Caution || source(t, s, "world@a").State != health.NeverDrilled {
		t.Errorf("%s: %+v", s.Severity(), s.Warnings)
	}
	for range 10 { // by cron, from then on
		w.reported("world", "a", nil)
		w.wait(time.Minute)
	}
	w.wait(20 * time.Hour)
	if s := w.look(health.Options{}); source(t, s, "world@a").State != health.NeverDrilled {
		t.Errorf("the pause counts as an interval: %+v", s.Warnings)
	}
	w.wait(48 * time.Hour)
	if s := w.look(health.Options{}); source(t, s, "world@a").State != health.Stopped {
		t.Errorf("%+v", s.Warnings)
	}
}

// TestNeverBackedUpDrilled has a drill of all sources find nothing of one that was never backed up: that stays what is the matter with it.
func TestNeverBackedUpDrilled(t *testing.T) {
	w := newWorld(t)
	w.reported("world", "a", nil)
	w.drill("users", "a", nil, verify.CouldNotRun)
	s := w.look(health.Options{Expected: []health.Expected{{Dataset: "users", Class: "user", Host: "a"}}})
	if x := source(t, s, "users@a"); x.State != health.NeverBackedUp {
		t.Errorf("%s: %+v", x.State, s.Warnings)
	}
}
