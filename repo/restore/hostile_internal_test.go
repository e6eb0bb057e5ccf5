package restore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/tree"
)

// bench is a target with a plan, and what puts entries there, without a repository.
func newBench(t testing.TB) (*walker, *writer) {
	t.Helper()
	tgt, err := openTarget(filepath.Join(t.TempDir(), "target"))
	if err != nil {
		t.Fatal(err)
	}
	if err := tgt.begin(IncompleteMarker, "A test"); err != nil {
		t.Fatal(err)
	}
	rec := &outcome{}
	p := newPlan(tgt.path, rec)
	p.dirs = newDirs(p, tgt.fd())
	p.nodes.add()
	t.Cleanup(func() {
		p.dirs.close()
		tgt.dir.Close()
	})
	return newWalker(p, p.dirs, nil), &writer{p: p, t: tgt, rec: rec, dirs: p.dirs, files: newFiles()}
}

// listing is a source of entries that no decoder has checked, by the first name in a directory's content.
type listing map[string][]tree.Entry

func (l listing) entries(_ context.Context, content []tree.Element, _ string) iter.Seq2[*tree.Entry, error] {
	return func(yield func(*tree.Entry, error) bool) {
		for _, e := range l[content[0].First] {
			if !yield(&e, nil) {
				return
			}
		}
	}
}

func dirOf(key string) []tree.Element {
	return []tree.Element{{ID: chunk.ID{1}, Length: 1, First: key}}
}

