package pack

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"savepoint/chunk"
	"savepoint/repo/seal"
)

// drawDirectory draws a directory that is consistent.
func drawDirectory(t *rapid.T) Directory {
	var d Directory
	at := uint32(seal.HeaderLen)
	for block := range rapid.IntRange(0, 6).Draw(t, "blocks") {
		info := BlockInfo{Offset: at, Codec: rapid.Uint8Range(0, 1).Draw(t, "codec")}
		pos := uint32(0)
		for range rapid.IntRange(1, 5).Draw(t, "chunks") {
			e := Entry{Block: uint32(block), Offset: pos, Length: rapid.Uint32Range(1, 1<<20).Draw(t, "length")}
			e.Chunk = chunk.ID(random(uint64(at)<<20|uint64(pos), 32))
			d.Entries = append(d.Entries, e)
			pos += e.Length
			info.Plain += e.Length + 4
		}
		info.Plain += 4
		if info.Stored = info.Plain + seal.TagLen; info.Codec == codecZstd {
			info.Stored = rapid.Uint32Range(seal.TagLen+1, info.Stored).Draw(t, "stored")
		}
		d.Blocks = append(d.Blocks, info)
		at = uint32(info.End())
	}
	return d
}

func TestDirectoryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDirectory(t)
		b := d.append(nil)
		if len(b) != 8+20*len(d.Blocks)+44*len(d.Entries) {
			t.Fatalf("%d bytes for %d blocks and %d chunks", len(b), len(d.Blocks), len(d.Entries))
		}
		got, err := ParseDirectory(b)
		if err != nil || !slices.Equal(got.Blocks, d.Blocks) || !slices.Equal(got.Entries, d.Entries) {
			t.Fatalf("ParseDirectory: %v, -want +got:\n%s", err, cmp.Diff(d, got))
		}
		if n := rapid.IntRange(0, len(b)-1).Draw(t, "cut"); true {
			if _, err := ParseDirectory(b[:n]); err == nil {
				t.Fatalf("the first %d of %d bytes were taken", n, len(b))
			}
		}
	})
}

