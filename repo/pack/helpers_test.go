package pack

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"savepoint/chunk"
	"savepoint/repo/seal"
)

var (
	testRing = seal.NewRing(seal.RepoID{1, 2, 3}, seal.Key{Secret: [32]byte{9, 8, 7}})
	testKey  = chunk.NewKey(testRing.DataID)
)

func random(seed uint64, n int) []byte {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(s).Read(b)
	return b
}

// text returns n bytes that compress.
func text(seed uint64, n int) []byte {
	var b []byte
	for _, r := range random(seed, n/8+1) {
		b = append(b, "gold=100name=joelevel=17region=9"[r%4*8:][:8]...)
	}
	return b[:n]
}

func newCodec(t testing.TB) *Codec {
	t.Helper()
	c, err := NewCodec(2)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newBuilder(t testing.TB, kind Kind) *Builder {
	t.Helper()
	b, err := NewBuilder(testRing, kind, make([]byte, BufferLen))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// blockOf returns a compressed block of these chunks.
func blockOf(c *Codec, chunks ...[]byte) *Block {
	b := &Block{}
	for _, p := range chunks {
		b.Add(testKey.Sum(p), p)
	}
	b.Compress(c)
	return b
}

// build makes a pack of one block for each list of chunks.
func build(t testing.TB, c *Codec, blocks ...[][]byte) *Finished {
	t.Helper()
	p := newBuilder(t, Data)
	for _, chunks := range blocks {
		if !p.Add(blockOf(c, chunks...)) {
			t.Fatal("a block does not fit")
		}
	}
	return p.Finish()
}

// damaged fails unless err says that bytes are not as they were written.
func damaged(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, ErrDamaged) && !errors.Is(err, seal.ErrDamaged) && !errors.Is(err, seal.ErrNewer) && !errors.Is(err, seal.ErrOlder) {
		t.Fatalf("%s: %v; want an error of damage", what, err)
	}
}
