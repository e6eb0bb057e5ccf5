package drill_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/verify"
	"savepoint/verify/drill"
)

func TestWithoutDocument(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*world, *drill.Options)
		is     func(error) bool
	}{
		{"wrong secret", func(w *world, o *drill.Options) {
			o.Open = func(ctx context.Context, cache string) (drill.Opened, error) {
				r, err := repo.Open(ctx, w.st, repo.Secret{Passphrase: "another"}, repo.Options{Cache: cache})
				return drill.Opened{Repo: r}, err
			}
		}, func(err error) bool { return errors.Is(err, repo.ErrWrongSecret) }},
		{"several sources", func(w *world, _ *drill.Options) { w.backup("world-2") }, func(err error) bool {
			var several *repo.AmbiguousError
			return errors.As(err, &several) && len(several.Choices) == 2
		}},
		{"damaged config", func(w *world, _ *drill.Options) { w.st.Replace("config", []byte("nothing")) },
			func(err error) bool { return errors.Is(err, repo.ErrCorrupt) && errors.Is(err, repo.ErrReadOnly) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			tt.change(w, &o)
			before := w.st.Objects()
			d, err := drill.Run(t.Context(), o)
			if d != nil || !tt.is(err) {
				t.Errorf("%+v, %v", d, err)
			}
			w.clean(before)
			if rep, _ := w.report(); rep != nil && tt.name != "damaged config" {
				t.Errorf("report %+v", rep)
			}
		})
	}
}

// TestInterrupted ends the drill at every stage: nothing is left, and nothing is reported.
func TestInterrupted(t *testing.T) {
	stop := errors.New("stopped by a signal")
	for _, tt := range []struct {
		name string
		arm  func(w *world, o *drill.Options, cancel func())
	}{
		{"opening", func(_ *world, o *drill.Options, cancel func()) {
			open := o.Open
			o.Open = func(ctx context.Context, cache string) (drill.Opened, error) {
				cancel()
				return open(ctx, cache)
			}
		}},
		{"selecting", func(_ *world, o *drill.Options, cancel func()) {
			choose := o.Select
			o.Select = func(snaps []*repo.Snapshot) (repo.Choice, error) {
				cancel()
				return choose(snaps)
			}
		}},
		{"planned", func(_ *world, o *drill.Options, cancel func()) { o.Events.Planned = func(restore.Plan) { cancel() } }},
		{"transferring", func(w *world, _ *drill.Options, cancel func()) {
			w.faults.Arm(fault.Rule{Op: fault.Get, Prefix: "data/", Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
				cancel()
				return nil
			}})
		}},
		{"comparing", func(_ *world, o *drill.Options, cancel func()) {
			o.Events.Comparing = func(uint64, uint64) { cancel() }
		}},
		{"inspecting", func(_ *world, o *drill.Options, cancel func()) {
			o.Inspect = func(context.Context, string, *verify.DrillDocument) error { cancel(); return nil }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			ctx, cancel := context.WithCancelCause(t.Context())
			called := false
			tt.arm(w, &o, func() { called = true; cancel(stop) })
			before := w.st.Objects()
			d, err := drill.Run(ctx, o)
			if d != nil || !errors.Is(err, stop) && !errors.Is(err, context.Canceled) || !called {
				t.Errorf("%+v, %v, called %v", d, err, called)
			}
			w.clean(before)
			w.faults.Arm()
			if rep, _ := w.report(); rep != nil {
				t.Errorf("report %+v", rep)
			}
		})
	}
}

// TestNoReport cannot store the report: what was found is said all the same, and the exit code is that of a failure.
func TestNoReport(t *testing.T) {
	w := newWorld(t)
	w.faults.Arm(fault.Rule{Op: fault.Put, Prefix: "reports/", Count: -1, Err: storage.ErrDenied})
	d, err := w.run(w.options(), verify.Restored, 1)
	if !errors.Is(err, storage.ErrDenied) || len(d.Reasons) != 1 || !strings.Contains(d.Reasons[0], "report") {
		t.Errorf("%v, %q", err, d.Reasons)
	}
}

func TestKeep(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Keep = true
	d, err := drill.Run(t.Context(), o)
	if err != nil || d.Verdict != verify.Restored || d.Kept != filepath.Join(w.base, o.Run, "restored") {
		t.Fatalf("%+v, %v", d, err)
	}
	next := w.options()
	next.Events.Leftovers = func(n int) { t.Errorf("%d folders were taken for leftovers", n) }
	if d, err := drill.Run(t.Context(), next); err != nil || d.Conditions.Alone != verify.Yes {
		t.Errorf("%+v, %v", d, err)
	}
	if got, err := os.ReadFile(filepath.Join(d.Kept, "players", "1")); err != nil || string(got) != "a player" {
		t.Errorf("%q, %v", got, err)
	}
	// What did not come to its end is not kept.
	if err := os.RemoveAll(w.base); err != nil {
		t.Fatal(err)
	}
	o = w.options()
	o.Keep = true
	o.Permit = func(*repo.Snapshot, string) error { return errors.New("no") }
	if d, _ := w.run(o, verify.CouldNotRun, 1); d.Kept != "" {
		t.Errorf("kept %s", d.Kept)
	}
}

