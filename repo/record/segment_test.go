package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"savepoint/chunk"
	"savepoint/repo/pack"
)

func TestSegmentRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var packs []SegmentPack
		for i := range rapid.IntRange(0, 5).Draw(t, "packs") {
			packs = append(packs, packOf(uint64(i), rapid.SliceOfN(rapid.IntRange(1, 400), 1, 4).Draw(t, "blocks")...))
			if i > 0 && rapid.Bool().Draw(t, "common chunk") {
				packs[i].Entries[0].Chunk = packs[i-1].Entries[0].Chunk
			}
		}
		kind := rapid.SampledFrom([]pack.Kind{pack.Data, pack.Meta}).Draw(t, "kind")
		session := Session{ID(random(2, 16)), rapid.Int64().Draw(t, "began"), rapid.Int64().Draw(t, "renewed")}
		supersedes := make([]ID, rapid.IntRange(0, 3).Draw(t, "supersedes"))
		b, err := EncodeSegment(kind, session, supersedes, packs)
		if err != nil {
			t.Fatal(err)
		}
		s, err := DecodeSegment(b)
		if err != nil {
			t.Fatal(err)
		}
		if s.Kind != kind || s.Session != session || !slices.Equal(s.Supersedes, supersedes) {
			t.Fatalf("head is %v %v %v", s.Kind, s.Session, s.Supersedes)
		}
		slices.SortFunc(packs, func(a, b SegmentPack) int { return bytes.Compare(a.ID[:], b.ID[:]) })
		if d := s.Directories(); !slices.EqualFunc(d, packs, samePack) {
			t.Fatalf("Directories, -want +got:\n%s", cmp.Diff(packs, d))
		}
		again, err := EncodeSegment(kind, s.Session, s.Supersedes, s.Directories())
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encoded again: %v, or other bytes", err)
		}
		findAll(t, s, packs)
	})
}

// findAll looks up every chunk, and neighbours of it that are not there.
func findAll(t *rapid.T, s *Segment, packs []SegmentPack) {
	n := 0
	for p := range packs {
		for _, e := range packs[p].Entries {
			n++
			i, ok := s.Find(e.Chunk)
			if !ok || s.Chunk(i) != e.Chunk || i > 0 && s.Chunk(i-1) == e.Chunk {
				t.Fatalf("Find(%s) = %d, %v", e.Chunk, i, ok)
			}
			found := false
			for ; i < s.Len() && s.Chunk(i) == e.Chunk; i++ {
				at, got := s.Entry(i)
				found = found || at == p && got == e
			}
			if !found {
				t.Fatalf("chunk %s of pack %d is not among those found", e.Chunk, p)
			}
			e.Chunk[31] ^= 1
			if i, ok := s.Find(e.Chunk); ok {
				t.Fatalf("found a chunk that is not there at %d", i)
			}
		}
	}
	if s.Len() != n {
		t.Fatalf("%d entries, want %d", s.Len(), n)
	}
	for _, id := range []chunk.ID{{}, chunk.ID(bytes.Repeat([]byte{0xFF}, 32))} {
		if _, ok := s.Find(id); ok {
			t.Fatalf("found %s", id)
		}
	}
}

