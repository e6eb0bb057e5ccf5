package check_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/verify"
	"savepoint/verify/check"
)

// TestErrorWalk has each operation of the store fail: then there is the same result as without, or an error, or it is said that an object
// could not be read; never damage that is none, never a whole that is damaged, and no mark that is wrong.
func TestErrorWalk(t *testing.T) {
	w := newWorld(t)
	lost, flipped := w.st.Clone(), w.st.Clone()
	name := names(lost, "data/")[1]
	remove(t, lost, name)
	bad := names(flipped, "meta/")[1]
	flipped.Replace(bad, flip(object(t, flipped, bad), 70))
	for what, st := range map[string]*mem.Store{"healthy": w.st, "lost": lost, "flipped": flipped} {
		want := verified(t, st.Clone(), wholly)
		step := 1
		if testing.Short() {
			step = 3
		}
		for i := 0; ; i += step {
			clone := st.Clone()
			s := fault.New(clone, fault.Rule{At: i})
			r, err := repo.Open(t.Context(), s, secret, repo.Options{Sealers: 2, Host: "checker"})
			var d *verify.CheckDocument
			if err == nil {
				d, err = check.Run(t.Context(), r, wholly)
			}
			if s.Ops() <= i {
				break
			}
			at := fmt.Sprintf("%s, operation %d, %v", what, i, err)
			if err != nil && !errors.Is(err, fault.ErrInjected) || err == nil && d == nil {
				t.Errorf("%s: %+v", at, d)
			}
			if d != nil {
				holdWalk(t, at, err, want, d)
			}
			for _, mark := range names(clone, "marks/") {
				if what == "healthy" || len(d.Marked) != 1 && d.NotMarked == "" {
					t.Errorf("%s: marked %s", at, mark)
				}
			}
		}
	}
}

// holdWalk holds a document to that of a run in which nothing failed.
func holdWalk(t *testing.T, at string, err error, want, d *verify.CheckDocument) {
	t.Helper()
	stopped := err != nil && !errors.Is(err, check.ErrReport)
	unknown := objectsOf(d, verify.Unknown)
	if d.Complete == stopped || stopped != (d.Stopped != "") {
		t.Errorf("%s: complete %v, stopped %q", at, d.Complete, d.Stopped)
	}
	if !stopped && len(unknown) == 0 {
		harms := func(d *verify.CheckDocument) []string { return objectsOf(d, verify.Loss, verify.Risk) }
		if d.ExitCode != want.ExitCode || !slices.Equal(harms(d), harms(want)) {
			t.Errorf("%s: exit %d, %+v", at, d.ExitCode, d.Findings)
		}
		return
	}
	if d.ExitCode == 0 || want.ExitCode == 0 && d.ExitCode != 1 {
		t.Errorf("%s: exit %d, %+v", at, d.ExitCode, d.Findings)
	}
	for _, name := range objectsOf(d, verify.Loss, verify.Risk) {
		if !slices.Contains(objectsOf(want, verify.Loss, verify.Risk), name) {
			t.Errorf("%s: %s is none: %+v", at, name, d.Findings)
		}
	}
	for _, name := range objectsOf(want, verify.Loss) { // it is known, or said to be unknown
		if !slices.Contains(objectsOf(d, verify.Loss, verify.Risk, verify.Unknown), name) && len(unknown) == 0 {
			t.Errorf("%s: %s is not told: %+v", at, name, d.Findings)
		}
	}
}

// hooked calls a function before each operation, with the operation's number.
type hooked struct {
	storage.Store
	before func(n int, op, name string)

	mu sync.Mutex
	n  int
}

func (h *hooked) hook(op, name string) {
	h.mu.Lock()
	n := h.n
	h.n++
	h.mu.Unlock()
	h.before(n, op, name)
}

func (h *hooked) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	h.hook("put", name)
	return h.Store.Put(ctx, name, body, size, o)
}

func (h *hooked) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	h.hook("get", name)
	return h.Store.Get(ctx, name, off, n, dst)
}

func (h *hooked) Stat(ctx context.Context, name string) (storage.Info, error) {
	h.hook("stat", name)
	return h.Store.Stat(ctx, name)
}

func (h *hooked) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	h.hook("list", prefix)
	return h.Store.List(ctx, prefix, after)
}

