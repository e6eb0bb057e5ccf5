package source

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

// env is what all directories and files beneath a root share.
type env struct {
	owners     *Owners
	devices    *DeviceTable
	sequential uint64
	maxDepth   int       // of directories beneath the root
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
	depth  int    // 0 in a root
}

// newDir takes fd over, and closes it if it cannot be examined.
func newDir(fd int, parent *Dir, e *env, name string) (*Dir, error) {
	d := &Dir{env: e, fd: fd, parent: parent, name: name}
	d.users.Store(1)
	if parent != nil {
		d.depth = parent.depth + 1
	}
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
	if err := d.checkName("stat", name); err != nil {
		return Meta{}, err
	}
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
// [ErrReplaced]. Since everybody who walks down keeps the directories above open, there is an end to how deep they lie, half as
// deep as this process may have descriptors and at most 16,384: beyond it a directory is an error of kind Unsupported,
// or whoever may make directories would keep all else from being backed up.
func (d *Dir) Open(name string) (*Dir, error) {
	if d.depth >= d.env.maxDepth {
		err := fmt.Errorf("it lies more than %d directories deep", d.env.maxDepth)
		return nil, &Error{Path: d.join(name), Op: "open", Kind: Unsupported, Err: err}
	}
	if err := d.checkName("open", name); err != nil {
		return nil, err
	}
	fd, err := openAt(d.fd, name, unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		return nil, openError(d.join(name), err)
	}
	return newDir(fd, d, d.env, name)
}

var errLongName = fmt.Errorf("the name is longer than %d bytes", tree.MaxName)

// checkName refuses a name that an entry has no room for.
func (d *Dir) checkName(op, name string) error {
	if len(name) > tree.MaxName {
		return &Error{Path: d.join(name), Op: op, Kind: Unsupported, Err: errLongName}
	}
	return nil
}

// openAt opens name beneath dir for reading and leaves no access time where the kernel lets us: its owner and root.
// It never waits for the other end of a fifo.
func openAt(dir int, name string, flags int) (int, error) {
	flags |= unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK
	fd, err := retry(func() (int, error) { return unix.Openat(dir, name, flags|unix.O_NOATIME, 0) })
	if err == unix.EPERM {
		fd, err = retry(func() (int, error) { return unix.Openat(dir, name, flags, 0) })
	}
	if err == unix.EWOULDBLOCK {
		return openLeased(retry(func() (int, error) { return unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0) }))
	}
	return fd, err
}

// openLeased opens the file that found is a descriptor of O_PATH for, which it closes, and waits until those who have a lease on it
// (a file server that lets its clients write later, say) gave it back or lost it, 45 seconds at most unless the administrator says
// otherwise. With O_NONBLOCK the kernel does not wait, and without it a fifo that took the name could make it wait for ever.
func openLeased(found int, err error) (int, error) {
	if err != nil {
		return -1, err
	}
	defer unix.Close(found)
	m, err := statFD(found)
	if err == nil && m.Type != tree.File {
		err = ErrReplaced
	}
	if err != nil {
		return -1, err
	}
	path := "/proc/self/fd/" + strconv.Itoa(found)
	return retry(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
}
