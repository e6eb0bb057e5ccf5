package backup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/corpus"
	"savepoint/repo/backup"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

// walkScene is a repository with one snapshot, a source that has changed since, and what its next snapshot must hold.
type walkScene struct {
	*lab
	dir  string
	want []tree.Root
}

func newWalkScene(t *testing.T) *walkScene {
	t.Helper()
	s := &walkScene{lab: newLab(t), dir: filepath.Join(t.TempDir(), "tree")}
	o := corpus.TreeOptions{Seed: 1, Files: 20, MaxSize: 64 << 10, Boundaries: []int64{4096}, Depth: 5, Skip: corpus.Sparse}
	must(t, corpus.Tree(s.dir, o))
	if os.Getenv("STORE_CRASH") == "all" { // several packs
		for i := range byte(5) {
			write(t, filepath.Join(s.dir, fmt.Sprint("large", i)), noise(i, 20<<20))
		}
	}
	s.clean(t, options(s.dir))
	o.Seed = 2
	must(t, corpus.Mutate(s.dir, o))
	if os.Getenv("STORE_CRASH") == "all" {
		for i := range byte(5) {
			write(t, filepath.Join(s.dir, fmt.Sprint("large", i)), noise(i+100, 20<<20))
		}
	}
	s.want, _ = rootsOf(t, s.lab, s.st, options(s.dir))
	return s
}

// attempt backs up into a copy of the store under a rule. It reports whether the run was over before the rule could fire.
func (s *walkScene) attempt(t *testing.T, rule fault.Rule, o backup.Options) (st *mem.Store, res *backup.Result, failed fault.Record, over bool, err error) {
	t.Helper()
	st = s.st.Clone()
	f := fault.New(st)
	r := s.open(t, f)
	f.Arm(rule)
	res, err = runIn(t, r, o)
	log := f.Log()
	if len(log) <= rule.At {
		return st, res, failed, true, err
	}
	return st, res, log[rule.At], false, err
}

// goesOn opens what is left: what is listed reads back as a whole, and the next backup succeeds and is as it should be.
func (s *walkScene) goesOn(t *testing.T, st *mem.Store) {
	t.Helper()
	r := s.open(t, st)
	snaps := s.snapshots(t, r)
	for i, snap := range snaps {
		got := readBack(t, r, snap)
		switch {
		case i == 0: // is of an older state
		case snap.Completeness == tree.Interrupted:
			partOfSource(t, got, s.dir)
		default:
			sameAsSource(t, got, s.dir)
		}
	}
	res, err := runIn(t, s.open(t, st), options(s.dir))
	if err != nil {
		t.Fatal("next backup:", err)
	}
	if diff := cmp.Diff(s.want, res.Snapshot.Roots); diff != "" || res.Faulty() {
		t.Errorf("next backup: faults %v; %s", res.Snapshot.Faults, diff)
	}
	sameAsSource(t, readBack(t, s.open(t, st), res.Snapshot), s.dir)
}

// stride is how far apart the operations of a walk are.
func stride() int {
	if testing.Short() {
		return 3
	}
	return 1
}

// TestErrorWalk fails every single operation of the storage: it is never taken for a fault of the source, never
// overlooked, and nothing is published.
func TestErrorWalk(t *testing.T) {
	s := newWalkScene(t)
	for _, do := range []fault.Action{fault.Fail, fault.FailDone} {
		for i := 0; ; i += stride() {
			st, res, failed, over, err := s.attempt(t, fault.Rule{At: i, Do: do}, options(s.dir))
			if over {
				if err != nil {
					t.Fatalf("without a fault: %v", err)
				}
				t.Logf("%d operations", i)
				break
			}
			where := fmt.Sprintf("operation %d, %s %s, action %d", i, failed.Op, failed.Name, do)
			if !errors.Is(err, fault.ErrInjected) {
				t.Errorf("%s: error %v", where, err)
			}
			snaps := s.snapshots(t, s.open(t, st))
			published := len(snaps) == 2
			// Once the manifest is put nobody can take it back: an answer that is lost then is an error all the same.
			afterwards := strings.HasPrefix(failed.Name, "snapshots/") && (failed.Op == fault.Stat || do == fault.FailDone)
			if published != (res != nil) && !(published && afterwards) {
				t.Errorf("%s: published %v, result %v", where, published, res)
			}
			if res != nil && res.Faulty() || published && snaps[1].FaultCount > 0 {
				t.Errorf("%s: a failure of the storage became a fault of the source", where)
			}
			s.goesOn(t, st)
			if t.Failed() {
				t.Fatal("after ", where)
			}
		}
	}
}

// TestCrashWalk stops the storage at every single operation, with the operation done or not.
func TestCrashWalk(t *testing.T) {
	s := newWalkScene(t)
	for _, do := range []fault.Action{fault.Stop, fault.StopDone} {
		s.walk(t, do, options(s.dir), stride())
	}
}

// TestCrashWalkWithCheckpoints is the same for a run that publishes interrupted snapshots, from the newest of which the next one goes on; and the
// store may fail for a moment only.
func TestCrashWalkWithCheckpoints(t *testing.T) {
	s := newWalkScene(t)
	o := options(s.dir)
	o.Checkpoint = often
	for _, do := range []fault.Action{fault.Stop, fault.StopDone, fault.Fail, fault.FailDone} {
		s.walk(t, do, o, 9*stride())
	}
}

