package tree

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"savepoint/chunk"

	"github.com/google/go-cmp/cmp"
)

const manyEntries = 60_000

func manyNames(i int) string { return fmt.Sprintf("player-%06d", i*2) }

func manyDir(t *testing.T) (*store, []Element) {
	s := newStore()
	els := buildDir(t, s, manyEntries, func(i int) Entry { return plainFile(manyNames(i), i) })
	if els[0].Count == 0 {
		t.Fatal("the directory has no nodes")
	}
	return s, els
}

func TestEntries(t *testing.T) {
	s, content := manyDir(t)
	for _, tt := range []struct {
		after string
		first int
	}{
		{"", 0}, {"a", 0}, {manyNames(0), 1}, {manyNames(29_999), 30_000}, {"player-060001", 30_001},
		{manyNames(manyEntries - 2), manyEntries - 1}, {manyNames(manyEntries - 1), manyEntries}, {"z", manyEntries},
	} {
		i := tt.first
		for e, err := range Entries(t.Context(), s, content, tt.after) {
			if err != nil {
				t.Fatal(err)
			}
			want := plainFile(manyNames(i), i)
			if i%1000 == 0 || i == tt.first {
				if d := cmp.Diff(want, *e); d != "" {
					t.Fatal(d)
				}
			}
			if e.Name != want.Name {
				t.Fatalf("after %q: %q, want %q", tt.after, e.Name, want.Name)
			}
			i++
		}
		if i != manyEntries {
			t.Errorf("after %q: ended at %d", tt.after, i)
		}
	}
}

func TestEntriesReadsOnlyWhatItNeeds(t *testing.T) {
	s, content := manyDir(t)
	s.reads = 0
	for e, err := range Entries(t.Context(), s, content, manyNames(40_000)) {
		if err != nil || e.Name != manyNames(40_001) {
			t.Fatal(e, err)
		}
		break
	}
	if s.reads > 5 {
		t.Errorf("%d chunks read for one entry of %d", s.reads, len(s.chunks))
	}
	s.reads = 0
	for range Entries(t.Context(), s, content, "z") {
	}
	if s.reads > 5 {
		t.Errorf("%d chunks read for none", s.reads)
	}
}

func TestEntriesSkipsPageBeforeName(t *testing.T) {
	s := newStore()
	content := buildDir(t, s, 1000, func(i int) Entry { return plainFile(manyNames(i), i) })
	s.reads = 0
	for e, err := range Entries(t.Context(), s, content, content[1].First) {
		if err != nil || e.Name <= content[1].First {
			t.Fatal(e, err)
		}
		break
	}
	if s.reads != 1 {
		t.Errorf("%d pages read, want only that which begins with the name", s.reads)
	}
}

func TestEntriesStaysValidAsCopy(t *testing.T) {
	s := newStore()
	content := buildDir(t, s, 2000, func(i int) Entry { return plainFile(manyNames(i), i) })
	var all []Entry
	for e, err := range Entries(t.Context(), s, content, "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, *e)
	}
	for i, e := range all {
		if d := cmp.Diff(plainFile(manyNames(i), i), e); d != "" {
			t.Fatal(d)
		}
	}
}

func TestFind(t *testing.T) {
	s, content := manyDir(t)
	for i := 0; i < manyEntries; i += 997 {
		s.reads = 0
		e, err := Find(t.Context(), s, content, manyNames(i))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(plainFile(manyNames(i), i), *e); d != "" {
			t.Fatal(d)
		}
		if s.reads > 4 {
			t.Errorf("%d chunks read", s.reads)
		}
	}
	for _, name := range []string{"", "a", "player-000001", "player-060001", "z"} {
		if e, err := Find(t.Context(), s, content, name); !errors.Is(err, ErrNotFound) {
			t.Errorf("Find(%q) = %v, %v", name, e, err)
		}
	}
	if _, err := Find(t.Context(), s, nil, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Find in an empty directory: %v", err)
	}
}

func TestLookup(t *testing.T) {
	s := newStore()
	file := plainFile("file", 1)
	inner := Entry{Name: "inner", Type: Directory, Content: buildDir(t, s, 1, func(int) Entry { return file })}
	root := &Entry{Type: Directory, Content: buildDir(t, s, 1, func(int) Entry { return inner })}
	for path, want := range map[string]string{
		"": "", ".": "", "/": "", "inner": "inner", "inner/file": "file", "/inner//./file": "file", "inner/": "inner",
	} {
		e, err := Lookup(t.Context(), s, root, path)
		if err != nil || e.Name != want {
			t.Errorf("Lookup(%q) = %v, %v", path, e, err)
		}
	}
	for _, path := range []string{"other", "inner/other", "inner/file/x", "..", "inner/.."} {
		if e, err := Lookup(t.Context(), s, root, path); !errors.Is(err, ErrNotFound) {
			t.Errorf("Lookup(%q) = %v, %v", path, e, err)
		}
	}
}

func TestElements(t *testing.T) {
	s := newStore()
	els := manyChunks(50_000)
	for i := range els {
		els[i].Length = uint64(1 + i%5)
		if i%10 == 9 {
			els[i] = Element{Hole: true, Length: 100}
		}
	}
	content := buildFile(t, s, els)
	starts := make([]uint64, len(els)+1)
	for i, el := range els {
		starts[i+1] = starts[i] + el.Length
	}
	size := starts[len(els)]
	for _, off := range []uint64{0, 1, starts[777], starts[777] - 1, starts[9] + 50, size / 2, size - 1, size, size + 1, 1 << 63} {
		i, found := slices.BinarySearch(starts, off)
		if !found {
			i--
		}
		s.reads = 0
		first := true
		for x, err := range Elements(t.Context(), s, content, off) {
			if err != nil || x.Element != els[i] || x.Offset != starts[i] {
				t.Fatalf("from %d: %+v, %v; want %+v at %d", off, x, err, els[i], starts[i])
			}
			if first && s.reads > 4 {
				t.Errorf("%d nodes read to find %d", s.reads, off)
			}
			first = false
			i++
		}
		if i < len(els) {
			t.Errorf("from %d: ended at %d", off, i)
		}
	}
}

