package health_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/health"
)

const password = "correct horse"

// began is when the clock of a world begins.
var began = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// world is a repository on a clock that stands still until it is told to move.
type world struct {
	t     testing.TB
	store *mem.Store
	repo  *repo.Repo
	cache string

	mu  sync.Mutex
	now time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, cache: t.TempDir(), now: began}
	w.store = mem.New(w.clock)
	w.init(w.store)
	return w
}

// init makes a repository in a store.
func (w *world) init(st storage.Store) {
	w.t.Helper()
	slot := repo.NewSlot{Kind: repo.SlotPassphrase, Label: "test", Passphrase: password, WorkFactor: 1}
	var err error
	if w.repo, err = repo.Init(w.t.Context(), st, []repo.NewSlot{slot}, w.options()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) options() repo.Options {
	return repo.Options{Now: w.clock, Cache: w.cache, Host: "here", Version: "v1.2.3", Sealers: 1}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// wait lets time pass.
func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// at sets the clock forward to a time of the day, or of later ones: "25:00" is 01:00 of the next day.
func (w *world) at(clock string) {
	w.t.Helper()
	var h, m int
	if _, err := fmt.Sscanf(clock, "%d:%d", &h, &m); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = began.Truncate(24 * time.Hour).Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)
}

// backup publishes a snapshot that takes a second. change makes it worse than complete; nil does not.
func (w *world) backup(dataset, host string, change func(*tree.Manifest)) *repo.Snapshot {
	w.t.Helper()
	var snap *repo.Snapshot
	err := w.repo.Write(w.t.Context(), dataset, host, func(ctx context.Context, s *repo.Session) error {
		w.wait(time.Second)
		m := manifest()
		if change != nil {
			change(m)
		}
		var err error
		snap, err = s.Commit(ctx, m)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return snap
}

// reported is backup with the report that a run leaves.
func (w *world) reported(dataset, host string, change func(*tree.Manifest)) *repo.Snapshot {
	w.t.Helper()
	snap := w.backup(dataset, host, change)
	rep := &record.Report{Kind: record.BackupReport, Ran: [2]int64{snap.Window[0], snap.Stored.UnixNano()}, Manifest: snap.Name, Published: snap.Stored.UnixNano()}
	if snap.Completeness != tree.Complete || snap.Suspect {
		rep.Exit = 3
	}
	w.put(dataset, host, rep)
	return snap
}

func manifest() *tree.Manifest {
	return &tree.Manifest{Mode: tree.Incremental, Completeness: tree.Complete, Class: "state",
		Roots: []tree.Root{{Path: "/srv", Entry: tree.Entry{Type: tree.Directory}}},
		Stats: tree.Stats{Files: 3, FileBytes: 3000, NewBytes: 2000, NewPackBytes: 1000, NewTreeBytes: 20, NewTreePack: 10, Nanoseconds: 1500000000}}
}

func faulty(m *tree.Manifest) {
	m.Completeness, m.FaultCount = tree.WithFaults, 2
}

func (w *world) put(dataset, host string, rep *record.Report) {
	w.t.Helper()
	if err := w.repo.PutReport(w.t.Context(), dataset, host, rep); err != nil {
		w.t.Fatal(err)
	}
}

// drill puts the report of a drill that ends now.
func (w *world) drill(dataset, host string, snap *repo.Snapshot, v verify.Verdict) {
	w.t.Helper()
	w.drillOf(dataset, host, snap, v, nil)
}

// drillAt puts the report of a drill whose incident was when the snapshot ended.
func (w *world) drillAt(dataset, host string, snap *repo.Snapshot, v verify.Verdict) {
	w.t.Helper()
	at := snap.End()
	w.drillOf(dataset, host, snap, v, &at)
}

func (w *world) drillOf(dataset, host string, snap *repo.Snapshot, v verify.Verdict, at *time.Time) {
	w.t.Helper()
	w.drillWith(dataset, host, snap, v, at, func(d *verify.DrillDocument) {
		if v == verify.Damage && snap != nil {
			d.Damaged, d.DamagedCnt = []verify.Lost{{Path: "/srv/a"}}, 1
		}
	})
}

func (w *world) drillWith(dataset, host string, snap *repo.Snapshot, v verify.Verdict, at *time.Time, change func(*verify.DrillDocument)) {
	w.t.Helper()
	d := &verify.DrillDocument{Verdict: v, Dataset: dataset, Host: host, Ordered: w.clock(), Incident: w.clock(), At: at, Run: "drillrun",
		Conditions: verify.Conditions{Full: true}}
	if at != nil {
		d.Incident = *at
	}
	if snap != nil {
		d.Snapshot, d.WindowStart, d.WindowEnd = snap.ID(), snap.Start(), snap.End()
		d.RTO = verify.Recovery{Seconds: 4.25, Judged: v == verify.Restored || v == verify.ObjectiveMissed, Phases: []verify.Phase{{Name: "open", Seconds: 0.25}, {Name: "index"}, {Name: "select", Seconds: 0.5}, {Name: "plan"},
			{Name: "transfer", Seconds: 3}, {Name: "metadata", Seconds: 0.5}}}
		d.RPO = verify.Exposure{Seconds: max(0, d.Incident.Sub(snap.Start()).Seconds())}
		d.Restored = verify.Restore{Files: 3, Bytes: 3000, Fetched: 1010}
	}
	if v != verify.Restored {
		d.Reasons = []string{"this drill says why."}
	}
	change(d)
	b, err := verify.Encode(d)
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(dataset, host, &record.Report{Kind: record.DrillReport, Ran: [2]int64{w.clock().UnixNano(), w.clock().UnixNano()}, Document: b})
}

// check puts the report of a verification that ends now.
func (w *world) check(d verify.CheckDocument, read ...record.ReadBack) {
	w.t.Helper()
	b, err := verify.Encode(&d)
	if err != nil {
		w.t.Fatal(err)
	}
	w.put("", "here", &record.Report{Kind: record.VerifyReport, Ran: [2]int64{w.clock().UnixNano(), w.clock().UnixNano()},
		Exit: uint8(d.ExitCode), Document: b, ReadBack: read})
}

// copyTree copies a folder.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// look looks at the repository.
func (w *world) look(o health.Options) *health.Status {
	w.t.Helper()
	s, err := health.Look(w.t.Context(), w.repo, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// source returns what is known of one source.
func source(t testing.TB, s *health.Status, name string) *health.Source {
	t.Helper()
	for _, x := range s.Sources {
		if x.Name() == name {
			return x
		}
	}
	t.Fatal(errors.New("no source " + name))
	return nil
}
