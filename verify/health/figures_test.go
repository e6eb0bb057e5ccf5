package health_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/health"
	"savepoint/verify/measure"
)

const world1 = "world@world-1"

// Key slots that open a repository: the first takes seconds.
const (
	passwordSlot = "keys/passphrase-default-0123456789abcdef0123456789abcdef"
	kitSlot      = "keys/machine-kit-0123456789abcdef0123456789abcdef"
)

// usual is what a backup counts in these tests.
func usual() tree.Stats {
	return tree.Stats{Files: 1000, ChangedFiles: 20, FileBytes: 8 << 30, ReadBytes: 200 << 20, NewBytes: 20 << 20, NewPackBytes: 6 << 20, NewTreeBytes: 1 << 20, NewTreePack: 1 << 19}
}

// counting publishes a snapshot that takes a minute, with the report that a run leaves.
func (w *world) counting(host string, st tree.Stats) *repo.Snapshot {
	w.t.Helper()
	return w.countingAs(tree.Incremental, host, st)
}

func (w *world) countingAs(mode tree.Mode, host string, st tree.Stats) *repo.Snapshot {
	w.t.Helper()
	var snap *repo.Snapshot
	err := w.repo.Write(w.t.Context(), "world", host, func(ctx context.Context, s *repo.Session) error {
		w.wait(time.Minute)
		m := manifest()
		m.Mode, m.Stats = mode, st
		var err error
		snap, err = s.Commit(ctx, m)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := tree.EncodeStats(&st)
	if err != nil {
		w.t.Fatal(err)
	}
	w.put("world", host, &record.Report{Kind: record.BackupReport, Ran: [2]int64{snap.Window[0], snap.Stored.UnixNano()}, Manifest: snap.Name, Published: snap.Stored.UnixNano(), Stats: b})
	return snap
}

// nights backs up every night.
func (w *world) nights(n int, st tree.Stats) {
	w.t.Helper()
	for range n {
		w.counting("world-1", st)
		w.wait(24*time.Hour - time.Minute)
	}
}

// drilled puts the report of a drill on a machine, which change makes another one.
func (w *world) drilled(snap *repo.Snapshot, seconds float64, change func(*verify.DrillDocument)) {
	w.t.Helper()
	d := &verify.DrillDocument{Verdict: verify.Restored, Dataset: "world", Host: "world-1", Ordered: w.clock(), Incident: w.clock(), Snapshot: snap.ID(), Complete: verify.Yes,
		WindowStart: snap.Start(), WindowEnd: snap.End(), RTO: verify.Recovery{Seconds: seconds, Judged: true, Phases: []verify.Phase{{Name: "open", Requests: 10}, {Name: "transfer", Requests: 990, Received: 4e9}}}, Program: "v1.4.0",
		Restored: verify.Restore{Files: snap.Stats.Files, Bytes: snap.Stats.FileBytes}, Compared: verify.Comparison{Bytes: snap.Stats.FileBytes},
		Conditions: verify.Conditions{Scenario: "cold", Full: true, Alone: verify.Yes, Throttled: verify.No, KeySlot: passwordSlot, CPUs: 8, MemoryBytes: 32 << 30, ScratchFS: "ext4"}}
	if change != nil {
		change(d)
	}
	b, err := verify.Encode(d)
	if err != nil {
		w.t.Fatal(err)
	}
	w.put("world", "world-1", &record.Report{Kind: record.DrillReport, Ran: [2]int64{w.clock().UnixNano(), w.clock().UnixNano()}, Document: b})
}

func TestExposureOverTime(t *testing.T) {
	w := newWorld(t)
	var snaps []*repo.Snapshot
	for _, pause := range []float64{1, 1, 5, 1, 2} { // hours until the next one
		snaps = append(snaps, w.counting("world-1", usual()))
		w.wait(time.Duration(pause * float64(time.Hour)))
	}
	plan := func(string, string) health.Plan {
		return health.Plan{RPO: 2 * time.Hour, Next: func(t time.Time) time.Time { return t.Truncate(time.Hour).Add(time.Hour) }}
	}
	look := func() (*measure.Exposure, *health.Figures) {
		t.Helper()
		f := source(t, w.look(health.Options{Plan: plan}), world1).Figures()
		return f.Exposure[health.Committed], f
	}
	e, f := look()
	if e.Worst != 5*time.Hour+2*time.Minute || e.Closed != e.Worst || e.Open != 2*time.Hour+time.Minute || e.Breaches != 2 || *f.Breached != 3*time.Hour+3*time.Minute {
		t.Errorf("%+v, breached %v", e, f.Breached)
	}
	if len(f.Missed) != 5 {
		t.Errorf("missed: %v", f.Missed)
	}
	if x := f.Exposure[health.Restored]; x != nil {
		t.Errorf("nothing was ever restored: %+v", x)
	}
	w.forget(snaps[1:4]...)
	if again, _ := look(); *again != *e {
		t.Errorf("after some were forgotten: %+v, before %+v", again, e)
	}
	text := w.scrape(health.Options{Plan: plan})
	for name, want := range map[string]float64{
		`savepoint_rpo_worst_gap_seconds{class="state",dataset="world",host="world-1",trust="committed",window="30d"}`: e.Worst.Seconds(),
		`savepoint_rpo_breaches{class="state",dataset="world",host="world-1",window="30d"}`:                            2,
		`savepoint_rpo_breach_seconds_total{class="state",dataset="world",host="world-1"}`:                             f.Breached.Seconds(),
		`savepoint_backup_missed_runs{class="state",dataset="world",host="world-1",window="30d"}`:                      5,
	} {
		if got, ok := samples(t, text)[name]; !ok || got != want {
			t.Errorf("%s is %v, %v", name, got, ok)
		}
	}
	w.lose(snaps[4])
	if e, _ := look(); e.Open < 10*time.Hour || e.Worst != e.Open {
		t.Errorf("when the newest is gone: %+v", e)
	}
	w.lose(snaps[0])
	if e, _ := look(); e.Open != math.MaxInt64 {
		t.Errorf("when all are gone: %+v", e)
	}
}

// TestAllLost drills a source and loses all of it: nothing of it counts as covered any more, and its objective is broken as long as that lasts.
func TestAllLost(t *testing.T) {
	for name, lose := range map[string]func(*world, *repo.Snapshot){
		"gone":    func(w *world, snap *repo.Snapshot) { w.lose(snap) },
		"damaged": func(w *world, snap *repo.Snapshot) { w.drill("world", "world-1", snap, verify.Damage) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			snap := w.counting("world-1", usual())
			w.drilled(snap, 60, nil)
			o := health.Options{Plan: func(string, string) health.Plan { return health.Plan{RPO: 24 * time.Hour} }}
			coverage := `savepoint_restore_coverage_ratio{class="state",dataset="world",host="world-1",level="restored",window="30d"}`
			breaches := `savepoint_rpo_breaches{class="state",dataset="world",host="world-1",window="30d"}`
			if got := samples(t, w.scrape(o)); got[coverage] != 1 || got[breaches] != 0 {
				t.Fatalf("before: coverage %v, breaches %v", got[coverage], got[breaches])
			}
			w.wait(time.Minute)
			lose(w, snap)
			s := w.look(o)
			x := source(t, s, world1)
			if !x.AllLost() || x.Figures().Coverage == nil || x.Figures().Coverage.Live != usual().FileBytes || x.Figures().Coverage.Restored != 0 {
				t.Errorf("%v, %+v", x.AllLost(), x.Figures().Coverage)
			}
			if restored, _, ok := s.Figures().Coverage.Ratios(); !ok || restored != 0 {
				t.Errorf("of the repository: %v, %v", restored, ok)
			}
			text := w.scrape(o)
			got := samples(t, strings.ReplaceAll(text, `class=""`, `class="state"`)) // nothing tells the class of what is gone
			if ratio, ok := got[coverage]; !ok || ratio != 0 || got[breaches] != 1 {
				t.Errorf("coverage %v, %v, breaches %v", ratio, ok, got[breaches])
			}
		})
	}
}

func TestTrustOverTime(t *testing.T) {
	w := newWorld(t)
	first := w.counting("world-1", usual())
	w.wait(3 * time.Hour)
	read := w.clock().Add(-time.Hour)
	w.check(verify.CheckDocument{Level: "data", Complete: true, Structure: verify.Structure{Packs: 4}, ReadBack: verify.ReadBack{Oldest: &read}})
	w.counting("world-1", usual())
	w.wait(time.Hour)
	w.drilled(first, 60, nil)
	w.wait(time.Hour)
	w.check(verify.CheckDocument{Level: "data", Complete: true, Structure: verify.Structure{Packs: 4}, ReadBack: verify.ReadBack{Never: 1, Oldest: &w.now}})
	nothing, err := tree.EncodeStats(&tree.Stats{Files: 1000})
	if err != nil {
		t.Fatal(err)
	}
	w.put("world", "world-1", &record.Report{Kind: record.BackupReport, Exit: 3, Ran: [2]int64{w.clock().UnixNano(), w.clock().UnixNano()}, Published: w.clock().UnixNano(), Stats: nothing})
	f := source(t, w.look(health.Options{}), world1).Figures() // neither a verification that leaves packs unread nor a faulty backup makes a point
	for trust, open := range map[health.Trust]time.Duration{health.Committed: 2*time.Hour + time.Minute, health.Verified: 5*time.Hour + 2*time.Minute,
		health.Restored: 5*time.Hour + 2*time.Minute} {
		if e := f.Exposure[trust]; e == nil || e.Open != open {
			t.Errorf("%s: %+v", trust, e)
		}
	}
	if e := f.Exposure[health.Committed]; e.Gaps != 2 {
		t.Errorf("the faulty backup is a point: %+v", e)
	}
	if e := f.Exposure[health.Drilled]; e != nil {
		t.Errorf("no probe ever passed: %+v", e)
	}
	st := usual()
	if c := f.Coverage; c == nil || c.Live != 8<<30 || c.Restored != 8<<30-st.NewBytes-st.NewTreeBytes || c.Probed != 0 {
		t.Errorf("coverage: %+v", c)
	}
	if c := w.look(health.Options{}).Figures().Coverage; c != *f.Coverage {
		t.Errorf("coverage of one source: %+v", c)
	}
	w.counting("world-1", tree.Stats{Files: 1000, FileBytes: 8 << 30, NewBytes: 8 << 30, NewPackBytes: 8 << 30})
	if c := source(t, w.look(health.Options{}), world1).Figures().Coverage; c.Restored != 0 {
		t.Errorf("all is new since: %+v", c)
	}
}

func TestPredicted(t *testing.T) {
	w := newWorld(t)
	snap := w.counting("world-1", usual())
	predicted := func() *measure.Prediction {
		return source(t, w.look(health.Options{}), world1).Figures().Predicted
	}
	w.drilled(snap, 60, nil)
	w.drilled(snap, 62, nil)
	for name, change := range map[string]func(*verify.DrillDocument){
		"throttled":         func(d *verify.DrillDocument) { d.Conditions.Throttled = verify.Yes },
		"not alone":         func(d *verify.DrillDocument) { d.Conditions.Alone = verify.No },
		"a part":            func(d *verify.DrillDocument) { d.Conditions.Full = false },
		"damage":            func(d *verify.DrillDocument) { d.Verdict = verify.Damage },
		"another disk":      func(d *verify.DrillDocument) { d.Conditions.ScratchFS = "xfs" },
		"another machine":   func(d *verify.DrillDocument) { d.Conditions.CPUs = 64 },
		"another program":   func(d *verify.DrillDocument) { d.Program = "v2.0.0" },
		"local storage":     func(d *verify.DrillDocument) { d.Conditions.StorageLocal = verify.Yes },
		"more memory":       func(d *verify.DrillDocument) { d.Conditions.MemoryBytes = 64 << 30 },
		"a recovery kit":    func(d *verify.DrillDocument) { d.Conditions.KeySlot = kitSlot },
		"no key told":       func(d *verify.DrillDocument) { d.Conditions.KeySlot = "" },
		"no slot's name":    func(d *verify.DrillDocument) { d.Conditions.KeySlot = "keys/future-kit-1" },
		"a warm repository": func(d *verify.DrillDocument) { d.Conditions.Scenario = "warm" },
	} {
		w.drilled(snap, 6000, change)
		if p := predicted(); p != nil {
			t.Errorf("two drills, and one of %s: %+v", name, p)
		}
	}
	w.drilled(snap, 64, nil)
	p := predicted()
	if p == nil || p.Drills != 3 || p.Seconds < 60 || p.Seconds > 64 || p.Low > 60 || p.High < 64 {
		t.Errorf("three drills: %+v", p)
	}
	text := w.scrape(health.Options{})
	if !strings.Contains(text, "# HELP savepoint_rto_predicted_seconds Predicted, not measured") || samples(t, text)[`savepoint_rto_predicted_seconds{class="state",dataset="world",host="world-1",quantile="0.5"}`] != p.Seconds {
		t.Errorf("it is not exported: %+v", p)
	}
	total := w.look(health.Options{Plan: func(string, string) health.Plan {
		return health.Plan{Assumed: &measure.Assumed{Detect: time.Minute, Decide: time.Minute}}
	}})
	if got := source(t, total, world1).Figures().Total; got == nil || *got != 184*time.Second {
		t.Errorf("in all: %v", got)
	}
	if f := source(t, w.look(health.Options{}), world1).Figures(); f.Total != nil || f.Cost.Known() {
		t.Errorf("when nothing is assumed: %v, %v", f.Total, f.Cost)
	}
	prices := measure.Prices{}
	for text, to := range map[string]*measure.Price{"0.09": &prices.GBOut, "0.005": &prices.Per1000Requests} {
		var err error
		if *to, err = measure.ParsePrice(text); err != nil {
			t.Fatal(err)
		}
	}
	if got := source(t, w.look(health.Options{Prices: prices}), world1).Figures().Cost; got.String() != "0.3650" {
		t.Errorf("it cost %v", got)
	}
	st := usual()
	st.FileBytes, st.Files = 100<<30, 12500
	w.counting("world-1", st)
	if p := predicted(); p != nil {
		t.Errorf("more than ten times as much as was ever restored: %+v", p)
	}
}

// TestPredictedRestore has drills of one machine that also waited for other restores, or ran a probe: that is not of the restore.
func TestPredictedRestore(t *testing.T) {
	w := newWorld(t)
	snap := w.counting("world-1", usual())
	w.drilled(snap, 60, nil)
	w.drilled(snap, 62, nil)
	w.drilled(snap, 6000, func(d *verify.DrillDocument) {
		d.RTO.Phases = append(d.RTO.Phases, verify.Phase{Name: "wait", Seconds: 5000}, verify.Phase{Name: "start", Seconds: 36}, verify.Phase{Name: "validate", Seconds: 900})
	})
	p := source(t, w.look(health.Options{}), world1).Figures().Predicted
	if p == nil || p.Drills != 3 || p.Seconds < 60 || p.Seconds > 64 {
		t.Errorf("%+v", p)
	}
}

func TestUnusualBackup(t *testing.T) {
	w := newWorld(t)
	w.nights(28, usual())
	s := w.look(health.Options{})
	if x := source(t, s, world1); x.State != health.NeverDrilled || len(x.Figures().Unusual) != len(measure.Kinds()) {
		t.Errorf("%s, %+v", x.State, x.Figures().Unusual)
	}
	encrypted := usual()
	encrypted.ChangedFiles, encrypted.ReadBytes, encrypted.NewBytes, encrypted.NewPackBytes = 1000, 8<<30, 8<<30, 8<<30
	w.counting("world-1", encrypted)
	s = w.look(health.Options{})
	x := source(t, s, world1)
	if x.State != health.Unusual || s.ExitCode != 0 {
		t.Errorf("%s, %d", x.State, s.ExitCode)
	}
	want := "world@world-1 is unusual (changed_ratio): its last backup changed 100% of its files, usually 2% (the median of 4 runs on a Friday)"
	found := false
	for _, n := range s.Warnings {
		found = found || n.Message == want && n.Next == "store snapshots --dataset world --host world-1"
	}
	if !found {
		t.Errorf("%q is not among %+v", want, s.Warnings)
	}
	text := samples(t, w.scrape(health.Options{}))
	for kind, unusual := range map[measure.Kind]float64{measure.ChangedRatio: 1, measure.Entropy: 1, measure.DedupCollapse: 1, measure.NewBytes: 1, measure.SizeCollapse: 0} {
		name := fmt.Sprintf(`savepoint_backup_anomaly{class="state",dataset="world",host="world-1",kind="%s"}`, kind)
		if got, ok := text[name]; !ok || got != unusual {
			t.Errorf("%s: %v, %v", kind, got, ok)
		}
	}
	w.wait(24 * time.Hour)
	w.counting("world-1", usual())
	if x := source(t, w.look(health.Options{}), world1); x.State != health.NeverDrilled {
		t.Errorf("a usual one clears it: %s", x.State)
	}

	// A full one reads every file, which says nothing of how many have changed.
	w.wait(24 * time.Hour)
	full := usual()
	full.ChangedFiles, full.ReadBytes = full.Files, full.FileBytes
	w.countingAs(tree.Full, "world-1", full)
	if x := source(t, w.look(health.Options{}), world1); x.State != health.NeverDrilled {
		t.Errorf("a full one: %s, %+v", x.State, x.Figures().Unusual)
	}
	if got := samples(t, w.scrape(health.Options{}))[`savepoint_backup_changed_ratio{class="state",dataset="world",host="world-1"}`]; got != 0.02 {
		t.Errorf("after a full one the changed ratio is %v", got)
	}
}

func TestOverall(t *testing.T) {
	w := newWorld(t)
	for i := range 10 {
		w.nights(1, usual())
		w.check(verify.CheckDocument{Level: "structure", Structure: verify.Structure{Packs: 4, PackBytes: uint64(1000 + 10*i)}, ReadBack: verify.ReadBack{Never: 4}})
	}
	s := w.look(health.Options{Quota: 1590})
	o := s.Figures()
	if o.Growth == nil || o.Growth.PerDay != 10 || o.Growth.Stored != 1090 || o.Full == nil || o.Full.Full == nil || !o.Full.Full.Equal(w.clock().Add(50*24*time.Hour)) {
		t.Errorf("%+v, %+v", o.Growth, o.Full)
	}
	day := w.clock().Add(50 * 24 * time.Hour)
	if c := s.Capacity; c == nil || c.Quota != 1590 || *c.Stored != 1090 || *c.PerDay != 10 || !c.Full.Equal(day) || !c.Earliest.Equal(day) || c.Latest == nil || c.Exceeded || c.Days != 10 {
		t.Errorf("%+v", c)
	}
	for quota, says := range map[uint64]string{
		0: "", 1590: "", 1190: "the packs have 92% of the quota of 1190, and may reach it in 10d", 1090: "the packs have 100% of the quota of 1090: it is exceeded",
	} {
		s := w.look(health.Options{Quota: quota})
		i := slices.IndexFunc(s.Warnings, func(w health.Warning) bool { return strings.HasPrefix(w.Message, "the packs have") })
		if (i >= 0) != (says != "") || i >= 0 && (s.Warnings[i].Message != says || s.Warnings[i].State != health.Faulty || s.ExitCode != 0 || strings.Join(s.Warnings[i].Commands, "") != "store snapshots") {
			t.Errorf("quota %d: %+v", quota, s.Warnings)
		}
		got := samples(t, w.scrape(health.Options{Quota: quota}))
		if v, ok := got["savepoint_repo_capacity_bytes{}"]; ok != (quota > 0) || v != float64(quota) || got["savepoint_repo_stored_bytes{}"] != 1090 {
			t.Errorf("quota %d: exported %v, %v", quota, v, ok)
		}
	}
	if len(o.NewHosts) > 0 || len(o.Outdated) > 0 || o.Newest != "v1.2.3" {
		t.Errorf("%+v", o)
	}
	st := usual()
	if g := source(t, s, world1).Figures().Growth; g == nil || g.PerDay != float64(st.NewPackBytes+st.NewTreePack) {
		t.Errorf("%+v", g)
	}
	later := w.options()
	later.Version, later.Cache = "v1.3.0", t.TempDir()
	r, err := repo.Open(t.Context(), w.store, repo.Secret{Passphrase: password}, later)
	if err != nil {
		t.Fatal(err)
	}
	w.repo = r
	w.counting("world-9", usual())
	if o = w.look(health.Options{}).Figures(); len(o.NewHosts) != 1 || o.NewHosts[0] != "world-9" || len(o.Outdated) != 2 || o.Newest != "v1.3.0" {
		t.Errorf("a new host, with a newer program: %+v", o)
	}
	if o.Full != nil {
		t.Errorf("without a quota: %+v", o.Full)
	}
}

// TestFiguresOfAnything holds that reports cannot say what breaks health, or makes a figure of nothing.
func TestFiguresOfAnything(t *testing.T) {
	w := newWorld(t)
	snap := w.counting("world-1", usual())
	for _, rep := range []record.Report{
		{Ran: [2]int64{math.MinInt64, math.MaxInt64}, Published: math.MaxInt64},
		{Ran: [2]int64{1, 2}, Published: 3},
		{Ran: [2]int64{5, 2}, Published: 3},
		{Ran: [2]int64{snap.Window[0], 1}, Published: math.MaxInt64, Exit: 3},
		{Ran: [2]int64{snap.Window[0], snap.Window[1]}, Published: snap.Stored.UnixNano(), Stats: []byte{0xa1, 0x04, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{Ran: [2]int64{snap.Window[0], snap.Window[1]}, Published: snap.Stored.UnixNano(), Stats: []byte{0x01}},
	} {
		rep.Kind = record.BackupReport
		w.put("world", "world-1", &rep)
	}
	for range 3 {
		w.drilled(snap, 1e9, func(d *verify.DrillDocument) {
			d.Restored = verify.Restore{Bytes: math.MaxUint64, Files: math.MaxUint64}
			d.Compared.Bytes, d.Conditions.CPUs, d.Conditions.MemoryBytes = math.MaxUint64, -1, math.MaxUint64
			d.WindowStart = time.Time{}
		})
	}
	w.wait(time.Hour)
	f := source(t, w.look(health.Options{}), world1).Figures()
	for trust, e := range f.Exposure {
		if min(e.Worst, e.Open, e.Closed, e.P99) < 0 {
			t.Errorf("%s: %+v", trust, e)
		}
	}
	if f.Predicted != nil || f.Growth != nil {
		t.Errorf("%+v", f)
	}
	w.scrape(health.Options{})
}

// TestNothingLeft holds that a source of which nothing is left to go back to makes no figure look good.
func TestNothingLeft(t *testing.T) {
	w := newWorld(t)
	var snaps []*repo.Snapshot
	for range 3 {
		w.wait(time.Hour)
		snaps = append(snaps, w.counting("world-1", usual()))
	}
	snap := snaps[2]
	w.drilled(snap, 60, func(d *verify.DrillDocument) {
		d.Verdict, d.Probe = verify.Pass, &verify.Probe{Result: verify.ProbePassed, Checked: 3}
	})
	w.check(verify.CheckDocument{Level: "data", Structure: verify.Structure{Packs: 1, PackBytes: 9}, ReadBack: verify.ReadBack{Packs: 1, Bytes: 9}})
	w.wait(time.Hour)
	before := source(t, w.look(health.Options{}), world1).Figures()
	if len(before.Exposure) != 4 {
		t.Fatalf("%+v", before.Exposure)
	}
	w.drillWith("world", "world-1", snap, damage, nil, func(d *verify.DrillDocument) {
		d.Damaged, d.DamagedCnt, d.Older = []verify.Lost{{Path: "/srv/a"}}, 1, []verify.Older{triedOf(snaps[1], false), triedOf(snaps[0], false)}
	})
	s := w.look(health.Options{})
	x := source(t, s, world1)
	if x.RecoveryPoint != nil || x.Restored != nil || x.Drilled != nil {
		t.Fatalf("%+v", x)
	}
	for trust, was := range before.Exposure {
		e := x.Figures().Exposure[trust]
		if was.Open == math.MaxInt64 || e == nil || e.Open != math.MaxInt64 || e.Worst != math.MaxInt64 || e.P99 != math.MaxInt64 {
			t.Errorf("%s: %+v, before %+v", trust, e, was)
		}
	}
	for _, e := range x.Document.Exposures {
		if e.Open != nil || e.Worst != nil || e.P99 != nil {
			t.Errorf("%+v", e)
		}
	}
	for _, c := range []*health.CoverageDocument{x.Document.Coverage, &s.Document.Coverage} {
		if c == nil || c.Live != usual().FileBytes || c.Restored != 0 || c.Ratio == nil || *c.Ratio != 0 {
			t.Errorf("%+v", c)
		}
	}
	got := samples(t, w.scrape(health.Options{}))
	if n := got["savepoint_damaged_snapshots{}"]; int(n) != len(x.Damages) || n != 3 {
		t.Errorf("%v damaged snapshots, where %d are listed", n, len(x.Damages))
	}
}
