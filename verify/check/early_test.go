package check_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/zeebo/blake3"

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

// failing refuses objects whose names a function says.
type failing struct {
	storage.Store
	err    error
	refuse func(name string) bool
}

func (f *failing) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	if f.refuse(name) {
		return dst, &storage.OpError{Op: "get", Name: name, Err: f.err}
	}
	return f.Store.Get(ctx, name, off, n, dst)
}

// TestUnreadable has the store give one object no more, for ever: it is neither whole nor damaged, and the rest is verified.
func TestUnreadable(t *testing.T) {
	w := newWorld(t)
	verified(t, w.st, check.Options{})
	slot := open(t, w.st).Slot()
	for i, name := range w.st.Objects() {
		if name == slot {
			continue // without it the repository does not open
		}
		for what, err := range map[string]error{"bad sector": syscall.EIO, "denied": storage.ErrDenied} {
			if testing.Short() && (i+len(what))%3 > 0 && !isPack(name) {
				continue
			}
			t.Run(name+" "+what, func(t *testing.T) {
				st := w.st.Clone()
				r, openErr := repo.Open(t.Context(), &failing{st, err, func(n string) bool { return n == name }}, secret, repo.Options{Sealers: 2, Host: "checker"})
				if openErr != nil && name == "config" {
					return // repo.Open says so
				}
				if openErr != nil {
					t.Fatal(openErr)
				}
				d, runErr := check.Run(t.Context(), r, wholly)
				if runErr != nil {
					t.Fatal(runErr)
				}
				harm, exit := verify.Unknown, 1
				if strings.HasPrefix(name, "leases/") {
					harm, exit = verify.Note, 0
				}
				f := d.Findings
				if len(f) != 1 || f[0].Object != name || f[0].Code != check.CodeUnreadable || f[0].Harm != harm || !strings.Contains(f[0].Message, err.Error()) || f[0].Next == "" {
					t.Errorf("findings %+v", f)
				}
				if !d.Complete || d.ExitCode != exit || len(d.Marked) != 0 || d.HitCount != 0 || len(names(st, "marks/")) != 0 {
					t.Errorf("%+v", d)
				}
				if isPack(name) && (f[0].Snapshots == 0 || f[0].Files == 0 || d.ReadBack.Packs != 7 || d.ReadBack.Never != 1 || d.ReadBack.Oldest != nil) {
					t.Errorf("finding %+v, read back %+v", f[0], d.ReadBack)
				}
			})
		}
	}
}

// TestUnreadableAndDamaged has one pack that is damaged, and another that cannot be read.
func TestUnreadableAndDamaged(t *testing.T) {
	w := newWorld(t)
	packs := names(w.st, "data/")
	w.st.Replace(packs[0], flip(object(t, w.st, packs[0]), 70))
	r := open(t, &failing{w.st, syscall.EIO, func(n string) bool { return n == packs[1] }})
	d, err := check.Run(t.Context(), r, wholly)
	if err != nil {
		t.Fatal(err)
	}
	holdCodes(t, d, 4, "pack-damaged loss", "unreadable unknown")
	if !slices.Equal(d.Marked, packs[:1]) {
		t.Errorf("marked %q", d.Marked)
	}
}

