package chunk

import (
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/zeebo/blake3"
)

// ID names a chunk: the keyed BLAKE3-256 of its plain bytes. Two chunks with
// equal IDs under one key have equal bytes. The zero ID names nothing.
type ID [32]byte

// String returns the ID as 64 lower-case hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id is the zero ID, which no chunk has.
func (id ID) IsZero() bool { return id == ID{} }

var errIDForm = errors.New("want 64 lower-case hex digits")

// ParseID reads what [ID.String] writes, and nothing else: an ID has one
// spelling. Upper case is refused.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != hex.EncodedLen(len(id)) {
		return ID{}, fmt.Errorf("parse chunk ID of %d characters: %w", len(s), errIDForm)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil || id.String() != s {
		return ID{}, fmt.Errorf("parse chunk ID %q: %w", s, errIDForm)
	}
	return id, nil
}

// Key computes chunk IDs under one secret. It is safe for concurrent use; no
// lock is held while bytes are hashed.
type Key struct {
	hashers sync.Pool // of *blake3.Hasher, reset, with the secret in them
}

// NewKey returns the Key of a secret. The secret is copied; printing a Key
// shows nothing of it.
func NewKey(secret [32]byte) *Key {
	fresh, err := blake3.NewKeyed(secret[:])
	if err != nil { // only for a secret that is not 32 bytes long
		panic("chunk: prepare keyed hash: " + err.Error())
	}
	return &Key{hashers: sync.Pool{New: func() any { return fresh.Clone() }}}
}

// Sum returns the ID of the chunk p. It keeps nothing of p and allocates
// nothing once as many calls have run at the same time as do now.
func (k *Key) Sum(p []byte) (id ID) {
	h := k.hashers.Get().(*blake3.Hasher)
	_, _ = h.Write(p) // never fails, says its contract
	h.Sum(id[:0])
	h.Reset()
	k.hashers.Put(h)
	return id
}
