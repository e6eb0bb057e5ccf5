package tree

import (
	"errors"
	"fmt"

	"savepoint/internal/wire"
)

var (
	// ErrCorrupt marks bytes that no program writes, or parts of a tree that
	// do not fit together.
	ErrCorrupt = errors.New("corrupt tree")
	// ErrNotFound marks a name that a directory does not have.
	ErrNotFound = errors.New("no such entry")
	// ErrNewer marks a critical field that this program does not know. It is
	// no damage: a newer program reads it.
	ErrNewer = wire.ErrNewer
)

// corrupt returns err, met in doing what, as an error that wraps ErrCorrupt
// unless it wraps ErrNewer.
func corrupt(what string, err error) error {
	if errors.Is(err, ErrNewer) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, ErrCorrupt, err)
}
