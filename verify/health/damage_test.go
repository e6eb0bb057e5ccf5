package health_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/health"
)

// damage returns by whom which snapshots are known to be damaged.
func (w *world) damage() map[string]string {
	w.t.Helper()
	snaps, err := w.repo.Snapshots(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	found, err := health.Damage(w.t.Context(), w.repo, snaps)
	if err != nil {
		w.t.Fatal(err)
	}
	by := map[string]string{}
	for id, f := range found.Damaged {
		if f.At.IsZero() || f.Object == "" {
			w.t.Errorf("%+v", f)
		}
		by[id] = f.By
	}
	return by
}

// TestDamage follows what is known of the damage of snapshots until it is healed: it is what Look takes into account.
func TestDamage(t *testing.T) {
	w := newWorld(t)
	first := w.reported("world", "a", nil)
	w.at("13:00")
	second := w.reported("world", "a", nil)
	want := func(when string, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, w.damage()); diff != "" {
			t.Errorf("%s:\n%s", when, diff)
		}
		x := source(t, w.look(health.Options{}), "world@a")
		if point := x.RecoveryPoint != nil && x.RecoveryPoint.Snapshot == second.ID(); point == (want[second.ID()] != "") {
			t.Errorf("%s: the recovery point is %+v", when, x.RecoveryPoint)
		}
	}
	want("at first", map[string]string{})
	w.at("14:00")
	w.drillLost("world", "a", second, verify.Lost{Path: "/srv/a", Object: "data/00/11"})
	want("after a drill", map[string]string{second.ID(): health.ByDrill})
	w.at("15:00")
	hit := func(snaps ...*repo.Snapshot) (out []verify.Hit) {
		for _, s := range snaps {
			out = append(out, verify.Hit{Snapshot: s.ID(), Paths: []string{"/srv/a"}})
		}
		return out
	}
	w.check(verify.CheckDocument{Level: "structure", ExitCode: 4, Findings: []verify.Finding{{Code: "pack-missing", Object: "data/00/11", Harm: verify.Loss, Next: "store backup /srv",
		Commands: []string{"store backup /srv"}}}, Hit: hit(first, second)})
	want("after a verification", map[string]string{first.ID(): health.ByVerify, second.ID(): health.ByVerify})
	warning := w.look(health.Options{}).Warnings[0]
	if warning.File != "/srv/a" || !cmp.Equal(warning.Commands, []string{"store backup /srv"}) {
		t.Errorf("the worst warning is %+v", warning)
	}
	w.at("16:00")
	w.check(verify.CheckDocument{Level: "structure"})
	want("after a verification that found nothing", map[string]string{second.ID(): health.ByDrill})
	w.drill("world", "a", second, restored)
	want("after it came back", map[string]string{})
}

// TestDamageOfManifests finds no damage in a snapshot that came back when only a manifest beside it could not be read.
func TestDamageOfManifests(t *testing.T) {
	w := newWorld(t)
	w.drillLost("world", "a", w.reported("world", "a", nil), verify.Lost{Object: "snapshots/00/22"})
	if got := w.damage(); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

// drillLost puts the report of a drill that found something lost.
func (w *world) drillLost(dataset, host string, snap *repo.Snapshot, lost verify.Lost) {
	w.t.Helper()
	w.drillWith(dataset, host, snap, damage, nil, func(d *verify.DrillDocument) { d.Damaged, d.DamagedCnt = []verify.Lost{lost}, 1 })
}

// TestEmpty offers a backup of a repository that has none, and no verification of nothing.
func TestEmpty(t *testing.T) {
	w := newWorld(t)
	s := w.look(health.Options{})
	want := []health.Warning{{State: health.NeverBackedUp, Message: "nothing was backed up yet", Next: "store backup FOLDER", Commands: []string{"store backup FOLDER"}}}
	if diff := cmp.Diff(want, s.Warnings); diff != "" {
		t.Error(diff)
	}
	s = w.look(health.Options{Here: "a", Expected: []health.Expected{{Dataset: "users", Host: "a"}}})
	if len(s.Warnings) != 1 || s.Warnings[0].Next != "store backup --dataset users" {
		t.Errorf("with a dataset of the configuration: %+v", s.Warnings)
	}
}

// TestNextBackup names the host of the source where it is not this one, and shows times in the zone that is asked for.
func TestNextBackup(t *testing.T) {
	w := newWorld(t)
	shrunk := func(m *tree.Manifest) { m.Suspect = true }
	w.drill("world", "a", w.reported("world", "a", shrunk), verify.CouldNotRun)
	w.reported("/srv", "b", shrunk)
	next := map[string]bool{}
	for _, x := range w.look(health.Options{Here: "a", Zone: time.FixedZone("XYZ", 3600)}).Warnings {
		next[x.Next] = true
		if x.State == health.DrillFailed && x.Message != "world@a was last drilled at 2026-11-20 13:00 XYZ: could not run: this drill says why" {
			t.Errorf("%q", x.Message)
		}
	}
	for _, want := range []string{"store backup --allow-shrink --dataset world", "store backup --host b --allow-shrink /srv"} {
		if !next[want] {
			t.Errorf("no %q in %v", want, next)
		}
	}
}

// TestShort does not advise --allow-shrink where that cannot help: what has less than is expected is suspect with it, too.
func TestShort(t *testing.T) {
	w := newWorld(t)
	w.reported("world", "a", func(m *tree.Manifest) { m.Suspect = true })
	for _, tt := range []struct {
		files, bytes  uint64
		message, next string
	}{
		{0, 0, "world@a lost more than half of what it had before its last backup; when everything is mounted, and it lost what it should, on a", "store backup --allow-shrink --dataset world"},
		{3, 3000, "world@a lost more than half of what it had before its last backup; when everything is mounted, and it lost what it should, on a", "store backup --allow-shrink --dataset world"},
		{4, 3000, "world@a has too little in its last backup: files: 3, where its policy expects 4; on a",
			"see that everything of it is mounted; if it has what it should, lower `expect` in its configuration, and then: store backup --dataset world"},
		{3, 3001, "world@a has too little in its last backup: bytes: 3000, where its policy expects 3001; on a",
			"see that everything of it is mounted; if it has what it should, lower `expect` in its configuration, and then: store backup --dataset world"},
	} {
		o := health.Options{Here: "a", Expect: func(*repo.Snapshot) (uint64, uint64) { return tt.files, tt.bytes }}
		s := w.look(o)
		i := slices.IndexFunc(s.Warnings, func(w health.Warning) bool { return w.State == health.Faulty })
		if i < 0 || s.Warnings[i].Message != tt.message || s.Warnings[i].Next != tt.next {
			t.Errorf("%d files, %d bytes: %+v", tt.files, tt.bytes, s.Warnings)
			continue
		}
		if c := s.Warnings[i].Commands; len(c) != 1 || !strings.HasPrefix(c[0], "store backup ") {
			t.Errorf("commands: %q", c)
		}
	}
}
