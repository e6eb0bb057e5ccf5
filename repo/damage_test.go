package repo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

var version1, version2 = files{"a": "one", "b": "two"}, files{"a": "one", "b": "three"}

// readable reads every snapshot that can be listed. It returns how many there are, and the first error. Wrong content fails the test.
func readable(t *testing.T, r *repo.Repo, known map[string]files) (int, error) {
	t.Helper()
	list, first := r.Snapshots(t.Context())
	for _, snap := range list {
		got, err := load(t.Context(), r, snap)
		if err == nil && !maps.Equal(got, known[snap.Name]) {
			t.Fatalf("%s has other content: %q", snap.Name, got)
		}
		if first == nil {
			first = err
		}
	}
	return len(list), first
}

// TestDamage harms every object in every way. What is read is right or an error that wraps ErrCorrupt, and the next backup succeeds.
func TestDamage(t *testing.T) {
	st, foreign := mem.New(nil), mem.New(nil)
	r := newRepo(t, st)
	known := map[string]files{}
	known[mustSave(t, r, "world", version1).Name] = version1
	known[mustSave(t, r, "world", version2).Name] = version2
	f := newRepo(t, foreign)
	mustSave(t, f, "world", version1)
	condemn(t, st, pack.Name(pack.Data, pack.ID{1}))
	damage(t, st, pack.Name(pack.Data, pack.ID{2}))
	folder := func(name string) string {
		switch parts := strings.SplitN(name, "/", 4); parts[0] {
		case "index":
			return strings.Join(parts[:3], "/")
		default:
			return parts[0]
		}
	}
	for _, name := range st.Objects() {
		if name == "config" || strings.HasPrefix(name, "keys/") {
			continue // open_test.go
		}
		whole := object(t, st, name)
		harm := map[string][]byte{"emptied": nil, "longer": append(bytes.Clone(whole), 0), "cut": whole[:len(whole)-1], "first byte only": whole[:1]}
		for _, at := range []int{0, 8, 9, 11, 12, 20, 52, 60, len(whole) / 2, len(whole) - 9, len(whole) - 1} {
			harm[fmt.Sprint("flipped at ", at)] = flip(whole, at)
		}
		for _, n := range names(st, folder(name)) {
			if n != name {
				harm["swapped"] = object(t, st, n)
			}
		}
		for _, n := range names(foreign, folder(name)) {
			harm["of another repository"] = object(t, foreign, n)
		}
		for how, b := range harm {
			t.Run(name+" "+how, func(t *testing.T) {
				m := st.Clone()
				m.Replace(name, b)
				r := openRepo(t, m)
				n, err := readable(t, r, known)
				needed := !strings.HasPrefix(name, "leases/") && !strings.HasPrefix(name, "condemned/") && !strings.HasPrefix(name, "marks/")
				if err != nil && (!needed || !errors.Is(err, repo.ErrCorrupt) && !errors.Is(err, repo.ErrNewer)) {
					t.Errorf("reading: %v", err)
				}
				if strings.HasPrefix(name, "snapshots/") {
					want := err != nil && strings.Contains(err.Error(), name)
					if b == nil {
						want = err == nil // nothing says that it ever was there
					}
					if !want || n != len(known)-1 {
						t.Errorf("%d snapshots, %v", n, err)
					}
				}
				if err == nil && strings.HasPrefix(name, "meta/") && how != "longer" && how != "cut" && !strings.HasPrefix(how, "flipped") {
					t.Error("damage of a pack goes unnoticed")
				}
				if _, err := save(t.Context(), r, "world", version2); err != nil && !errors.Is(err, repo.ErrNewer) {
					t.Errorf("the next backup: %v", err)
				}
			})
		}
	}
}

// TestVersionByte flips the byte that says which program wrote an object: reading goes on.
func TestVersionByte(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	snap := mustSave(t, r, "world", version1)
	condemn(t, st)
	damage(t, st)
	for _, prefix := range []string{"condemned/", "marks/", "index/00000000/data"} {
		m := st.Clone()
		name := one(t, m, prefix)
		m.Replace(name, flip(object(t, m, name), 9))
		mustLoad(t, openRepo(t, m), snap, version1)
	}
}

