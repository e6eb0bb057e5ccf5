package pack

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/blake3"
	"pgregory.net/rapid"

	"savepoint/chunk"
	"savepoint/repo/seal"
)

func TestPackRoundTrip(t *testing.T) {
	c := newCodec(t)
	buf := make([]byte, BufferLen)
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]Kind{Data, Meta}).Draw(t, "kind")
		p, err := NewBuilder(testRing, kind, buf)
		if err != nil {
			t.Fatal(err)
		}
		var want [][]byte
		for range rapid.IntRange(1, 5).Draw(t, "blocks") {
			var block [][]byte
			for i := range rapid.IntRange(1, 8).Draw(t, "chunks") {
				make := rapid.SampledFrom([]func(uint64, int) []byte{random, text}).Draw(t, "bytes")
				block = append(block, make(uint64(i), rapid.IntRange(1, 5000).Draw(t, "length")))
			}
			if !p.Add(blockOf(c, block...)) {
				t.Fatal("a block does not fit")
			}
			want = append(want, block...)
		}
		length := p.end
		f := p.Finish()
		if f.Kind != kind || f.ID != blake3.Sum256(f.Bytes) || int64(len(f.Bytes)) != Size(f.Blocks, len(f.Entries)) ||
			length != f.Blocks[len(f.Blocks)-1].End() {
			t.Fatalf("finished pack of %d bytes does not say what it is", len(f.Bytes))
		}
		d, err := Check(testRing, c, kind, testKey, f.Bytes)
		if diff := cmp.Diff(f.Directory, d); err != nil || diff != "" {
			t.Fatalf("Check: %v, -want +got:\n%s", err, diff)
		}
		if got := readAll(t, c, f, d); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("%d chunks read, %d written, and they differ", len(got), len(want))
		}
	})
}

// readAll reads chunks as a restore does, by salt and directory, appending to a buffer that is in use.
func readAll(t *rapid.T, c *Codec, f *Finished, d Directory) (out [][]byte) {
	o, err := NewOpener(testRing, c, f.Kind, f.Salt)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range d.Entries {
		info := d.Blocks[e.Block]
		plain, err := o.Block([]byte("kept"), info, f.Bytes[info.Offset:info.End()])
		if err != nil || string(plain[:4]) != "kept" || len(plain) != 4+int(info.Plain) {
			t.Fatalf("Block: %d bytes, %v", len(plain), err)
		}
		out = append(out, plain[4:][e.Offset:e.Offset+e.Length])
	}
	return out
}

func smallPack(t testing.TB, c *Codec) *Finished {
	return build(t, c, [][]byte{text(1, 200), text(2, 3)}, [][]byte{random(3, 60)}, [][]byte{text(4, 150), random(5, 1)})
}

// TestPackEveryBitFlipped flips each bit of a pack: no part of it is not authentic.
func TestPackEveryBitFlipped(t *testing.T) {
	c := newCodec(t)
	f := smallPack(t, c)
	if f.Blocks[0].Codec != codecZstd || f.Blocks[1].Codec != codecNone {
		t.Fatalf("blocks of codecs %d and %d, want one of each", f.Blocks[0].Codec, f.Blocks[1].Codec)
	}
	for i := range len(f.Bytes) * 8 {
		f.Bytes[i/8] ^= 1 << (i % 8)
		_, err := Check(testRing, c, Data, testKey, f.Bytes)
		damaged(t, fmt.Sprintf("bit %d of byte %d", i%8, i/8), err)
		f.Bytes[i/8] ^= 1 << (i % 8)
	}
	for n := range len(f.Bytes) {
		_, err := Check(testRing, c, Data, testKey, f.Bytes[:n])
		damaged(t, "cut short", err)
		_, err = Check(testRing, c, Data, testKey, f.Bytes[n+1:])
		damaged(t, "cut off in front", err)
	}
	_, err := Check(testRing, c, Data, testKey, append(slices.Clone(f.Bytes), f.Bytes[len(f.Bytes)-12:]...))
	damaged(t, "two ends", err)
}

// TestPackElsewhere opens a pack as something that it is not, and parts of one pack in another.
func TestPackElsewhere(t *testing.T) {
	c := newCodec(t)
	f, g := smallPack(t, c), smallPack(t, c)
	if f.ID == g.ID || f.Salt == g.Salt || bytes.Equal(f.Bytes[68:100], g.Bytes[68:100]) {
		t.Fatal("two packs of the same chunks have equal parts")
	}
	_, err := Check(testRing, c, Meta, testKey, f.Bytes)
	damaged(t, "another kind", err)
	_, err = Check(seal.NewRing(seal.RepoID{1}, seal.Key{Secret: [32]byte{9, 8, 7}}), c, Data, testKey, f.Bytes)
	damaged(t, "another repository", err)
	_, err = Check(seal.NewRing(testRing.Repo, seal.NewKey()), c, Data, testKey, f.Bytes)
	damaged(t, "another key", err)
	_, err = Check(seal.NewRing(testRing.Repo, seal.Key{Epoch: 1, Secret: [32]byte{9, 8, 7}}), c, Data, testKey, f.Bytes)
	damaged(t, "another epoch", err)
	_, err = Check(testRing, c, Data, chunk.NewKey(testRing.TreeID), f.Bytes)
	damaged(t, "IDs under another key", err)
	for i, info := range f.Blocks {
		other := slices.Clone(f.Bytes)
		copy(other[info.Offset:info.End()], g.Bytes[info.Offset:info.End()])
		_, err = Check(testRing, c, Data, testKey, other)
		damaged(t, fmt.Sprintf("block %d of another pack", i), err)
	}
}

