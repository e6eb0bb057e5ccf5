package seal

import (
	"errors"
	"strings"

	"filippo.io/age/agessh"
)

// parseSSHRecipient reads a line of an SSH public key file: ssh-ed25519, or ssh-rsa of at least 2048 bits. Its slot says in the clear
// which key it is for, in 32 bits.
func parseSSHRecipient(s string) (Recipient, error) { return agessh.ParseRecipient(s) }

// parseSSHIdentity reads an SSH private key file without a passphrase.
func parseSSHIdentity(s string) (Identity, error) {
	id, err := agessh.ParseIdentity([]byte(s))
	switch {
	case err == nil:
		return id, nil
	case strings.Contains(err.Error(), "passphrase"):
		return nil, ErrLocked
	}
	return nil, errors.New("it is no whole SSH key of type ed25519 or rsa")
}