// TestBusy has a backup, a forgotten snapshot, a merge that deletes what it merged, and a prune come between any two operations of a
// verification: a healthy repository stays without a finding.
func TestBusy(t *testing.T) {
	w := newWorld(t)
	round := 0
	w.users.cache, w.game.cache = "", "" // of each of the clones of the store it would have to be another
	// Of the users, whose source is as it was, all is condemned, and needed.
	condemned := w.st.Clone()
	var doomed []string
	for _, name := range append(names(condemned, "data/"), names(condemned, "meta/")...) {
		try := condemned.Clone()
		remove(t, try, name)
		lost := needed(t, try)
		if _, game := lost[w.snaps[0].ID()]; len(lost) == 1 && !game && lost[w.snaps[1].ID()] == nil && lost[w.snaps[2].ID()] == nil {
			doomed = append(doomed, name)
		}
	}
	if len(doomed) != 2 {
		t.Fatalf("the users have the packs %q", doomed)
	}
	condemn(t, condemned, doomed...)
	events := map[string]func(st *mem.Store){
		"backup": func(st *mem.Store) {
			round++
			w.game.put(t, 300, fmt.Sprintf("new-%d", round%3))
			w.game.backup(t, st)
		},
		"forget": func(st *mem.Store) {
			name := w.snaps[1].Name
			putMark(t, st, record.Mark{Kind: record.Tombstone, Objects: []string{name}})
			remove(t, st, name)
		},
		"merge": func(st *mem.Store) { merge(t, st) },
		"prune": func(st *mem.Store) {
			w.users.backup(t, st) // stores what is condemned again, as prune would
			merge(t, st, doomed...)
			remove(t, st, doomed[0])
			remove(t, st, doomed[1])
		},
		"sudden prune": func(st *mem.Store) { // heeds no lease
			condemn(t, st, doomed...)
			w.users.backup(t, st)
			merge(t, st, doomed...)
			remove(t, st, doomed[0])
			remove(t, st, doomed[1])
		},
	}
	for what, event := range events {
		t.Run(what, func(t *testing.T) {
			step := 1
			if testing.Short() {
				step = 6
			}
			for i := 0; ; i += step {
				st := w.st.Clone()
				if what == "prune" {
					st = condemned.Clone()
				}
				var once sync.Once
				fired := false
				h := &hooked{Store: st, before: func(n int, _, _ string) {
					if n >= i {
						once.Do(func() { fired = true; event(st) })
					}
				}}
				r, err := repo.Open(t.Context(), h, secret, repo.Options{Sealers: 2, Host: "checker"})
				if err != nil {
					t.Fatal(err)
				}
				d, err := check.Run(t.Context(), r, wholly)
				if err != nil {
					t.Fatal(err)
				}
				if !fired {
					break
				}
				if notes := objectsOf(d, verify.Note); d.ExitCode != 0 || d.FindingCnt != 0 && !(strings.HasSuffix(what, "prune") && slices.Equal(notes, []string{"condemned/"})) {
					t.Errorf("before operation %d: %+v", i, d.Findings)
				}
			}
		})
	}
}

// merge puts one segment of each kind in place of all, without the packs of some names, and deletes these segments.
func merge(t *testing.T, st *mem.Store, without ...string) {
	ring := ringOf(t, st)
	for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
		prefix := "index/00000000/" + kind.String() + "/"
		var packs []record.SegmentPack
		var old []record.ID
		var session record.Session
		segments := names(st, prefix)
		for _, name := range segments {
			payload, err := ring.Open(seal.Segment, name, object(t, st, name), nil)
			if err != nil {
				t.Error(err)
				return
			}
			s, err := record.DecodeSegment(payload)
			if err != nil {
				t.Error(err)
				return
			}
			packs = append(packs, s.Directories()...)
			id, err := hex.DecodeString(strings.TrimPrefix(name, prefix))
			if err != nil {
				t.Error(err)
				return
			}
			old, session = append(old, record.ID(id)), s.Session
		}
		slices.SortFunc(packs, func(a, b record.SegmentPack) int { return strings.Compare(a.ID.String(), b.ID.String()) })
		packs = slices.CompactFunc(packs, func(a, b record.SegmentPack) bool { return a.ID == b.ID })
		packs = slices.DeleteFunc(packs, func(p record.SegmentPack) bool { return slices.Contains(without, pack.Name(kind, p.ID)) })
		b, err := record.EncodeSegment(kind, session, old, packs)
		forge(t, st, seal.Segment, prefix+newName(), b, err)
		for _, name := range segments {
			remove(t, st, name)
		}
	}
}

