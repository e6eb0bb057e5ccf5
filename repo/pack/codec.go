package pack

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"savepoint/repo/seal"
)

const (
	codecNone uint8 = 0
	codecZstd uint8 = 1

	overrun = 16 // bytes behind its output that the decoder wants to scribble over, to be fast
)

// Codec compresses and decompresses plain blocks. It is safe for concurrent use; up to n calls of each run at a time,
// others wait. Memory: about 6 MiB for each of the n, and the largest block opened lately for each caller of
// [Opener.Block] at a time.
type Codec struct {
	enc     *zstd.Encoder
	dec     *zstd.Decoder
	scratch sync.Pool // of *[]byte: compressed blocks that were opened
}

// NewCodec returns a codec for n concurrent calls.
func NewCodec(n int) (*Codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(n),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(n), zstd.WithDecoderMaxMemory(MaxPlain+overrun),
		zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return &Codec{enc: enc, dec: dec}, nil
}

// decompress appends the plain bytes of a block, of which there must be n, at most MaxPlain, to dst.
func (c *Codec) decompress(dst, packed []byte, n int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(packed); err != nil || h.Skippable || (h.HasFCS && h.FrameContentSize != uint64(n)) {
		return nil, fmt.Errorf("zstd frame does not fit its block: %w", ErrDamaged)
	}
	// The decoder is given room for what the block says and no more, and none of what dst holds: it counts that in its limit.
	was := len(dst)
	dst = slices.Grow(dst, n+overrun)
	out, err := c.dec.DecodeAll(packed, dst[was:was:was+n+overrun])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if len(out) != n {
		return nil, fmt.Errorf("block has %d bytes instead of %d: %w", len(out), n, ErrDamaged)
	}
	dst = dst[:was+n]
	if n > 0 && &out[0] != &dst[was] { // it has moved
		copy(dst[was:], out)
	}
	return dst, nil
}

func (b BlockInfo) appendHeader(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, b.Stored)
	dst = binary.BigEndian.AppendUint32(dst, b.Plain)
	dst = append(dst, b.Codec, 0, 0, 0)
	return binary.BigEndian.AppendUint32(dst, b.Dictionary)
}

// parseBlockHeader reads a block header that stands at offset.
func parseBlockHeader(b []byte, offset int64) (BlockInfo, error) {
	if len(b) < blockHeaderLen {
		return BlockInfo{}, fmt.Errorf("block at %d is cut short: %w", offset, ErrDamaged)
	}
	i := BlockInfo{Offset: uint32(offset), Stored: binary.BigEndian.Uint32(b), Plain: binary.BigEndian.Uint32(b[4:]),
		Codec: b[8], Dictionary: binary.BigEndian.Uint32(b[12:])}
	if b[9]|b[10]|b[11] != 0 {
		return i, fmt.Errorf("block at %d has no header: %w", offset, ErrDamaged)
	}
	return i, i.check()
}

func (b BlockInfo) check() error {
	switch {
	case b.Codec > codecZstd || b.Dictionary != 0:
		return fmt.Errorf("block at %d has codec %d and dictionary %d, which are not known: %w", b.Offset, b.Codec, b.Dictionary, ErrDamaged)
	case b.Plain < 5 || b.Plain > MaxPlain || b.Stored <= seal.TagLen || b.Stored > MaxPlain+64,
		b.Codec == codecNone && b.Stored != b.Plain+seal.TagLen:
		return fmt.Errorf("block at %d has impossible lengths: %w", b.Offset, ErrDamaged)
	}
	return nil
}
