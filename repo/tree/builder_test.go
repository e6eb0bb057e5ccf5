package tree

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"savepoint/chunk"
)

func TestDirBuilderRefuses(t *testing.T) {
	entry := func(name string) *Entry { return &Entry{Name: name, Type: Fifo} }
	for name, tt := range map[string]struct {
		entries []*Entry
		want    []string
	}{
		"disorder": {[]*Entry{entry("b"), entry("a")}, []string{`"a"`, `"b"`}},
		"twice":    {[]*Entry{entry("b"), entry("b")}, []string{`"b"`}},
		"no name":  {[]*Entry{entry("")}, []string{"name"}},
		"invalid":  {[]*Entry{{Name: "x", Type: 9}}, []string{`"x"`, "type 9"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewDirBuilder(newStore(), testCutter)
			var err error
			for _, e := range tt.entries {
				err = b.Add(t.Context(), e)
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not have %q", err, want)
				}
			}
			if _, again := b.Finish(t.Context()); again != err {
				t.Errorf("Finish: %v, want the error of Add", again)
			}
		})
	}
}

func TestListBuilderRefuses(t *testing.T) {
	id := chunk.ID{1}
	for name, els := range map[string][]Element{
		"node":         {{ID: id, Length: 1, Count: 1}},
		"empty chunk":  {{ID: id}},
		"empty hole":   {{Hole: true}},
		"zero ID":      {{Length: 1}},
		"hole with ID": {{Hole: true, ID: id, Length: 1}},
		"long chunk":   {{ID: id, Length: maxDataChunk + 1}},
		"first name":   {{ID: id, Length: 1, First: "a"}},
		"over 2^63":    {{Hole: true, Length: math.MaxInt64}, {Hole: true, Length: 1}},
	} {
		b := NewListBuilder(newStore(), testCutter)
		var err error
		for _, el := range els {
			err = b.Add(t.Context(), el)
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestListBuilderStartsOver(t *testing.T) {
	b := NewListBuilder(newStore(), testCutter)
	for range 3 {
		if err := b.Add(t.Context(), Element{Hole: true, Length: math.MaxInt64}); err != nil {
			t.Fatal(err)
		}
		if els, err := b.Finish(t.Context()); err != nil || len(els) != 1 || els[0].Length != math.MaxInt64 {
			t.Fatalf("Finish = %v, %v", els, err)
		}
	}
}

func TestCutterLooksAtLastByte(t *testing.T) {
	secret := [32]byte{5}
	c, key := NewCutter(secret), chunk.NewKey(secret)
	ends := 0
	for i := range 64_000 {
		x := fmt.Appendf(nil, "name %d", i)
		sum := key.Sum(x)
		if got, want := c.Ends(x), sum[31]%64 == 0; got != want {
			t.Fatalf("Ends(%q) = %t, want %t", x, got, want)
		} else if got {
			ends++
		}
	}
	if ends < 800 || ends > 1200 {
		t.Errorf("%d of 64,000 names end a page", ends)
	}
	if n := testing.AllocsPerRun(100, func() { c.Ends(secret[:]) }); n != 0 {
		t.Errorf("Ends allocates %v times", n)
	}
}

// failing is a Sink that fails at one call.
type failing struct {
	store
	at int
}

var errSink = errors.New("disk full")

func (f *failing) PutTree(ctx context.Context, data []byte) (chunk.ID, error) {
	if f.at--; f.at < 0 {
		return chunk.ID{}, errSink
	}
	return f.store.PutTree(ctx, data)
}

func TestBuildersReturnSinkErrors(t *testing.T) {
	for at := 0; ; at += 7 {
		sink := &failing{store: *newStore(), at: at}
		dir, list := NewDirBuilder(sink, testCutter), NewListBuilder(sink, testCutter)
		for i := range 5000 {
			e := plainFile(fmt.Sprintf("%06d", i), i)
			_ = dir.Add(t.Context(), &e) // Finish repeats the error
			_ = list.Add(t.Context(), Element{ID: idOf(i), Length: 1})
		}
		_, errDir := dir.Finish(t.Context())
		_, errList := list.Finish(t.Context())
		if sink.at >= 0 {
			if errDir != nil || errList != nil || at < 50 {
				t.Fatalf("after %d calls: %v, %v", at, errDir, errList)
			}
			return
		}
		if !errors.Is(errDir, errSink) && !errors.Is(errList, errSink) {
			t.Fatalf("call %d failed: %v, %v", at, errDir, errList)
		}
	}
}

// slow is a Sink that lets others run, more or less often.
type slow struct {
	store
	yields int
}

func (s *slow) PutTree(ctx context.Context, data []byte) (chunk.ID, error) {
	kept := slices.Clone(data)
	for range s.yields {
		runtime.Gosched()
	}
	if !slices.Equal(kept, data) {
		return chunk.ID{}, errors.New("data changed while it was stored")
	}
	id, err := s.store.PutTree(ctx, data)
	clear(data) // whatever a sink leaves behind
	return id, err
}

func TestBuildersAtTheSameTime(t *testing.T) {
	const builders = 4
	var roots [builders]string
	var wg sync.WaitGroup
	for i := range builders {
		wg.Go(func() {
			sink := &slow{store: *newStore(), yields: 10 * i}
			roots[i] = fmt.Sprint(
				buildDir(t, sink, 6000, func(i int) Entry { return plainFile(fmt.Sprintf("%06d", i), i) }),
				buildFile(t, sink, manyChunks(6000)))
		})
	}
	wg.Wait()
	for i := range builders {
		if roots[i] != roots[0] {
			t.Errorf("builder %d made %s, want %s", i, roots[i], roots[0])
		}
	}
}

func manyChunks(n int) []Element {
	els := make([]Element, n)
	for i := range els {
		els[i] = Element{ID: idOf(i), Length: 1000}
	}
	return els
}

func TestInsertChangesFewChunks(t *testing.T) {
	const n = 100_000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("player-%06d.json", i)
	}
	build := func(names []string) *store {
		s := newStore()
		buildDir(t, s, len(names), func(i int) Entry { return plainFile(names[i], len(names[i])) })
		return s
	}
	before := build(names)
	if len(before.chunks) < 500 || len(before.chunks) > 3000 {
		t.Errorf("%d entries made %d pages and nodes", n, len(before.chunks))
	}
	for _, at := range []int{0, 1, 12_345, 50_000, 99_999, n} {
		name := "new"
		if at > 0 {
			name = names[at-1] + "-inserted"
		}
		after := build(slices.Insert(slices.Clone(names), at, name))
		changed, bytes := 0, 0
		for id, data := range after.chunks {
			if _, ok := before.chunks[id]; !ok {
				changed, bytes = changed+1, bytes+len(data)
			}
		}
		if changed < 1 || changed > 6 || bytes > 100_000 {
			t.Errorf("insertion at %d made %d new chunks of %d bytes", at, changed, bytes)
		}
	}
}

func TestInsertIntoFileChangesFewNodes(t *testing.T) {
	els := manyChunks(100_000)
	before, after := newStore(), newStore()
	buildFile(t, before, els)
	buildFile(t, after, slices.Insert(els, 54_321, Element{ID: idOf(1 << 25), Length: 7}))
	changed := 0
	for id := range after.chunks {
		if _, ok := before.chunks[id]; !ok {
			changed++
		}
	}
	if changed < 1 || changed > 8 {
		t.Errorf("insertion made %d new nodes of %d", changed, len(after.chunks))
	}
}

// discard is a Sink that counts and measures the heap.
type discard struct {
	key   *chunk.Key
	calls int
	bytes int64
	peak  uint64
}

func (d *discard) PutTree(_ context.Context, data []byte) (chunk.ID, error) {
	if d.calls++; d.calls%512 == 0 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		d.peak = max(d.peak, m.HeapAlloc)
	}
	d.bytes += int64(len(data))
	return d.key.Sum(data), nil
}

func TestMillionEntriesInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a million entries")
	}
	sink := &discard{key: chunk.NewKey([32]byte{9})}
	els := buildDir(t, sink, 1_000_000, func(i int) Entry { return plainFile(fmt.Sprintf("player-%07d.json", i), 1) })
	sum, err := checkList(els, Directory)
	if err != nil || sum.length != 1_000_000 {
		t.Errorf("content has %d entries, %v", sum.length, err)
	}
	// What is in use after a collection, the rest of the process included.
	if sink.peak == 0 || sink.peak > 8<<20 {
		t.Errorf("heap of %d bytes in use", sink.peak)
	}
	t.Logf("%d chunks of %d bytes, heap at most %d, %d elements at the top", sink.calls, sink.bytes, sink.peak, len(els))
}

