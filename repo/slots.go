package repo

import (
	"context"
	"regexp"
	"strings"
)

// The kinds of key slots.
const (
	SlotPassphrase = "passphrase"
	SlotMachine    = "machine"
	SlotRecipient  = "recipient"
)

// Secret opens a repository: a passphrase, the text of a machine key file, that of an identity file, or several of them.
type Secret struct {
	Passphrase string
	MachineKey string
	Identities string // as seal.ParseIdentities reads them
}

// NewSlot asks Init for a key slot.
type NewSlot struct {
	Kind, Label string
	// Passphrase of a passphrase slot; the public key of others, as seal.ParseRecipient reads it.
	Passphrase, Recipient string
	// ID is the random part of the slot's name, 32 hex digits; empty: it is drawn.
	ID string
	// WorkFactor of scrypt; 0 is seal.WorkFactor. Smaller ones are for tests.
	WorkFactor int
}

// KeySlot describes a key slot from its name.
type KeySlot struct {
	Name, Kind, Label, ID string
	Created               int64 // storage time, nanoseconds since 1970
}

var slotName = regexp.MustCompile(`^keys/(passphrase|machine|recipient)-([a-z0-9._]{1,63})-([0-9a-f]{32})$`)

// ValidLabel reports whether s can be the label of a key slot.
func ValidLabel(s string) bool {
	return slotName.MatchString("keys/machine-" + s + "-" + strings.Repeat("0", 32))
}

// SlotKind returns the kind of a key slot from its name; empty when that is none of a slot's.
func SlotKind(name string) string {
	if m := slotName.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// KeySlots lists the key slots; it needs no key.
func (r *Repo) KeySlots(ctx context.Context) ([]KeySlot, error) {
	infos, err := r.list(ctx, "keys/")
	if err != nil {
		return nil, err
	}
	var out []KeySlot
	for _, i := range infos {
		if m := slotName.FindStringSubmatch(i.Name); m != nil {
			out = append(out, KeySlot{Name: i.Name, Kind: m[1], Label: m[2], ID: m[3], Created: i.Time.UnixNano()})
		}
	}
	return out, nil
}