// walk stops the storage at each of its operations, or some, until the run is over before that.
func (s *walkScene) walk(t *testing.T, do fault.Action, o backup.Options, stride int) {
	t.Helper()
	for i := 0; ; i += stride {
		st, res, failed, over, err := s.attempt(t, fault.Rule{At: i, Do: do}, o)
		if over {
			t.Logf("%d operations", i)
			break
		}
		where := fmt.Sprintf("operation %d, %s %s, action %d", i, failed.Op, failed.Name, do)
		if err == nil {
			t.Errorf("%s: no error", where)
		}
		if res != nil && res.Faulty() {
			t.Errorf("%s: a failure of the storage became a fault of the source", where)
		}
		s.goesOn(t, st)
		if t.Failed() {
			t.Fatal("after ", where)
		}
	}
}

// TestCancel cancels at every operation of the storage and after every few entries. Nothing is left running or open, nothing
// is published but what is finished, and the next run uses what was stored.
func TestCancel(t *testing.T) {
	s := newWalkScene(t)
	var points []func(cancel func()) (fault.Rule, backup.Events)
	for i := range 60 {
		points = append(points, func(cancel func()) (fault.Rule, backup.Events) {
			return fault.Rule{At: i, Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error { cancel(); return nil }}, backup.Events{}
		})
	}
	for n := int64(1); n < 100; n += 7 {
		points = append(points, func(cancel func()) (fault.Rule, backup.Events) {
			return fault.Rule{At: 1 << 30}, after(n, cancel)
		})
	}
	reached, parts := 0, 0
	for i, point := range points {
		ctx, cancel := cancellable(t)
		rule, events := point(cancel)
		st := s.st.Clone()
		f := fault.New(st)
		r := s.open(t, f)
		f.Arm(rule)
		o := options(s.dir)
		o.Events = events
		before := runningNow()
		open := descriptors(t)
		res, err := backup.Run(ctx, r, o)
		if n := descriptors(t); n != open {
			t.Errorf("point %d: %d descriptors open, %d before", i, n, open)
		}
		before.gone(t)
		if ctx.Err() == nil {
			must(t, err) // the point was never reached
			continue
		}
		reached++
		if !errors.Is(err, context.Canceled) && (err != nil || res == nil) {
			t.Errorf("point %d: error %v", i, err)
		}
		r = s.open(t, st)
		for _, snap := range s.snapshots(t, r)[1:] {
			if snap.Completeness == tree.Interrupted {
				partOfSource(t, readBack(t, r, snap), s.dir)
				parts++
			} else if err != nil && res == nil && !strings.Contains(err.Error(), "snapshots/") {
				t.Errorf("point %d: published in spite of %v", i, err)
			}
		}
		next, err := runIn(t, s.open(t, st), options(s.dir))
		must(t, err)
		if diff := cmp.Diff(s.want, next.Snapshot.Roots); diff != "" {
			t.Errorf("point %d: next backup: %s", i, diff)
		}
	}
	if reached < 25 || parts == 0 {
		t.Errorf("only %d points were reached, and %d runs published what they had", reached, parts)
	}
}

// TestFilesAreClosedAfterErrors: batches that no worker took keep no directory open.
func TestFilesAreClosedAfterErrors(t *testing.T) {
	dir := t.TempDir()
	for i := range 200 {
		write(t, filepath.Join(dir, fmt.Sprint(i), "file"), noise(byte(i), 1000))
	}
	l := newLab(t)
	open := descriptors(t)
	for _, workers := range []int{1, 4} {
		f := fault.New(l.st.Clone())
		r := l.open(t, f)
		f.Arm(fault.Rule{Prefix: "index/", Count: fault.Forever}) // what the first chunk is looked up in
		o := options(dir)
		o.Workers = workers
		if _, err := runIn(t, r, o); !errors.Is(err, fault.ErrInjected) {
			t.Fatal(err)
		}
		ctx, cancel := cancellable(t)
		o.Events = after(3, cancel)
		if _, err := backup.Run(ctx, l.open(t, l.st.Clone()), o); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if n := descriptors(t); n != open {
			t.Errorf("%d workers: %d descriptors open, %d before", workers, n, open)
		}
	}
}

// TestNextRunUsesWhatWasStored: an interrupted first backup of large files stores none of them twice.
func TestNextRunUsesWhatWasStored(t *testing.T) {
	dir := t.TempDir()
	for i := range byte(6) {
		write(t, filepath.Join(dir, fmt.Sprint(i)), noise(i, 8<<20))
	}
	l := newLab(t)
	ctx, cancel := cancellable(t)
	o := options(dir)
	o.Workers = 1
	o.Events = after(6, cancel) // the directory and five files
	if _, err := backup.Run(ctx, l.open(t, l.st), o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for _, s := range l.snapshots(t, l.open(t, l.st)) {
		if s.Completeness != tree.Interrupted {
			t.Error("a snapshot was published")
		}
	}
	res := l.clean(t, options(dir))
	if got := res.Totals.DataBytes; got > 8<<20+1<<20 {
		t.Errorf("%d bytes stored again, after five of six files", got)
	}
}