// TestUnreadableCopy has a chunk in two packs, of which one cannot be read: what can be read of the other is no loss, nor is it unknown.
func TestUnreadableCopy(t *testing.T) {
	w := newWorld(t)
	var doomed []string
	for _, name := range append(names(w.st, "data/"), names(w.st, "meta/")...) {
		whole := object(t, w.st, name)
		w.st.Replace(name, flip(whole, len(whole)-30))
		doomed = append(doomed, name)
		defer w.st.Replace(name, whole)
	}
	if d := verified(t, w.st, check.Options{}); len(d.Marked) != len(doomed) {
		t.Fatalf("marked %q", d.Marked)
	}
	w.users.cache, w.game.cache = "", ""
	w.users.backup(t, w.st)
	w.game.backup(t, w.st)
	fresh := slices.DeleteFunc(append(names(w.st, "data/"), names(w.st, "meta/")...), func(n string) bool { return slices.Contains(doomed, n) })
	whole := verified(t, w.st.Clone(), check.Options{})
	for _, name := range fresh {
		r := open(t, &failing{w.st.Clone(), syscall.EIO, func(n string) bool { return n == name }})
		d, err := check.Run(t.Context(), r, check.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if d.Structure.Files != whole.Structure.Files || d.Structure.Chunks != whole.Structure.Chunks {
			t.Errorf("%s cannot be read: %+v, else %+v", name, d.Structure, whole.Structure)
		}
		if got := objectsOf(d, verify.Loss); len(got) > 0 {
			t.Errorf("%s cannot be read: %q lost, %+v", name, got, d.Findings)
		}
		if got := objectsOf(d, verify.Unknown); !slices.Equal(got, []string{name}) {
			t.Errorf("%s cannot be read: %q unknown", name, got)
		}
	}
}

// TestAllRefused has a store that gives no pack: it counts as failed, and no pack is said to be at fault.
func TestAllRefused(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		w.users.put(t, 10, fmt.Sprint("more-", i))
		w.users.backup(t, w.st)
	}
	merge(t, w.st) // no other object is read between the packs
	refused := &failing{w.st, storage.ErrDenied, isPack}
	d, err := check.Run(t.Context(), open(t, refused), wholly)
	if d != nil || !errors.Is(err, repo.ErrStoreDown) || !errors.Is(err, storage.ErrDenied) {
		t.Errorf("%v, %+v", err, d)
	}
	bad := names(w.st, "snapshots/")[0]
	w.st.Replace(bad, flip(object(t, w.st, bad), 90))
	d, err = check.Run(t.Context(), open(t, refused), wholly)
	if !errors.Is(err, repo.ErrStoreDown) || d == nil {
		t.Fatalf("%v, %+v", err, d)
	}
	holdCodes(t, d, 4, "snapshot-damaged loss")
	if d.Complete || d.Stopped == "" || d.Level != "structure" {
		t.Errorf("%+v", d)
	}
}

// TestDown has a store that gives nothing from some moment on: the run ends, and says what it found.
func TestDown(t *testing.T) {
	w := newWorld(t)
	hurt := w.st.Clone()
	lost := names(hurt, "data/")[0]
	remove(t, hurt, lost)
	bad := names(hurt, "snapshots/")[0]
	hurt.Replace(bad, flip(object(t, hurt, bad), 90))
	reached := map[int]bool{}
	for at := 0; ; at += 4 {
		for what, st := range map[string]*mem.Store{"healthy": w.st.Clone(), "hurt": hurt.Clone()} {
			s := fault.New(st)
			r := open(t, s)
			s.Arm(fault.Rule{At: at, Count: fault.Forever, Err: syscall.ECONNREFUSED})
			d, err := check.Run(t.Context(), r, wholly)
			if s.Ops() <= at {
				if !reached[4] || !reached[1] {
					t.Errorf("came to exit codes %v", reached)
				}
				return
			}
			switch {
			case err == nil && d.Complete && d.ExitCode == map[string]int{"hurt": 4}[what]: // the end of the lease
			case err == nil || !errors.Is(err, syscall.ECONNREFUSED):
				t.Errorf("%s, from operation %d: %v", what, at, err)
			case d == nil:
				reached[1] = true
			case errors.Is(err, check.ErrReport) && d.Complete: // all but the report
			case d.Complete || d.Stopped == "" || d.ExitCode == 0 || what == "healthy" && d.ExitCode == 4:
				t.Errorf("%s, from operation %d: %+v", what, at, d)
			default:
				reached[d.ExitCode] = true
				for _, f := range d.Findings {
					if f.Harm != verify.Note && f.Harm != verify.Unknown && f.Object != lost && f.Object != bad {
						t.Errorf("%s, from operation %d: finding %+v", what, at, f)
					}
				}
			}
		}
	}
}

