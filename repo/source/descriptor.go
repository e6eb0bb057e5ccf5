package source

import (
	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

// FD returns the directory's descriptor, to open files beneath it by other calls than those of this package. It stays d's, and is open
// as long as d is.
func (d *Dir) FD() int { return d.fd }

// Stat returns the Meta of an open object, with type 0 if the format has no number for what it is. An error is the kernel's.
func Stat(fd int) (Meta, error) { return statFD(fd) }

// Attributes returns the extended attributes of an open object as [File.Entry] has them. With an error, which names those that could not
// be read, it returns the others.
func Attributes(fd int) ([]tree.Xattr, error) {
	// Most have none, and a length costs no memory.
	if n, err := retry(func() (int, error) { return unix.Flistxattr(fd, nil) }); n == 0 && err == nil {
		return nil, nil
	}
	return attrs{fd: fd}.read()
}

// Cached reports whether the page cache holds any of the n bytes at off of an open file, or that it cannot be told; off is a multiple of
// the page size. Where the kernel has no cachestat(2), before Linux 6.5, a file that the process may not write to counts as cached.
func Cached(fd int, off, n int64) (bool, error) { return cached(fd, off, n) }
