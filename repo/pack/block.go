package pack

import (
	"encoding/binary"
	"fmt"

	"savepoint/chunk"
)

// Block collects the plain bytes of consecutive chunks until they are compressed and sealed together. One goroutine at a
// time.
type Block struct {
	plain  []byte
	chunks []Entry // Block is set when the block gets its place
	packed []byte  // scratch of the compressor
	codec  uint8
	stored []byte
}

// Fits reports whether a chunk of n bytes still belongs into the block: an empty one takes any.
func (b *Block) Fits(n int) bool {
	return len(b.chunks) == 0 || len(b.plain)+n <= BlockTarget && len(b.chunks) < MaxChunks
}

// Add copies a chunk of 1 to MaxChunk bytes into the block.
func (b *Block) Add(id chunk.ID, data []byte) {
	b.chunks = append(b.chunks, Entry{Chunk: id, Offset: uint32(len(b.plain)), Length: uint32(len(data))})
	b.plain = append(b.plain, data...)
}

// Reset empties the block and keeps its memory, unless one large chunk made it large.
func (b *Block) Reset() {
	b.plain, b.chunks, b.stored = b.plain[:0], b.chunks[:0], nil
	if cap(b.plain) > 2*BlockTarget {
		b.plain, b.packed = nil, nil
	}
}

// Compress closes the block: it appends the table of lengths and compresses; what would save less than a 32nd is stored as
// it is. It may run on any core, before the block has a place in a pack.
func (b *Block) Compress(c *Codec) {
	for _, e := range b.chunks {
		b.plain = binary.BigEndian.AppendUint32(b.plain, e.Length)
	}
	b.plain = binary.BigEndian.AppendUint32(b.plain, uint32(len(b.chunks)))
	b.packed = c.enc.EncodeAll(b.plain, b.packed[:0])
	b.codec, b.stored = codecZstd, b.packed
	if len(b.packed) > len(b.plain)-len(b.plain)/32 {
		b.codec, b.stored = codecNone, b.plain
	}
}

// tableOf returns the lengths of the chunks in a plain block, read from its end, or ErrDamaged.
func tableOf(plain []byte) ([]uint32, error) {
	if len(plain) < 4 {
		return nil, ErrDamaged
	}
	n := int64(binary.BigEndian.Uint32(plain[len(plain)-4:]))
	start := int64(len(plain)) - 4 - 4*n
	if n == 0 || start < n {
		return nil, fmt.Errorf("block with %d chunks in %d bytes: %w", n, len(plain), ErrDamaged)
	}
	out := make([]uint32, n)
	sum := int64(0)
	for i := range out {
		out[i] = binary.BigEndian.Uint32(plain[start+4*int64(i):])
		if out[i] == 0 || out[i] > MaxChunk {
			return nil, fmt.Errorf("chunk of %d bytes: %w", out[i], ErrDamaged)
		}
		sum += int64(out[i])
	}
	if sum != start {
		return nil, fmt.Errorf("chunks of %d bytes in a block of %d: %w", sum, start, ErrDamaged)
	}
	return out, nil
}