// TestInterrupted interrupts at each operation a run over a repository with a damaged pack, a missing one and a damaged manifest. What was
// found until then is said, marked and reported.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	packs := names(w.st, "data/")
	w.st.Replace(packs[0], flip(object(t, w.st, packs[0]), 70))
	remove(t, w.st, packs[1])
	bad := names(w.st, "snapshots/")[0]
	w.st.Replace(bad, flip(object(t, w.st, bad), 90))
	found := map[string]int{}
	step := 1
	if testing.Short() {
		step = 5
	}
	for at := 0; ; at += step {
		st := w.st.Clone()
		ctx, cancel := context.WithCancel(t.Context())
		var once sync.Once
		stopped := false
		h := &hooked{Store: st, before: func(n int, _, _ string) {
			if n >= at {
				once.Do(func() { stopped = true; cancel() })
			}
		}}
		r := open(t, h)
		h.n = 0
		d, err := check.Run(ctx, r, wholly)
		cancel()
		if !stopped {
			break
		}
		if err == nil {
			continue // it was at its end
		}
		reps, repErr := open(t, st).Reports(t.Context())
		if repErr != nil && !errors.Is(repErr, repo.ErrCorrupt) {
			t.Fatal(repErr)
		}
		if d == nil {
			if len(names(st, "marks/")) > 0 {
				t.Errorf("operation %d: no document, but a mark", at)
			}
			continue
		}
		if !errors.Is(err, context.Canceled) || d.ExitCode != 130 || d.Complete || d.Stopped != "interrupted" {
			t.Errorf("operation %d, %v: %+v", at, err, d)
		}
		for _, f := range d.Findings {
			found[f.Object]++
			if isPack(f.Object) && f.Harm != verify.Unknown && !slices.Contains(d.Marked, f.Object) {
				t.Errorf("operation %d: %s is not marked: %+v, %s", at, f.Object, f, d.NotMarked)
			}
			if f.Object != packs[0] && f.Object != packs[1] && f.Object != bad {
				t.Errorf("operation %d: %+v", at, f)
			}
		}
		last := reps[len(reps)-1]
		if doc, err := verify.DecodeCheck(last.Document); err != nil || last.Kind != record.VerifyReport || last.Exit != 130 || fmt.Sprint(doc.Findings) != fmt.Sprint(d.Findings) {
			t.Errorf("operation %d: report %+v, %v", at, last.Report, err)
		}
	}
	if found[packs[0]] == 0 || found[packs[1]] == 0 || found[bad] == 0 {
		t.Errorf("found %v", found)
	}
}

// TestPackNotOpening has a pack whose name is the hash of its bytes, but that does not open: its writer's memory was bad. It is marked.
func TestPackNotOpening(t *testing.T) {
	w := newWorld(t)
	old, seg := segmentOf(t, w.st, "data")
	p := seg.Directories()[0]
	name := pack.Name(pack.Data, p.ID)
	b := flip(object(t, w.st, name), 90)
	p.ID = blake3.Sum256(b)
	broken := pack.Name(pack.Data, p.ID)
	if err := w.st.Put(t.Context(), broken, bytes.NewReader(b), int64(len(b)), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	payload, err := record.EncodeSegment(pack.Data, seg.Session, nil, []record.SegmentPack{p})
	forge(t, w.st, seal.Segment, "index/00000000/data/"+newName(), payload, err)
	remove(t, w.st, name)
	remove(t, w.st, old)
	d := verified(t, w.st, wholly)
	if got := objectsOf(d, verify.Loss); !slices.Equal(got, []string{broken}) || !slices.Equal(d.Marked, []string{broken}) || d.NotMarked != "" {
		t.Errorf("marked %q, %q: %+v", d.Marked, d.NotMarked, d.Findings)
	}
}

// segmentOf returns the first segment of a kind.
func segmentOf(t *testing.T, st *mem.Store, kind string) (string, *record.Segment) {
	t.Helper()
	name := names(st, "index/00000000/"+kind+"/")[0]
	payload, err := ringOf(t, st).Open(seal.Segment, name, object(t, st, name), nil)
	if err != nil {
		t.Fatal(err)
	}
	seg, err := record.DecodeSegment(payload)
	if err != nil {
		t.Fatal(err)
	}
	return name, seg
}
