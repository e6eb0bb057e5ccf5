package repo

import (
	"errors"
	"fmt"

	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/tree"
)

var (
	// ErrNoRepository is returned by Open when there is no repository in the store.
	ErrNoRepository = errors.New("no repository")
	// ErrExists is returned by Init when there is one already.
	ErrExists = errors.New("a repository is there already")
	// ErrCorrupt marks every error that means damage in the repository: bytes that are missing, changed or not authentic.
	ErrCorrupt = tree.ErrCorrupt
	// ErrNewer is returned for a repository or object that needs a newer program.
	ErrNewer = seal.ErrNewer
	// ErrWrongSecret is returned by Open when the secret opens none of the key slots.
	ErrWrongSecret = seal.ErrWrongSecret
	// ErrReadOnly is returned when a repository may be read but not written by this program.
	ErrReadOnly = errors.New("repository can only be read")
	// ErrHeld is returned when another process of this host is at the same work.
	ErrHeld = errors.New("held by another process")
	// ErrLapsed is returned by Commit when the session slept so long that what it relied on may be gone, and some of it is:
	// the backup must be run again. Nothing was published.
	ErrLapsed = errors.New("session lapsed")
	// ErrUnknownChunk is returned when no index segment locates a chunk.
	ErrUnknownChunk = errors.New("chunk is in no index segment")
)

// CorruptError says which object is damaged. errors.Is(err, ErrCorrupt) holds.
type CorruptError struct {
	Object string // name of the object, or what else identifies the damage
	Hint   string // what to do next; may be empty
	Err    error
}

// Error names the object.
func (e *CorruptError) Error() string {
	s := fmt.Sprintf("%s is damaged: %v", e.Object, e.Err)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap returns the cause and ErrCorrupt.
func (e *CorruptError) Unwrap() []error { return []error{ErrCorrupt, e.Err} }

// corrupt names the object that err is about. What needs a newer program is no damage.
func corrupt(object string, err error) error {
	if errors.Is(err, ErrNewer) {
		return fmt.Errorf("%s: %w", object, err)
	}
	return &CorruptError{Object: object, Err: err}
}

func gone(err error) bool { return errors.Is(err, storage.ErrNotExist) }

func isRange(err error) bool { return errors.Is(err, storage.ErrRange) }