// TestCancelled keeps in a report what was read back before the run was interrupted.
func TestCancelled(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	var mu sync.Mutex
	ctx, cancel := context.WithCancel(t.Context())
	reading := false
	h := &hooked{Store: w.st, before: func(_ int, op, name string) {
		mu.Lock()
		defer mu.Unlock()
		if op == "get" && reading && (strings.HasPrefix(name, "data/") || strings.HasPrefix(name, "meta/")) {
			if seen[name] = true; len(seen) == 6 {
				cancel()
			}
		}
	}}
	r, err := repo.Open(t.Context(), h, secret, repo.Options{Sealers: 2, Host: "checker"})
	if err != nil {
		t.Fatal(err)
	}
	o := wholly
	o.Events.Phase = func(name string, _ uint64) {
		mu.Lock()
		defer mu.Unlock()
		reading = name == "data"
	}
	d, err := check.Run(ctx, r, o)
	if d != nil || !errors.Is(err, context.Canceled) {
		t.Fatalf("document %+v, %v", d, err)
	}
	reps, err := open(t, w.st).Reports(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := reps[len(reps)-1]
	if last.Kind != record.VerifyReport || last.Exit != 130 || last.Document != nil || len(last.ReadBack) == 0 || len(last.ReadBack) == 8 {
		t.Errorf("report %+v", last.Report)
	}
	if d := verified(t, w.st, check.Options{}); d.ReadBack.Never != uint64(8-len(last.ReadBack)) {
		t.Errorf("the next run knows of %+v", d.ReadBack)
	}
}

// TestReportFails has a store that takes no report: the result is there all the same.
func TestReportFails(t *testing.T) {
	w := newWorld(t)
	for _, prefix := range []string{"reports/", ""} {
		s := fault.New(w.st.Clone(), fault.Rule{Op: fault.Put, Prefix: prefix, Count: fault.Forever})
		d, err := check.Run(t.Context(), open(t, s), wholly)
		if !errors.Is(err, check.ErrReport) || d == nil || d.ExitCode != 0 || d.FindingCnt != 0 {
			t.Errorf("%v, %+v", err, d)
		}
	}
	lost := w.st.Clone()
	remove(t, lost, names(lost, "data/")[0])
	d, err := check.Run(t.Context(), open(t, fault.New(lost, fault.Rule{Op: fault.Put, Count: fault.Forever})), check.Options{})
	if !errors.Is(err, check.ErrReport) || d == nil || d.ExitCode != 4 || d.NotMarked == "" || len(d.Marked) != 0 {
		t.Errorf("%v, %+v", err, d)
	}
}

// TestReport stores the document.
func TestReport(t *testing.T) {
	w := newWorld(t)
	want := verified(t, w.st, check.Options{ReadData: check.All(), Host: "checker", Run: "abc"})
	reps, err := open(t, w.st).Reports(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := reps[len(reps)-1]
	got, err := verify.DecodeCheck(last.Document)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || last.Host != "checker" || last.Dataset != "" || last.Exit != 0 || len(last.ReadBack) != 8 {
		t.Errorf("report %+v, %s", last.Report, diff)
	}
}

// TestTransient has bits that flip on their way once: that is no damage.
func TestTransient(t *testing.T) {
	w := newWorld(t)
	for _, prefix := range []string{"leases/", "reports/", "snapshots/", "index/", "meta/", "data/"} {
		for at := range 12 {
			s := fault.New(w.st.Clone())
			r := open(t, s)
			s.Arm(fault.Rule{Op: fault.Get, Prefix: prefix, At: at, Do: fault.Flip, N: 500})
			d, err := check.Run(t.Context(), r, check.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if d.ExitCode != 0 {
				t.Errorf("%s, read %d: %+v", prefix, at, d.Findings)
			}
		}
	}
}
