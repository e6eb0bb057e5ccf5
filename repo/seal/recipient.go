package seal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
)

// Identity opens key slots; Recipient is what they are sealed to.
type (
	Identity  = age.Identity
	Recipient = age.Recipient
)

// maxIdentities is how many keys an identity file may hold: each is tried on each slot.
const maxIdentities = 32

// NewMachineKey draws an X25519 key: the text of a machine key file and the recipient of its slot.
func NewMachineKey() (secret, public string, err error) {
	i, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", err
	}
	return i.String(), i.Recipient().String(), nil
}

// NewHybridKey is NewMachineKey with a post-quantum key, X25519 with ML-KEM-768. Only age 1.3 and later opens its slot.
func NewHybridKey() (secret, public string, err error) {
	i, err := age.GenerateHybridIdentity()
	if err != nil {
		return "", "", err
	}
	return i.String(), i.Recipient().String(), nil
}

// ParseRecipient reads the public key of a slot: X25519, age1…, or post-quantum, age1pq1….
func ParseRecipient(s string) (Recipient, error) {
	switch {
	case strings.HasPrefix(s, "ssh-"), strings.HasPrefix(s, "ecdsa-"), strings.HasPrefix(s, "sk-"):
		return parseSSHRecipient(s)
	case strings.HasPrefix(s, "age1pq1"):
		return age.ParseHybridRecipient(s)
	}
	return age.ParseX25519Recipient(s)
}

// ParseIdentity reads a machine key file: one secret key of age, lines that start with # being comments.
func ParseIdentity(s string) (Identity, error) {
	ids, err := age.ParseIdentities(bytes.NewReader([]byte(s)))
	if err != nil {
		return nil, fmt.Errorf("machine key: %w", err)
	}
	if len(ids) != 1 {
		return nil, fmt.Errorf("machine key: %d keys where one belongs", len(ids))
	}
	return ids[0], nil
}

// ParseIdentities reads an identity file as age does: up to 32 secret keys of age, a line each, lines that start with # being comments; or the
// secret key of SSH. Errors repeat nothing of a key.
func ParseIdentities(s string) ([]Identity, error) {
	if strings.HasPrefix(s, "-----BEGIN") {
		id, err := parseSSHIdentity(s)
		if err != nil {
			return nil, err
		}
		return []Identity{id}, nil
	}
	ids, err := age.ParseIdentities(bytes.NewReader([]byte(s)))
	switch {
	case err != nil && strings.Contains(strings.ToUpper(err.Error()), "AGE-SECRET-KEY"):
		return nil, errors.New("a key in it is cut short or mistyped")
	case err != nil:
		return nil, err
	case len(ids) > maxIdentities:
		return nil, fmt.Errorf("%d keys where at most %d can be", len(ids), maxIdentities)
	}
	return ids, nil
}
