package seal

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What opens a slot, as the first stanza of its header says.
const (
	TypePassword  = "scrypt"
	TypeX25519    = "X25519"
	TypeHybrid    = "mlkem768x25519"
	TypeSSHEd     = "ssh-ed25519"
	TypeSSHRSA    = "ssh-rsa"
	ageVersion    = "age-encryption.org/v1\n-> "
	ageMAC        = 43      // characters
	agePayload    = 16 + 16 // a nonce and a tag
	maxTypeLength = 64
)

// SlotHead is what the header of a key slot says in the clear. Only who has the secret can tell whether it is true.
type SlotHead struct {
	Type       string // the first stanza's
	WorkFactor int    // of a password slot, the binary logarithm of scrypt's cost; 0 of others
}

// ReadSlotHead reads the header of a key slot: an age file with at least one recipient, and more than nothing sealed in it. It is an error
// when b has not the shape of one. A work factor that readers refuse is none here.
func ReadSlotHead(b []byte) (SlotHead, error) {
	var h SlotHead
	if len(b) > MaxSlot {
		return h, fmt.Errorf("%d bytes where at most %d can be", len(b), MaxSlot)
	}
	head, rest, ok := bytes.Cut(b, []byte("\n--- "))
	stanzas, versioned := bytes.CutPrefix(head, []byte(ageVersion))
	mac, payload, ended := bytes.Cut(rest, []byte("\n"))
	if !ok || !versioned || !ended || len(mac) != ageMAC {
		return h, errors.New("its header is not that of an age file")
	}
	if len(payload) <= agePayload {
		return h, fmt.Errorf("only %d bytes are left of what it seals", len(payload))
	}
	line, _, _ := strings.Cut(string(stanzas), "\n")
	args := strings.Split(line, " ")
	h.Type = args[0]
	if h.Type == "" || len(h.Type) > maxTypeLength || strings.ContainsFunc(h.Type, func(r rune) bool { return r < '!' || r > '~' }) {
		return SlotHead{}, errors.New("its header does not say what opens it")
	}
	if h.Type == TypePassword {
		factor, err := strconv.ParseUint(args[len(args)-1], 10, 16)
		if err != nil || len(args) != 3 || factor == 0 {
			return SlotHead{}, errors.New("its header has no work factor")
		}
		h.WorkFactor = int(factor)
	}
	return h, nil
}
