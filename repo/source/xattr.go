package source

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

// attrLimit bounds the names and values of one object's attributes, in bytes: an entry may have 1 MiB in all.
const attrLimit = 512 << 10

var errAttrs = errors.New("attributes of more than 512 KiB in all")

// attrs reads the extended attributes, access control lists among them, of an open object or, if path is set, of what
// it leads to. A path through /proc/self/fd takes one name after the descriptor, so it is never too long, and needs no
// open: it works for symbolic links, fifos and what may not be read.
type attrs struct {
	fd     int
	path   string
	follow bool // a symbolic link at the end of path
}

func (a attrs) list(buf []byte) (int, error) {
	switch {
	case a.path == "":
		return unix.Flistxattr(a.fd, buf)
	case a.follow:
		return unix.Listxattr(a.path, buf)
	}
	return unix.Llistxattr(a.path, buf)
}

func (a attrs) get(name string, buf []byte) (int, error) {
	switch {
	case a.path == "":
		return unix.Fgetxattr(a.fd, name, buf)
	case a.follow:
		return unix.Getxattr(a.path, name, buf)
	}
	return unix.Lgetxattr(a.path, name, buf)
}

// read returns all attributes in order of name. With an error, which joins one for each attribute that could not be
// read, it returns the others.
func (a attrs) read() ([]tree.Xattr, error) {
	var small [512]byte
	list, err := fill(small[:], a.list)
	if err == unix.EOPNOTSUPP || len(list) == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []tree.Xattr
	var errs []error
	size := 0
	names := strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00")
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		var room [256]byte
		value, err := fill(room[:], func(p []byte) (int, error) { return a.get(name, p) })
		switch {
		case err == nil && size+len(name)+len(value) > attrLimit:
			errs = append(errs, fmt.Errorf("%q: %w", name, errAttrs))
		case err == nil:
			size += len(name) + len(value)
			all = append(all, tree.Xattr{Name: name, Value: string(value)})
		case !skipAttr(name, err):
			errs = append(errs, fmt.Errorf("%q: %w", name, err))
		}
	}
	return all, errors.Join(errs...)
}

// skipAttr reports whether an attribute that could not be read is none of ours: it was removed meanwhile, the file
// system does not keep it, or it is the system's and privileged.
func skipAttr(name string, err error) bool {
	switch err {
	case unix.ENODATA, unix.EOPNOTSUPP:
		return true
	case unix.EPERM, unix.EACCES:
		return strings.HasPrefix(name, "security.") || strings.HasPrefix(name, "trusted.")
	}
	return false
}

// fill calls a function that fills a buffer, or says that it is too small, until all of its answer has room.
func fill(buf []byte, fn func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := retry(func() (int, error) { return fn(buf) })
		if err == nil {
			return bytes.Clone(buf[:n]), nil
		}
		if err != unix.ERANGE {
			return nil, err
		}
		if n, err = retry(func() (int, error) { return fn(nil) }); err != nil {
			return nil, err
		}
		buf = make([]byte, n+64) // it may grow meanwhile
	}
}
