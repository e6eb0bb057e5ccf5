package drill_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/verify"
	"savepoint/verify/drill"
	"savepoint/verify/probe"
)

// spoil flips a bit in every pack that is not in keep.
func (w *world) spoil(keep map[string]bool) {
	w.t.Helper()
	for _, name := range w.packs() {
		if keep[name] {
			continue
		}
		b, err := w.st.Get(w.t.Context(), name, 0, -1, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		w.st.Replace(name, b)
	}
}

func (w *world) packs() []string {
	var out []string
	for _, name := range w.st.Objects() {
		if strings.HasPrefix(name, "data/") {
			out = append(out, name)
		}
	}
	return out
}

// later makes a snapshot an hour after the last one, with a file that the one before did not have.
func (w *world) later() *repo.Snapshot {
	w.t.Helper()
	w.clock = w.clock.Add(time.Hour)
	w.file("region", noise(byte(w.clock.Hour()), 3<<20))
	return w.backup("world-1")
}

// TestFallBack drills a source whose two newest snapshots are damaged: the third comes back, and the verdict stays damage.
func TestFallBack(t *testing.T) {
	w := newWorld(t)
	keep := map[string]bool{}
	for _, p := range w.packs() {
		keep[p] = true
	}
	w.later()
	newest := w.later()
	w.spoil(keep)
	w.clock = w.clock.Add(time.Hour)
	o := w.options()
	o.RPO = time.Nanosecond
	d, err := w.run(o, verify.Damage, 4)
	if !errors.Is(err, drill.ErrDamage) || d.Snapshot != newest.ID() || d.DamagedCnt != 1 || len(d.Older) != 2 || d.Older[0].Good || d.Older[0].DamagedCnt != 1 || !d.Older[1].Good {
		t.Fatalf("%v, %+v", err, d)
	}
	if d.Recovered != verify.Yes || d.RTO.Seconds <= 0 || d.Took == nil || d.Older[0].Took == nil || d.Older[1].Took != nil {
		t.Errorf("%+v, took %+v", d.RTO, d.Took)
	}
	last := d.Older[1]
	if last.Compared.Files != 2 || last.Compared.DifferenceCount != 0 || last.Restored.Bytes != 3<<20+8 || last.Snapshot == newest.ID() {
		t.Errorf("%+v", last)
	}
	if want := d.Incident.Sub(last.WindowStart).Seconds(); d.RPO.Seconds != want || want < 3*3600-60 || d.RPO.Judged || d.RTO.Judged {
		t.Errorf("%+v, want %v", d.RPO, want)
	}
	if !strings.Contains(strings.Join(d.Reasons, " "), "came back whole; the RTO counts all 3 tries") {
		t.Errorf("%q", d.Reasons)
	}
	if _, stored := w.report(); stored == nil || len(stored.Older) != 2 {
		t.Errorf("reported %+v", stored)
	}
}

// TestFallBackTime counts the restores of all tries in the RTO and no comparison: the clock moves by a minute whenever a comparison begins.
func TestFallBackTime(t *testing.T) {
	w := newWorld(t)
	keep := map[string]bool{}
	for _, p := range w.packs() {
		keep[p] = true
	}
	w.later()
	w.spoil(keep)
	o := w.options()
	skew := time.Duration(0)
	o.Now = func() time.Time { return time.Now().Add(skew) }
	o.Events.Comparing = func(uint64, uint64) { skew += time.Minute }
	o.Events.Planned = func(restore.Plan) { skew += time.Hour }
	d, _ := w.run(o, verify.Damage, 4)
	if s := d.RTO.Seconds; s < 7200 || s > 7230 || len(d.Older) != 1 || !d.Older[0].Good {
		t.Errorf("RTO %v, %d older", s, len(d.Older))
	}
}

// TestNothingWhole has no snapshot that comes back.
func TestNothingWhole(t *testing.T) {
	w := newWorld(t)
	w.later()
	w.spoil(nil)
	d, _ := w.run(w.options(), verify.Damage, 4)
	if d.Recovered != verify.No || d.RTO.Seconds != 0 || d.RPO.Seconds != 0 || d.RPO.Since != nil || d.Instead != "" {
		t.Errorf("nothing was recovered: %+v, %+v", d.RTO, d.RPO)
	}
	if len(d.Older) != 1 || d.Older[0].Good || !strings.Contains(strings.Join(d.Reasons, " "), "The one older snapshot that was tried will not do") {
		t.Errorf("%+v", d)
	}
}

// TestLastGood has 10 snapshots, of which the probe finds the newest ones wanting, for every number of those.
func TestLastGood(t *testing.T) {
	w := newWorld(t)
	const n = 10
	var ids []string // newest first
	for i := range n {
		w.clock = w.clock.Add(time.Hour)
		w.file("players/1", fmt.Append(nil, i))
		ids = append([]string{w.backup("world-1").ID()}, ids...)
	}
	for _, bad := range []int{0, 1, 2, 3, 6, 9, n} {
		o := w.options()
		o.FindLastGood, o.Keep = true, true
		// the number in the file grows with time
		o.Probe = &probe.Spec{Argv: []string{"sh", "-c", fmt.Sprintf("{ grep -q player players/1 || test $(cat players/1) -lt %d; } && echo checked 1", n-bad)}, Isolation: probe.None}
		if bad == n {
			o.Probe.Argv[2] = "exit 1"
		}
		if bad == 0 {
			o.Keep = false
			w.run(o, verify.Pass, 0)
			continue
		}
		// What is said of each try is true: which snapshots are older than the last one that was tried, which newer than one that will do.
		at := func(short string) int { // that of newWorld is the oldest
			if i := slices.IndexFunc(ids, func(id string) bool { return strings.HasPrefix(id, short) }); i >= 0 {
				return i
			}
			return n
		}
		last, said := 0, 0
		o.Events.Notice = func(text string) {
			var id, good string
			if strings.HasPrefix(text, "restoring ") {
				return
			}
			if _, err := fmt.Sscanf(text, "that snapshot will not do; trying %8s, which is older", &id); err == nil {
				if at(id) <= last || last >= bad {
					t.Errorf("%d bad: after %d: %s", bad, last, text)
				}
			} else if _, err := fmt.Sscanf(text, "trying %8s, which is newer than %8s,", &id, &good); err != nil || at(id) >= at(good) || at(good) < bad {
				t.Errorf("%d bad: %s", bad, text)
			}
			last = at(id)
			said++
		}
		asked := 0
		o.Wanted = func(*repo.Snapshot) drill.Wanted { asked++; return drill.Wanted{RTO: time.Duration(asked) * time.Hour} }
		d, _ := drill.Run(t.Context(), o)
		if asked != 1 || d.RTO.Objective != time.Hour.Seconds() {
			t.Errorf("%d bad: asked %d times for objectives, which are those of the snapshot that was wanted", bad, asked)
		}
		if d == nil || d.Verdict != verify.Damage || d.ExitCode != 4 {
			t.Fatalf("%d bad: %+v", bad, d)
		}
		want := ""
		if bad < n {
			want = ids[bad]
		}
		if d.Instead != want || said != len(d.Older) || len(d.Older) > 8 || d.Snapshot != ids[0] {
			t.Errorf("%d bad: %.8s after %d tries, want %.8s: %q", bad, d.Instead, len(d.Older), want, d.Reasons)
		}
		kept, holds := d.Older[len(d.Older)-1].Snapshot, "a player" // the last that was tried is the oldest when none is good
		if bad < n {
			kept, holds = want, fmt.Sprint(n-1-bad)
		}
		text, err := os.ReadFile(filepath.Join(d.Kept, "players", "1"))
		if err != nil || d.KeptSnapshot != kept || string(text) != holds {
			t.Errorf("%d bad: kept %.8s with %q (%v), want %.8s with %q", bad, d.KeptSnapshot, text, err, kept, holds)
		}
		if err := os.RemoveAll(filepath.Dir(d.Kept)); err != nil {
			t.Error(err)
		}
		tried := map[string]bool{}
		for _, x := range d.Older {
			if tried[x.Snapshot] || x.Probe == nil {
				t.Errorf("%d bad: snapshot %.8s twice, or without its probe", bad, x.Snapshot)
			}
			tried[x.Snapshot] = true
		}
		if bad > 1 && bad < n && !tried[ids[bad-1]] {
			t.Errorf("%d bad: the one after the last good was not tried", bad)
		}
	}
}

func TestRandomWithin(t *testing.T) {
	w := newWorld(t)
	first := w.clock
	for range 4 {
		w.later()
	}
	w.clock = w.clock.Add(time.Hour)
	for i, draw := range []float64{0, 0.5, 0.999999} {
		o := drill.WithRandom(w.options(), draw)
		o.RandomWithin = 30 * 24 * time.Hour
		d, _ := w.run(o, verify.Restored, 0)
		if d.At == nil || d.At.Before(first) || d.At.After(d.Ordered) || d.WindowEnd.After(*d.At) || d.RandomWithin != 30*86400 {
			t.Fatalf("%d: %+v", i, d)
		}
		if got := d.At.Sub(first); got.Round(time.Minute) != time.Duration(draw*float64(5*time.Hour)).Round(time.Minute) {
			t.Errorf("drew %v after the first snapshot for %v", got, draw)
		}
	}
	// Of a window shorter than what there is the oldest snapshots are no part.
	o := drill.WithRandom(w.options(), 0)
	o.RandomWithin = 90 * time.Minute
	if d, _ := w.run(o, verify.Restored, 0); d.Ordered.Sub(*d.At) != 90*time.Minute {
		t.Errorf("%v before the order", d.Ordered.Sub(*d.At))
	}
}

func TestSample(t *testing.T) {
	w := newWorld(t)
	for i := range 400 {
		w.file(fmt.Sprintf("many/%d", i), fmt.Append(nil, i))
	}
	if err := os.Link(filepath.Join(w.source, "many/7"), filepath.Join(w.source, "other")); err != nil {
		t.Fatal(err)
	}
	w.clock = w.clock.Add(time.Hour)
	w.backup("world-1")
	drawn := map[uint64]bool{}
	for range 3 {
		o := w.options()
		o.Sample.Share = 0.25
		d, _ := w.run(o, verify.Restored, 0)
		if n := d.Restored.Files; n < 50 || n > 150 || d.Compared.Files < n || d.Compared.DifferenceCount != 0 || d.Conditions.Full || d.Conditions.Sample != "25%" || d.RTO.Judged {
			t.Errorf("%+v, %+v, %+v", d.Restored, d.Compared, d.Conditions)
		}
		drawn[d.Restored.Bytes] = true
	}
	if len(drawn) == 1 {
		t.Error("every run draws the same files")
	}
	o := w.options()
	o.Sample.Share = 1e-12 // of 402 files: never empty
	if d, _ := w.run(o, verify.Restored, 0); d.Restored.Files == 0 || d.Conditions.Full || d.Compared.DifferenceCount != 0 {
		t.Errorf("%+v, %+v", d.Restored, d.Conditions)
	}
	o = w.options()
	o.Sample.Bytes = 1 << 40 // more than there is
	if d, _ := w.run(o, verify.Restored, 0); d.Restored.Files < 402 {
		t.Errorf("%+v", d.Restored)
	}
	o = w.options()
	o.Sample.Share = 0.5
	done := false
	o.Events.Comparing = func(uint64, uint64) { // what was restored and is gone is seen
		if done {
			return // an older snapshot
		}
		done = true
		names, err := filepath.Glob(filepath.Join(w.base, o.Run, "restored", "many", "*"))
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		if err := os.Remove(names[0]); err != nil {
			t.Fatal(err)
		}
	}
	if d, _ := w.run(o, verify.Damage, 4); d.Compared.DifferenceCount == 0 {
		t.Errorf("%+v", d.Compared)
	}
}

// TestMaxDuration ends a drill in the middle of its restore: it could not run, and says so in a report.
func TestMaxDuration(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.MaxDuration = time.Minute
	skew := time.Duration(0)
	o.Now = func() time.Time { return time.Now().Add(skew) }
	open := o.Open
	o.Open = func(ctx context.Context, cache string) (drill.Opened, error) {
		skew = 2 * time.Minute // the storage answered that late
		return open(ctx, cache)
	}
	o.Dataset, o.Host, o.Configured = "world", "world-1", true
	d, err := w.run(o, verify.CouldNotRun, 1)
	if err == nil || !strings.Contains(err.Error(), "ended after 1m, before anything was restored") || d.Restored.Files != 0 {
		t.Errorf("%v, %+v", err, d)
	}
	if rep, _ := w.report(); rep == nil || rep.Exit != 1 {
		t.Errorf("%+v", rep)
	}
	o = drill.WithStuckComparison(w.options())
	o.MaxDuration = 300 * time.Millisecond
	if _, err := w.run(o, verify.CouldNotRun, 1); err == nil || !strings.Contains(err.Error(), "ended after 300ms") {
		t.Errorf("%v", err)
	}
	o = w.options()
	o.MaxDuration = time.Hour
	w.run(o, verify.Restored, 0)
}

func selectSource(host string) func([]*repo.Snapshot) (repo.Choice, error) {
	return func(snaps []*repo.Snapshot) (repo.Choice, error) { return repo.Select(snaps, repo.Query{Host: host}) }
}

// TestResume has a first backup of what came back that works, ones that do not, and none where nothing is worth one.
func TestResume(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct {
		files uint64
		err   error
		exit  int
		says  string
	}{
		"works":      {2, nil, 0, ""},
		"fails":      {0, errors.New("no room"), 1, "a first backup of what came back failed: no room"},
		"lacks some": {1, nil, 1, "it has 1 file of 2"},
	} {
		o := w.options()
		o.Resume = func(_ context.Context, folder, place string) (uint64, uint64, error) {
			if _, err := os.Stat(filepath.Join(folder, "region")); err != nil {
				t.Error(err)
			}
			return tt.files, 3, os.MkdirAll(filepath.Join(place, "left"), 0o700)
		}
		if tt.err != nil {
			o.Resume = func(context.Context, string, string) (uint64, uint64, error) { return 0, 0, tt.err }
		}
		d, _ := w.run(o, verify.Restored, tt.exit)
		if d.Resume == nil || d.Resume.Passed != (tt.exit == 0) || tt.says != "" && !strings.Contains(strings.Join(d.Reasons, " "), tt.says) {
			t.Errorf("%s: %+v, %q", name, d.Resume, d.Reasons)
		}
	}
	w.spoil(nil)
	o := w.options()
	o.Resume = func(context.Context, string, string) (uint64, uint64, error) {
		t.Error("damage was backed up")
		return 0, 0, nil
	}
	if d, _ := w.run(o, verify.Damage, 4); d.Resume != nil {
		t.Errorf("%+v", d.Resume)
	}
}

// TestResumeTooLong ends a drill while what came back is backed up: that it came back stands, and that the rest was not seen is said.
func TestResumeTooLong(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.MaxDuration = 2 * time.Second
	o.Resume = func(ctx context.Context, _, place string) (uint64, uint64, error) {
		<-ctx.Done()
		return 0, 0, errors.Join(os.MkdirAll(filepath.Join(place, "left"), 0o700), ctx.Err())
	}
	d, err := w.run(o, verify.Restored, 1)
	if d.Resume == nil || d.Resume.Passed || err == nil || !strings.Contains(strings.Join(d.Reasons, " "), "ended after 2s, all had come back") {
		t.Errorf("%v, %+v, %q", err, d.Resume, d.Reasons)
	}
}