func TestReadersEndWithContext(t *testing.T) {
	s, content := manyDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range Entries(ctx, s, content, "") {
		if n++; n == 10 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) || n > 3000 {
		t.Errorf("%d entries, then %v", n, last)
	}
}

// put stores a node of els and returns its element.
func put(t *testing.T, s *store, kind Type, els ...Element) Element {
	t.Helper()
	b, err := EncodeNode(&Node{Kind: kind, Elements: els})
	if err != nil {
		t.Fatal(err)
	}
	id, _ := s.PutTree(t.Context(), b)
	sum, _ := checkList(els, kind)
	return Element{ID: id, Length: sum.length, Count: sum.count, First: els[0].First}
}

// putPage stores a page of fifos and returns its element.
func putPage(t *testing.T, s *store, names ...string) Element {
	t.Helper()
	var p Page
	for _, name := range names {
		p.Entries = append(p.Entries, Entry{Name: name, Type: Fifo})
	}
	b, err := EncodePage(&p)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := s.PutTree(t.Context(), b)
	return Element{ID: id, Length: uint64(len(names)), First: names[0]}
}

func with(el Element, change func(*Element)) Element {
	change(&el)
	return el
}

func TestEntriesRefusesWhatDoesNotFit(t *testing.T) {
	s := newStore()
	ab, c, az := putPage(t, s, "a", "b"), putPage(t, s, "c"), putPage(t, s, "a", "z")
	deep := ab
	for range MaxDepth + 1 {
		deep = put(t, s, Directory, deep)
	}
	file := put(t, s, File, Element{ID: idOf(1), Length: 2})
	for name, content := range map[string][]Element{
		"more entries":      {with(ab, func(el *Element) { el.Length = 3 })},
		"fewer entries":     {with(ab, func(el *Element) { el.Length = 1 })},
		"other first name":  {with(ab, func(el *Element) { el.First = "aa" })},
		"pages overlap":     {az, c},
		"in nodes, overlap": {put(t, s, Directory, az), put(t, s, Directory, c)},
		"a page twice":      {ab, with(ab, func(el *Element) { el.First = "b" })},
		"node counts":       {with(put(t, s, Directory, ab, c), func(el *Element) { el.Count = 1 })},
		"node length":       {with(put(t, s, Directory, ab, c), func(el *Element) { el.Length = 4 })},
		"node first":        {with(put(t, s, Directory, ab, c), func(el *Element) { el.First = "b" })},
		"node of a file":    {with(file, func(el *Element) { el.First = "a" })},
		"page for a node":   {with(ab, func(el *Element) { el.Count = 1 })},
		"node for a page":   {with(put(t, s, Directory, ab), func(el *Element) { el.Count = 0 })},
		"too deep":          {deep},
		"a bad list":        {c, ab},
	} {
		t.Run(name, func(t *testing.T) {
			var last error
			n := 0
			for _, err := range Entries(t.Context(), s, content, "") {
				if last != nil {
					t.Error("goes on after an error")
				}
				last = err
				n++
			}
			if !errors.Is(last, ErrCorrupt) || n > 4 {
				t.Errorf("Entries: %d, then %v", n, last)
			}
			_, errA := Find(t.Context(), s, content, "a")
			_, errC := Find(t.Context(), s, content, "c")
			if !errors.Is(errA, ErrCorrupt) && !errors.Is(errC, ErrCorrupt) {
				t.Errorf("Find: %v and %v", errA, errC)
			}
		})
	}
	fits := c
	for range MaxDepth {
		fits = put(t, s, Directory, fits)
	}
	if e, err := Find(t.Context(), s, []Element{fits}, "c"); err != nil || e.Name != "c" {
		t.Errorf("Find in nodes 8 deep: %v, %v", e, err)
	}
	if _, err := Find(t.Context(), s, []Element{{ID: chunk.ID{5}, Length: 1, First: "a"}}, "a"); err == nil || errors.Is(err, ErrCorrupt) {
		t.Errorf("an error of the source became %v", err)
	}
}

func TestElementsRefusesWhatDoesNotFit(t *testing.T) {
	s := newStore()
	el, hole := Element{ID: idOf(1), Length: 100}, Element{Hole: true, Length: 7}
	deep := el
	for range MaxDepth + 1 {
		deep = put(t, s, File, deep)
	}
	page := putPage(t, s, "a", "b")
	for name, content := range map[string][]Element{
		"length":      {with(put(t, s, File, el, hole), func(el *Element) { el.Length++ })},
		"count":       {with(put(t, s, File, el, hole), func(el *Element) { el.Count++ })},
		"holes touch": {put(t, s, File, el, hole), put(t, s, File, hole, el)},
		"too deep":    {deep},
		"a page":      {{ID: page.ID, Length: 2, Count: 1}},
		"directory":   {with(put(t, s, Directory, page), func(el *Element) { el.First = "" })},
		"a bad list":  {hole, hole},
	} {
		t.Run(name, func(t *testing.T) {
			var last error
			for _, err := range Elements(t.Context(), s, content, 0) {
				last = err
			}
			if !errors.Is(last, ErrCorrupt) {
				t.Errorf("ended with %v", last)
			}
		})
	}
}
