package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/repo"
	"savepoint/repo/source"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

// withWorker runs fn with a worker of a session that compares with no parent.
func withWorker(t *testing.T, fn func(ctx context.Context, w *worker)) {
	t.Helper()
	slot := repo.NewSlot{Kind: repo.SlotPassphrase, Label: "test", Passphrase: "test", WorkFactor: 4}
	r, err := repo.Init(t.Context(), mem.New(nil), []repo.NewSlot{slot}, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
		b := &run{r: r, s: s, gate: newGate(1), sources: source.Options{Owners: source.NewOwners(), Devices: source.NewDeviceTable()}}
		fn(ctx, b.newWorker())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestFileChangedWhileRead changes a file after it was opened and before it is read: once, and each time.
func TestFileChangedWhileRead(t *testing.T) {
	const old = "the old content"
	grow := func(t *testing.T, path string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(" and more")
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	rewrite := func(t *testing.T, path string) {
		b, err := os.ReadFile(path)
		if err == nil {
			b[0]++
			put(t, path, string(b))
			err = os.Chmod(path, os.FileMode(0o600+len(b)%2)) // ctime moves, whatever the kernel's tick
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cut := func(t *testing.T, path string) {
		info, err := os.Stat(path)
		if err == nil {
			err = os.Truncate(path, info.Size()/2)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	replace := func(t *testing.T, path string) {
		put(t, path+".new", "the new content")
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		change func(*testing.T, string)
		times  int
		torn   bool
		size   int
	}{
		{"left alone", nil, 0, false, len(old)},
		{"grown once", grow, 1, false, len(old)},
		{"grown each time", grow, 2, false, len(old)},
		{"rewritten once", rewrite, 1, false, len(old)},
		{"rewritten twice", rewrite, 2, true, len(old)},
		{"cut off once", cut, 1, false, len(old) / 2},
		{"cut off twice", cut, 2, true, len(old) / 4},
		{"replaced once", replace, 1, false, len("the new content")},
		{"replaced each time", replace, 9, true, len("the new content")},
		{"removed", remove, 1, true, len(old)},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			put(t, path, old)
			withWorker(t, func(ctx context.Context, w *worker) {
				root, err := w.sources.OpenRoot(dir)
				if err != nil {
					t.Fatal(err)
				}
				defer root.Close()
				e, err := changing(ctx, t, w, root.Dir, c.change, c.times)
				if e == nil {
					t.Fatalf("no entry: %v", err)
				}
				if torn := e.Fault == tree.FaultTorn; torn != c.torn || torn != errors.Is(err, errTorn) || err != nil && fatal(err) {
					t.Errorf("fault %d, error %v, want torn %v", e.Fault, err, c.torn)
				}
				if e.Size != uint64(c.size) {
					t.Errorf("size %d, want %d", e.Size, c.size)
				}
				if err := e.Validate(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// changing is worker.entry for the name "file", but that change is called after it was opened, so many times.
func changing(ctx context.Context, t *testing.T, w *worker, d *source.Dir, change func(*testing.T, string), times int) (*tree.Entry, error) {
	for try := 1; ; try++ {
		m, err := d.Stat("file")
		if err != nil {
			t.Fatal(err)
		}
		e, err := w.file(ctx, source.Context{}, "file", func() (*source.File, error) {
			f, err := d.OpenFile("file", m)
			if err == nil && times > 0 {
				times--
				change(t, d.Path()+"/file")
			}
			return f, err
		})
		if !errors.Is(err, source.ErrReplaced) || try == replacedTries {
			return e, err
		}
	}
}

// TestTornFileIsAFault follows a torn entry to the manifest and to the next run's decision.
func TestTornFileIsAFault(t *testing.T) {
	withWorker(t, func(_ context.Context, w *worker) {
		w.fault(&source.Error{Path: "/x", Op: "read", Kind: source.Torn, Err: errTorn})
		m := w.manifest(nil, tree.Stats{})
		if m.Completeness != tree.WithFaults || len(m.Faults) != 1 || m.Faults[0].Code != tree.Torn {
			t.Errorf("%+v", m)
		}
		if res := (&Result{Snapshot: &repo.Snapshot{Manifest: m}}); !res.Faulty() {
			t.Error("a torn file is no fault of the run")
		}
	})
}

// TestRootIsReplaced replaces a root that is a file after it was examined.
func TestRootIsReplaced(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(path string) error
		ok     bool
	}{
		{"by a file", func(path string) error {
			return errors.Join(os.WriteFile(path+".new", []byte("new"), 0o644), os.Rename(path+".new", path))
		}, true},
		{"by a directory", func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) }, false},
		{"by nothing", os.Remove, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			put(t, path, "old")
			withWorker(t, func(ctx context.Context, w *worker) {
				root, err := w.sources.OpenRoot(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.change(path); err != nil {
					t.Fatal(err)
				}
				b := &batch{root: root, items: make([]item, 1)}
				err = w.batch(ctx, b)
				if ok := err == nil; ok != c.ok || ok != (b.items[0].entry != nil) {
					t.Errorf("entry %v, error %v", b.items[0].entry, err)
				}
				if _, n := w.faults.list(); n != 0 {
					t.Errorf("%d faults", n)
				}
			})
		})
	}
}

// TestNameChangesItsType replaces what was listed by something else before it is examined.
func TestNameChangesItsType(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		make func(path string) error
		want tree.Type // 0: left out, with a fault
	}{
		{"link", func(path string) error { return os.Symlink("nowhere", path) }, tree.Symlink},
		{"directory", func(path string) error { return os.Mkdir(path, 0o755) }, 0},
		{"nothing", func(string) error { return nil }, 0},
	} {
		path := filepath.Join(dir, c.name)
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		withWorker(t, func(ctx context.Context, w *worker) {
			root, err := w.sources.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			b := &batch{dir: root.Dir, items: []item{{name: c.name}}}
			if err := w.batch(ctx, b); err != nil {
				t.Fatal(err)
			}
			list, _ := w.faults.list()
			if e := b.items[0].entry; c.want != 0 && (e == nil || e.Type != c.want || len(list) != 0) {
				t.Errorf("%s: %v, faults %v", c.name, e, list)
			} else if c.want == 0 && (e != nil || len(list) != 1 || list[0].Code != tree.Vanished || list[0].Path != path) {
				t.Errorf("%s: %v, faults %v", c.name, e, list)
			}
		})
	}
}

// TestFaultsAreBounded: a manifest holds 64 MiB and a path may be of any length.
func TestFaultsAreBounded(t *testing.T) {
	withWorker(t, func(_ context.Context, w *worker) {
		long := strings.Repeat("/directory", 10_000)
		for range 2 * tree.MaxFaults {
			w.fault(&source.Error{Path: long, Op: "open", Kind: source.Unreadable, Err: os.ErrPermission})
		}
		m := w.manifest([]tree.Root{{Path: "/x", Entry: tree.Entry{Type: tree.Directory}}}, tree.Stats{})
		m.Seq = 1
		b, err := tree.EncodeManifest(m)
		if err != nil || len(b) > 20<<20 || m.FaultCount != 2*tree.MaxFaults || len(m.Faults) == 0 {
			t.Errorf("%d bytes, %v; %d faults of %d", len(b), err, len(m.Faults), m.FaultCount)
		}
	})
}

// TestShrunk: less than half, whatever the rounding.
func TestShrunk(t *testing.T) {
	for _, c := range []struct {
		now, was uint64
		want     bool
	}{{0, 0, false}, {0, 1, true}, {1, 1, false}, {1, 2, false}, {1, 3, true}, {2, 3, false}, {49, 100, true}, {50, 100, false},
		{1 << 63, 1<<64 - 1, false}, {1<<63 - 1, 1<<64 - 1, true}} {
		if got := shrunk(c.now, c.was); got != c.want {
			t.Errorf("%d of %d: %v", c.now, c.was, got)
		}
	}
}

// TestProgressOfALargeFile: what is told of a file while it is read, once or twice, adds up to its size.
func TestProgressOfALargeFile(t *testing.T) {
	for _, times := range []int{1, 2} {
		var sum, calls uint64
		w := &worker{run: &run{o: Options{Events: Events{Progress: func(p Progress) { sum += p.Bytes; calls++ }}}}}
		for range times {
			w.passed = 0
			for range 20 {
				w.tellRead(1 << 20)
			}
		}
		w.tell(&tree.Entry{Type: tree.File, Size: 20 << 20})
		if sum != 20<<20 || calls != 3 {
			t.Errorf("read %d times: %d bytes told in %d calls, want %d in 3", times, sum, calls, 20<<20)
		}
	}
}
