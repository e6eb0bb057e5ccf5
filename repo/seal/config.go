package seal

import (
	"encoding/binary"
	"fmt"

	"savepoint/internal/wire"
)

const configMagic = "savepoint repository"

// ConfigName is the name of the object that makes a folder or bucket a repository.
const ConfigName = "config"

// Head is the part of config that can be read without a key.
type Head struct {
	Version uint8
	Repo    RepoID
	// Feature flags: those that may be ignored, that make a reader of an older program read-only, that it must refuse.
	Ignore, ReadOnly, Refuse []string
}

type headBody struct {
	Magic    string   `cbor:"1,keyasint"`
	Version  uint8    `cbor:"2,keyasint"`
	Repo     []byte   `cbor:"3,keyasint"`
	Ignore   []string `cbor:"4,keyasint,omitempty"`
	ReadOnly []string `cbor:"5,keyasint,omitempty"`
	Refuse   []string `cbor:"6,keyasint,omitempty"`
}

// SealConfig returns the object config: the head in the clear, and payload sealed.
func (r *Ring) SealConfig(h Head, payload []byte) ([]byte, error) {
	head, err := wire.Marshal(headBody{configMagic, h.Version, h.Repo[:], h.Ignore, h.ReadOnly, h.Refuse})
	if err != nil {
		return nil, err
	}
	env, err := r.Seal(Config, ConfigName, payload, head)
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(head)))
	out = append(append(out, head...), env...)
	if len(out) > MaxSlot {
		return nil, fmt.Errorf("config of %d bytes, at most %d can be", len(out), MaxSlot)
	}
	return out, nil
}

// ParseHead reads the head of config. It returns ErrNewer when the version or a flag that must be refused is not known,
// ErrOlder for version 0 when this program writes a later one; flags of the read-only set are the caller's to heed.
func ParseHead(b []byte) (Head, error) {
	var h Head
	head, _, err := splitConfig(b)
	if err != nil {
		return h, err
	}
	var body headBody
	if err := wire.Unmarshal(head, &body); err != nil {
		return h, malformed("head of config", err)
	}
	if body.Magic != configMagic || len(body.Repo) != len(h.Repo) {
		return h, fmt.Errorf("head of config: %w", ErrDamaged)
	}
	h = Head{body.Version, RepoID(body.Repo), body.Ignore, body.ReadOnly, body.Refuse}
	if err := checkVersion(h.Version); err != nil {
		return h, fmt.Errorf("repository: %w", err)
	}
	if len(h.Refuse) > 0 {
		return h, fmt.Errorf("repository has the feature %q: %w", h.Refuse[0], ErrNewer)
	}
	return h, nil
}

// OpenConfig returns the sealed payload of config.
func (r *Ring) OpenConfig(b []byte) ([]byte, error) {
	head, env, err := splitConfig(b)
	if err != nil {
		return nil, err
	}
	return r.Open(Config, ConfigName, env, head)
}

func splitConfig(b []byte) (head, env []byte, err error) {
	if len(b) < 4 || len(b) > MaxSlot {
		return nil, nil, fmt.Errorf("config of %d bytes: %w", len(b), ErrDamaged)
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n)+4 > uint64(len(b)) {
		return nil, nil, fmt.Errorf("config of %d bytes is cut short: %w", len(b), ErrDamaged)
	}
	return b[4 : 4+n], b[4+n:], nil
}
