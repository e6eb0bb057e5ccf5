package drill_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/record"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/repo/storage/meter"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/drill"
)

const password = "test"

// world is a repository with one snapshot of world@world-1, and a host that drills. The storage's clock stands still and is far from that of
// the host.
type world struct {
	t      *testing.T
	clock  time.Time
	st     *mem.Store
	faults *fault.Store
	source string
	base   string // of scratch folders
	chains string
	runs   int
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, clock: time.Date(2031, 5, 4, 3, 2, 1, 0, time.UTC), source: filepath.Join(t.TempDir(), "source"),
		base: filepath.Join(t.TempDir(), "drill"), chains: t.TempDir()}
	w.st = mem.New(func() time.Time { return w.clock })
	w.faults = fault.New(w.st)
	slots := []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "test", Passphrase: password, WorkFactor: 4}}
	if _, err := repo.Init(t.Context(), w.st, slots, repo.Options{}); err != nil {
		t.Fatal(err)
	}
	w.file("players/1", []byte("a player"))
	w.file("region", noise(1, 3<<20))
	if err := os.Symlink("players/1", filepath.Join(w.source, "first")); err != nil {
		t.Fatal(err)
	}
	w.backup("world-1")
	return w
}

func (w *world) file(name string, data []byte) {
	w.t.Helper()
	path := filepath.Join(w.source, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
		w.t.Fatal(err)
	}
}

func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // it never fails
	return b
}

func (w *world) open(cache string) (*repo.Repo, error) {
	return repo.Open(w.t.Context(), w.faults, repo.Secret{Passphrase: password}, repo.Options{Cache: cache, Chains: w.chains, Host: "spare", Version: "v1"})
}

func (w *world) backup(host string) *repo.Snapshot {
	w.t.Helper()
	r, err := w.open("")
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := backup.Run(w.t.Context(), r, backup.Options{Dataset: "world", Host: host, Class: "state", Paths: []string{w.source}})
	if err != nil {
		w.t.Fatal(err)
	}
	return res.Snapshot
}

// options are those of a drill of the newest snapshot.
func (w *world) options() drill.Options {
	w.runs++
	return drill.WithDisk(drill.Options{
		Open: func(_ context.Context, cache string) (drill.Opened, error) {
			if entries, err := os.ReadDir(cache); err != nil || len(entries) > 0 {
				w.t.Errorf("the cache holds %v, %v", entries, err)
			}
			m := meter.New(w.faults)
			r, err := repo.Open(w.t.Context(), m, repo.Secret{Passphrase: password}, repo.Options{Cache: cache, Chains: w.chains, Host: "spare", Version: "v1"})
			return drill.Opened{Repo: r, KeyFrom: "password (test)", Count: func() drill.Count {
				t := m.Totals()
				return drill.Count{Requests: t.Requests(), Retries: t.Retries, Received: t.Received}
			}}, err
		},
		Select:  func(snaps []*repo.Snapshot) (repo.Choice, error) { return repo.Select(snaps, repo.Query{}) },
		Scratch: drill.Scratch{Base: w.base, Make: true},
		Run:     "run" + string(rune('a'+w.runs)), Version: "v1",
	}, nil)
}

// run drills, and fails the test when the verdict or exit code is another, when the scratch folder holds anything afterwards, or when
// something else than leases and reports was written.
func (w *world) run(o drill.Options, verdict verify.Verdict, exit int) (*verify.DrillDocument, error) {
	w.t.Helper()
	before := w.st.Objects()
	d, err := drill.Run(w.t.Context(), o)
	if d == nil {
		w.t.Fatalf("no document: %v", err)
	}
	if d.Verdict != verdict || d.ExitCode != exit {
		w.t.Fatalf("%s (%d), want %s (%d): %q, %v", d.Verdict, d.ExitCode, verdict, exit, d.Reasons, err)
	}
	if (err == nil) != (exit == 0) {
		w.t.Errorf("exit code %d, error %v", exit, err)
	}
	w.clean(before)
	return d, err
}

func (w *world) clean(before []string) {
	w.t.Helper()
	if entries, err := os.ReadDir(w.base); err != nil && !errors.Is(err, fs.ErrNotExist) || len(entries) > 0 {
		w.t.Errorf("left in the scratch folder: %v, %v", entries, err)
	}
	if diff := cmp.Diff(others(before), others(w.st.Objects())); diff != "" {
		w.t.Errorf("the repository has changed:\n%s", diff)
	}
}

// others returns the objects that a drill must leave alone.
func others(objects []string) []string {
	return slices.DeleteFunc(slices.Clone(objects), func(n string) bool { return strings.HasPrefix(n, "leases/") || strings.HasPrefix(n, "reports/") })
}

