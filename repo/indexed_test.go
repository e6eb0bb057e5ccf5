package repo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

// segmentsRead returns how often index segments were read since the store was armed.
func segmentsRead(st *fault.Store) int {
	n := 0
	for _, c := range st.Log() {
		if c.Op == fault.Get && strings.HasPrefix(c.Name, "index/") {
			n++
		}
	}
	return n
}

// TestIndexIsKept has runs that read only those segments that are new to their host, and none for what they stored themselves.
func TestIndexIsKept(t *testing.T) {
	m := mem.New(nil)
	st := fault.New(m)
	here, there := t.TempDir(), t.TempDir()
	newRepo(t, m)
	for i, tt := range []struct {
		cache string
		want  int // segments to read
	}{{here, 0}, {here, 0}, {there, 4}, {here, 2}, {there, 2}} {
		f := files{"own": fmt.Sprint("run ", i), "shared": "the same"}
		r := openIn(t, st, tt.cache)
		st.Arm()
		snap := mustSave(t, r, "world", f)
		if got := segmentsRead(st); got != tt.want {
			t.Errorf("run %d reads %d segments, want %d", i, got, tt.want)
		}
		mustLoad(t, openIn(t, m, ""), snap, f)
	}
	if got := len(names(m, "data/")); got != 5 {
		t.Errorf("%d packs, want one for each run", got)
	}
}

// TestIndexDamaged has the cache folder damaged in every file: whatever the index says, every snapshot is whole.
func TestIndexDamaged(t *testing.T) {
	m := mem.New(nil)
	cache := t.TempDir()
	newRepo(t, m)
	r := openIn(t, m, cache)
	f := files{}
	for i := range 40 {
		f[fmt.Sprint(i)] = strings.Repeat(fmt.Sprint("chunk ", i), 10)
	}
	mustSave(t, r, "world", f)
	var paths []string
	err := filepath.WalkDir(cache, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) || len(b) == 0 {
			continue // an earlier round had it set aside
		}
		if i%2 == 0 {
			b = flip(b, len(b)/2)
		} else {
			b = b[:len(b)/2]
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		f["own"] = fmt.Sprint("round ", i)
		snap := mustSave(t, openIn(t, m, cache), "world", f)
		mustLoad(t, openIn(t, m, ""), snap, f)
		mustLoad(t, openIn(t, m, cache), snap, f)
	}
}

