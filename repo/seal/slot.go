package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"savepoint/internal/wire"
)

const (
	// WorkFactor is the binary logarithm of scrypt's cost in new passphrase slots: 64 MiB and about 0.2 s.
	WorkFactor = 16
	// MaxWorkFactor bounds what a slot may make a reader spend: 1 GiB and some 4 s.
	MaxWorkFactor = 20
	// MaxSlot is the most bytes that a key slot or config may have.
	MaxSlot = 64 << 10
)

// Slot is what a key slot protects: the keys and all that is needed to use them.
type Slot struct {
	Keys   []Key
	Repo   RepoID
	Config []byte // a copy of the object config
}

type slotKey struct {
	_      struct{} `cbor:",toarray"`
	Epoch  uint32
	Domain uint32
	Secret []byte
}

type slotBody struct {
	Keys   []slotKey `cbor:"1,keyasint"`
	Repo   []byte    `cbor:"2,keyasint"`
	Config []byte    `cbor:"3,keyasint"`
}

// PassphraseRecipient returns the age recipient of a passphrase slot. Work factors below WorkFactor are for tests; those
// that readers refuse are an error.
func PassphraseRecipient(passphrase string, workFactor int) (age.Recipient, error) {
	if workFactor < 1 || workFactor > MaxWorkFactor {
		return nil, fmt.Errorf("work factor %d, want 1 to %d", workFactor, MaxWorkFactor)
	}
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(workFactor)
	return r, nil
}

// PassphraseIdentity returns the age identity that opens passphrase slots.
func PassphraseIdentity(passphrase string) (age.Identity, error) {
	i, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	i.SetMaxWorkFactor(MaxWorkFactor)
	return i, nil
}

// SealSlot returns a key slot for the recipient, of at most MaxSlot bytes.
func SealSlot(s Slot, to age.Recipient) ([]byte, error) {
	body := slotBody{Repo: s.Repo[:], Config: s.Config}
	for _, k := range s.Keys {
		body.Keys = append(body.Keys, slotKey{Epoch: k.Epoch, Domain: k.Domain, Secret: k.Secret[:]})
	}
	plain, err := wire.Marshal(body)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if out.Len() > MaxSlot {
		return nil, fmt.Errorf("key slot of %d bytes, at most %d can be", out.Len(), MaxSlot)
	}
	return out.Bytes(), nil
}

// OpenSlot opens the slot b. It returns ErrWrongSecret when the identities are not those of the slot, and ErrDamaged when
// the slot is not a whole age file or holds something else.
func OpenSlot(b []byte, ids ...age.Identity) (Slot, error) {
	var s Slot
	if len(b) > MaxSlot {
		return s, fmt.Errorf("key slot of %d bytes: %w", len(b), ErrDamaged)
	}
	r, err := age.Decrypt(bytes.NewReader(b), ids...)
	if noMatch := (*age.NoIdentityMatchError)(nil); errors.As(err, &noMatch) {
		return s, ErrWrongSecret
	}
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	plain, err := io.ReadAll(r) // shorter than b
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	var body slotBody
	if err := wire.Unmarshal(plain, &body); err != nil {
		return s, malformed("key slot", err)
	}
	if len(body.Repo) != len(s.Repo) || len(body.Keys) == 0 {
		return s, fmt.Errorf("no repository ID or no key in the slot: %w", ErrDamaged)
	}
	copy(s.Repo[:], body.Repo)
	s.Config = body.Config
	for _, k := range body.Keys {
		key := Key{Epoch: k.Epoch, Domain: k.Domain}
		if copy(key.Secret[:], k.Secret) != len(key.Secret) || len(k.Secret) != len(key.Secret) {
			return s, fmt.Errorf("a key of %d bytes in the slot: %w", len(k.Secret), ErrDamaged)
		}
		s.Keys = append(s.Keys, key)
	}
	return s, nil
}

// Primary returns the slot's key of epoch 0, domain 0, the only one that version 1 uses.
func (s Slot) Primary() (Key, error) {
	for _, k := range s.Keys {
		if k.Epoch == 0 && k.Domain == 0 {
			return k, nil
		}
	}
	return Key{}, fmt.Errorf("no key of epoch 0, domain 0: %w", ErrNewer)
}