// TestSegmentBytes walks a segment by the text of docs/format.md section 7.
func TestSegmentBytes(t *testing.T) {
	a, b := packOf(1, 2), packOf(2, 1, 1030)
	if bytes.Compare(a.ID[:], b.ID[:]) > 0 {
		a, b = b, a
	}
	out := mustSegment(t, pack.Meta, testSession(), []ID{{7}}, []SegmentPack{b, a})
	head := "a9" + "01 02" + "02 50" + fmt.Sprintf("%x", random(1, 16)) + "03 1b17979cfe362a0000" + "04 1b17979d89e8f37000" +
		"05 81 50 07000000000000000000000000000000" + "06 02" + "07 03" + "08 19 0409" + "09 19 0400"
	want := fromHex(t, head)
	if n := int(binary.BigEndian.Uint32(out)); n != len(want) || !bytes.Equal(out[4:4+n], want) {
		t.Fatalf("head %x, want %x", out[4:4+n], want)
	}
	rest := out[4+len(want):]
	entries := rest[2*32+2*76+3*20:]
	if len(entries) != 1033*46 {
		t.Fatalf("%d bytes of entries, want %d", len(entries), 1033*46)
	}
	if !bytes.Equal(rest[:32], entries[:32]) || !bytes.Equal(rest[32:64], entries[1024*46:][:32]) {
		t.Error("fences are not entries 0 and 1,024")
	}
	first := uint32(0)
	for i, p := range []SegmentPack{a, b} {
		at := rest[64+i*76:]
		if !bytes.Equal(at[:32], p.ID[:]) || binary.BigEndian.Uint32(at[32:]) != p.Size || !bytes.Equal(at[36:68], p.Salt[:]) ||
			binary.BigEndian.Uint32(at[68:]) != first || binary.BigEndian.Uint32(at[72:]) != uint32(len(p.Blocks)) {
			t.Errorf("pack %d is %x", i, at[:76])
		}
		first += uint32(len(p.Blocks))
	}
	if !bytes.Equal(rest[64+152:][:60], pack.AppendBlocks(pack.AppendBlocks(nil, a.Blocks), b.Blocks)) {
		t.Error("blocks are not those of the packs, one after another")
	}
	var last []byte
	for e := range slices.Chunk(entries, 46) {
		if bytes.Compare(last, e[:42]) >= 0 {
			t.Fatal("entries are not in order of chunk ID, pack, block and offset")
		}
		last = e[:42]
	}
}

// TestSegmentRules breaks one rule of section 7 at a time.
func TestSegmentRules(t *testing.T) {
	p, q := packOf(1, 3, 2), packOf(2, 1)
	if bytes.Compare(p.ID[:], q.ID[:]) > 0 {
		p.ID, q.ID = q.ID, p.ID
	}
	q.Entries[0].Chunk = p.Entries[0].Chunk // the same chunk in both packs
	p.Entries[4].Chunk = p.Entries[1].Chunk // and one in both blocks of the first
	good := mustSegment(t, pack.Data, testSession(), nil, []SegmentPack{p, q})
	head := 4 + int(binary.BigEndian.Uint32(good))
	packs, blocks := head+32, head+32+2*76
	entries := blocks + 3*20
	first := func(b []byte, id chunk.ID) int { // the first of two entries with one chunk ID
		for i := entries; ; i += 46 {
			if bytes.Equal(b[i:i+32], id[:]) {
				return i
			}
		}
	}
	pair := func(b []byte) int { return first(b, p.Entries[0].Chunk) }
	swap := func(b []byte, i, j, n int) {
		x := slices.Clone(b[i : i+n])
		copy(b[i:], b[j:j+n])
		copy(b[j:], x)
	}
	put := binary.BigEndian.PutUint32
	for name, change := range map[string]func([]byte) []byte{
		"no head":                  func([]byte) []byte { return nil },
		"head of 4 GiB":            func(b []byte) []byte { put(b, 1<<32-1); return b },
		"head over 8 MiB":          func(b []byte) []byte { put(b, 8<<20+1); return append(b, make([]byte, 9<<20)...) },
		"one byte more":            func(b []byte) []byte { return append(b, 0) },
		"one entry less":           func(b []byte) []byte { return b[:len(b)-46] },
		"fence":                    func(b []byte) []byte { b[head+31] ^= 1; return b },
		"packs out of order":       func(b []byte) []byte { swap(b, packs, packs+76, 32); return b },
		"pack twice":               func(b []byte) []byte { copy(b[packs+76:], b[packs:packs+32]); return b },
		"pack size":                func(b []byte) []byte { b[packs+35] ^= 1; return b },
		"first block":              func(b []byte) []byte { b[packs+71] ^= 1; return b },
		"number of blocks":         func(b []byte) []byte { b[packs+75] ^= 1; return b },
		"4 billion blocks":         func(b []byte) []byte { put(b[packs+72:], 1<<32-1); return b },
		"first block beyond":       func(b []byte) []byte { put(b[packs+76+68:], 1<<32-1); return b },
		"block offset":             func(b []byte) []byte { b[blocks+3] ^= 1; return b },
		"block codec":              func(b []byte) []byte { b[blocks+12] = 9; return b },
		"block length":             func(b []byte) []byte { b[blocks+11]++; return b },
		"entries out of order":     func(b []byte) []byte { swap(b, entries+46, entries+92, 46); return b },
		"one chunk, packs swapped": func(b []byte) []byte { i := pair(b); swap(b, i, i+46, 46); return b },
		"one chunk, blocks swapped": func(b []byte) []byte {
			i := first(b, p.Entries[1].Chunk)
			swap(b, i, i+46, 46)
			return b
		},
		"pack without blocks":      func(b []byte) []byte { put(b[packs+72:], 0); return b },
		"entry twice":              func(b []byte) []byte { i := pair(b); copy(b[i+46:], b[i:i+46]); return b },
		"pack of an entry":         func(b []byte) []byte { b[pair(b)+46+33] = 2; return b },
		"block of an entry":        func(b []byte) []byte { b[entries+37] = 200; return b },
		"offset of an entry":       func(b []byte) []byte { b[entries+38] = 1; return b },
		"length of an entry":       func(b []byte) []byte { b[entries+45]++; return b },
		"empty entry":              func(b []byte) []byte { put(b[entries+42:], 0); return b },
		"length that wraps around": func(b []byte) []byte { put(b[entries+42:], 1<<32-1); return b },
	} {
		s, err := DecodeSegment(change(slices.Clone(good)))
		ofKind(t, name, err)
		if s != nil {
			t.Errorf("%s: a segment beside the error", name)
		}
	}
	for n := range len(good) {
		_, err := DecodeSegment(good[:n])
		ofKind(t, "cut short", err)
	}
	if _, err := DecodeSegment(good); err != nil {
		t.Fatal(err)
	}
}

