package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/zeebo/blake3"
)

// Version is the format version that this program writes, the version byte of every sealed object. Version 0 marks
// repositories made before the format was declared.
const Version = 1

// Kind says what a sealed object is; the numbers are those of docs/format.md section 2.
type Kind uint8

// The kinds of sealed objects.
const (
	Config    Kind = 1
	Segment   Kind = 2
	Manifest  Kind = 3
	Lease     Kind = 4
	Condemned Kind = 5
	Mark      Kind = 6
	Report    Kind = 7
	DataPack  Kind = 8
	MetaPack  Kind = 9
	Gone      Kind = 10
)

// contexts are the derive_key contexts of object keys; constant text, as BLAKE3 demands.
var contexts = [...]string{
	Config:    "savepoint v1 config",
	Segment:   "savepoint v1 segment",
	Manifest:  "savepoint v1 manifest",
	Lease:     "savepoint v1 lease",
	Condemned: "savepoint v1 condemned",
	Mark:      "savepoint v1 mark",
	Report:    "savepoint v1 report",
	DataPack:  "savepoint v1 data pack",
	MetaPack:  "savepoint v1 meta pack",
	Gone:      "savepoint v1 gone",
}

// RepoID identifies a repository; it is in the additional data of everything sealed there.
type RepoID [16]byte

// String returns the ID in hex.
func (id RepoID) String() string { return hex.EncodeToString(id[:]) }

// Key is one member of a key set.
type Key struct {
	Epoch, Domain uint32
	Secret        [32]byte
}

// NewKey draws a key for epoch 0, domain 0.
func NewKey() Key {
	var k Key
	rand.Read(k.Secret[:]) // never fails: crypto/rand ends the program instead
	return k
}

// Ring is a key with the sub-keys derived from it, bound to one repository.
type Ring struct {
	Repo                    RepoID
	epoch, domain           uint32
	data, metadata, reports [32]byte

	// DataID, TreeID, SourceTag and PageCut are the secrets of keyed hashes, docs/format.md section 2.
	DataID, TreeID, SourceTag, PageCut [32]byte
}

// NewRing derives the sub-keys of k.
func NewRing(repo RepoID, k Key) *Ring {
	r := &Ring{Repo: repo, epoch: k.Epoch, domain: k.Domain}
	for _, d := range []struct {
		context string
		to      *[32]byte
	}{
		{"savepoint v1 key data", &r.data},
		{"savepoint v1 key metadata", &r.metadata},
		{"savepoint v1 key reports", &r.reports},
		{"savepoint v1 key data chunk id", &r.DataID},
		{"savepoint v1 key tree page id", &r.TreeID},
		{"savepoint v1 key source tag", &r.SourceTag},
		{"savepoint v1 key page cut", &r.PageCut},
	} {
		blake3.DeriveKey(d.context, k.Secret[:], d.to[:])
	}
	return r
}

// objectKey returns the key of the one object that has this kind and salt.
func (r *Ring) objectKey(kind Kind, salt [32]byte) [32]byte {
	sub := &r.metadata
	switch kind {
	case DataPack:
		sub = &r.data
	case Report:
		sub = &r.reports
	}
	material := append(append(make([]byte, 0, 64), sub[:]...), salt[:]...)
	var key [32]byte
	blake3.DeriveKey(contexts[kind], material, key[:])
	return key
}

// aead returns the cipher of the object with this header, which must be of the ring's epoch and domain.
func (r *Ring) aead(h Header) (cipher.AEAD, error) {
	if h.Epoch != r.epoch || h.Domain != r.domain {
		return nil, fmt.Errorf("no key for epoch %d, domain %d: %w", h.Epoch, h.Domain, ErrNewer)
	}
	key := r.objectKey(h.Kind, h.Salt)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
