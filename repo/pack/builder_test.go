package pack

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"savepoint/chunk"
	"savepoint/repo/seal"
)

// TestBuilderConcurrent has many goroutines fill one pack until it is full. Every chunk that was taken is in it, once.
func TestBuilderConcurrent(t *testing.T) {
	c := newCodec(t)
	p := newBuilder(t, Data)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		want = map[chunk.ID]bool{}
	)
	for g := range uint64(8) {
		wg.Go(func() {
			b := &Block{}
			for i := uint64(0); ; i++ {
				data := random(g<<32|i, 200_000)
				id := testKey.Sum(data)
				b.Add(id, data)
				b.Compress(c)
				if !p.Add(b) {
					return
				}
				b.Reset()
				mu.Lock()
				want[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	f := p.Finish()
	if len(f.Bytes) > BufferLen || len(f.Bytes) < Target-300_000 {
		t.Errorf("pack of %d bytes, want about %d", len(f.Bytes), Target)
	}
	d, err := Check(testRing, c, Data, testKey, f.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	got := map[chunk.ID]bool{}
	for _, e := range d.Entries {
		got[e.Chunk] = true
	}
	if diff := cmp.Diff(want, got); diff != "" || len(d.Entries) != len(want) {
		t.Errorf("%d chunks, -want +got:\n%s", len(d.Entries), diff)
	}
	if p.Add(blockOf(c, []byte("late"))) {
		t.Error("a finished pack took a block")
	}
}

// TestFinishWaits finishes a pack while a block is being sealed: the pack is not named before it is.
func TestFinishWaits(t *testing.T) {
	c := newCodec(t)
	synctest.Test(t, func(t *testing.T) {
		p := newBuilder(t, Data)
		p.Add(blockOf(c, []byte("x")))
		p.sealing.Add(1) // as Add does while it seals
		finished := false
		go func() {
			p.Finish()
			finished = true
		}()
		synctest.Wait()
		if finished || p.Add(blockOf(c, []byte("y"))) {
			t.Error("Finish did not wait, or let another block in")
		}
		p.sealing.Done()
		synctest.Wait()
		if !finished {
			t.Error("Finish did not end")
		}
	})
}

// TestBuilderFull walks up to the limits of a pack: bytes, and chunks.
func TestBuilderFull(t *testing.T) {
	c := newCodec(t)
	p := newBuilder(t, Data)
	big := blockOf(c, random(1, MaxChunk))
	for i := range 3 {
		if !p.Add(big) {
			t.Fatalf("block %d of 8 MiB does not fit", i)
		}
	}
	if p.Add(big) || p.end > Target {
		t.Errorf("a fourth block of 8 MiB fitted: %d bytes", p.end)
	}
	if !p.Add(blockOf(c, []byte("a small one"))) {
		t.Error("a small block does not fit behind one that was refused")
	}

	p = newBuilder(t, Data)
	b := &Block{}
	for i := 0; b.Fits(2); i++ {
		b.Add(testKey.Sum([]byte{byte(i >> 8), byte(i)}), []byte{byte(i >> 8), byte(i)})
	}
	b.Compress(c)
	if n := len(b.chunks); n != MaxChunks {
		t.Fatalf("a block took %d chunks, want %d", n, MaxChunks)
	}
	if !p.Add(b) || p.Add(blockOf(c, []byte("one more"))) {
		t.Errorf("pack does not end at %d chunks", MaxChunks)
	}
	f := p.Finish()
	if cap(f.Bytes) != BufferLen {
		t.Errorf("the directory did not fit into the buffer: %d bytes, %d", len(f.Bytes), cap(f.Bytes))
	}
	if _, err := Check(testRing, c, Data, testKey, f.Bytes); err != nil {
		t.Error(err)
	}
}

func TestBlockFits(t *testing.T) {
	b := &Block{}
	if !b.Fits(MaxChunk) {
		t.Error("an empty block does not take the largest chunk")
	}
	b.Add(chunk.ID{}, make([]byte, BlockTarget-10))
	if !b.Fits(10) || b.Fits(11) {
		t.Error("a block does not end at its target")
	}
	b.Reset()
	if len(b.chunks) != 0 || cap(b.plain) == 0 {
		t.Error("Reset keeps chunks, or not the memory")
	}
	b.Add(chunk.ID{}, make([]byte, MaxChunk))
	if b.Reset(); cap(b.plain) != 0 {
		t.Error("Reset keeps the memory of a large chunk")
	}
}

func TestAbsorb(t *testing.T) {
	c := newCodec(t)
	a, b := newBuilder(t, Data), newBuilder(t, Data)
	a.Add(blockOf(c, text(1, 500)))
	b.Add(blockOf(c, text(2, 300), random(3, 70)))
	b.Add(blockOf(c, random(4, 99)))
	if ok, err := a.Absorb(b); !ok || err != nil {
		t.Fatalf("Absorb = %v, %v", ok, err)
	}
	if b.Add(blockOf(c, []byte("x"))) {
		t.Error("the absorbed builder takes blocks")
	}
	clear(b.buf)
	a.Add(blockOf(c, text(5, 10)))
	f := a.Finish()
	d, err := Check(testRing, c, Data, testKey, f.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	var got []chunk.ID
	for _, e := range d.Entries {
		got = append(got, e.Chunk)
	}
	var want []chunk.ID
	for _, p := range [][]byte{text(1, 500), text(2, 300), random(3, 70), random(4, 99), text(5, 10)} {
		want = append(want, testKey.Sum(p))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("chunks, -want +got:\n%s", diff)
	}
}

func TestAbsorbRefuses(t *testing.T) {
	c := newCodec(t)
	full := func() *Builder {
		p := newBuilder(t, Data)
		for range 3 {
			p.Add(blockOf(c, random(1, MaxChunk)))
		}
		return p
	}
	a, b := full(), full()
	was := a.end
	if ok, err := a.Absorb(b); ok || err != nil || a.end != was {
		t.Errorf("two full packs: %v, %v", ok, err)
	}
	if !b.Add(blockOf(c, []byte("x"))) {
		t.Error("the refused builder is closed")
	}
	small := newBuilder(t, Data)
	small.Add(blockOf(c, []byte("y")))
	a.Finish()
	if ok, err := a.Absorb(small); ok || err != nil {
		t.Errorf("into a finished pack: %v, %v", ok, err)
	}
	into := newBuilder(t, Data)
	small.buf[seal.HeaderLen+20] ^= 1
	if ok, err := into.Absorb(small); ok || err == nil {
		t.Errorf("a block that memory has changed: %v, %v", ok, err)
	}
}

// TestCheckCatchesMemory flips bits of the finished buffer, of a block before it is sealed, of its table of lengths and of
// what the compressor made: each is found before the pack is stored.
func TestCheckCatchesMemory(t *testing.T) {
	c := newCodec(t)
	for name, flip := range map[string]struct{ before, after func(*Block) }{
		"nothing":           {nil, nil},
		"chunk":             {func(b *Block) { b.plain[3] ^= 4 }, nil},
		"ID":                {func(b *Block) { b.chunks[1].Chunk[31] ^= 1 }, nil},
		"length":            {func(b *Block) { b.chunks[1].Length++ }, nil},
		"offset":            {func(b *Block) { b.chunks[1].Offset-- }, nil},
		"packed bytes":      {nil, func(b *Block) { b.stored[len(b.stored)/2] ^= 0x10 }},
		"packed cut":        {nil, func(b *Block) { b.stored = b.stored[:len(b.stored)-1] }},
		"codec":             {nil, func(b *Block) { b.codec = codecNone }},
		"plain length":      {nil, func(b *Block) { b.plain = b.plain[:len(b.plain)-1] }},
		"block not pressed": {nil, func(b *Block) { b.stored = nil }},
	} {
		b := &Block{}
		for _, p := range [][]byte{text(1, 400), text(2, 300)} {
			b.Add(testKey.Sum(p), p)
		}
		if flip.before != nil {
			flip.before(b)
		}
		b.Compress(c)
		if flip.after != nil {
			flip.after(b)
		}
		p := newBuilder(t, Data)
		p.Add(b)
		_, err := Check(testRing, c, Data, testKey, p.Finish().Bytes)
		if name == "nothing" {
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		damaged(t, name, err)
	}
}

// TestCheckComparesTables seals a block whose table of lengths is not what the directory says, though both are possible:
// a scan after the loss of the directory would find other chunks.
func TestCheckComparesTables(t *testing.T) {
	c := newCodec(t)
	b := &Block{}
	for _, p := range [][]byte{text(1, 400), text(2, 300)} {
		b.Add(testKey.Sum(p), p)
	}
	b.Compress(c)
	i := slices.Index(b.plain[700:], 0x90) + 700 // 400 is 0x190, 300 is 0x12C
	b.plain[i]++
	b.plain[i+4]--
	b.codec, b.stored = codecNone, b.plain
	p := newBuilder(t, Data)
	p.Add(b)
	_, err := Check(testRing, c, Data, testKey, p.Finish().Bytes)
	damaged(t, "another table", err)
}

// TestNonces collects the nonces and keys of all parts of many packs: no pair of them occurs twice.
func TestNonces(t *testing.T) {
	c := newCodec(t)
	seen := map[string]bool{}
	for range 20 {
		f := build(t, c, [][]byte{text(1, 50)}, [][]byte{text(1, 50)}, [][]byte{random(1, 9)})
		offsets := []string{fmt.Sprint("directory at ", f.Blocks[2].End())}
		for _, info := range f.Blocks {
			offsets = append(offsets, fmt.Sprint("block at ", info.Offset))
		}
		for _, o := range offsets {
			nonce := fmt.Sprintf("%x %s", f.Salt, o)
			if seen[nonce] {
				t.Fatalf("nonce used twice: %s", nonce)
			}
			seen[nonce] = true
		}
		first, second := f.Blocks[0], f.Blocks[1]
		if string(f.Bytes[first.Offset:first.End()]) == string(f.Bytes[second.Offset:second.End()]) {
			t.Fatal("equal blocks of one pack are equal when sealed")
		}
	}
	if len(seen) != 80 {
		t.Fatalf("%d nonces, want 80", len(seen))
	}
}
