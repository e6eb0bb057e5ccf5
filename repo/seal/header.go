package seal

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
)

const magic = "SAVEPNT\x00"

// HeaderLen is the length in bytes of the header of envelopes and packs.
const HeaderLen = 52

// Header stands in the clear at the start of every envelope and pack, and in the additional data of all that follows.
type Header struct {
	Kind          Kind
	Version       uint8
	Epoch, Domain uint32
	Salt          [32]byte
}

// NewHeader draws the salt of a new object.
func (r *Ring) NewHeader(kind Kind) Header {
	h := Header{Kind: kind, Version: Version, Epoch: r.epoch, Domain: r.domain}
	rand.Read(h.Salt[:])
	return h
}

// Append appends the header's HeaderLen bytes to dst.
func (h Header) Append(dst []byte) []byte {
	dst = append(dst, magic...)
	dst = append(dst, byte(h.Kind), h.Version, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, h.Epoch)
	dst = binary.BigEndian.AppendUint32(dst, h.Domain)
	return append(dst, h.Salt[:]...)
}

// ParseHeader reads the header at the start of b, which must be of the kind expected. It returns ErrNewer or ErrOlder for
// another version and ErrDamaged for anything else that is wrong.
func ParseHeader(b []byte, want Kind) (Header, error) {
	var h Header
	if len(b) < HeaderLen || string(b[:8]) != magic {
		return h, fmt.Errorf("no header: %w", ErrDamaged)
	}
	h.Kind, h.Version = Kind(b[8]), b[9]
	if err := checkVersion(h.Version); err != nil {
		return h, err
	}
	if h.Kind != want || b[10] != 0 || b[11] != 0 {
		return h, fmt.Errorf("kind %d where %d belongs: %w", h.Kind, want, ErrDamaged)
	}
	h.Epoch = binary.BigEndian.Uint32(b[12:])
	h.Domain = binary.BigEndian.Uint32(b[16:])
	copy(h.Salt[:], b[20:])
	return h, nil
}
