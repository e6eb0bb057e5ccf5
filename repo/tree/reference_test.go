package tree

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The rules of docs/format.md section 6, applied to a whole list at once.

func referencePages(t *rapid.T, s *store, entries []Entry) []Element {
	var els []Element
	size, start := 0, 0
	end := func(i int) {
		b, err := EncodePage(&Page{entries[start:i]})
		if err != nil {
			t.Fatal(err)
		}
		id, _ := s.PutTree(context.Background(), b)
		els = append(els, Element{ID: id, Length: uint64(i - start), First: entries[start].Name})
		start, size = i, 0
	}
	for i := range entries {
		n := len(AppendEntry(nil, &entries[i]))
		if i > start && size+n > 65536 {
			end(i)
		}
		if size += n; size >= 4096 && testCutter.Ends([]byte(entries[i].Name)) {
			end(i + 1)
		}
	}
	if start < len(entries) {
		end(len(entries))
	}
	return els
}

func referenceList(t *rapid.T, s *store, els []Element, kind Type) []Element {
	if len(els) <= 32 {
		return els
	}
	var above []Element
	start := 0
	for i, el := range els {
		x := el.ID[:]
		if kind == Directory {
			x = []byte(el.First)
		}
		n := i + 1 - start
		if i+1 < len(els) && n < 256 && (n < 16 || el.Hole || !testCutter.Ends(x)) {
			continue
		}
		node := Node{Kind: kind, Elements: els[start : i+1]}
		b, err := EncodeNode(&node)
		if err != nil {
			t.Fatal(err)
		}
		id, _ := s.PutTree(context.Background(), b)
		up := Element{ID: id, First: els[start].First}
		for _, below := range node.Elements {
			up.Length += below.Length
			up.Count += max(below.Count, 1)
		}
		above = append(above, up)
		start = i + 1
	}
	return referenceList(t, s, above, kind)
}

func TestDirBuilderFollowsFormat(t *testing.T) {
	b := NewDirBuilder(nil, testCutter) // used again and again
	rapid.Check(t, func(t *rapid.T) {
		got, want := newStore(), newStore()
		n := rapid.SampledFrom([]int{0, 1, 50, 500, 3000, 8000}).Draw(t, "entries")
		big := rapid.IntRange(20, 4000).Draw(t, "one of how many is big")
		seed := rapid.IntRange(0, 1000).Draw(t, "seed")
		var entries []Entry
		for i := range n {
			e := plainFile(fmt.Sprintf("%d-%06d", seed, i), i)
			if i%big == big-1 {
				e.Xattrs = []Xattr{{"user.big", string(make([]byte, 50_000))}}
			}
			entries = append(entries, e)
		}
		b.lists.sink = got
		for i := range entries {
			if err := b.Add(context.Background(), &entries[i]); err != nil {
				t.Fatal(err)
			}
		}
		els, err := b.Finish(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		ref := referenceList(t, want, referencePages(t, want, entries), Directory)
		compare(t, els, ref, got, want)
	})
}

func TestListBuilderFollowsFormat(t *testing.T) {
	b := NewListBuilder(nil, testCutter)
	rapid.Check(t, func(t *rapid.T) {
		got, want := newStore(), newStore()
		n := rapid.SampledFrom([]int{0, 1, 31, 32, 33, 34, 48, 300, 5000, 20_000}).Draw(t, "elements")
		kinds := rapid.SampledFrom([]int{1, 2, 1 << 30}).Draw(t, "different chunks")
		holes := rapid.IntRange(1, 40).Draw(t, "one of how many is a hole")
		var els []Element
		for i := range n {
			if i%holes == holes-1 && (i == 0 || !els[len(els)-1].Hole) {
				els = append(els, Element{Hole: true, Length: uint64(1 + i)})
				continue
			}
			els = append(els, Element{ID: idOf(i % kinds), Length: 100})
		}
		b.lists.sink = got
		for _, el := range els {
			parts := []Element{el}
			if el.Hole && el.Length > 1 { // holes come in pieces
				parts = []Element{{Hole: true, Length: 1}, {Hole: true, Length: el.Length - 1}}
			}
			for _, part := range parts {
				if err := b.Add(context.Background(), part); err != nil {
					t.Fatal(err)
				}
			}
		}
		list, err := b.Finish(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		compare(t, list, referenceList(t, want, els, File), got, want)
	})
}

func compare(t *rapid.T, got, want []Element, gotChunks, wantChunks *store) {
	if !slices.Equal(got, want) {
		t.Fatalf("content is %d elements %v,\nwant %d %v", len(got), got, len(want), want)
	}
	if len(gotChunks.chunks) != len(wantChunks.chunks) {
		t.Fatalf("%d tree chunks, want %d", len(gotChunks.chunks), len(wantChunks.chunks))
	}
	for id := range wantChunks.chunks {
		if _, ok := gotChunks.chunks[id]; !ok {
			t.Fatalf("tree chunk %s is not stored", id)
		}
	}
}
