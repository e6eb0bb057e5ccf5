package file

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"savepoint/repo/storage"
)

// causes says in words what a user can do something about. The path where it
// happened follows from the error below.
var causes = []struct {
	err  unix.Errno
	text string
}{
	{unix.ENOSPC, "the file system is full"},
	{unix.EDQUOT, "the disk quota is used up"},
	{unix.EROFS, "the file system is read-only"},
	{unix.EACCES, "this user may not do that (owner or mode of the directory)"},
	{unix.EPERM, "the file system or the kernel forbids that"},
	{unix.EXDEV, "a directory of the repository is on another file system"},
	{unix.EIO, "the device or the server failed"},
}

// temporary are the failures that pass by themselves.
var temporary = []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EAGAIN, unix.ETIMEDOUT, unix.EBUSY}

// explained puts words before an error and keeps its chain.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text + ": " + e.err.Error() }
func (e *explained) Unwrap() error { return e.err }

// opError wraps err, when there is one, as package storage wants it.
func opError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	e := &storage.OpError{Op: op, Name: name, Err: err}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return e
	}
	for _, t := range temporary {
		e.Temporary = e.Temporary || errors.Is(err, t)
	}
	for _, c := range causes {
		if errors.Is(err, c.err) {
			e.Err = &explained{c.text, err}
		}
	}
	return e
}

// absent reports whether an error of opening or of lstat says that nothing is
// there that could be an object or a directory of objects: no entry, a file where
// a directory should be, a symbolic link, a socket or a device without a driver.
func absent(err error) bool {
	for _, e := range []error{unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ENXIO, unix.ENODEV, unix.ENAMETOOLONG} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// ignoreNoDirSync drops the error of a file system that cannot sync directories
// (CIFS, some of FUSE): it offers nothing better. Files are never excused.
func ignoreNoDirSync(err error) error {
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}
