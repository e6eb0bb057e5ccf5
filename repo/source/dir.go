package source

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// env is what all directories and files beneath a root share.
type env struct {
	owners     *Owners
	devices    *DeviceTable
	sequential uint64
	buffers    sync.Pool // of *[direntBuffer]byte
	residency  residency
}

// Dir is an open directory. Its methods may be called from several goroutines at the same time, except that only one
// may be in Names.
//
// The Dir that OpenRoot or Open returned is the caller's, who closes it. Whoever hands it to someone who may use it
// later calls Hold for each of them, and each calls Close.
type Dir struct {
	env    *env
	fd     int
	users  atomic.Int32
	meta   Meta
	parent *Dir   // for Path only, its descriptor may be closed; nil in a root
	name   string // beneath parent; the absolute path in a root
}

// newDir takes fd over, and closes it if it cannot be examined.
func newDir(fd int, parent *Dir, e *env, name string) (*Dir, error) {
	d := &Dir{env: e, fd: fd, parent: parent, name: name}
	d.users.Store(1)
	m, err := statFD(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, newError("stat", d.Path(), err)
	}
	d.meta = m
	return d, nil
}

// Path returns the absolute path under which the directory was reached, for messages. It may be longer than PATH_MAX.
func (d *Dir) Path() string {
	if d.parent == nil {
		return d.name
	}
	return d.parent.join(d.name)
}

// join returns the path of name beneath d.
func (d *Dir) join(name string) string {
	size := len(name)
	top := d
	for ; top.parent != nil; top = top.parent {
		size += 1 + len(top.name)
	}
	base := top.name
	if base == "/" {
		base = ""
	}
	// Filled from its end, since a directory knows its parent: one allocation however deep it lies.
	path := make([]byte, len(base)+1+size)
	i := len(path) - len(name)
	copy(path[i:], name)
	for ; d.parent != nil; d = d.parent {
		i--
		path[i] = '/'
		i -= len(d.name)
		copy(path[i:], d.name)
	}
	path[i-1] = '/'
	copy(path, base)
	return string(path)
}

// Meta returns what the directory was when it was opened. It belongs to the directory that Names lists, whatever has
// happened to its name.
func (d *Dir) Meta() Meta { return d.meta }

// Hold adds a user: one more Close is needed before the descriptor is closed. It returns d.
func (d *Dir) Hold() *Dir {
	d.users.Add(1)
	return d
}

// Close says that one user is done.
func (d *Dir) Close() error {
	switch n := d.users.Add(-1); {
	case n > 0:
		return nil
	case n < 0:
		panic("source: directory closed more often than held")
	}
	if err := unix.Close(d.fd); err != nil && err != unix.EINTR {
		return newError("close", d.Path(), err)
	}
	return nil
}

// Stat returns the metadata of name, not following a symbolic link: one system call.
func (d *Dir) Stat(name string) (Meta, error) {
	var st unix.Stat_t
	for {
		err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return Meta{}, newError("stat", d.join(name), err)
		}
		m := metaOf(&st)
		if m.Type == 0 {
			return Meta{}, &Error{Path: d.join(name), Op: "stat", Kind: Unsupported, Err: errType}
		}
		return m, nil
	}
}

// Open opens the directory called name. What is no directory any more, a symbolic link to one included, is
// [ErrReplaced].
func (d *Dir) Open(name string) (*Dir, error) {
	fd, err := openAt(d.fd, name, unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		return nil, openError(d.join(name), err)
	}
	return newDir(fd, d, d.env, name)
}

// openAt opens name beneath dir for reading and leaves no access time where the kernel lets us: its owner and root.
// It never waits, not even for the other end of a fifo.
func openAt(dir int, name string, flags int) (int, error) {
	flags |= unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK
	fd, err := retry(func() (int, error) { return unix.Openat(dir, name, flags|unix.O_NOATIME, 0) })
	if err == unix.EPERM {
		fd, err = retry(func() (int, error) { return unix.Openat(dir, name, flags, 0) })
	}
	return fd, err
}