func TestMillionEqualChunks(t *testing.T) {
	for i := range 200 { // enough for an ID that ends nodes and one that does not
		el := Element{ID: idOf(i), Length: 1 << 20}
		ends := testCutter.Ends(el.ID[:])
		if !ends && i > 0 {
			continue
		}
		s := newStore()
		b := NewListBuilder(s, testCutter)
		for range 1_000_000 {
			if err := b.Add(t.Context(), el); err != nil {
				t.Fatal(err)
			}
		}
		content, err := b.Finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var n int
		for x, err := range Elements(t.Context(), s, content, 0) {
			if err != nil || x.Element != el || x.Offset != uint64(n)<<20 {
				t.Fatalf("element %d is %+v, %v", n, x, err)
			}
			n++
		}
		if n != 1_000_000 || len(s.chunks) > 60 {
			t.Errorf("%d elements in %d nodes", n, len(s.chunks))
		}
		if ends {
			return
		}
	}
	t.Error("no ID ends a node")
}

func TestSparseFileIsSmall(t *testing.T) {
	const size = 1 << 40
	s := newStore()
	var els []Element
	for range size >> 30 { // a hole, seen in pieces
		els = append(els, Element{Hole: true, Length: 1 << 30})
	}
	e := Entry{Name: "image", Type: File, Size: size, Content: buildFile(t, s, els)}
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	if b := AppendEntry(nil, &e); len(b) > 40 || len(s.chunks) != 0 {
		t.Errorf("entry of %d bytes, %d nodes", len(b), len(s.chunks))
	}
}

func BenchmarkDirBuilder(b *testing.B) {
	sink := &discard{key: chunk.NewKey([32]byte{9}), calls: math.MinInt}
	e := plainFile("", 1)
	name := []byte("player-0000000.json")
	b.ReportAllocs()
	dir := NewDirBuilder(sink, testCutter)
	i := 0
	for b.Loop() {
		for n, at := i, len(name)-6; n > 0; n, at = n/10, at-1 {
			name[at] = '0' + byte(n%10)
		}
		i++
		e.Name = string(name)
		if err := dir.Add(b.Context(), &e); err != nil {
			b.Fatal(err)
		}
	}
}
