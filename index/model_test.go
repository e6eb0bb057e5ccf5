package index_test

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// world is what a model test knows of a repository: all packs that were ever made, and the segments.
type world struct {
	t      *rapid.T
	dir    string
	packs  []record.SegmentPack
	byID   map[pack.ID]int
	copies map[chunk.ID]int // in how many packs a chunk is
	chunks []chunk.ID
	shelf  shelf
	segs   map[record.ID]*modelSegment
	dead   map[pack.ID]bool
	made   uint64
	open   [2]*handle
}

type modelSegment struct {
	packs      []int
	supersedes []record.ID
	late       bool
}

// handle is an index with what it was told.
type handle struct {
	x      *index.Index
	listed map[record.ID]*modelSegment
	live   map[int]bool
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{t: rt, dir: t.TempDir(), byID: map[pack.ID]int{}, copies: map[chunk.ID]int{}, shelf: shelf{},
			segs: map[record.ID]*modelSegment{}, dead: map[pack.ID]bool{}}
		for i := range uint64(40) {
			w.chunks = append(w.chunks, chunkID(i))
		}
		defer func() {
			for _, h := range w.open {
				if err := h.x.Close(); err != nil {
					rt.Errorf("Close: %v", err)
				}
			}
		}()
		for i := range w.open {
			w.open[i] = w.reopen(i)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"segment":  func(rt *rapid.T) { w.t = rt; w.newSegment() },
			"merge":    func(rt *rapid.T) { w.t = rt; w.merge() },
			"retire":   func(rt *rapid.T) { w.t = rt; w.retire() },
			"vanish":   func(rt *rapid.T) { w.t = rt; w.vanish() },
			"late":     func(rt *rapid.T) { w.t = rt; w.late() },
			"condemn":  func(rt *rapid.T) { w.t = rt; w.condemn() },
			"bring":    func(rt *rapid.T) { w.t = rt; w.bring(w.pick()) },
			"bring2":   func(rt *rapid.T) { w.t = rt; w.bring(w.pick()) },
			"add":      func(rt *rapid.T) { w.t = rt; w.add(w.pick()) },
			"reopen":   func(rt *rapid.T) { w.t = rt; w.close(rapid.IntRange(0, 1).Draw(rt, "index")) },
			"checkAll": func(rt *rapid.T) { w.t = rt; w.check(w.open[0]); w.check(w.open[1]) },
		})
	})
}

func (w *world) pick() *handle { return w.open[rapid.IntRange(0, 1).Draw(w.t, "index")] }

func (w *world) reopen(i int) *handle {
	x, err := index.OpenFew(w.dir, index.Options{Repo: [16]byte{1}}, int64(5+20*i))
	if err != nil {
		w.t.Fatalf("Open: %v", err)
	}
	return &handle{x, map[record.ID]*modelSegment{}, map[int]bool{}}
}

func (w *world) close(i int) {
	if err := w.open[i].x.Close(); err != nil {
		w.t.Fatalf("Close: %v", err)
	}
	w.open[i] = w.reopen(i)
	w.check(w.open[i])
}

// newPack makes a pack of some of the chunks.
func (w *world) newPack() int {
	ids := rapid.SliceOfNDistinct(rapid.SampledFrom(w.chunks), 1, 12, rapid.ID).Draw(w.t, "chunks")
	w.made++
	p := packOf(w.made, ids, rapid.IntRange(1, 5).Draw(w.t, "block"))
	w.byID[p.ID] = len(w.packs)
	w.packs = append(w.packs, p)
	for _, id := range ids {
		w.copies[id]++
	}
	return len(w.packs) - 1
}

func (w *world) put(packs []int, supersedes []record.ID) record.ID {
	w.made++
	id := segmentID(w.made)
	slices.Sort(packs)
	packs = slices.Compact(packs)
	all := make([]record.SegmentPack, len(packs))
	for i, p := range packs {
		all[i] = w.packs[p]
	}
	b, err := record.EncodeSegment(pack.Data, record.Session{Lease: id}, supersedes, all)
	if err != nil {
		w.t.Fatal(err)
	}
	w.shelf[id], w.segs[id] = b, &modelSegment{packs: packs, supersedes: supersedes}
	return id
}

func (w *world) somePacks() []int {
	packs := []int{w.newPack()}
	for range rapid.IntRange(0, 2).Draw(w.t, "more") {
		if rapid.Bool().Draw(w.t, "known") {
			packs = append(packs, rapid.IntRange(0, len(w.packs)-1).Draw(w.t, "pack"))
		} else {
			packs = append(packs, w.newPack())
		}
	}
	return packs
}

func (w *world) newSegment() { w.put(w.somePacks(), nil) }

func (w *world) ids() []record.ID {
	ids := slices.Collect(maps.Keys(w.shelf))
	slices.SortFunc(ids, func(a, b record.ID) int { return cmp.Compare(string(a[:]), string(b[:])) })
	return ids
}

// merge makes a segment of the packs of others, which it supersedes with all that they do.
func (w *world) merge() {
	ids := w.ids()
	if len(ids) == 0 {
		w.t.Skip("no segment")
	}
	from := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, 4, rapid.ID).Draw(w.t, "from")
	var packs []int
	var old []record.ID
	for _, id := range from {
		packs = append(packs, w.segs[id].packs...)
		old = append(append(old, id), w.segs[id].supersedes...)
	}
	if len(packs) > 1 && rapid.IntRange(0, 2).Draw(w.t, "drop") == 0 {
		packs = packs[1:] // a pack that is gone
	}
	w.put(packs, old)
}