func TestSegmentHead(t *testing.T) {
	lease := "02 50" + strings.Repeat("ab", 16)
	tail := " 09 19 0400"
	for name, tt := range map[string]struct {
		head string
		want error
	}{
		"empty segment":       {"a3 01 01" + lease + tail, nil},
		"field to be ignored": {"a4 01 01" + lease + tail + "1840 00", nil},
		"critical field":      {"a4 01 01" + lease + tail + "0a 00", ErrNewer},
		"no kind":             {"a2" + lease + tail, ErrMalformed},
		"unknown kind":        {"a3 01 03" + lease + tail, ErrMalformed},
		"no lease":            {"a2 01 01" + tail, ErrMalformed},
		"short lease":         {"a3 01 01 02 41 00" + tail, ErrMalformed},
		"zero written":        {"a4 01 01" + lease + "06 00" + tail, ErrMalformed},
		"other fences":        {"a3 01 01" + lease + "09 19 0401", ErrMalformed},
		"packs without bytes": {"a4 01 01" + lease + "06 01" + tail, ErrMalformed},
		"4 billion packs":     {"a4 01 01" + lease + "06 1affffffff" + tail, ErrMalformed},
		"4 billion entries":   {"a4 01 01" + lease + "08 1affffffff" + tail, ErrMalformed},
		"packs over u32":      {"a4 01 01" + lease + "06 1b0000000100000000" + tail, ErrMalformed},
		"short superseded":    {"a4 01 01" + lease + "05 81 41 00" + tail, ErrMalformed},
	} {
		head := fromHex(t, tt.head)
		_, err := DecodeSegment(append(binary.BigEndian.AppendUint32(nil, uint32(len(head))), head...))
		if tt.want == nil && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if tt.want != nil {
			ofKind(t, name, err)
			if _, newer := tt.want, tt.want == ErrNewer; newer != isNewer(err) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
	}
}

// TestEncodeSegmentRefuses has packs that no reader would take, and more than there is room for.
func TestEncodeSegmentRefuses(t *testing.T) {
	good := packOf(1, 3)
	change := func(f func(*SegmentPack)) []SegmentPack {
		p := packOf(1, 3)
		f(&p)
		return []SegmentPack{packOf(2, 1), p}
	}
	for name, packs := range map[string][]SegmentPack{
		"pack twice":     {good, packOf(2, 1), good},
		"chunk missing":  change(func(p *SegmentPack) { p.Entries = p.Entries[1:] }),
		"out of order":   change(func(p *SegmentPack) { slices.Reverse(p.Entries) }),
		"other size":     change(func(p *SegmentPack) { p.Size++ }),
		"unknown codec":  change(func(p *SegmentPack) { p.Blocks[0].Codec = 7 }),
		"no first block": change(func(p *SegmentPack) { p.Blocks = nil }),
		"no block":       change(func(p *SegmentPack) { p.Directory = pack.Directory{}; p.Size = uint32(pack.Size(nil, 0)) }),
	} {
		if _, err := EncodeSegment(pack.Data, testSession(), nil, packs); err == nil {
			t.Errorf("%s: it was encoded", name)
		}
	}
	if _, err := EncodeSegment(3, testSession(), nil, nil); err == nil {
		t.Error("a segment of an unknown kind was encoded")
	}
	if _, err := EncodeSegment(pack.Data, testSession(), make([]ID, 600_000), nil); err == nil {
		t.Error("a head over 8 MiB was encoded")
	}
	large := make([]SegmentPack, 23)
	for i := range large {
		large[i] = packOf(uint64(i), 65536)
	}
	if _, err := EncodeSegment(pack.Data, testSession(), nil, large); err == nil {
		t.Error("a segment over 64 MiB was encoded")
	}
	b := mustSegment(t, pack.Data, testSession(), nil, large[:21])
	if s, err := DecodeSegment(b); err != nil || s.Len() != 21*65536 || int64(len(b)) > SegmentSize(21, 21, 21*65536) {
		t.Errorf("%d bytes, estimated %d: %v", len(b), SegmentSize(21, 21, 21*65536), err)
	}
}

// TestSegmentMostPacks has 65,536 packs, the most that the entries' 16 bits can name.
func TestSegmentMostPacks(t *testing.T) {
	packs := make([]SegmentPack, 65537)
	for i := range packs {
		packs[i] = packOf(uint64(i), 1)
	}
	if _, err := EncodeSegment(pack.Data, testSession(), nil, packs); err == nil {
		t.Error("65,537 packs were encoded")
	}
	s, err := DecodeSegment(mustSegment(t, pack.Data, testSession(), nil, packs[:65536]))
	if err != nil {
		t.Fatal(err)
	}
	packs = packs[:65536]
	slices.SortFunc(packs, func(a, b SegmentPack) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for _, i := range []int{0, 1, 32767, 32768, 65535} {
		e := packs[i].Entries[0]
		at, ok := s.Find(e.Chunk)
		if p, got := s.Entry(at); !ok || p != i || got != e {
			t.Errorf("chunk of pack %d: %v, pack %d", i, ok, p)
		}
	}
	if !slices.EqualFunc(s.Directories(), packs, samePack) {
		t.Error("Directories are not those that were encoded")
	}
}

// TestDirectoriesApart holds that the directories of one segment share no room to grow in.
func TestDirectoriesApart(t *testing.T) {
	s, err := DecodeSegment(mustSegment(t, pack.Data, testSession(), nil, []SegmentPack{packOf(1, 3), packOf(2, 2)}))
	if err != nil {
		t.Fatal(err)
	}
	d := s.Directories()
	want := d[1].Entries[0]
	_ = append(d[0].Entries, pack.Entry{})
	if d[1].Entries[0] != want {
		t.Error("appending to one directory changes the next")
	}
}