// TestOpenerBlock asks for blocks by what an index says of them, which need not be true.
func TestOpenerBlock(t *testing.T) {
	c := newCodec(t)
	f := smallPack(t, c)
	o, err := NewOpener(testRing, c, Data, f.Salt)
	if err != nil {
		t.Fatal(err)
	}
	info := f.Blocks[0]
	b := f.Bytes[info.Offset:info.End()]
	for name, change := range map[string]func(*BlockInfo){
		"offset":     func(i *BlockInfo) { i.Offset++ },
		"stored":     func(i *BlockInfo) { i.Stored-- },
		"plain":      func(i *BlockInfo) { i.Plain++ },
		"codec":      func(i *BlockInfo) { i.Codec = codecNone },
		"dictionary": func(i *BlockInfo) { i.Dictionary = 1 },
	} {
		wrong := info
		change(&wrong)
		got, err := o.Block(nil, wrong, b)
		damaged(t, "wrong "+name, err)
		if got != nil {
			t.Errorf("wrong %s: %d bytes", name, len(got))
		}
	}
	for n := range len(b) {
		_, err := o.Block(nil, info, b[:n])
		damaged(t, "cut short", err)
	}
	_, err = o.Block(nil, info, append(slices.Clone(b), 0))
	damaged(t, "too long", err)
	if o, err = NewOpener(testRing, c, Data, [32]byte{1}); err != nil {
		t.Fatal(err)
	}
	_, err = o.Block(nil, info, b)
	damaged(t, "another salt", err)
}

// TestScan loses the tail of a pack at every length: every chunk of a block that is whole is found.
func TestScan(t *testing.T) {
	c := newCodec(t)
	f := smallPack(t, c)
	for n := range len(f.Bytes) + 1 {
		d, err := Scan(testRing, c, Data, testKey, f.Bytes[:n])
		if n < seal.HeaderLen {
			damaged(t, "no header", err)
			continue
		}
		var want Directory
		for i, info := range f.Blocks {
			if info.End() <= int64(n) {
				want.Blocks = append(want.Blocks, info)
				for _, e := range f.Entries {
					if e.Block == uint32(i) {
						want.Entries = append(want.Entries, e)
					}
				}
			}
		}
		if diff := cmp.Diff(want, d); err != nil || diff != "" {
			t.Fatalf("first %d bytes: %v, -want +got:\n%s", n, err, diff)
		}
	}
	f.Bytes[f.Blocks[1].End()-1] ^= 1
	if d, err := Scan(testRing, c, Data, testKey, f.Bytes); err != nil || len(d.Blocks) != 1 {
		t.Errorf("second block damaged: %d blocks, %v; want 1", len(d.Blocks), err)
	}
	_, err := Scan(testRing, c, Meta, testKey, f.Bytes)
	damaged(t, "another kind", err)
	for i := range seal.HeaderLen {
		f.Bytes[i] ^= 1
		if d, err := Scan(testRing, c, Data, testKey, f.Bytes); err == nil && len(d.Blocks) > 0 {
			t.Errorf("header flipped at %d: %d blocks", i, len(d.Blocks))
		}
		f.Bytes[i] ^= 1
	}
}

// TestLargest puts the largest and the smallest things into packs.
func TestLargest(t *testing.T) {
	c := newCodec(t)
	f := build(t, c, [][]byte{random(1, MaxChunk)}, [][]byte{{1}})
	if _, err := Check(testRing, c, Data, testKey, f.Bytes); err != nil {
		t.Error(err)
	}
	for name, chunks := range map[string][][]byte{
		"empty chunk":     {{1}, {}},
		"chunk too large": {make([]byte, MaxChunk+1)},
		"block too large": {random(1, MaxChunk), random(2, 1<<20)},
	} {
		_, err := Check(testRing, c, Data, testKey, build(t, c, chunks).Bytes)
		damaged(t, name, err)
	}
	_, err := Check(testRing, c, Data, testKey, newBuilder(t, Data).Finish().Bytes)
	damaged(t, "pack without a block", err)
	p := newBuilder(t, Data)
	p.Add(blockOf(c, []byte("x")))
	p.end++
	_, err = Check(testRing, c, Data, testKey, p.Finish().Bytes)
	damaged(t, "directory a byte behind the last block", err)
}

func TestNames(t *testing.T) {
	id := ID(random(1, 32))
	s := id.String()
	if got := Name(Data, id); got != "data/"+s[:2]+"/"+s {
		t.Errorf("Name = %s", got)
	}
	if got := Name(Meta, id); got != "meta/"+s[:2]+"/"+s {
		t.Errorf("Name = %s", got)
	}
	if got, err := ParseID(s); err != nil || got != id {
		t.Errorf("ParseID = %v, %v", got, err)
	}
	for _, bad := range []string{"", s[1:], s + "0", "G" + s[1:]} {
		if _, err := ParseID(bad); err == nil {
			t.Errorf("ParseID(%q) took it", bad)
		}
	}
}