// TestHostileEntries has entries that would leave the target, or take the place of others.
func TestHostileEntries(t *testing.T) {
	w, out := newBench(t)
	outside := filepath.Join(filepath.Dir(out.t.path), "outside")
	if err := os.Mkdir(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := func(name, key string) tree.Entry {
		return tree.Entry{Name: name, Type: tree.Directory, Mode: 0o755, Content: dirOf(key)}
	}
	file := func(name string) tree.Entry { return tree.Entry{Name: name, Type: tree.File, Mode: 0o644} }
	to := func(name string) tree.Entry {
		return tree.Entry{Name: name, Type: tree.Symlink, Target: outside}
	}
	link := &tree.Link{Inode: 7}
	w.entries = listing{
		"top": {
			file(""), file("."), file(".."), dir("..", "evil"), file("../outside/a"), file("/etc/a"), file("a\x00b"), file(strings.Repeat("n", 256)),
			to("d"), dir("d", "evil"), file("d"), // only the first counts
			file("e"), dir("e", "evil"),
			{Name: "f", Type: tree.Symlink, Target: outside, Link: link}, {Name: "g", Type: tree.File, Mode: 0o644, Link: link},
			{Name: "h", Type: tree.Type(99)}, {Name: "i", Type: tree.File, Size: 10},
			dir("sub", "sub"), file("rather late"),
		}, "sub": {file("ok"), to("up")}, "evil": {file("written")},
	}.entries
	top := tree.Entry{Type: tree.Directory, Mode: 0o750, Content: dirOf("top")}
	if err := w.items(t.Context(), []item{{origin: "/srv", entry: &top}}); err != nil {
		t.Fatal(err)
	}
	if err := out.finish(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, outside); len(got) != 0 {
		t.Errorf("outside the target: %q", got)
	}
	if got, want := contents(t, filepath.Dir(out.t.path)), []string{"outside", "target"}; !slices.Equal(got, want) {
		t.Errorf("beside the target: %q", got)
	}
	if got, want := contents(t, out.t.path), []string{IncompleteMarker, "d", "e", "f", "g", "sub"}; !slices.Equal(got, want) {
		t.Errorf("the target holds %q, want %q", got, want)
	}
	if got, want := contents(t, out.t.path+"/sub"), []string{"ok", "up"}; !slices.Equal(got, want) {
		t.Errorf("sub holds %q, want %q", got, want)
	}
	for name, want := range map[string]os.FileMode{"d": os.ModeSymlink, "e": 0, "f": os.ModeSymlink, "g": 0, "sub": os.ModeDir} {
		if st, err := os.Lstat(filepath.Join(out.t.path, name)); err != nil || st.Mode().Type() != want {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	var res Result
	out.rec.fill(&res, w.p.origin)
	paths := map[string]int{}
	for _, d := range res.Damaged {
		paths[d.Path]++
		if !errors.Is(d.Err, repo.ErrCorrupt) {
			t.Errorf("%+v is no damage", d)
		}
	}
	// Of the names that are none "" is out of order, too; and those that come twice or late: d, d, e and "rather late".
	if paths["/srv"] != 8+4 || paths["/srv/h"] != 1 || paths["/srv/i"] != 1 || len(paths) != 3 {
		t.Errorf("damage: %v", paths)
	}
}

func contents(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestHostileRoots(t *testing.T) {
	for _, path := range []string{"/", "/a/../b", "/a/.", "/a/..", "//", "/a\x00b"} {
		roots := []tree.Root{{Path: path, Entry: tree.Entry{Type: tree.File}}, {Path: "/z", Entry: tree.Entry{Type: tree.File}}}
		items, err := spread(roots)
		if err == nil && slices.ContainsFunc(items, func(it item) bool { return slices.ContainsFunc(it.at, func(n string) bool { return !validName(n) }) }) {
			t.Errorf("root %q lands at %v", path, items)
		}
		snap := &repo.Snapshot{Manifest: &tree.Manifest{Roots: roots[:1]}}
		items, err = Selection{}.items(t.Context(), nil, snap)
		if err == nil && !validName(items[0].at[0]) {
			t.Errorf("root %q lands at %q", path, items[0].at)
		}
	}
	nested := []tree.Root{{Path: "/a"}, {Path: "/a/x"}, {Path: "/b/x"}}
	if _, err := spread(nested); !errors.Is(err, ErrSelection) {
		t.Errorf("roots within each other: %v", err)
	}
}

// TestReopenedFile opens files again that were put aside, after somebody changed what their names stand for.
func TestReopenedFile(t *testing.T) {
	w, out := newBench(t)
	var all []uint32
	for i := range maxOpenFiles + 20 {
		n, nd, err := w.p.addNode(0, fmt.Sprintf("f%03d", i), &tree.Entry{Type: tree.File, Size: 100})
		if err != nil {
			t.Fatal(err)
		}
		nd.left, nd.flags = 2, flagParts
		all = append(all, n)
		f, err := out.hold(n)
		if err != nil {
			t.Fatal(err)
		}
		if err := out.release(f); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(out.files.open); n != maxOpenFiles {
		t.Fatalf("%d files are open", n)
	}
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	at := func(i int) string { return filepath.Join(out.t.path, fmt.Sprintf("f%03d", i)) }
	for i, swap := range []func() error{
		func() error { return os.Symlink(victim, at(0)) },
		func() error { return os.Link(victim, at(1)) },
		func() error { return unix.Mkfifo(at(2), 0o644) },
		func() error { return os.Mkdir(at(3), 0o755) },
		func() error { return nil },
	} {
		if err := errors.Join(os.Rename(at(i), at(i)+"-away"), swap()); err != nil {
			t.Fatal(err)
		}
		pl := &place{node: all[i]}
		if err := out.put(pl, []byte("evil"), 1); !errors.Is(err, ErrSwapped) {
			t.Errorf("swap %d: %v", i, err)
		}
	}
	if err := out.put(&place{node: all[5], off: 96}, []byte("good"), 1); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(victim); string(got) != "precious" {
		t.Errorf("the file outside holds %q, %v", got, err)
	}
	if err := out.closeAll(); err != nil {
		t.Error(err)
	}
}

// TestSalvage loses pages of a directory: all other entries come back.
func TestSalvage(t *testing.T) {
	for name, lose := range map[string]func(i int) bool{
		"one":   func(i int) bool { return i == 20 },
		"first": func(i int) bool { return i == 0 },
		"many":  func(i int) bool { return i%3 == 1 },
	} {
		t.Run(name, func(t *testing.T) {
			w, out := newBench(t)
			st := &pages{key: chunk.NewKey([32]byte{9}), chunks: map[chunk.ID][]byte{}}
			b := tree.NewDirBuilder(st, tree.NewCutter([32]byte{1}))
			const n = 20_000
			for i := range n {
				e := tree.Entry{Name: fmt.Sprintf("player-%06d", i), Type: tree.File, Mode: 0o644}
				if err := b.Add(t.Context(), &e); err != nil {
					t.Fatal(err)
				}
			}
			content, err := b.Finish(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(st.order) < 60 || content[0].Count == 0 {
				t.Fatalf("%d pages and no node", len(st.order))
			}
			lost := 0
			for i, id := range st.order {
				if lose(i) {
					lost += st.entries(id)
					delete(st.chunks, id)
				}
			}
			w.src = st
			w.entries = newWalker(w.p, w.dirs, st).entries
			top := tree.Entry{Type: tree.Directory, Mode: 0o750, Content: content}
			if err := w.items(t.Context(), []item{{origin: "/srv", entry: &top}}); err != nil {
				t.Fatal(err)
			}
			if got := int(w.p.totals.Files); got != n-lost || lost == 0 {
				t.Errorf("%d entries of %d, %d were lost", got, n, lost)
			}
			if len(out.rec.lost(0)) == 0 {
				t.Error("the directory is not listed")
			}
		})
	}
}

// pages keeps tree chunks; order holds the pages.
type pages struct {
	key    *chunk.Key
	chunks map[chunk.ID][]byte
	order  []chunk.ID
}

func (s *pages) PutTree(_ context.Context, b []byte) (chunk.ID, error) {
	id := s.key.Sum(b)
	s.chunks[id] = slices.Clone(b)
	if s.entries(id) > 0 {
		s.order = append(s.order, id)
	}
	return id, nil
}

func (s *pages) TreeChunk(_ context.Context, id chunk.ID) ([]byte, error) {
	if b, ok := s.chunks[id]; ok {
		return b, nil
	}
	return nil, &repo.CorruptError{Object: "tree chunk " + id.String(), Err: repo.ErrUnknownChunk}
}

// entries returns how many entries a page has, 0 for a node.
func (s *pages) entries(id chunk.ID) int {
	if _, err := tree.DecodeNode(s.chunks[id]); err == nil {
		return 0
	}
	return strings.Count(string(s.chunks[id]), "player-")
}

// TestMemory holds the plan to what the package comment says of it.
func TestMemory(t *testing.T) {
	w, _ := newBench(t)
	key := chunk.NewKey([32]byte{3})
	const n = 200_000
	w.entries = func(context.Context, []tree.Element, string) iter.Seq2[*tree.Entry, error] {
		return func(yield func(*tree.Entry, error) bool) {
			for i := range n {
				name := fmt.Sprintf("player-%06d.json", i)
				e := tree.Entry{Name: name, Type: tree.File, Mode: 0o644, Size: 1000, Content: []tree.Element{{ID: key.Sum([]byte(name)), Length: 1000}}}
				if !yield(&e, nil) {
					return
				}
			}
		}
	}
	before := heap()
	top := tree.Entry{Type: tree.Directory, Mode: 0o750, Content: dirOf("top")}
	if err := w.items(t.Context(), []item{{origin: "/srv", entry: &top}}); err != nil {
		t.Fatal(err)
	}
	used := int64(heap()-before) / n
	t.Logf("%d bytes a file, of them 18 the name", used)
	if used > 131+18+10 || w.p.wants.n != n {
		t.Errorf("%d bytes a file for %d chunks", used, w.p.wants.n)
	}
	runtime.KeepAlive(w)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
