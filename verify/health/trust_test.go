package health_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/health"
)

// trusting is a world whose init said who it was.
func trusting(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, cache: t.TempDir(), now: began}
	w.store = mem.New(w.clock)
	o := w.options()
	o.By = "ops@here"
	var err error
	w.repo, err = repo.Init(t.Context(), w.store, []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "test", Passphrase: password, WorkFactor: 1}}, o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// addSlot adds the slot of a new key, and returns its name.
func (w *world) addSlot(label string) string {
	w.t.Helper()
	secret, public, err := seal.NewMachineKey()
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := w.repo.AddSlot(w.t.Context(), repo.NewSlot{Kind: repo.SlotMachine, Label: label, Recipient: public}, repo.Secret{MachineKey: secret}, "ops@there")
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Name
}

// putSlot puts an object into keys/ around the program.
func (w *world) putSlot(name string, b []byte) {
	w.t.Helper()
	if err := w.store.Put(w.t.Context(), name, bytes.NewReader(b), int64(len(b)), storage.PutOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// metricsOf returns the series of a status.
func metricsOf(t testing.TB, s *health.Status) string {
	t.Helper()
	var b strings.Builder
	if err := health.WriteMetrics(&b, s, health.MetricsOptions{Repository: true}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestKeyChanges(t *testing.T) {
	w := trusting(t)
	w.reported("world", "a", nil)
	s := w.look(health.Options{})
	if tr := s.Trust; len(tr.Keys)+len(tr.Foreign)+len(tr.Returned) > 0 || tr.LastKey != nil || !strings.Contains(metricsOf(t, s), "\nsavepoint_key_slots_last_change_timestamp_seconds 0\n") {
		t.Fatalf("as it was made: %+v", tr)
	}
	first := w.repo.Slot()
	w.wait(time.Hour)
	cron := w.addSlot("cron")
	w.wait(time.Hour)
	next, err := w.repo.ReplaceSlot(t.Context(), first, repo.NewSlot{Kind: repo.SlotPassphrase, Label: "test", Passphrase: "other", WorkFactor: 1}, repo.Secret{Passphrase: "other"}, "eve\n@there")
	if err != nil {
		t.Fatal(err)
	}
	w.wait(time.Hour)
	if err := w.repo.RemoveSlot(t.Context(), cron, "ops@here"); err != nil {
		t.Fatal(err)
	}
	s = w.look(health.Options{})
	want := []health.KeyChange{
		{At: began.Add(3*time.Hour + time.Second), Change: "removed", Object: cron, Kind: "machine", Label: "cron", By: "ops@here", Program: "v1.2.3"},
		{At: began.Add(2*time.Hour + time.Second), Change: "replaced", Object: first, Kind: "passphrase", Label: "test", By: "eve @there", Program: "v1.2.3", Next: next.Name},
		{At: began.Add(time.Hour + time.Second), Change: "added", Object: cron, Kind: "machine", Label: "cron", By: "ops@there", Program: "v1.2.3"},
	}
	if !slices.Equal(s.Trust.Keys, want) {
		t.Errorf("changes\n%+v, want\n%+v", s.Trust.Keys, want)
	}
	if s.Trust.LastKey == nil || !s.Trust.LastKey.Equal(want[0].At) {
		t.Errorf("the last change was at %v", s.Trust.LastKey)
	}
	for _, x := range s.Warnings {
		if x.State == health.Foreign {
			t.Errorf("a change of the program's own is a warning: %+v", x)
		}
	}
	w.wait(health.Notice + time.Minute)
	if s = w.look(health.Options{}); len(s.Trust.Keys) > 0 || s.Trust.LastKey == nil || !s.Trust.LastKey.Equal(want[0].At) {
		t.Errorf("a month later: %+v", s.Trust)
	}
}

func TestForeignSlot(t *testing.T) {
	for name, w := range map[string]*world{"of a marked init": trusting(t), "of an old init": newWorld(t)} {
		w.reported("world", "a", nil)
		if s := w.look(health.Options{}); slices.ContainsFunc(s.Warnings, func(x health.Warning) bool { return x.State == health.Foreign }) {
			t.Errorf("%s: the slots of init: %+v", name, s.Warnings)
		}
		w.wait(time.Hour)
		id := strings.Repeat("ab", 16)
		w.putSlot("keys/machine-eve-"+id, []byte("slot"))
		s := w.look(health.Options{})
		i := slices.IndexFunc(s.Warnings, func(x health.Warning) bool { return x.State == health.Foreign })
		if i < 0 {
			t.Fatalf("%s: %+v", name, s.Warnings)
		}
		if x := s.Warnings[i]; !strings.Contains(x.Message, "keys/machine-eve-"+id) || !slices.Equal(x.Commands, []string{"store key remove " + id}) || x.State.Severity() != health.Caution {
			t.Errorf("%s: %+v", name, x)
		}
		if len(s.Trust.Foreign) != 1 || s.ExitCode != 0 || !strings.Contains(metricsOf(t, s), "\nsavepoint_key_slots_unexplained 1\n") {
			t.Errorf("%s: %+v, exit code %d", name, s.Trust.Foreign, s.ExitCode)
		}
		if err := w.repo.RemoveSlot(t.Context(), "keys/machine-eve-"+id, "ops@here"); err != nil {
			t.Fatal(err)
		}
		if s = w.look(health.Options{}); len(s.Trust.Foreign) > 0 {
			t.Errorf("%s: after it was removed: %+v", name, s.Trust.Foreign)
		}
		w.putSlot("keys/machine-eve-"+id, []byte("slot"))
		w.wait(2 * time.Hour)
		if s = w.look(health.Options{}); len(s.Trust.Returned) != 1 || !slices.ContainsFunc(s.Warnings, func(x health.Warning) bool { return strings.Contains(x.Message, "was removed and is there") }) {
			t.Errorf("%s: after it was put back: %+v", name, s.Trust)
		}
	}
}

// TestKits has several kits, of which some were proven and some are gone.
func TestKits(t *testing.T) {
	w := trusting(t)
	snap := w.reported("world", "a", nil)
	prove := func(slot string) time.Time {
		w.wait(time.Hour)
		w.drillWith("world", "a", snap, verify.Restored, nil, func(d *verify.DrillDocument) { d.Kit = &verify.KitProof{Slot: slot, Proven: w.clock()} })
		return w.clock()
	}
	first, second, named := w.addSlot("kit"), w.addSlot("kit"), w.addSlot("safe")
	if s := w.look(health.Options{}); s.Kit != nil || len(s.Trust.Kits) != 2 {
		t.Errorf("before: %+v, %+v", s.Kit, s.Trust.Kits)
	}
	one, two := prove(named), prove(first)
	s := w.look(health.Options{})
	if s.Kit == nil || s.Kit.Slot != first || !s.Kit.Proven.Equal(two) || s.Kit.Removed {
		t.Errorf("two of three: %+v", s.Kit)
	}
	proven := map[string]time.Time{}
	for _, k := range s.Trust.Kits {
		if k.Proven != nil {
			proven[k.Object] = *k.Proven
		} else if k.Object != second {
			t.Errorf("%s was never proven", k.Object)
		}
	}
	if len(s.Trust.Kits) != 3 || !proven[named].Equal(one) || !proven[first].Equal(two) {
		t.Errorf("proven %v", proven)
	}
	for _, step := range []struct {
		remove, kit string
		removed     bool
	}{{first, named, false}, {named, first, true}} {
		if err := w.repo.RemoveSlot(t.Context(), step.remove, "ops@here"); err != nil {
			t.Fatal(err)
		}
		s := w.look(health.Options{})
		if s.Kit == nil || s.Kit.Slot != step.kit || s.Kit.Removed != step.removed {
			t.Errorf("without %s: %+v", step.remove, s.Kit)
		}
		if gone := strings.Contains(metricsOf(t, s), "\nsavepoint_key_escrow_last_test_timestamp_seconds 0\n"); gone != step.removed {
			t.Errorf("without %s the metric says never: %v", step.remove, gone)
		}
	}
}

// TestOutdatedSources has two sources of one host, of which one is backed up by an older program.
func TestOutdatedSources(t *testing.T) {
	w := trusting(t)
	w.reported("world", "a", nil)
	later := w.options()
	later.Version, later.Cache = "v1.3.0", t.TempDir()
	r, err := repo.Open(t.Context(), w.store, repo.Secret{Passphrase: password}, later)
	if err != nil {
		t.Fatal(err)
	}
	w.repo = r
	w.wait(time.Hour)
	w.backup("db", "a", func(m *tree.Manifest) {})
	tr := w.look(health.Options{}).Trust
	if want := []health.Outdated{{Dataset: "world", Host: "a", Program: "v1.2.3"}}; !slices.Equal(tr.Outdated, want) || tr.Newest != "v1.3.0" {
		t.Errorf("%+v older than %s", tr.Outdated, tr.Newest)
	}
	w.wait(time.Hour)
	w.reported("world", "a", nil)
	if tr = w.look(health.Options{}).Trust; len(tr.Outdated) > 0 {
		t.Errorf("once it was backed up by the newer one: %+v", tr.Outdated)
	}
	w.wait(10 * 24 * time.Hour)
	w.reported("world", "b", nil)
	if tr = w.look(health.Options{}).Trust; !slices.Equal(tr.NewHosts, []string{"b"}) {
		t.Errorf("new hosts %q", tr.NewHosts)
	}
}

// TestNotIndependent says of a drill what lay on the source's own host.
func TestNotIndependent(t *testing.T) {
	w := newWorld(t)
	snap := w.reported("world", "a", nil)
	w.drillWith("world", "a", snap, verify.Restored, nil, func(d *verify.DrillDocument) { d.Conditions.NotIndependent = []string{"the secret"} })
	if x := source(t, w.look(health.Options{}), "world@a"); x.LastProven == nil || !slices.Equal(x.LastProven.NotIndependent, []string{"the secret"}) {
		t.Errorf("%+v", x.LastProven)
	}
}