// TestNamesOfDamage has the error say which object it was.
func TestNamesOfDamage(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	snap := mustSave(t, r, "world", version1)
	for _, prefix := range []string{"data/", "meta/"} {
		name := one(t, st, prefix)
		whole := object(t, st, name)
		for what, b := range map[string][]byte{"flipped": flip(whole, 70), "cut": whole[:60], "gone": nil} {
			m := st.Clone()
			m.Replace(name, b)
			_, err := load(t.Context(), openRepo(t, m), snap)
			var c *repo.CorruptError
			if !errors.As(err, &c) || c.Object != name || !errors.Is(err, repo.ErrCorrupt) {
				t.Errorf("%s %s: %v", name, what, err)
			}
		}
		// A store that gives less than it was asked for, and no error.
		bad := fault.New(st, fault.Rule{Op: fault.Get, Prefix: prefix, Do: fault.Truncate, N: 3})
		if _, err := load(t.Context(), openRepo(t, bad), snap); !errors.Is(err, repo.ErrCorrupt) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s given in part: %v", name, err)
		}
	}
	seg := one(t, st, "index/00000000/meta")
	m := st.Clone()
	m.Replace(seg, flip(object(t, st, seg), 70))
	r = openIn(t, m, "")
	mustLoad(t, r, snap, version1) // the pack says itself what is in it
	if !slices.Equal(r.Noted(), []string{seg}) {
		t.Errorf("segment flipped: noted %v", r.Noted())
	}
}

// TestOtherCopy has every chunk in two packs, because two sessions ran at once.
func TestOtherCopy(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	var snap *repo.Snapshot
	inSession(t, r, func(ctx context.Context, s *repo.Session) {
		snap = mustSave(t, r, "other", version1)
		if _, err := store(ctx, r, s, version1); err != nil {
			t.Fatal(err)
		}
	})
	for _, prefix := range []string{"data/", "meta/"} {
		packs := names(st, prefix)
		if len(packs) != 2 {
			t.Fatalf("packs %q", packs)
		}
		for _, name := range packs {
			m := st.Clone()
			m.Replace(name, flip(object(t, st, name), 70))
			mustLoad(t, openRepo(t, m), snap, version1)
			if err := m.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			mustLoad(t, openRepo(t, m), snap, version1)
		}
		m := st.Clone()
		for _, name := range packs {
			m.Replace(name, flip(object(t, st, name), 70))
		}
		if _, err := load(t.Context(), openRepo(t, m), snap); !errors.Is(err, repo.ErrCorrupt) {
			t.Errorf("no copy is left: %v", err)
		}
	}
	places := map[chunk.ID]map[pack.ID]bool{}
	err := r.Locate(t.Context(), func(p *repo.Packed, e pack.Entry) {
		if places[e.Chunk] == nil {
			places[e.Chunk] = map[pack.ID]bool{}
		}
		places[e.Chunk][p.ID] = true
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, packs := range places {
		if len(packs) != 2 {
			t.Errorf("chunk %s has %d places", id, len(packs))
		}
	}
	// The store fails for one copy while the other is damaged: nothing says that the chunk is lost.
	packs := names(st, "meta/")
	for i, name := range packs {
		m := st.Clone()
		m.Replace(name, flip(object(t, st, name), 70))
		down := fault.New(m, fault.Rule{Op: fault.Get, Prefix: packs[1-i], Count: fault.Forever})
		if _, err := load(t.Context(), openRepo(t, down), snap); errors.Is(err, repo.ErrCorrupt) || !errors.Is(err, fault.ErrInjected) {
			t.Errorf("one copy damaged, one out of reach: %v", err)
		}
	}
}

// TestWrongEntry has an index that gives a chunk another chunk's place.
func TestWrongEntry(t *testing.T) {
	r := newRepo(t, mem.New(nil))
	mustSave(t, r, "world", version1)
	var all []spot
	if err := r.Locate(t.Context(), func(p *repo.Packed, e pack.Entry) { all = append(all, spot{p, e}) }); err != nil {
		t.Fatal(err)
	}
	a, b := all[0], all[1]
	a.Chunk, b.Chunk = b.Chunk, a.Chunk
	far := all[0]
	far.Offset = 1 << 31
	for _, p := range []spot{a, b, far} {
		if got, err := read(t.Context(), r, p); !errors.Is(err, repo.ErrCorrupt) || got != nil {
			t.Errorf("read %q, %v", got, err)
		}
	}
}

// TestMergeGetsInBetween has a listed segment replaced before it is read.
func TestMergeGetsInBetween(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	snap := mustSave(t, r, "world", version1)
	for _, kind := range []string{"data", "meta"} {
		seg := one(t, m, "index/00000000/"+kind)
		st := fault.New(m)
		r := openIn(t, st, "")
		merged := false
		st.Arm(fault.Rule{Op: fault.Get, Prefix: seg, Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
			if !merged {
				merged = true
				segmentOf(t, m, seg, record.Session{}, nil, true)
				return m.Delete(context.Background(), seg)
			}
			return nil
		}})
		mustLoad(t, r, snap, version1)
		if !merged {
			t.Errorf("%s: nothing got in between", kind)
		}
	}
	inSession(t, r, func(ctx context.Context, s *repo.Session) {
		for _, id := range []string{"one", "two"} {
			w := s.NewStream(repo.Data)
			if put, err := w.Put(ctx, []byte(id)); err != nil || put.New {
				t.Errorf("stored again: %v", err)
			}
		}
	})
}

// waitStore lets the first Get of a block wait for its context.
type waitStore struct {
	storage.Store
	once    sync.Once
	reached chan struct{}
}

func (s *waitStore) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	if strings.HasPrefix(name, "meta/") {
		first := false
		s.once.Do(func() { first = true })
		if first {
			close(s.reached)
			<-ctx.Done()
			return dst, ctx.Err()
		}
	}
	return s.Store.Get(ctx, name, off, n, dst)
}