// TestIndexCannotBeKept has a file where the folder should be: backups go on with the segments in memory.
func TestIndexCannotBeKept(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	mustSave(t, r, "world", version1)
	cache := t.TempDir()
	id := r.ID()
	if err := os.MkdirAll(filepath.Join(cache, id.String()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cache, id.String(), "index"), []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	packs := len(names(m, "data/"))
	snap := mustSave(t, openIn(t, m, cache), "world", version1)
	mustLoad(t, openIn(t, m, cache), snap, version1)
	if got := len(names(m, "data/")); got != packs {
		t.Error("what is there was stored again")
	}
}

// TestTwoSessionsOneIndex has two sources of one host at work at once, with one cache.
func TestTwoSessionsOneIndex(t *testing.T) {
	m := mem.New(nil)
	newRepo(t, m)
	cache := t.TempDir()
	mustSave(t, openIn(t, m, cache), "world", version1)
	a, b := openIn(t, m, cache), openIn(t, m, cache)
	var first, second *repo.Snapshot
	err := a.Write(t.Context(), "one", "host", func(ctx context.Context, s *repo.Session) error {
		man, err := store(ctx, a, s, version2)
		if err != nil {
			return err
		}
		if second, err = save(ctx, b, "two", version2); err != nil {
			return err
		}
		first, err = s.Commit(ctx, man)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, snap := range []*repo.Snapshot{first, second} {
		mustLoad(t, openIn(t, m, cache), snap, version2)
		mustLoad(t, openIn(t, m, ""), snap, version2)
	}
}

// TestOwnChunksLeaveMemory has a session publish segments while it runs: its chunks are found in the index from then on.
func TestOwnChunksLeaveMemory(t *testing.T) {
	m := mem.New(nil)
	newRepo(t, m)
	r := openIn(t, m, t.TempDir())
	inSession(t, r, func(ctx context.Context, s *repo.Session) {
		w := s.NewStream(repo.Data)
		put := func(text string) repo.Stored {
			t.Helper()
			st, err := w.Put(ctx, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		if !put("one").New || put("one").New {
			t.Error("a chunk that waits for its pack is not known")
		}
		if got := s.Pending(repo.Data); got != 1 {
			t.Errorf("%d chunks in memory, want 1", got)
		}
		if err := w.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		if got := s.Pending(repo.Data); got != 0 {
			t.Errorf("%d chunks in memory after they were indexed, want none", got)
		}
		if put("one").New {
			t.Error("a chunk that is in a published segment is stored again")
		}
		if ok, err := s.Has(ctx, repo.Data, put("one").ID); err != nil || !ok {
			t.Errorf("Has = %t, %v", ok, err)
		}
	})
}

// TestFind has a restore ask the host's index in place of the segments.
func TestFind(t *testing.T) {
	m := mem.New(nil)
	st := fault.New(m)
	newRepo(t, m)
	cache := t.TempDir()
	snap := mustSave(t, openIn(t, m, cache), "world", version1)
	mustSave(t, openIn(t, m, cache), "other", version2)
	r := openIn(t, st, cache)
	trees, err := r.Trees(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer trees.Close()
	want := map[chunk.ID]string{}
	for e, err := range tree.Entries(t.Context(), trees, snap.Roots[0].Entry.Content, "") {
		if err != nil {
			t.Fatal(err)
		}
		want[e.Content[0].ID] = version1[e.Name]
	}
	find := func(r *repo.Repo) (int, bool) {
		t.Helper()
		n := 0
		ok, err := r.Find(t.Context(), func(yield func(chunk.ID) bool) {
			for id := range want {
				if !yield(id) {
					return
				}
			}
		}, func(p *repo.Packed, e pack.Entry) {
			if got, err := read(t.Context(), r, spot{p, e}); err != nil || !bytes.Equal(got, []byte(want[e.Chunk])) {
				t.Errorf("chunk %s is %q, %v", e.Chunk, got, err)
			}
			n++
		})
		if err != nil {
			t.Fatal(err)
		}
		return n, ok
	}
	st.Arm()
	if n, ok := find(r); !ok || n != len(want) {
		t.Errorf("%d of %d chunks found, %t", n, len(want), ok)
	}
	if got := segmentsRead(st); got != 0 {
		t.Errorf("%d segments were read", got)
	}
	if n, ok := find(openIn(t, m, t.TempDir())); ok || n != 0 {
		t.Errorf("a host without an index found %d chunks, %t", n, ok)
	}
}

// TestManifestsAreKept has a host read each manifest of its source once.
func TestManifestsAreKept(t *testing.T) {
	m := mem.New(nil)
	st := fault.New(m)
	newRepo(t, m)
	cache := t.TempDir()
	for i := range 5 {
		r := openIn(t, st, cache)
		st.Arm()
		mustSave(t, r, "world", files{"own": fmt.Sprint(i)})
		n := 0
		for _, c := range st.Log() {
			if c.Op == fault.Get && strings.HasPrefix(c.Name, "snapshots/") {
				n++
			}
		}
		if n > 2 { // the newest to see whether this is a copy, and again because it is new here
			t.Errorf("run %d reads %d manifests", i, n)
		}
	}
	name := names(m, "snapshots/")[2]
	m.Replace(name, flip(object(t, m, name), 100))
	if list, err := openIn(t, m, cache).Snapshots(t.Context()); len(list) != 4 || !errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("%d snapshots, %v: damage in the store is not seen", len(list), err)
	}
}
