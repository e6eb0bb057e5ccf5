package seal

import (
	"crypto/cipher"
	"encoding/binary"
)

// TagLen is how many bytes longer a sealed block or directory is than its plain bytes.
const TagLen = tagLen

// PackCipher seals and opens the parts of one pack. It is safe for concurrent use.
type PackCipher struct {
	aead cipher.AEAD
	ad   []byte // repository ID ‖ pack header
}

// PackCipher returns the cipher of the pack with this header.
func (r *Ring) PackCipher(h Header) (*PackCipher, error) {
	aead, err := r.aead(h)
	if err != nil {
		return nil, err
	}
	return &PackCipher{aead: aead, ad: h.Append(append(make([]byte, 0, len(r.Repo)+HeaderLen), r.Repo[:]...))}, nil
}

// Part is the first byte of a nonce within a pack, so that a block and the directory never share one.
type Part uint8

// The parts of a pack.
const (
	Block     Part = 1
	Directory Part = 2
)

// Seal appends the sealed plain bytes to dst; offset is where the part begins in the pack and is never used twice in one
// pack for the same part; head joins the additional data.
func (c *PackCipher) Seal(dst []byte, part Part, offset int64, head, plain []byte) []byte {
	var buf [160]byte
	nonce := partNonce(part, offset)
	return c.aead.Seal(dst, nonce[:], plain, append(append(buf[:0], c.ad...), head...))
}

// Open appends the plain bytes to dst, or returns ErrDamaged.
func (c *PackCipher) Open(dst []byte, part Part, offset int64, head, sealed []byte) ([]byte, error) {
	var buf [160]byte
	nonce := partNonce(part, offset)
	out, err := c.aead.Open(dst, nonce[:], sealed, append(append(buf[:0], c.ad...), head...))
	if err != nil {
		return nil, ErrDamaged
	}
	return out, nil
}

func partNonce(part Part, offset int64) [12]byte {
	var n [12]byte
	n[0] = byte(part)
	binary.BigEndian.PutUint64(n[4:], uint64(offset))
	return n
}