func (w *world) forget(which func(record.ID) bool) {
	ids := slices.DeleteFunc(w.ids(), func(id record.ID) bool { return !which(id) })
	if len(ids) == 0 {
		w.t.Skip("no such segment")
	}
	delete(w.shelf, rapid.SampledFrom(ids).Draw(w.t, "segment"))
}

// retire deletes a superseded segment, vanish any.
func (w *world) retire() {
	w.forget(func(id record.ID) bool {
		for other := range w.shelf {
			if slices.Contains(w.segs[other].supersedes, id) {
				return true
			}
		}
		return false
	})
}

func (w *world) vanish() { w.forget(func(record.ID) bool { return true }) }

func (w *world) late() {
	if ids := w.ids(); len(ids) > 0 {
		s := w.segs[rapid.SampledFrom(ids).Draw(w.t, "segment")]
		s.late = !s.late
	}
}

func (w *world) condemn() {
	if len(w.packs) > 0 {
		w.dead[w.packs[rapid.IntRange(0, len(w.packs)-1).Draw(w.t, "pack")].ID] = true
	}
}

// bring syncs a handle and tells it what is live.
func (w *world) bring(h *handle) {
	if err := h.x.Sync(w.t.Context(), w.shelf.listed(), w.shelf.read); err != nil {
		w.t.Fatalf("Sync: %v", err)
	}
	h.listed = map[record.ID]*modelSegment{}
	for id := range w.shelf {
		h.listed[id] = w.segs[id]
	}
	j := index.Judge{Dead: maps.Keys(w.dead), Late: func(id record.ID, s record.Session) bool {
		if s.Lease != id {
			w.t.Errorf("segment %x has the session of %x", id, s.Lease)
		}
		return w.segs[id].late
	}}
	if err := h.x.SetLive(j); err != nil {
		w.t.Fatalf("SetLive: %v", err)
	}
	void := map[record.ID]bool{}
	for _, s := range h.listed {
		for _, old := range s.supersedes {
			void[old] = void[old] || !s.late
		}
	}
	h.live = map[int]bool{}
	for id, s := range h.listed {
		for _, p := range s.packs {
			if !s.late && !void[id] && !w.dead[w.packs[p].ID] {
				h.live[p] = true
			}
		}
	}
	w.check(h)
}

// add publishes a segment of the session's own.
func (w *world) add(h *handle) {
	id := w.put([]int{w.newPack(), w.newPack()}, nil)
	s, err := w.shelf.read(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := h.x.Add(index.Listed{ID: id, Size: int64(len(w.shelf[id]))}, s); err != nil {
		w.t.Fatalf("Add: %v", err)
	}
	h.listed[id] = w.segs[id]
	for _, p := range w.segs[id].packs {
		h.live[p] = true
	}
	w.check(h)
}

// check compares all answers of a handle with what they must be.
func (w *world) check(h *handle) {
	named := map[int]bool{}
	for _, s := range h.listed {
		for _, p := range s.packs {
			named[p] = true
		}
	}
	got := map[int]bool{}
	if err := h.x.Packs(func(id pack.ID, o uint32) bool {
		p, err := h.x.Pack(o)
		if err != nil || p.ID != id {
			w.t.Errorf("Pack(%d) = %v, %v, not %s", o, p, err, id)
		}
		got[w.byID[id]] = true
		return true
	}); err != nil || !maps.Equal(got, named) {
		w.t.Errorf("Packs = %v, %v, not %v", got, err, named)
	}
	all := map[int][]index.Location{}
	if err := h.x.LookupAll(w.t.Context(), w.chunks, func(i int, l index.Location) { all[i] = append(all[i], l) }); err != nil {
		w.t.Errorf("LookupAll: %v", err)
	}
	for i, id := range w.chunks {
		w.checkChunk(h, id, named, all[i])
	}
}

func (w *world) checkChunk(h *handle, id chunk.ID, named map[int]bool, all []index.Location) {
	locs, err := h.x.Lookup(id, nil)
	if err != nil || !slices.Equal(locs, all) || len(locs) > 4 {
		w.t.Fatalf("Lookup = %v, %v, LookupAll = %v", locs, err, all)
	}
	want := map[int]pack.Entry{}
	isLive := false
	for p := range w.packs {
		for _, e := range w.packs[p].Entries {
			if e.Chunk == id {
				want[p] = e
				isLive = isLive || h.live[p]
			}
		}
	}
	found := map[int]bool{}
	for i, l := range locs {
		info, err := h.x.Pack(l.Pack)
		if err != nil {
			w.t.Fatalf("Pack(%d): %v", l.Pack, err)
		}
		p := w.byID[info.ID]
		e, ok := want[p]
		if !ok || e.Block != l.Block || e.Offset != l.Offset || e.Length != l.Length || l.Live != h.live[p] || found[p] {
			w.t.Fatalf("chunk at %+v in pack %d, want %+v, live %t", l, p, e, h.live[p])
		}
		if i > 0 && l.Live && !locs[i-1].Live {
			w.t.Fatalf("live places do not come first: %+v", locs)
		}
		found[p] = true
	}
	few := w.copies[id] <= 4
	for p := range want {
		if few && named[p] && !found[p] {
			w.t.Fatalf("chunk is in pack %d, which is listed; found in %v only", p, found)
		}
	}
	ok, err := h.x.Has(&id)
	if err != nil || ok && !isLive || !ok && isLive && few {
		w.t.Fatalf("Has = %t, %v, want %t (%d copies)", ok, err, isLive, w.copies[id])
	}
}
