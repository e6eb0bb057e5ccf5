package pack

import (
	"encoding/binary"
	"fmt"

	"savepoint/repo/seal"
)

// Opener opens parts of one stored pack. It is safe for concurrent use.
type Opener struct {
	cipher *seal.PackCipher
	codec  *Codec
}

// NewOpener returns the opener of the pack with this kind and salt, as an index segment says; epoch and domain are the
// ring's.
func NewOpener(r *seal.Ring, c *Codec, kind Kind, salt [32]byte) (*Opener, error) {
	h := r.NewHeader(kind.Seal())
	h.Salt = salt
	return newOpener(r, c, h)
}

func newOpener(r *seal.Ring, c *Codec, h seal.Header) (*Opener, error) {
	cipher, err := r.PackCipher(h)
	if err != nil {
		return nil, err
	}
	return &Opener{cipher: cipher, codec: c}, nil
}

// openerOf returns the opener of the pack that b begins, by the pack's own header.
func openerOf(r *seal.Ring, c *Codec, kind Kind, b []byte) (*Opener, error) {
	h, err := seal.ParseHeader(b, kind.Seal())
	if err != nil {
		return nil, err
	}
	return newOpener(r, c, h)
}

// Block appends the plain bytes of a block, its table of lengths included, to dst. b holds the block with its header. What
// it returns is authentic, but that the chunks are those of their IDs is still to be checked. On an error, which is ErrDamaged,
// dst's new bytes must not be used.
func (o *Opener) Block(dst []byte, info BlockInfo, b []byte) ([]byte, error) {
	got, err := parseBlockHeader(b, int64(info.Offset))
	if err != nil {
		return nil, err
	}
	if got != info || int64(len(b)) != info.Len() {
		return nil, fmt.Errorf("block at %d is not the one expected: %w", info.Offset, ErrDamaged)
	}
	if info.Codec == codecNone {
		return o.open(dst, info, b)
	}
	scratch, _ := o.codec.scratch.Get().(*[]byte)
	if scratch == nil {
		scratch = new([]byte)
	}
	defer o.codec.scratch.Put(scratch)
	packed, err := o.open((*scratch)[:0], info, b)
	if err != nil {
		return nil, err
	}
	*scratch = packed
	return o.codec.decompress(dst, packed, int(info.Plain))
}

// open appends what a block has sealed to dst.
func (o *Opener) open(dst []byte, info BlockInfo, b []byte) ([]byte, error) {
	out, err := o.cipher.Open(dst, seal.Block, int64(info.Offset), b[:blockHeaderLen], b[blockHeaderLen:])
	if err != nil {
		return nil, fmt.Errorf("block at %d: %w: %w", info.Offset, ErrDamaged, err)
	}
	return out, nil
}

// TrailerLen is how many bytes at the end of a pack say how long its directory is.
const TrailerLen = trailerLen

// ParseTrailer returns where the sealed directory of a pack of size bytes lies; tail is the last TrailerLen bytes or more.
func ParseTrailer(tail []byte, size int64) (off, n int64, err error) {
	if len(tail) < trailerLen || string(tail[len(tail)-8:]) != endMagic {
		return 0, 0, fmt.Errorf("no end of a pack: %w", ErrDamaged)
	}
	n = int64(binary.BigEndian.Uint32(tail[len(tail)-trailerLen:]))
	off = size - trailerLen - n
	if n < 8+seal.TagLen || off < seal.HeaderLen || size > MaxSize {
		return 0, 0, fmt.Errorf("directory of %d bytes in a pack of %d: %w", n, size, ErrDamaged)
	}
	return off, n, nil
}

// Directory opens the sealed directory that lies at offset off.
func (o *Opener) Directory(off int64, sealed []byte) (Directory, error) {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(sealed)))
	plain, err := o.cipher.Open(nil, seal.Directory, off, length, sealed)
	if err != nil {
		return Directory{}, fmt.Errorf("directory: %w: %w", ErrDamaged, err)
	}
	d, err := ParseDirectory(plain)
	if err != nil {
		return Directory{}, err
	}
	if len(d.Blocks) == 0 || d.Blocks[len(d.Blocks)-1].End() != off {
		return Directory{}, fmt.Errorf("directory is not behind the last block: %w", ErrDamaged)
	}
	return d, nil
}