// TestTwoAtOnce runs a drill while another one is at work.
func TestTwoAtOnce(t *testing.T) {
	w := newWorld(t)
	outer := w.options()
	outer.RTO = time.Nanosecond // which cannot be judged beside another drill
	began := false
	outer.Events.Planned = func(restore.Plan) {
		inner := w.options()
		inner.Events.Leftovers = func(n int) { t.Errorf("%d folders were removed", n) }
		// It stops while the outer one goes on: as other processes, they would run at once.
		inner.Inspect = func(context.Context, string, *verify.DrillDocument) error {
			began = true
			return nil
		}
		d, err := drill.Run(t.Context(), inner)
		if err != nil || d.Verdict != verify.Restored || d.Conditions.Alone == verify.Yes {
			t.Errorf("%+v, %v", d, err)
		}
	}
	d, _ := w.run(outer, verify.ObjectiveMissed, 5) // the inner one had ended when this looked around
	if !began || d.RTO.Met {
		t.Errorf("%v, %+v", began, d.RTO)
	}
	// Here the other one is there all the time.
	held := filepath.Join(w.base, "other")
	stop := drill.HoldScratch(t, held)
	o := w.options()
	o.RTO = time.Nanosecond
	d, err := drill.Run(t.Context(), o)
	if d == nil || d.Verdict != verify.Inconclusive || !errors.Is(err, drill.ErrInconclusive) {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := os.Stat(held); err != nil {
		t.Error(err)
	}
	stop()
	o = w.options()
	removed := 0
	o.Events.Leftovers = func(n int) { removed = n }
	w.run(o, verify.Restored, 0)
	if removed != 1 {
		t.Errorf("%d leftovers", removed)
	}
}

// TestLostManifest damages the newest snapshot's manifest: an older one is restored, and that is no success. One of another source, or one
// older than what was chosen, is said and no more.
func TestLostManifest(t *testing.T) {
	w := newWorld(t)
	w.clock = w.clock.Add(time.Hour)
	newest := w.backup("world-1")
	w.clock = w.clock.Add(time.Hour)
	other := w.backup("world-2")
	w.st.Replace(newest.Name, []byte("nothing"))
	mine := func(snaps []*repo.Snapshot) (repo.Choice, error) {
		return repo.Select(snaps, repo.Query{Host: "world-1"})
	}
	o := w.options()
	o.Select = mine
	d, _ := w.run(o, verify.Damage, 4)
	if d.DamagedCnt != 1 || d.Damaged[0].Object != newest.Name || d.Damaged[0].Path != "" || d.Restored.Files != 2 {
		t.Errorf("%+v, %+v", d.Damaged, d.Restored)
	}
	for _, o := range []drill.Options{
		{Select: func(snaps []*repo.Snapshot) (repo.Choice, error) {
			return repo.Select(snaps, repo.Query{Host: "world-2"})
		}},
		{Select: mine, At: newest.Start().Add(-time.Minute)},
	} {
		with := w.options()
		with.Select, with.At = o.Select, o.At
		said := 0
		with.Events.Notice = func(text string) {
			if strings.Contains(text, newest.Name) {
				said++
			}
		}
		if d, _ := w.run(with, verify.Restored, 0); said != 1 {
			t.Errorf("%+v, said %d times", d.Damaged, said)
		}
	}
	// A newer one was chosen: nothing of it is lost.
	w.clock = w.clock.Add(time.Hour)
	w.backup("world-1")
	o = w.options()
	o.Select = mine
	if d, _ := w.run(o, verify.Restored, 0); d.DamagedCnt != 0 {
		t.Errorf("%+v", d.Damaged)
	}
	// Of two that began in one second nobody can tell which is newer.
	damaged := w.backup("world-1").Name
	w.st.Replace(damaged, []byte("nothing"))
	w.run(func() drill.Options { o := w.options(); o.Select = mine; return o }(), verify.Damage, 4)
	// None that can be read is left of the source.
	for _, name := range w.st.Objects() {
		if strings.HasPrefix(name, "snapshots/") && name != other.Name {
			w.st.Replace(name, []byte("nothing"))
		}
	}
	o = w.options()
	o.Select, o.Dataset, o.Host = mine, "world", "world-1"
	if d, _ := w.run(o, verify.Damage, 4); d.DamagedCnt != 4 {
		t.Errorf("%+v", d.Damaged)
	}
}

// TestWaited takes the time in which a person typed off the recovery.
func TestWaited(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	real, ahead := o.Open, time.Duration(0)
	o.Now = func() time.Time { return time.Now().Add(ahead) }
	o.Open = func(ctx context.Context, cache string) (drill.Opened, error) {
		opened, err := real(ctx, cache)
		ahead = time.Hour
		opened.Waited = time.Hour
		return opened, err
	}
	d, _ := w.run(o, verify.Restored, 0)
	if d.RTO.Seconds <= 0 || d.RTO.Seconds > 600 {
		t.Errorf("RTO %v s", d.RTO.Seconds)
	}
}
