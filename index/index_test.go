package index_test

import (
	"context"
	"errors"
	"testing"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/record"
)

func TestSimple(t *testing.T) {
	dir := t.TempDir()
	x := open(t, dir)
	s := shelf{}
	var ids []chunk.ID
	for i := range uint64(40) {
		ids = append(ids, chunkID(i))
	}
	s[segmentID(1)] = encode(t, nil, packOf(1, ids[:10], 4), packOf(2, ids[5:20], 4))
	s[segmentID(2)] = encode(t, nil, packOf(3, ids[18:30], 4))
	if err := x.Sync(t.Context(), s.listed(), s.read); err != nil {
		t.Fatal(err)
	}
	if has(t, x, ids[0]) {
		t.Error("a chunk is there before SetLive")
	}
	bring(t, x, s)
	check := func(x *index.Index, n int) {
		t.Helper()
		for i, id := range ids {
			if has(t, x, id) != (i < n) {
				t.Errorf("Has(%d) = %t", i, i >= n)
			}
			locs, err := x.Lookup(id, nil)
			if err != nil || (len(locs) > 0) != (i < n) {
				t.Errorf("Lookup(%d) = %v, %v", i, locs, err)
			}
			for _, l := range locs {
				p, err := x.Pack(l.Pack)
				if err != nil || l.Block >= uint32(len(p.Blocks)) || !l.Live {
					t.Errorf("%d: location %v in pack %v, %v", i, l, p, err)
				}
			}
		}
	}
	check(x, 30)
	seg, err := record.DecodeSegment(encode(t, nil, packOf(4, ids[30:35], 2)))
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Add(index.Listed{ID: segmentID(3), Size: int64(len(encode(t, nil, packOf(4, ids[30:35], 2))))}, seg); err != nil {
		t.Fatal(err)
	}
	check(x, 35)
	s[segmentID(3)] = encode(t, nil, packOf(4, ids[30:35], 2))
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = open(t, dir)
	if st := x.Stats(); st.Base != 30 || st.Delta != 5 || st.Segments != 3 || st.Packs != 4 {
		t.Errorf("Stats = %+v", st)
	}
	if has(t, x, ids[0]) {
		t.Error("a chunk is there after Open alone")
	}
	bring(t, x, s)
	check(x, 35)
}

// TestVanished checks that an index is built again when a segment is gone that none supersedes.
func TestVanished(t *testing.T) {
	x := open(t, t.TempDir())
	a, b, both := segmentID(1), segmentID(2), segmentID(3)
	first, second := packOf(1, []chunk.ID{chunkID(1), chunkID(2)}, 1), packOf(2, []chunk.ID{chunkID(2), chunkID(3)}, 1)
	s := shelf{a: encode(t, nil, first), b: encode(t, nil, second)}
	bring(t, x, s)
	s[both] = encode(t, []record.ID{a, b}, first, second)
	delete(s, a)
	bring(t, x, s)
	if st := x.Stats(); st.Base != 3 || st.Segments != 3 {
		t.Errorf("a superseded segment is gone: Stats = %+v", st)
	}
	s = shelf{a: encode(t, nil, first)}
	bring(t, x, s)
	if st := x.Stats(); st.Base != 2 || st.Delta != 0 || st.Segments != 1 || st.Packs != 1 {
		t.Errorf("segments are gone that none supersedes: Stats = %+v", st)
	}
	if !has(t, x, chunkID(2)) || has(t, x, chunkID(3)) {
		t.Error("what is listed is not there, or more")
	}
}

// TestStale checks that an ordinal from before another process's base was taken over names no pack.
func TestStale(t *testing.T) {
	dir := t.TempDir()
	few := func() *index.Index {
		x, err := index.OpenFew(dir, index.Options{Repo: [16]byte{1}}, 2)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { x.Close() })
		return x
	}
	s := shelf{segmentID(1): encode(t, nil, packOf(1, []chunk.ID{chunkID(1)}, 1))}
	x, y := few(), few()
	bring(t, x, s)
	s[segmentID(2)] = encode(t, nil, packOf(2, []chunk.ID{chunkID(2)}, 1))
	bring(t, x, s)
	locs, err := x.Lookup(chunkID(2), nil)
	if err != nil || len(locs) != 1 {
		t.Fatal(locs, err)
	}
	s[segmentID(3)] = encode(t, nil, packOf(3, []chunk.ID{chunkID(3), chunkID(4), chunkID(5)}, 1))
	bring(t, y, s) // takes over x's base and builds another
	bring(t, x, s) // takes over y's
	if p, err := x.Pack(locs[0].Pack); !errors.Is(err, index.ErrStale) {
		t.Errorf("Pack = %v, %v", p, err)
	}
	if st := x.Stats(); st.Base != 5 || st.Delta != 0 {
		t.Errorf("Stats = %+v", st)
	}
}

func TestClosed(t *testing.T) {
	x := open(t, t.TempDir())
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	id := chunkID(1)
	_, errHas := x.Has(&id)
	_, errLookup := x.Lookup(id, nil)
	_, errPack := x.Pack(0)
	for name, err := range map[string]error{"Has": errHas, "Lookup": errLookup, "Pack": errPack, "Sync": x.Sync(t.Context(), nil, nil),
		"SetLive": x.SetLive(index.Judge{}), "Add": x.Add(index.Listed{}, nil), "LookupAll": x.LookupAll(t.Context(), []chunk.ID{id}, nil),
		"Packs": x.Packs(nil)} {
		if !errors.Is(err, index.ErrClosed) {
			t.Errorf("%s = %v", name, err)
		}
	}
}

// TestCancelled checks that a Sync which is cancelled leaves what was there.
func TestCancelled(t *testing.T) {
	dir := t.TempDir()
	s := makeIndex(t, dir)
	x := open(t, dir)
	bring(t, x, s)
	s[segmentID(3)] = encode(t, nil, packOf(9, []chunk.ID{chunkID(7000)}, 1))
	ctx, cancel := context.WithCancel(t.Context())
	err := x.Sync(ctx, s.listed(), func(context.Context, record.ID) (*record.Segment, error) { cancel(); return nil, ctx.Err() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Sync = %v", err)
	}
	if missing := rightOrAbsent(t, x); missing > 0 {
		t.Errorf("%d chunks are missing", missing)
	}
}