// TestDirectoryRules breaks one rule of docs/format.md section 5 at a time.
func TestDirectoryRules(t *testing.T) {
	good := func() Directory {
		return Directory{
			Blocks:  []BlockInfo{{Offset: 52, Stored: 134, Plain: 118}, {Offset: 202, Stored: 30, Plain: 58, Codec: codecZstd}},
			Entries: []Entry{{Length: 60}, {Offset: 60, Length: 46}, {Block: 1, Length: 50}},
		}
	}
	for name, change := range map[string]func(*Directory){
		"nothing":                  nil,
		"first block not at 52":    func(d *Directory) { d.Blocks[0].Offset = 53 },
		"gap between blocks":       func(d *Directory) { d.Blocks[1].Offset++ },
		"blocks overlap":           func(d *Directory) { d.Blocks[1].Offset-- },
		"blocks swapped":           func(d *Directory) { slices.Reverse(d.Blocks) },
		"unknown codec":            func(d *Directory) { d.Blocks[1].Codec = 2 },
		"dictionary":               func(d *Directory) { d.Blocks[1].Dictionary = 1 },
		"no sealed bytes":          func(d *Directory) { d.Blocks[1].Stored = 16 },
		"stored too long":          func(d *Directory) { d.Blocks[1].Stored = MaxPlain + 65 },
		"stored at the most":       func(d *Directory) { d.Blocks[1].Stored = math.MaxUint32 },
		"not packed, but shorter":  func(d *Directory) { d.Blocks[0].Stored--; d.Blocks[1].Offset-- },
		"plain too long":           func(d *Directory) { d.Blocks[1].Plain = MaxPlain + 1 },
		"block not full":           func(d *Directory) { d.Blocks[1].Plain++ },
		"block overfull":           func(d *Directory) { d.Blocks[1].Plain-- },
		"empty chunk":              func(d *Directory) { d.Entries[2].Length = 0 },
		"chunk too long":           func(d *Directory) { d.Entries[2].Length = MaxChunk + 1; d.Blocks[1].Plain = MaxChunk + 9 },
		"gap before the first":     func(d *Directory) { d.Entries[0].Offset = 1 },
		"gap between chunks":       func(d *Directory) { d.Entries[1].Offset++ },
		"chunks overlap":           func(d *Directory) { d.Entries[1].Offset-- },
		"chunks swapped":           func(d *Directory) { d.Entries[0], d.Entries[1] = d.Entries[1], d.Entries[0] },
		"chunk in another block":   func(d *Directory) { d.Entries[1].Block = 1 },
		"chunk in no block":        func(d *Directory) { d.Entries[2].Block = 2 },
		"one chunk too many":       func(d *Directory) { d.Entries = append(d.Entries, Entry{Block: 1, Offset: 50, Length: 1}) },
		"one chunk missing":        func(d *Directory) { d.Entries = d.Entries[:2] },
		"chunks without blocks":    func(d *Directory) { d.Blocks = nil },
		"length that wraps around": func(d *Directory) { d.Entries[1].Length = math.MaxUint32 },
	} {
		d := good()
		if change == nil {
			if err := d.Validate(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		change(&d)
		damaged(t, name, d.Validate())
		_, err := ParseDirectory(d.append(nil))
		damaged(t, name+", parsed", err)
	}
	long := Directory{}
	for at := uint32(52); at < 70<<20; at = uint32(long.Blocks[len(long.Blocks)-1].End()) {
		long.Blocks = append(long.Blocks, BlockInfo{Offset: at, Stored: MaxPlain, Plain: MaxChunk + 8, Codec: codecZstd})
		long.Entries = append(long.Entries, Entry{Block: uint32(len(long.Blocks) - 1), Length: MaxChunk})
	}
	damaged(t, "pack too long", long.Validate())
	b := good().append(nil)
	b[8+20*2+32]++ // chunk 0's block
	_, err := ParseDirectory(b)
	damaged(t, "bytes", err)
	b = good().append(nil)
	b[8+4+9] = 1 // zeros of block 0
	_, err = ParseDirectory(b)
	damaged(t, "zeros that are not", err)
}

func TestParseTrailer(t *testing.T) {
	tail := func(n uint32) []byte { return append(binary.BigEndian.AppendUint32(nil, n), endMagic...) }
	for _, tt := range []struct {
		name   string
		tail   []byte
		size   int64
		off, n int64
	}{
		{"least", tail(24), 52 + 24 + 12, 52, 24},
		{"more in view", append([]byte("view"), tail(100)...), 1000, 888, 100},
		{"most", tail(24), MaxSize, MaxSize - 36, 24},
		{"over the most", tail(24), MaxSize + 1, 0, 0},
		{"beyond the header", tail(25), 52 + 24 + 12, 0, 0},
		{"of 4 GiB", tail(math.MaxUint32), 1000, 0, 0},
		{"too short for a directory", tail(23), 1000, 0, 0},
		{"no magic", make([]byte, 12), 1000, 0, 0},
		{"cut", tail(24)[1:], 1000, 0, 0},
		{"nothing", nil, 0, 0, 0},
	} {
		off, n, err := ParseTrailer(tt.tail, tt.size)
		if off != tt.off || n != tt.n || (err == nil) != (tt.n > 0) {
			t.Errorf("%s: %d, %d, %v; want %d, %d", tt.name, off, n, err, tt.off, tt.n)
		}
	}
}

func TestTableOf(t *testing.T) {
	table := func(plain int, n ...uint32) []byte {
		b := make([]byte, plain)
		for _, x := range n {
			b = binary.BigEndian.AppendUint32(b, x)
		}
		return b
	}
	for name, tt := range map[string]struct {
		b    []byte
		want []uint32
	}{
		"one":               {table(5, 5, 1), []uint32{5}},
		"two":               {table(5, 2, 3, 2), []uint32{2, 3}},
		"none":              {table(0, 0), nil},
		"nothing":           {nil, nil},
		"bytes of no chunk": {table(5, 4, 1), nil},
		"too few bytes":     {table(5, 6, 1), nil},
		"empty chunk":       {table(5, 5, 0, 2), nil},
		"4 billion":         {table(5, math.MaxUint32), nil},
		"2 to the 30":       {table(5, 1<<30), nil},
		"too many":          {table(5, 1, 1, 1, 1, 1, 9), nil},
		"sum wraps around":  {table(5, math.MaxUint32, 6, 2), nil},
	} {
		got, err := tableOf(tt.b)
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.want != nil) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, tt.want)
		}
		if err != nil {
			damaged(t, name, err)
		}
	}
}