// TestCancelledReaderHarmsNoOther has two callers wait for one block, of which the one that reads it gives up.
func TestCancelledReaderHarmsNoOther(t *testing.T) {
	m := mem.New(nil)
	snap := mustSave(t, newRepo(t, m), "world", version1)
	st := &waitStore{Store: m, reached: make(chan struct{})}
	trees, err := openRepo(t, st).Trees(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer trees.Close()
	id := snap.Roots[0].Entry.Content[0].ID
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := trees.TreeChunk(ctx, id); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
	<-st.reached
	for range 4 {
		wg.Go(func() {
			if b, err := trees.TreeChunk(t.Context(), id); err != nil || len(b) == 0 {
				t.Errorf("other caller: %v", err)
			}
		})
	}
	cancel()
	wg.Wait()
}

// TestTreeReaderForgets reads more blocks than it keeps.
func TestTreeReaderForgets(t *testing.T) {
	r := newRepo(t, mem.New(nil))
	var ids []chunk.ID
	err := r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
		w := s.NewStream(repo.Meta)
		for i := range 80 {
			put, err := w.Put(ctx, bytes.Repeat([]byte{byte(i)}, 1000))
			if err != nil {
				return err
			}
			ids = append(ids, put.ID)
			if err := w.Flush(ctx); err != nil { // a block of its own
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	trees, err := r.Trees(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer trees.Close()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i, id := range ids {
				if b, err := trees.TreeChunk(t.Context(), id); err != nil || b[0] != byte(i) || len(b) != 1000 {
					t.Errorf("chunk %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := trees.TreeChunk(t.Context(), chunk.ID{1}); !errors.Is(err, repo.ErrUnknownChunk) || !errors.Is(err, tree.ErrCorrupt) {
		t.Errorf("unknown chunk: %v", err)
	}
}
