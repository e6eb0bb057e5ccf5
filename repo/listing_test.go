package repo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage/mem"
)

// inSession runs fn in a session of "world" that commits nothing.
func inSession(t testing.TB, r *repo.Repo, fn func(context.Context, *repo.Session)) {
	t.Helper()
	err := r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
		fn(ctx, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// known returns what a session says of its parent: whether its data chunk and its page are stored, and whether lookups can be left out.
func known(t testing.TB, r *repo.Repo, text string) (data, page, unlooked bool) {
	t.Helper()
	inSession(t, r, func(ctx context.Context, s *repo.Session) {
		p, err := s.Parent(ctx)
		if err != nil || p == nil {
			t.Fatalf("parent %v, %v", p, err)
		}
		trees, err := s.Trees(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer trees.Close()
		id := p.Roots[0].Entry.Content[0].ID
		if _, err := trees.TreeChunk(ctx, id); err != nil {
			t.Error(err) // what is condemned is read still
		}
		if page, err = s.Has(ctx, repo.Meta, id); err != nil {
			t.Fatal(err)
		}
		w := s.NewStream(repo.Data)
		put, err := w.Put(ctx, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		data, unlooked = !put.New, s.Unlooked(p.Manifest)
		// The block is not flushed, so that the next call finds the repository as it was.
	})
	return data, page, unlooked
}

func TestRecordsAndMarks(t *testing.T) {
	type result struct{ data, page, unlooked bool }
	st := mem.New(nil)
	r := newRepo(t, st)
	mustSave(t, r, "world", files{"a": "one"})
	data, meta := one(t, st, "data/"), one(t, st, "meta/")
	tests := []struct {
		name string
		do   func(st *mem.Store)
		want result
	}{
		{"nothing", func(*mem.Store) {}, result{true, true, true}},
		{"record of the data pack", func(st *mem.Store) { condemn(t, st, data) }, result{false, true, false}},
		{"record of the meta pack", func(st *mem.Store) { condemn(t, st, meta) }, result{true, false, false}},
		{"record of another pack", func(st *mem.Store) { condemn(t, st, pack.Name(pack.Data, pack.ID{1})) }, result{true, true, false}},
		{"record and gone", func(st *mem.Store) {
			id := condemn(t, st, data)
			putObject(t, st, "condemned/"+hexOf(id)+"-gone", []byte("only the name counts"))
		}, result{false, true, false}},
		{"mark of the data pack", func(st *mem.Store) { damage(t, st, data) }, result{false, true, false}},
		{"mark of both", func(st *mem.Store) { damage(t, st, data, meta) }, result{false, false, false}},
		{"mark and release", func(st *mem.Store) {
			id := damage(t, st, data)
			mark(t, st, record.Mark{Kind: record.Release, Ends: id[:]})
		}, result{true, true, true}},
		{"one of two marks released", func(st *mem.Store) {
			id := damage(t, st, data)
			damage(t, st, data)
			mark(t, st, record.Mark{Kind: record.Release, Ends: id[:]})
		}, result{false, true, false}},
		{"release of another mark", func(st *mem.Store) {
			damage(t, st, data)
			mark(t, st, record.Mark{Kind: record.Release, Ends: make([]byte, 16)})
		}, result{false, true, false}},
		{"unreadable record", func(st *mem.Store) {
			name := "condemned/" + hexOf(condemn(t, st))
			st.Replace(name, flip(object(t, st, name), 60))
		}, result{false, false, false}},
		{"unreadable mark", func(st *mem.Store) {
			name := "marks/" + hexOf(mark(t, st, record.Mark{Kind: record.Hold}))
			st.Replace(name, object(t, st, name)[:40])
		}, result{false, false, false}},
		{"no objects of ours", func(st *mem.Store) {
			putObject(t, st, "condemned/notes.txt", []byte("x"))
			putObject(t, st, "marks/notes.txt", []byte("x"))
			putObject(t, st, "index/00000000/data/notes.txt", []byte("x"))
			putObject(t, st, "snapshots/notes.txt", []byte("x"))
		}, result{true, true, true}},
		{"other marks", func(st *mem.Store) {
			for _, k := range []record.MarkKind{record.Hold, record.Tag, record.Tombstone, 77} {
				mark(t, st, record.Mark{Kind: k, Objects: []string{data}})
			}
		}, result{true, true, true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := st.Clone()
			tt.do(m)
			var got result
			got.data, got.page, got.unlooked = known(t, openRepo(t, m), "one")
			if got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestMarksEndInAnyOrder has a chain of marks that end each other: what is in force must not depend on the order of a map.
func TestMarksEndInAnyOrder(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	mustSave(t, r, "world", files{"a": "one"})
	id := damage(t, st, one(t, st, "data/"))
	for range 6 {
		id = mark(t, st, record.Mark{Kind: record.Release, Ends: id[:]})
	}
	for range 20 {
		if data, _, unlooked := known(t, r, "one"); !data || !unlooked {
			t.Fatal("a mark that is ended is in force")
		}
	}
}

func TestSeen(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	want := [][16]byte{condemn(t, st), condemn(t, st)}
	m := 0
	for range 2 {
		err := r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
			condemn(t, st) // comes too late for this session
			man, err := store(ctx, r, s, files{"a": fmt.Sprint(m)})
			if err != nil {
				return err
			}
			snap, err := s.Commit(ctx, man)
			if err == nil && !slices.Equal(snap.Seen, want) {
				t.Errorf("seen %x, want %x", snap.Seen, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		m++
		inSession(t, r, func(ctx context.Context, s *repo.Session) {
			p, err := s.Parent(ctx)
			if err != nil || s.Unlooked(p.Manifest) {
				t.Errorf("lookups are left out beside a record that the parent did not see: %v", err)
			}
			want = nil
			for _, n := range names(st, "condemned/") {
				want = append(want, idOf(t, n))
			}
		})
	}
	snap := mustSave(t, r, "world", files{"a": "3"})
	inSession(t, r, func(ctx context.Context, s *repo.Session) {
		if !s.Unlooked(snap.Manifest) {
			t.Error("lookups are not left out though the parent saw every record")
		}
	})
}

func TestReplicaAndFeatures(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	snap := mustSave(t, r, "world", files{"a": "one"})
	tests := []struct {
		name  string
		marks []record.Mark
		want  error
	}{
		{"replica", []record.Mark{{Kind: record.Replica}}, repo.ErrReadOnly},
		{"promoted", []record.Mark{{Kind: record.Replica}, {Kind: record.Promotion}}, nil},
		{"feature", []record.Mark{{Kind: record.Features, Words: []string{"future"}}}, repo.ErrNewer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := st.Clone()
			for _, x := range tt.marks {
				mark(t, m, x)
			}
			r := openRepo(t, m)
			ran := false
			err := r.Write(t.Context(), "world", "host", func(context.Context, *repo.Session) error { ran = true; return nil })
			if !errors.Is(err, tt.want) || ran != (tt.want == nil) {
				t.Errorf("Write = %v, ran %t", err, ran)
			}
			if n := names(m, "leases/"); !strings.HasSuffix(n[len(n)-1], "/end") {
				t.Errorf("lease is not ended: %q", n)
			}
			mustLoad(t, r, snap, files{"a": "one"})
		})
	}
}

// TestNewerObjects are read past, and keep this program from writing.
func TestNewerObjects(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	snap := mustSave(t, r, "world", files{"a": "one"})
	newer := []byte{0xa2, 0x01, 0x01, 0x18, 0x2a, 0x01} // {1: 1, 42: 1}: key 42 is critical
	for _, kind := range []struct {
		seal.Kind
		folder string
	}{{seal.Condemned, "condemned/"}, {seal.Mark, "marks/"}, {seal.Segment, "index/00000000/data/"}} {
		t.Run(kind.folder, func(t *testing.T) {
			m := st.Clone()
			payload := newer
			if kind.Kind == seal.Segment {
				payload = append([]byte{0, 0, 0, byte(len(newer))}, newer...)
			}
			forge(t, m, kind.Kind, kind.folder, payload, nil)
			r := openRepo(t, m)
			mustLoad(t, r, snap, files{"a": "one"})
			if _, err := save(t.Context(), r, "world", files{"a": "one"}); !errors.Is(err, repo.ErrNewer) {
				t.Errorf("Write = %v", err)
			}
		})
	}
}

// segmentOf forges a segment that names a pack as another one does.
func segmentOf(t testing.TB, st *mem.Store, from string, s record.Session, supersedes []record.ID, packs bool) record.ID {
	t.Helper()
	payload, err := ringOf(t, st).Open(seal.Segment, from, object(t, st, from), nil)
	if err != nil {
		t.Fatal(err)
	}
	seg, err := record.DecodeSegment(payload)
	if err != nil {
		t.Fatal(err)
	}
	if (s == record.Session{}) {
		s = seg.Session
	}
	var dirs []record.SegmentPack
	if packs {
		dirs = seg.Directories()
	}
	b, err := record.EncodeSegment(seg.Kind, s, supersedes, dirs)
	return forge(t, st, seal.Segment, from[:strings.LastIndexByte(from, '/')+1], b, err)
}

func idOf(t testing.TB, name string) record.ID {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(name[strings.LastIndexByte(name, '/')+1:], "%32x", &b); err != nil {
		t.Fatal(err)
	}
	return record.ID(b)
}

func TestVoidSegments(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	mustSave(t, r, "world", files{"a": "one"})
	seg := one(t, st, "index/00000000/data")
	id := idOf(t, seg)
	tests := []struct {
		name string
		do   func(m *mem.Store)
		want bool // is the chunk in a live pack
		rank int  // of its best place
	}{
		{"superseded by one that has it", func(m *mem.Store) { segmentOf(t, m, seg, record.Session{}, []record.ID{id}, true) }, true, 0},
		{"superseded by one without it", func(m *mem.Store) { segmentOf(t, m, seg, record.Session{}, []record.ID{id}, false) }, false, 1},
		{"superseded by a late one", func(m *mem.Store) { segmentOf(t, m, seg, record.Session{Began: 1, Renewed: 1}, []record.ID{id}, false) }, true, 0},
		{"late", func(m *mem.Store) {
			segmentOf(t, m, seg, record.Session{Began: 1, Renewed: 1}, nil, true)
			if err := m.Delete(t.Context(), seg); err != nil {
				t.Fatal(err)
			}
		}, false, 1},
		{"late and adopted", func(m *mem.Store) {
			id := segmentOf(t, m, seg, record.Session{Began: 1, Renewed: 1}, nil, true)
			mark(t, m, record.Mark{Kind: record.Adopted, Objects: []string{"index/00000000/data/" + hexOf(id)}})
			if err := m.Delete(t.Context(), seg); err != nil {
				t.Fatal(err)
			}
		}, true, 0},
		{"superseded by one that cannot be read, pack deleted", func(m *mem.Store) {
			name := "index/00000000/data/" + hexOf(segmentOf(t, m, seg, record.Session{}, []record.ID{id}, false))
			m.Replace(name, flip(object(t, m, name), 70))
			if err := m.Delete(t.Context(), one(t, m, "data/")); err != nil {
				t.Fatal(err)
			}
		}, false, 0},
		{"beside one that cannot be read", func(m *mem.Store) {
			name := "index/00000000/data/" + hexOf(segmentOf(t, m, seg, record.Session{}, nil, false))
			m.Replace(name, flip(object(t, m, name), 70))
		}, true, 0},
	}
	for i, tt := range slices.Concat(tests, tests) {
		apart := i < len(tests) // else all segments may have been stored in one second
		t.Run(fmt.Sprintf("%s, apart %t", tt.name, apart), func(t *testing.T) {
			m := st.Clone()
			tt.do(m)
			for _, n := range names(m, "index/00000000/data") {
				if info, err := m.Stat(t.Context(), n); err != nil {
					t.Fatal(err)
				} else if apart && n != seg {
					m.SetTime(n, info.Time.Add(10*time.Second))
				}
			}
			r := openRepo(t, m)
			if data, _, _ := known(t, r, "one"); data != tt.want {
				t.Errorf("live %t, want %t", data, tt.want)
			}
			best, n := 2, 0
			if err := r.Locate(t.Context(), func(p *repo.Packed, _ pack.Entry) { best, n = min(best, p.Rank), n+1 }); err != nil {
				t.Fatal(err)
			}
			if best != tt.rank {
				t.Errorf("best of %d places has rank %d, want %d", n, best, tt.rank)
			}
		})
	}
}