// sealedBlock returns a block with these sealed bytes, and what it says of itself.
func sealedBlock(t testing.TB, packed []byte, plain uint32) (*Opener, BlockInfo, []byte) {
	t.Helper()
	p := newBuilder(t, Data)
	info := BlockInfo{Stored: uint32(len(packed) + seal.TagLen), Plain: plain, Codec: codecZstd}
	if !p.place(info, nil, packed) {
		t.Fatal("a block does not fit")
	}
	o, err := NewOpener(testRing, newCodec(t), Data, p.head.Salt)
	if err != nil {
		t.Fatal(err)
	}
	info.Offset = seal.HeaderLen
	return o, info, p.buf[info.Offset:info.End()]
}

// frame returns one zstd frame; a stream does not say how long it is.
func frame(t testing.TB, plain []byte, stream bool) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false))
	if err != nil {
		t.Fatal(err)
	}
	if !stream {
		return w.EncodeAll(plain, nil)
	}
	var out sliceWriter
	w.Reset(&out)
	for part := range slices.Chunk(plain, 1<<20) {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

type sliceWriter []byte

func (w *sliceWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

// TestBombs opens frames that say they hold little, or nothing about it, and hold much: no more memory is taken than a
// block may have.
func TestBombs(t *testing.T) {
	huge := make([]byte, 64<<20)
	known, stream := frame(t, huge, false), frame(t, huge, true)
	for name, tt := range map[string]struct {
		packed []byte
		plain  uint32
		most   uint64
	}{
		"length known":          {known, 100, 1 << 20},
		"length not known":      {stream, 100, 1 << 20},
		"longest block":         {stream, MaxPlain, 36 << 20},
		"many frames":           {slices.Repeat(frame(t, huge[:8<<20], true), 64), 8 << 20, 36 << 20},
		"no frame":              {random(1, 100), 100, 1 << 20},
		"nothing but a skipped": {[]byte("\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"), 100, 1 << 20},
		"window of 64 GiB":      {[]byte("\x28\xb5\x2f\xfd\x00\xd0\x01\x00\x00"), 100, 1 << 20},
	} {
		o, info, b := sealedBlock(t, tt.packed, tt.plain)
		var got []byte
		var err error
		taken := allocated(func() { got, err = o.Block(nil, info, b) })
		damaged(t, name, err)
		if got != nil || taken > tt.most+uint64(len(b)) {
			t.Errorf("%s: %d bytes out, %d MiB taken", name, len(got), taken>>20)
		}
	}
	// A frame that does not say its length is fine if it has it.
	o, info, b := sealedBlock(t, frame(t, huge[:3<<20], true), 3<<20)
	if got, err := o.Block(nil, info, b); err != nil || len(got) != 3<<20 {
		t.Errorf("streamed frame: %d bytes, %v", len(got), err)
	}
	// What is in dst already counts for nothing.
	dst := make([]byte, MaxPlain)
	if got, err := o.Block(dst, info, b); err != nil || len(got) != MaxPlain+3<<20 {
		t.Errorf("behind other bytes: %d bytes, %v", len(got), err)
	}
}
