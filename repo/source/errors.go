package source

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

// IncompleteMarker is the name of the file that an unfinished restore in place leaves in the root of its target.
const IncompleteMarker = ".savepoint-restore-incomplete"

var (
	// ErrMarked is returned by [OpenRoot] for a tree that an unfinished restore has half overwritten.
	ErrMarked = errors.New("tree holds " + IncompleteMarker + ": a restore over it has not finished")
	// ErrReplaced says that a name stands for another object than the one that was examined before. It comes inside an
	// [Error] of kind Vanished: call [Dir.Stat] again and start over, the new object may be readable.
	ErrReplaced = errors.New("replaced by another object")
)

// Kind says which fault of the source an [Error] is. The numbers of faults are those of docs/format.md section 8.
type Kind uint8

// The kinds of errors.
const (
	// Failed is no fault of the source: this process is out of descriptors or memory. Going on would publish a
	// snapshot that lacks readable files.
	Failed      Kind = 0
	Unreadable  Kind = 1 // permission, a failing disk, and whatever else has no kind of its own
	Torn        Kind = 2 // never in an Error of this package: [File.Changed] says it
	Vanished    Kind = 3 // it was there when its directory was listed
	Unsupported Kind = 4 // this format or file system cannot say what it is
)

// String returns the word that reports use for the kind.
func (k Kind) String() string {
	switch k {
	case Unreadable:
		return "unreadable"
	case Torn:
		return "torn"
	case Vanished:
		return "vanished"
	case Unsupported:
		return "unsupported"
	}
	return "failed"
}

// Error is what went wrong with one object of the source. All errors of this package that concern an object are of
// this type, except the context's and [ErrMarked].
type Error struct {
	Path string // absolute; any bytes
	Op   string // what was done, as "open" or "read attributes"
	Kind Kind
	Err  error
}

// Error quotes the path, so that names with line breaks stay on one line.
func (e *Error) Error() string { return fmt.Sprintf("%s %q: %v", e.Op, e.Path, e.Err) }

// Unwrap returns the cause, mostly a syscall.Errno.
func (e *Error) Unwrap() error { return e.Err }

// newError classifies err by its cause.
func newError(op, path string, err error) *Error {
	return &Error{Path: path, Op: op, Kind: kindOf(err), Err: err}
}

func kindOf(err error) Kind {
	var errno unix.Errno
	switch {
	case errors.Is(err, ErrReplaced):
		return Vanished
	case !errors.As(err, &errno):
		return Unreadable
	}
	switch errno {
	case unix.ENOENT, unix.ESTALE:
		return Vanished
	case unix.EMFILE, unix.ENFILE, unix.ENOMEM:
		return Failed
	case unix.EOPNOTSUPP, unix.EOVERFLOW, unix.ENAMETOOLONG:
		return Unsupported
	}
	return Unreadable
}

// openError is newError for an open that insisted on a type: these numbers say that the name has another type by now.
func openError(path string, err error) *Error {
	if err == unix.ELOOP || err == unix.ENOTDIR || err == unix.ENXIO {
		err = fmt.Errorf("%w: %w", ErrReplaced, err)
	}
	return newError("open", path, err)
}

// retry calls fn until no signal interrupts it.
func retry[T any](fn func() (T, error)) (T, error) {
	for {
		if v, err := fn(); err != unix.EINTR {
			return v, err
		}
	}
}

// typeOf returns the type that the file type bits of a mode stand for, 0 for one that the format has no number for.
func typeOf(mode uint32) tree.Type {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return tree.File
	case unix.S_IFDIR:
		return tree.Directory
	case unix.S_IFLNK:
		return tree.Symlink
	case unix.S_IFIFO:
		return tree.Fifo
	case unix.S_IFSOCK:
		return tree.Socket
	case unix.S_IFCHR:
		return tree.CharDevice
	case unix.S_IFBLK:
		return tree.BlockDevice
	}
	return 0
}
