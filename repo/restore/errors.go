package restore

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"savepoint/repo"
)

var (
	// ErrNotEmpty is returned, before anything is changed, when there is something in the target.
	ErrNotEmpty = errors.New("target is not empty")
	// ErrSelection is returned, before anything is changed, when the snapshot does not have what is wanted, or when it cannot be
	// laid out in one target.
	ErrSelection = errors.New("selection does not fit the snapshot")
	// ErrSwapped is in a TargetError when a directory or file of the target is not any more the one that was made: somebody
	// else changes the target.
	ErrSwapped = errors.New("replaced by something else during the restore")
)

// TargetError is what went wrong with the target; the restore stopped there.
type TargetError struct {
	Op   string // what was done, as "create" or "write"
	Path string // below the target, or the target; it may be longer than PATH_MAX
	Err  error
}

// Error quotes the path, so that names with line breaks stay on one line.
func (e *TargetError) Error() string { return fmt.Sprintf("%s %q: %v", e.Op, e.Path, e.Err) }

// Unwrap returns the cause, mostly a syscall.Errno.
func (e *TargetError) Unwrap() error { return e.Err }

// IncompleteError is the error that ended a restore after it had begun, with what it means and what to do.
type IncompleteError struct {
	Target, Marker string // the folder, and the file in it that says that it is incomplete
	Err            error
}

// Error says what is left in the target.
func (e *IncompleteError) Error() string {
	var t *TargetError
	unharmed := ""
	if errors.As(e.Err, &t) {
		unharmed = "; the repository is unharmed"
	}
	return fmt.Sprintf("%v%s; the target is incomplete: what was written is left in %q beside the file %s; empty it and run the restore again",
		e.Err, unharmed, e.Target, e.Marker)
}

// Unwrap returns what ended the restore.
func (e *IncompleteError) Unwrap() error { return e.Err }

// advise makes an IncompleteError of what ended a restore, unless it was cancelled.
func advise(err error, target, marker string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &IncompleteError{target, marker, err}
}

// lostBy says which object of the repository is at fault for err, which wraps repo.ErrCorrupt.
func lostBy(err error) lost {
	var c *repo.CorruptError
	if errors.As(err, &c) {
		return lost{c.Object, err}
	}
	return lost{"", err}
}

// swapped turns what the kernel says of a name that is no longer what it was into ErrSwapped.
func swapped(err error) error {
	switch err {
	case unix.ELOOP, unix.ENOTDIR, unix.ENOENT, unix.ENXIO, unix.EISDIR:
		return fmt.Errorf("%w: %w", ErrSwapped, err)
	}
	return err
}

// refused reports whether a file system or missing rights do not allow something about one entry, and other entries may
// fare better. Everything else, as a full or failing disk, ends the restore.
func refused(err error) bool {
	switch err {
	case unix.EPERM, unix.EACCES, unix.EINVAL, unix.EOPNOTSUPP, unix.ENOSYS:
		return true
	}
	return false
}

// unfit reports whether an entry cannot be made for what it is: its type, name or size is beyond the file system or the rights.
func unfit(err error) bool {
	switch err {
	case unix.ENAMETOOLONG, unix.EILSEQ, unix.EFBIG:
		return true
	}
	return refused(err)
}
