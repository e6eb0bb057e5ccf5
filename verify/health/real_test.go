package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/needtest"
	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/pack"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/check"
	"savepoint/verify/drill"
	"savepoint/verify/health"
)

// site is a repository that is backed up, drilled and verified as the program does it.
type site struct {
	t      *testing.T
	mem    *mem.Store
	st     *fault.Store
	source string
	cache  string
	drills string
	runs   int
}

func newSite(t *testing.T) *site {
	s := &site{t: t, mem: mem.New(nil), source: t.TempDir(), cache: t.TempDir(), drills: t.TempDir()}
	s.st = fault.New(s.mem)
	slot := repo.NewSlot{Kind: repo.SlotPassphrase, Label: "test", Passphrase: password, WorkFactor: 1}
	if _, err := repo.Init(t.Context(), s.mem, []repo.NewSlot{slot}, repo.Options{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) open(cache string) *repo.Repo {
	s.t.Helper()
	r, err := repo.Open(s.t.Context(), s.st, repo.Secret{Passphrase: password}, repo.Options{Cache: cache, Chains: s.cache, Host: "spare", Version: "v1", Sealers: 1})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// write writes a file of the source with bytes that no other has.
func (s *site) write(name string, size int) {
	s.t.Helper()
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	if err := os.WriteFile(filepath.Join(s.source, name), b, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) backup() *repo.Snapshot {
	s.t.Helper()
	res, err := backup.Run(s.t.Context(), s.open(s.cache), backup.Options{Dataset: "world", Host: "world-1", Class: "state", Paths: []string{s.source}})
	if err != nil {
		s.t.Fatal(err)
	}
	return res.Snapshot
}

// drill runs a drill, and returns its document.
func (s *site) drill(change func(*drill.Options)) *verify.DrillDocument {
	s.t.Helper()
	s.runs++
	o := drill.Options{
		Open: func(_ context.Context, cache string) (drill.Opened, error) {
			return drill.Opened{Repo: s.open(cache), KeyFrom: "password (test)"}, nil
		},
		Dataset: "world", Host: "world-1", Scratch: drill.Scratch{Base: s.drills, Prefix: "drill-"}, Run: "run" + string(rune('a'+s.runs)), Version: "v1",
	}
	if change != nil {
		change(&o)
	}
	if o.Select == nil {
		o.Select = func(snaps []*repo.Snapshot) (repo.Choice, error) {
			return repo.Select(snaps, repo.Query{At: o.At, Dataset: "world", Host: "world-1"})
		}
	}
	d, err := drill.Run(s.t.Context(), o)
	if d == nil {
		s.t.Fatal(err)
	}
	if d.Verdict == verify.CouldNotRun && strings.Contains(strings.Join(d.Reasons, " "), "memory") {
		needtest.Without(s.t, "disk", "drills need a disk: "+d.Reasons[0])
	}
	return d
}

// verify runs a verification, and returns its document.
func (s *site) verify(o check.Options) *verify.CheckDocument {
	s.t.Helper()
	o.Host = "spare"
	d, err := check.Run(s.t.Context(), s.open(""), o)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// look looks without a cache, so that nothing is seen that is not there.
func (s *site) look() (*health.Status, *health.Source) {
	s.t.Helper()
	status, err := health.Look(s.t.Context(), s.open(""), health.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(status.Unreadable) > 0 || status.Missing > 0 {
		s.t.Fatalf("cannot be read: %+v; %d reports are missing", status.Unreadable, status.Missing)
	}
	return status, source(s.t, status, "world@world-1")
}

// same fails the test when a document is not the one that its run returned.
func same[T any](t *testing.T, got json.RawMessage, want *T) {
	t.Helper()
	back := new(T)
	if err := json.Unmarshal(got, back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, back); diff != "" {
		t.Error(diff)
	}
}

// data returns a data pack that is not among some.
func (s *site) data(but ...string) string {
	s.t.Helper()
	for _, name := range s.mem.Objects() {
		if strings.HasPrefix(name, pack.Data.String()+"/") && !slices.Contains(but, name) {
			return name
		}
	}
	s.t.Fatal("no data pack")
	return ""
}

// flip changes a byte of an object, and returns what changes it back.
func (s *site) flip(name string) (back func()) {
	s.t.Helper()
	b, err := s.mem.Get(s.t.Context(), name, 0, -1, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	bad := slices.Clone(b)
	bad[len(bad)/3] ^= 1
	s.mem.Replace(name, bad)
	return func() { s.mem.Replace(name, b) }
}

// TestRealDrills shows of real drills what their documents say.
func TestRealDrills(t *testing.T) {
	s := newSite(t)
	s.write("region", 300<<10)
	if err := os.WriteFile(filepath.Join(s.source, "locked"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	snap := s.backup()
	d := s.drill(nil)
	status, x := s.look()
	if x.State != health.Good || x.LastDrill.Verdict != verify.Restored || x.LastProven.Snapshot != snap.ID() || x.LastDrill.Of != nil {
		t.Errorf("restored: %+v, %+v", x.State, x.LastDrill)
	}
	if *x.LastDrill.RTO != d.RTO.Seconds || *x.LastDrill.RPO != d.RPO.Seconds || !x.Restored.Equal(snap.Start()) || x.LastDrill.At.Before(d.Ordered) {
		t.Errorf("restored: RTO %v, want %v; RPO %v, want %v; point %v, want %v", *x.LastDrill.RTO, d.RTO.Seconds, *x.LastDrill.RPO, d.RPO.Seconds, x.Restored, snap.Start())
	}
	same(t, x.LastDrill.Document, d)
	if b := x.LastBackup; b.Files != 2 || b.Bytes != 300<<10+1 || b.New < b.Bytes || b.NewStored < 300<<10 || b.Seconds <= 0 || x.LastReport.ExitCode != 0 || x.Backups[0].Runs != 1 {
		t.Errorf("the backup is %+v, its report %+v, %+v", b, x.LastReport, x.Backups)
	}
	var text strings.Builder
	if err := health.WriteMetrics(&text, status, health.MetricsOptions{}); err != nil {
		t.Fatal(err)
	}
	series, phases := samples(t, text.String()), 0.0
	const labels = `{class="state",dataset="world",host="world-1"`
	for _, p := range d.RTO.Phases {
		phases += series[`savepoint_drill_phase_seconds`+labels+`,phase="`+p.Name+`"}`]
	}
	if got := series["savepoint_drill_rta_seconds"+labels+"}"]; got != d.RTO.Seconds || phases-got > 1e-6 || got-phases > 1e-6 {
		t.Errorf("RTA %v, want %v; phases add up to %v", got, d.RTO.Seconds, phases)
	}
	if series["savepoint_drill_restored_bytes"+labels+"}"] != 300<<10+1 || series["savepoint_drill_fetched_bytes"+labels+"}"] != float64(d.Restored.Fetched) {
		t.Errorf("restored bytes: %s", text.String())
	}

	for _, c := range []struct {
		name    string
		change  func(*drill.Options)
		verdict verify.Verdict
		state   health.State
		times   bool
	}{
		{"objective", func(o *drill.Options) { o.RPO = time.Nanosecond }, verify.ObjectiveMissed, health.DrillMissed, true},
		{"limited", func(o *drill.Options) {
			o.RTO = time.Hour
			inner := o.Open
			o.Open = func(ctx context.Context, cache string) (drill.Opened, error) {
				x, err := inner(ctx, cache)
				x.Throttled = true
				return x, err
			}
		}, verify.Inconclusive, health.Good, false},
		{"could not run", func(o *drill.Options) {
			o.Permit = func(*repo.Snapshot, string) error { return errors.New("not here") }
		}, verify.CouldNotRun, health.DrillFailed, false},
	} {
		d := s.drill(c.change)
		_, x := s.look()
		if d.Verdict != c.verdict || x.LastDrill.Verdict != c.verdict || x.State != c.state || (x.LastDrill.RTO != nil) != c.times {
			t.Errorf("%s: %q, %+v, %q", c.name, d.Verdict, x.LastDrill, x.State)
		}
		if x.LastProven == nil || x.LastProven.Verdict != verify.Restored {
			t.Errorf("%s: the last proof is %+v", c.name, x.LastProven)
		}
		same(t, x.LastDrill.Document, d)
	}
	if _, x := s.look(); x.Drills[1].Runs != 1 || x.Drills[4].Runs != 1 || x.Drills[5].Runs != 1 || x.Drills[6].Runs != 1 {
		t.Errorf("counts %+v", x.Drills)
	}
	s.drillDamage(snap)
}

// drillDamage goes on with damage to the data of the first snapshot.
func (s *site) drillDamage(first *repo.Snapshot) {
	s.t.Helper()
	pack := s.data()
	back := s.flip(pack)
	d := s.drill(nil)
	status, x := s.look()
	if d.Verdict != verify.Damage || status.ExitCode != 4 || x.State != health.Damaged || x.UnhealedDamage == nil || x.RecoveryPoint != nil || x.Restored != nil {
		s.t.Fatalf("damage: %q, exit %d, %+v", d.Verdict, status.ExitCode, x)
	}
	same(s.t, x.UnhealedDamage.Document, d)

	// A newer snapshot that needs nothing of it proves nothing of the damaged one.
	if err := os.Remove(filepath.Join(s.source, "region")); err != nil {
		s.t.Fatal(err)
	}
	s.write("other", 400<<10)
	s.write("locked", 10)
	second := s.backup()
	d = s.drill(nil)
	status, x = s.look()
	if d.Verdict != verify.Restored || status.ExitCode != 4 || x.UnhealedDamage == nil || x.RecoveryPoint.Snapshot != second.ID() || !x.Restored.Equal(second.Start()) {
		s.t.Errorf("after a newer one: %q, exit %d, %+v", d.Verdict, status.ExitCode, x)
	}
	back()
	at := first.End().Add(time.Nanosecond)
	if at.After(second.End()) {
		s.t.Fatal("the snapshots are too close")
	}
	d = s.drill(func(o *drill.Options) { o.At = at })
	status, x = s.look()
	if d.Verdict != verify.Restored || d.Snapshot != first.ID() || status.ExitCode != 0 || x.UnhealedDamage != nil || x.State != health.Good {
		s.t.Errorf("after the damaged one once more: %q, exit %d, %+v", d.Verdict, status.ExitCode, x)
	}
	if x.LastDrill.Of != nil || x.LastProven.Snapshot != second.ID() || !x.Restored.Equal(second.Start()) {
		s.t.Errorf("a drill of an older moment counts as proof of now: %+v", x.LastProven)
	}
}

// TestRealFaulty drills snapshots that are not what a backup should be: they come back, and move no recovery point.
func TestRealFaulty(t *testing.T) {
	s := newSite(t)
	s.write("a", 100<<10)
	s.write("b", 10)
	good := s.backup()
	if err := os.Remove(filepath.Join(s.source, "a")); err != nil {
		t.Fatal(err)
	}
	suspect := s.backup()
	if !suspect.Suspect {
		t.Fatal("the snapshot is not suspect")
	}
	d := s.drill(nil)
	_, x := s.look()
	if d.Verdict != verify.Restored || x.State != health.Faulty || x.RecoveryPoint.Snapshot != good.ID() || x.Restored != nil || !x.LastBackup.Suspect ||
		x.LastReport.ExitCode != 3 || x.Backups[1].Runs != 1 || x.LastProven.Snapshot != suspect.ID() {
		t.Errorf("suspect: %q, %+v", d.Verdict, x)
	}
	err := s.open(s.cache).Write(t.Context(), "world", "world-1", func(ctx context.Context, ses *repo.Session) error {
		_, err := ses.Commit(ctx, &tree.Manifest{Mode: tree.Incremental, Completeness: tree.WithFaults, FaultCount: 1, Roots: suspect.Roots, Devices: suspect.Devices,
			Faults: []tree.Fault{{Path: filepath.Join(s.source, "c"), Code: tree.Torn}}, Stats: suspect.Stats})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d = s.drill(nil)
	_, x = s.look()
	if d.Verdict != verify.Restored || *d.Faults != 1 || x.State != health.Faulty || x.RecoveryPoint.Snapshot != good.ID() || x.Restored != nil || x.LastBackup.Faults != 1 {
		t.Errorf("with a fault: %q, %+v", d.Verdict, x)
	}
}

// TestRealVerifications shows of real verifications what their documents say.
func TestRealVerifications(t *testing.T) {
	s := newSite(t)
	s.write("region", 300<<10)
	s.backup()
	d := s.verify(check.Options{})
	status, _ := s.look()
	v := status.Verify
	if v.Structure.LastWhole == nil || v.Data.Last != nil || v.Packs != 2 || *v.Never != 2 || *v.Coverage != 0 || v.Oldest != nil {
		t.Errorf("structure: %+v", v)
	}
	same(t, v.Structure.Last.Document, d)
	d = s.verify(check.Options{ReadData: check.All()})
	status, _ = s.look()
	v = status.Verify
	if v.Data.LastWhole == nil || *v.Never != 0 || *v.Coverage != 1 || !v.Oldest.Equal(*d.ReadBack.Oldest) || v.ReadBack != 2 || status.ExitCode != 0 {
		t.Errorf("data: %+v", v)
	}
	same(t, v.Data.Last.Document, d)

	// Damage: it is marked, and a structure run sees it from then on.
	first := s.data()
	s.flip(first)
	d = s.verify(check.Options{ReadData: check.All()})
	status, x := s.look()
	v = status.Verify
	if status.ExitCode != 4 || v.Unhealed == nil || len(status.Damaged) != 1 || x.State != health.Damaged || x.RecoveryPoint != nil || v.Data.Last.Findings != d.FindingCnt {
		t.Fatalf("damage: %+v, %+v", v, x)
	}
	same(t, v.Unhealed.Document, d)
	s.verify(check.Options{ReadData: check.All()}) // it is marked already
	if status, _ = s.look(); status.ExitCode != 4 {
		t.Error("the damage is forgotten")
	}
	restored := s.backup() // stores again what the source still has
	s.verify(check.Options{})
	status, x = s.look()
	if status.ExitCode != 0 || status.Verify.Unhealed != nil || x.RecoveryPoint.Snapshot != restored.ID() || len(status.Damaged) != 1 {
		t.Errorf("healed: exit %d, %+v, %+v", status.ExitCode, status.Verify.Unhealed, x.RecoveryPoint)
	}

	// Interrupted after it read something: the ledger has it, and it is no document that cannot be read.
	for i := range 6 {
		s.write("more"+string(rune('a'+i)), 300<<10)
		s.backup()
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	var data atomic.Bool
	var read atomic.Int32
	_, err := check.Run(ctx, s.open(""), check.Options{ReadData: check.All(), Host: "spare", Events: check.Events{
		Phase: func(name string, _ uint64) { data.Store(name == "data") },
		Step: func(uint64) {
			if data.Load() && read.Add(1) == 3 {
				cancel(errors.New("stop"))
			}
		}}})
	if err == nil {
		t.Fatal("it was not interrupted")
	}
	status, _ = s.look()
	if last := status.Verify.Data.Last; last.ExitCode != 130 || last.Message != "interrupted" || status.ExitCode != 0 {
		t.Errorf("interrupted: %+v, exit %d", last, status.ExitCode)
	}
	if !slices.ContainsFunc(status.Warnings, func(w health.Warning) bool {
		return strings.Contains(w.Message, "did not come to its end: interrupted")
	}) {
		t.Errorf("interrupted: %+v", status.Warnings)
	}
}