// report returns the document of the newest report of a drill, or nil.
func (w *world) report() (*repo.StoredReport, *verify.DrillDocument) {
	w.t.Helper()
	r, err := w.open("")
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := r.Reports(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, rep := range slices.Backward(all) {
		if rep.Kind == record.DrillReport {
			d, err := verify.DecodeDrill(rep.Document)
			if err != nil {
				w.t.Fatal(err)
			}
			return rep, d
		}
	}
	return nil, nil
}

func TestRestored(t *testing.T) {
	w := newWorld(t)
	w.clock = w.clock.Add(38 * time.Minute)
	o := w.options()
	o.RTO, o.RPO = time.Hour, time.Hour
	o.Inspect = func(_ context.Context, folder string, d *verify.DrillDocument) error {
		got, err := os.ReadFile(filepath.Join(folder, "players", "1"))
		if err != nil || string(got) != "a player" || d.Compared.Entries == 0 {
			t.Errorf("%q, %v, %+v", got, err, d.Compared)
		}
		return nil
	}
	// The phases have all that was asked of the storage until the data was back, and nothing of the comparison.
	var count func() drill.Count
	open := o.Open
	o.Open = func(ctx context.Context, cache string) (drill.Opened, error) {
		opened, err := open(ctx, cache)
		count = opened.Count
		return opened, err
	}
	var asked, phases drill.Count
	o.Events.Comparing = func(uint64, uint64) { asked = count() }
	d, _ := w.run(o, verify.Restored, 0)
	for _, p := range d.RTO.Phases {
		phases.Requests, phases.Retries, phases.Received = phases.Requests+p.Requests, phases.Retries+p.Retries, phases.Received+p.Received
	}
	if phases != asked || asked.Received < d.Restored.Fetched || d.RTO.Phases[4].Received != d.Restored.Fetched {
		t.Errorf("the phases asked %+v of the storage, the restore asked %+v, %d bytes of packs", phases, asked, d.Restored.Fetched)
	}
	if d.Dataset != "world" || d.Host != "world-1" || d.Class != "state" || d.Complete != verify.Yes || *d.Faults != 0 || len(d.Reasons) != 0 || d.Run != "runb" || d.Program != "v1" {
		t.Errorf("%+v", d)
	}
	if !d.RTO.Judged || !d.RTO.Met || !d.RPO.Judged || !d.RPO.Met || d.RPO.Since == nil || !d.RPO.Since.Equal(d.WindowStart) {
		t.Errorf("%+v, %+v", d.RTO, d.RPO)
	}
	// The order came before the lease, whose storage time is the clock's.
	if ahead := w.clock.Sub(d.Ordered); ahead <= 0 || ahead > time.Minute || !d.Incident.Equal(d.Ordered) {
		t.Errorf("ordered %v before the lease", ahead)
	}
	if got, want := d.RPO.Seconds, d.Incident.Sub(d.WindowStart).Seconds(); got != want || got > 38*60 {
		t.Errorf("RPO %v, want %v", got, want)
	}
	var names []string
	sum := 0.0
	for _, p := range d.RTO.Phases {
		names = append(names, p.Name)
		sum += p.Seconds
		if p.Seconds <= 0 || p.Requests == 0 && (p.Name != "plan" && p.Name != "metadata") || p.Name == "transfer" && p.Received < 3<<20 {
			t.Errorf("%+v", p)
		}
	}
	if diff := cmp.Diff([]string{"open", "select", "index", "plan", "transfer", "metadata"}, names); diff != "" || max(sum-d.RTO.Seconds, d.RTO.Seconds-sum) > 1e-6 {
		t.Errorf("%v s, the phases are %v s\n%s", d.RTO.Seconds, sum, diff)
	}
	if d.Restored.Files != 2 || d.Restored.Directories != 2 || d.Restored.Others != 1 || d.Restored.Bytes != 3<<20+8 || d.Compared.Files != 2 || d.Compared.DifferenceCount != 0 {
		t.Errorf("%+v, %+v", d.Restored, d.Compared)
	}
	c := d.Conditions
	if c.Alone != verify.Yes || !c.Full || !c.IndexCold || c.Throttled != verify.No || c.SourceHost != verify.No || c.Machine != "spare" || c.KeyFrom == "" || c.KeySlot == "" || c.ScratchFS != "ext4" || c.CPUs == 0 || c.MemoryBytes == 0 || c.System == "" {
		t.Errorf("%+v", c)
	}
	rep, same := w.report()
	if diff := cmp.Diff(d, same); diff != "" {
		t.Errorf("the report:\n%s", diff)
	}
	if rep.Dataset != "world" || rep.Host != "world-1" || rep.Exit != 0 || rep.Message != drill.Line(d, time.UTC) || len(rep.Phases) != 6 || rep.Ran[0] != d.Ordered.UnixNano() || rep.Ran[1] <= rep.Ran[0] {
		t.Errorf("%+v", rep)
	}
	w.run(w.options(), verify.Restored, 0)
	if next, _ := w.report(); next.Seq != rep.Seq+1 || next.Previous != rep.Hash {
		t.Errorf("report %d after %d: the chain is torn", next.Seq, rep.Seq)
	}
}

func TestDamage(t *testing.T) {
	w := newWorld(t)
	for _, name := range w.st.Objects() {
		if strings.HasPrefix(name, "data/") {
			b, err := w.st.Get(t.Context(), name, 0, -1, nil)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			w.st.Replace(name, b)
		}
	}
	o := w.options()
	o.RTO = time.Nanosecond // damage weighs more
	o.Advise = func(d *verify.DrillDocument, cannot error) (string, []string) {
		if d.Verdict != verify.Damage || d.ExitCode != 4 || cannot != nil {
			t.Errorf("advice is asked for of %+v, %v", d, cannot)
		}
		return "look: store verify", []string{"store verify"}
	}
	d, err := w.run(o, verify.Damage, 4)
	// The block may hold the small file as well: blocks are sealed in any order.
	lost := slices.ContainsFunc(d.Damaged, func(l verify.Lost) bool { return l.Path == filepath.Join(w.source, "region") })
	if !errors.Is(err, drill.ErrDamage) || !lost || d.DamagedCnt > 2 || !strings.HasPrefix(d.Damaged[0].Object, "data/") {
		t.Errorf("%v, %+v", err, d.Damaged)
	}
	if d.Compared.DifferenceCount != 0 || d.Compared.Files != 2-d.DamagedCnt || d.RTO.Judged {
		t.Errorf("%+v, %+v", d.Compared, d.RTO)
	}
	if rep, same := w.report(); rep == nil || rep.Exit != 4 || same.Next != "look: store verify" || !slices.Equal(same.Commands, []string{"store verify"}) || d.Next != same.Next {
		t.Errorf("%+v, %+v", rep, same)
	}
}

// TestDifference changes a byte behind the drill's back.
func TestDifference(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Events.Comparing = func(files, bytes uint64) {
		if files != 2 || bytes != 3<<20+8 {
			t.Errorf("%d files, %d bytes", files, bytes)
		}
		path := filepath.Join(w.base, o.Run, "restored", "region")
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[2<<20] ^= 1
		if err := errors.Join(os.WriteFile(path, b, 0), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
			t.Fatal(err)
		}
	}
	d, err := w.run(o, verify.Damage, 4)
	if !errors.Is(err, drill.ErrDamage) || d.DamagedCnt != 0 || d.Compared.DifferenceCount != 1 || d.Compared.Differences[0].Path != filepath.Join(w.source, "region") {
		t.Errorf("%v, %+v", err, d.Compared)
	}
}

// TestTreesLost has no page that can be read: nothing of the snapshot can be restored.
func TestTreesLost(t *testing.T) {
	w := newWorld(t)
	for _, name := range w.st.Objects() {
		if strings.HasPrefix(name, "meta/") {
			w.st.Replace(name, bytes.Repeat([]byte{7}, 1000))
		}
	}
	d, err := w.run(w.options(), verify.Damage, 4)
	if d.DamagedCnt == 0 || len(d.Damaged) == 0 {
		t.Errorf("%+v", d)
	}
	all := verify.Took{Files: 2, Bytes: 3<<20 + 8, All: true}
	if d.Took == nil || *d.Took != all {
		t.Errorf("damage took %+v, want %+v", d.Took, all)
	}
	const says = "all of it (2 files, 3.0 MiB)"
	if line := drill.Line(d, time.UTC); !strings.HasSuffix(line, ", "+says+" lost in the repository; nothing that will do was recovered, so no RTO and no RPO") || !strings.Contains(err.Error(), "took "+says) {
		t.Errorf("%s\n%v", line, err)
	}
	if d.Recovered != verify.No || d.RTO.Seconds != 0 || d.RPO.Seconds != 0 || d.RPO.Since != nil || len(d.RTO.Phases) == 0 {
		t.Errorf("%+v, %+v", d.RTO, d.RPO)
	}
	if b, err := verify.Encode(d); err != nil || bytes.Contains(b, []byte(`"rto":{"seconds"`)) || bytes.Contains(b, []byte(`"rpo":{"seconds"`)) || !bytes.Contains(b, []byte(`"recovered":false`)) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestObjectives(t *testing.T) {
	w := newWorld(t)
	w.clock = w.clock.Add(2 * time.Hour)
	o := w.options()
	o.RTO, o.RPO = time.Nanosecond, 3*time.Hour
	d, err := w.run(o, verify.ObjectiveMissed, 5)
	if strings.Contains(err.Error(), "RPO") {
		t.Errorf("it speaks of the objective that was met: %v", err)
	}
	if !errors.Is(err, drill.ErrObjective) || d.RTO.Met || !d.RPO.Met {
		t.Errorf("%v, %+v, %+v", err, d.RTO, d.RPO)
	}
	o.RPO = time.Nanosecond
	if _, err = w.run(o, verify.ObjectiveMissed, 5); !strings.Contains(err.Error(), "The RTO of 1ns was missed") || !strings.Contains(err.Error(), "The RPO of 1ns was missed") {
		t.Errorf("two objectives: %v", err)
	}
	o = w.options()
	o.RTO, o.RPO = time.Hour, time.Hour
	d, _ = w.run(o, verify.ObjectiveMissed, 5)
	if !d.RTO.Met || d.RPO.Met || d.RPO.Seconds < 7190 {
		t.Errorf("%+v, %+v", d.RTO, d.RPO)
	}
	// With --at the time of the incident counts.
	o = w.options()
	o.RPO, o.At = time.Hour, d.WindowEnd.Add(30*time.Minute)
	d, _ = w.run(o, verify.Restored, 0)
	if d.RPO.Seconds < 1800 || d.RPO.Seconds > 1801 || d.At == nil || !d.Incident.Equal(o.At) {
		t.Errorf("%+v, %v, %v", d.RPO, d.At, d.Incident)
	}
	// A clock that went back shows no negative age.
	w.clock = w.clock.Add(-5 * time.Hour)
	d, _ = w.run(w.options(), verify.Restored, 0)
	if d.RPO.Seconds > 1e-6 {
		t.Errorf("%+v", d.RPO)
	}
}

// TestFaults chooses a snapshot with faults, two hours after one without.
func TestFaults(t *testing.T) {
	w := newWorld(t)
	w.clock = w.clock.Add(2 * time.Hour)
	w.backup("world-1")
	o := w.options()
	o.RPO = time.Hour
	var clean *repo.Snapshot
	o.Select = func(snaps []*repo.Snapshot) (repo.Choice, error) {
		last := snaps[len(snaps)-1]
		last.Completeness, last.FaultCount = tree.WithFaults, 3
		c, err := repo.Select(snaps, repo.Query{})
		clean = c.Clean
		return c, err
	}
	d, _ := w.run(o, verify.ObjectiveMissed, 5)
	if d.Complete == verify.Yes || *d.Faults != 3 || clean == nil || d.RPO.Since == nil || !d.RPO.Since.Equal(clean.Start()) || d.RPO.Seconds < 7190 || len(d.Reasons) != 2 {
		t.Errorf("%+v, %q", d.RPO, d.Reasons)
	}
	o.Run, o.RPO = "alone", 0
	o.Select = func(snaps []*repo.Snapshot) (repo.Choice, error) {
		snaps = snaps[len(snaps)-1:]
		snaps[0].Suspect = true
		return repo.Select(snaps, repo.Query{})
	}
	d, _ = w.run(o, verify.Restored, 0)
	if d.Complete == verify.Yes || d.RPO.Since != nil || len(d.Reasons) != 1 || !strings.Contains(d.Reasons[0], "suspect") {
		t.Errorf("%+v, %q", d.RPO, d.Reasons)
	}
}

// TestStoredAfterIncident has a snapshot that was read before the incident and stored after it: its host was lost before it could be.
func TestStoredAfterIncident(t *testing.T) {
	w := newWorld(t)
	first := w.clock
	w.clock = w.clock.Add(2 * time.Hour)
	at := w.clock.Add(time.Minute)
	w.faults.Arm(fault.Rule{Op: fault.Put, Prefix: "snapshots/", Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
		w.clock = w.clock.Add(20 * time.Minute)
		return nil
	}})
	last := w.backup("world-1")
	w.faults.Arm()
	w.clock = w.clock.Add(time.Hour)
	o := w.options()
	o.At, o.RPO = at, time.Hour
	d, _ := w.run(o, verify.ObjectiveMissed, 5)
	if d.Snapshot != last.ID() || d.RPO.Since == nil || d.RPO.Since.Sub(first).Abs() > time.Second || d.RPO.Seconds < 7200 || !d.Published.After(at) {
		t.Errorf("%+v, published %v", d.RPO, d.Published)
	}
	if !slices.ContainsFunc(d.Reasons, func(r string) bool { return strings.Contains(r, "stored 19 min") }) {
		t.Errorf("%q", d.Reasons)
	}
	// Without --at it is what there is.
	o = w.options()
	o.RPO = 2 * time.Hour
	if d, _ = w.run(o, verify.Restored, 0); !d.RPO.Since.Equal(d.WindowStart) {
		t.Errorf("%+v", d.RPO)
	}
}
