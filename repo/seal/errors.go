package seal

import (
	"errors"
	"fmt"

	"savepoint/internal/wire"
)

var (
	// ErrDamaged is returned when bytes are not what was sealed under this key, name and repository: flipped, cut short,
	// copied from elsewhere or forged.
	ErrDamaged = errors.New("damaged or not authentic")
	// ErrNewer is returned for an object whose format version, feature flags or critical fields this program does not
	// know. It is the same mark that the codecs of what is sealed use.
	ErrNewer = wire.ErrNewer
	// ErrOlder is returned for an object of version 0 when this program writes a later one: it was made before the format
	// was declared, and nothing reads it any more.
	ErrOlder = errors.New("made before the format was declared")
	// ErrLocked is returned for a secret key of SSH that has a passphrase: it is not asked for.
	ErrLocked = errors.New("the SSH key has a passphrase")
	// ErrWrongSecret is returned when a passphrase or identity opens none of the slots given.
	ErrWrongSecret = errors.New("wrong password or key")
)

// checkVersion says whether this program reads objects of format version v.
func checkVersion(v uint8) error {
	switch {
	case v == Version:
		return nil
	case v == 0:
		return fmt.Errorf("format version 0: %w", ErrOlder)
	}
	return fmt.Errorf("format version %d, this program knows %d: %w", v, Version, ErrNewer)
}

// malformed makes an error of this package of one that the decoder of sealed or clear fields returned.
func malformed(what string, err error) error {
	if errors.Is(err, ErrNewer) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, ErrDamaged, err)
}
