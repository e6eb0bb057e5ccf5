package drill_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/verify"
	"savepoint/verify/drill"
)

func TestCouldNotRun(t *testing.T) {
	denied := fault.Rule{Op: fault.Put, Prefix: "leases/", Count: -1, Err: storage.ErrDenied}
	for _, tt := range []struct {
		name   string
		change func(*world, *drill.Options)
		says   string
		report bool
	}{
		{"no snapshot at that time", func(w *world, o *drill.Options) {
			o.Select = func(snaps []*repo.Snapshot) (repo.Choice, error) {
				return repo.Select(snaps, repo.Query{At: w.clock.Add(-time.Hour)})
			}
		}, "the first one ended at", true},
		{"no such dataset", func(_ *world, o *drill.Options) {
			o.Dataset = "worl"
			o.Select = func(snaps []*repo.Snapshot) (repo.Choice, error) {
				return repo.Select(snaps, repo.Query{Dataset: "worl"})
			}
		}, "none of 1", false},
		{"a dataset of the configuration", func(_ *world, o *drill.Options) {
			o.Dataset, o.Host, o.Configured = "ledger", "world-9", true
			o.Select = func(snaps []*repo.Snapshot) (repo.Choice, error) {
				return repo.Select(snaps, repo.Query{Dataset: "ledger"})
			}
		}, "none of 1", true},
		{"no lease", func(w *world, _ *drill.Options) { w.faults.Arm(denied) }, "write a reader's lease", false},
		{"no space", func(_ *world, o *drill.Options) {
			*o = drill.WithDisk(*o, func(st *unix.Statfs_t) { st.Bavail = 100 })
		}, "too little room", true},
		{"no inodes", func(_ *world, o *drill.Options) {
			*o = drill.WithDisk(*o, func(st *unix.Statfs_t) { st.Ffree, st.Files = 10, 100 })
		}, "more files", true},
		{"in memory", func(_ *world, o *drill.Options) {
			*o = drill.WithDisk(*o, func(st *unix.Statfs_t) { st.Type = unix.TMPFS_MAGIC })
		}, "in memory", false},
		{"no scratch", func(w *world, o *drill.Options) { o.Scratch = drill.Scratch{Base: w.base + "-gone"} }, "no such file", false},
		{"not permitted", func(_ *world, o *drill.Options) {
			o.Permit = func(*repo.Snapshot, string) error { return errors.New("it lies in the source") }
		}, "in the source", true},
		{"storage lost", func(w *world, _ *drill.Options) {
			w.faults.Arm(fault.Rule{Op: fault.Get, Prefix: "data/", Count: -1})
		}, "injected", true},
		{"inspection", func(_ *world, o *drill.Options) {
			o.Inspect = func(context.Context, string, *verify.DrillDocument) error { return errors.New("no database there") }
		}, "no database", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			o.RTO, o.RPO = time.Hour, time.Hour
			tt.change(w, &o)
			d, err := w.run(o, verify.CouldNotRun, 1)
			if !strings.Contains(err.Error(), tt.says) || len(d.Reasons) == 0 || !strings.Contains(d.Reasons[0], tt.says) {
				t.Errorf("%v, %q", err, d.Reasons)
			}
			if strings.Contains(err.Error(), restore.IncompleteMarker) {
				t.Errorf("it speaks of a target that is gone: %v", err)
			}
			if d.RTO.Seconds != 0 || d.RPO.Seconds != 0 || d.Recovered != verify.NotKnown {
				t.Errorf("nothing was measured: %+v, %+v", d.RTO, d.RPO)
			}
			w.faults.Arm()
			rep, same := w.report()
			if (rep != nil) != tt.report {
				t.Fatalf("report %+v", rep)
			}
			if rep != nil && (rep.Exit != 1 || !cmp.Equal(d, same) || rep.Dataset == "" || rep.Host == "") {
				t.Errorf("report %+v\n%s", rep, cmp.Diff(d, same))
			}
		})
	}
}

// TestLostMeanwhile has something happen to the repository between the restore and the comparison.
func TestLostMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		name    string
		happens func(*world)
		verdict verify.Verdict
		exit    int
	}{
		{"damage", func(w *world) {
			for _, name := range w.st.Objects() {
				if strings.HasPrefix(name, "meta/") {
					w.st.Replace(name, bytes.Repeat([]byte{7}, 1000))
				}
			}
		}, verify.Damage, 4},
		{"the storage is away", func(w *world) { w.faults.Arm(fault.Rule{Op: fault.Get, Prefix: "meta/", Count: -1}) }, verify.CouldNotRun, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			o.RTO = time.Hour
			o.Events.Comparing = func(uint64, uint64) { tt.happens(w) }
			d, _ := w.run(o, tt.verdict, tt.exit)
			if d.RTO.Judged || d.RTO.Met {
				t.Errorf("%+v", d.RTO)
			}
		})
	}
}

// TestComparisonEnds has a comparison that damage ends, and one that something else ends.
func TestComparisonEnds(t *testing.T) {
	w := newWorld(t)
	d, err := w.run(drill.WithComparison(w.options(), &repo.CorruptError{Object: "meta/x", Err: errors.New("damaged")}), verify.Damage, 4)
	if !errors.Is(err, drill.ErrDamage) || d.DamagedCnt != 1 || d.Damaged[0].Object != "meta/x" {
		t.Errorf("%v, %+v", err, d.Damaged)
	}
	w.run(drill.WithComparison(w.options(), storage.ErrDenied), verify.CouldNotRun, 1)
}
