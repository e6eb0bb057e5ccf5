package tree

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"savepoint/chunk"

	"pgregory.net/rapid"
)

var (
	testCutter = newTestCutter()
	testIDs    = chunk.NewKey([32]byte{7})
)

// newTestCutter returns a Cutter for which a zero ID ends a node: a hole, which
// has one, must not.
func newTestCutter() *Cutter {
	for i := byte(0); ; i++ {
		if c := NewCutter([32]byte{i, 2, 3}); c.Ends(make([]byte, 32)) {
			return c
		}
	}
}

// store is a Sink and a Source in memory. What it returns is overwritten by
// the next call, as the contract of Source allows.
type store struct {
	mu     sync.Mutex
	key    *chunk.Key
	chunks map[chunk.ID]string
	last   []byte
	reads  int
}

func newStore() *store {
	return &store{key: chunk.NewKey([32]byte{9}), chunks: make(map[chunk.ID]string)}
}

func (s *store) PutTree(_ context.Context, data []byte) (chunk.ID, error) {
	id := s.key.Sum(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chunks[id] = string(data)
	return id, nil
}

func (s *store) TreeChunk(_ context.Context, id chunk.ID) ([]byte, error) {
	s.reads++
	for i := range s.last {
		s.last[i] = 0xAA
	}
	data, ok := s.chunks[id]
	if !ok {
		return nil, fmt.Errorf("no chunk %s", id)
	}
	s.last = []byte(data)
	return s.last, nil
}

func idOf(i int) chunk.ID {
	return testIDs.Sum([]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)})
}

// plainFile returns an entry as most are.
func plainFile(name string, i int) Entry {
	return Entry{
		Name: name, Type: File, Mode: 0o644, UID: 1000, GID: 1000, Size: 4096 + uint64(i%4096), MTime: 1_700_000_000_123_456_789,
		Content: []Element{{ID: idOf(i), Length: 4096 + uint64(i%4096)}}, Inode: 1_000_000 + uint64(i), CTime: 1_700_000_001_123_456_789,
		User: "game", Group: "game",
	}
}

func buildDir(t testing.TB, sink Sink, n int, entry func(int) Entry) []Element {
	t.Helper()
	b := NewDirBuilder(sink, testCutter)
	for i := range n {
		e := entry(i)
		if err := b.Add(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
	}
	els, err := b.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return els
}

func buildFile(t testing.TB, sink Sink, els []Element) []Element {
	t.Helper()
	b := NewListBuilder(sink, testCutter)
	for _, el := range els {
		if err := b.Add(t.Context(), el); err != nil {
			t.Fatal(err)
		}
	}
	out, err := b.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func genName() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.Byte(), 1, MaxName).Filter(func(b []byte) bool { return validName(string(b)) }).Draw(t, "name"))
	})
}

func genID() *rapid.Generator[chunk.ID] {
	return rapid.Map(rapid.IntRange(0, 1<<30), idOf)
}

// genList draws a list that one File entry or node may have.
func genList() *rapid.Generator[[]Element] {
	return rapid.Custom(func(t *rapid.T) []Element {
		n := rapid.IntRange(0, MaxContent).Draw(t, "elements")
		nodes := rapid.Bool().Draw(t, "nodes")
		var els []Element
		for i := range n {
			if nodes {
				count := rapid.Uint64Range(1, 1<<20).Draw(t, "count")
				els = append(els, Element{ID: genID().Draw(t, "id"), Length: count + rapid.Uint64Range(0, 1<<40).Draw(t, "length"), Count: count})
				continue
			}
			if (i == 0 || !els[i-1].Hole) && rapid.Bool().Draw(t, "hole") {
				els = append(els, Element{Hole: true, Length: rapid.Uint64Range(1, 1<<40).Draw(t, "length")})
				continue
			}
			els = append(els, Element{ID: genID().Draw(t, "id"), Length: rapid.Uint64Range(1, maxDataChunk).Draw(t, "length")})
		}
		return els
	})
}

// genEntry draws a valid entry of any type without a name.
func genEntry() *rapid.Generator[Entry] {
	return rapid.Custom(func(t *rapid.T) Entry {
		e := Entry{
			Type: Type(rapid.IntRange(1, 7).Draw(t, "type")), Mode: rapid.Uint32Range(0, modeBits).Draw(t, "mode"),
			UID: rapid.Uint32().Draw(t, "uid"), GID: rapid.Uint32().Draw(t, "gid"),
			MTime: rapid.Int64().Draw(t, "mtime"), CTime: rapid.Int64().Draw(t, "ctime"), Inode: rapid.Uint64().Draw(t, "inode"),
		}
		some := rapid.Bool()
		switch e.Type {
		case File:
			e.Content = genList().Draw(t, "content")
			for _, el := range e.Content {
				e.Size += el.Length
			}
			e.Splitter = rapid.Uint32Range(0, maxDataChunk).Draw(t, "splitter")
			e.Fault = uint8(rapid.IntRange(0, 1).Draw(t, "fault"))
		case Symlink:
			e.Target = "t" + genName().Draw(t, "target")
		case CharDevice, BlockDevice:
			e.Rdev = [2]uint32{rapid.Uint32().Draw(t, "major"), rapid.Uint32().Draw(t, "minor")}
		}
		if e.Type != Directory && some.Draw(t, "linked") {
			e.Link = &Link{Device: rapid.Uint32().Draw(t, "device"), Inode: rapid.Uint64().Draw(t, "link")}
		}
		if some.Draw(t, "attributed") {
			e.Xattrs = []Xattr{{"user.a", string(rapid.SliceOf(rapid.Byte()).Draw(t, "value"))}, {"user.b", ""}}
		}
		if some.Draw(t, "newer") {
			e.Extra = []ExtraField{{66, []byte{0x81, 0x01}}, {1 << 40, []byte{0xf5}}}
		}
		return e
	})
}
