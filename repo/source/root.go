package source

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

// DefaultSequential is the size in bytes from which a file is read with readahead doubled, and dropped from the page
// cache after use where it was not there before.
const DefaultSequential = 1 << 20

// Options are what the roots of one run share. The zero value is ready to use.
type Options struct {
	Owners  *Owners      // nil: a cache for this root alone
	Devices *DeviceTable // nil: a table for this root alone
	// Sequential replaces DefaultSequential unless it is 0.
	Sequential uint64
}

// Root is a path that a user wants backed up. The caller closes it.
type Root struct {
	Path  string      // absolute and clean, as the user meant it: a symbolic link at its end is not resolved
	Meta  Meta        // of what the path leads to
	Entry *tree.Entry // likewise; without name and content
	Dir   *Dir        // nil if it is no directory; Close closes it
	// Incomplete is nil, or an *Error naming what Entry lacks, as [Dir.Entry] would return.
	Incomplete error

	env *env
}

// OpenRoot opens path with the defaults of [Options]. See [Options.OpenRoot].
func OpenRoot(path string) (*Root, error) { return Options{}.OpenRoot(path) }

// OpenRoot opens path, made absolute and clean. Symbolic links are followed, the last one too; what it leads to may be
// of any type. A directory that holds [IncompleteMarker] is refused with [ErrMarked]. A path that is not there is an
// [Error] that is fs.ErrNotExist.
func (o Options) OpenRoot(path string) (*Root, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find absolute path of %q: %w", path, err)
	}
	fd, err := openPath(abs, unix.O_PATH)
	if err != nil {
		return nil, newError("open", abs, err)
	}
	defer unix.Close(fd)
	r := &Root{Path: abs, env: o.env()}
	if r.Meta, err = statFD(fd); err != nil {
		return nil, newError("stat", abs, err)
	}
	switch r.Meta.Type {
	case tree.Directory:
		if err := r.openDir(fd); err != nil {
			return nil, err
		}
		return r, nil
	case 0:
		return nil, &Error{Path: abs, Op: "open", Kind: Unsupported, Err: errType}
	}
	// A descriptor of O_PATH has no attributes to list; the link to it that /proc has leads to them.
	a := attrs{path: "/proc/self/fd/" + strconv.Itoa(fd), follow: true}
	if r.Entry, err = r.env.entry("", r.Meta, a); err != nil {
		r.Incomplete = newError("read attributes", abs, err)
	}
	return r, nil
}

// env makes what the root's directories and files share.
func (o Options) env() *env {
	e := &env{owners: o.Owners, devices: o.Devices, sequential: o.Sequential, residency: cached}
	if e.owners == nil {
		e.owners = NewOwners()
	}
	if e.devices == nil {
		e.devices = NewDeviceTable()
	}
	if e.sequential == 0 {
		e.sequential = DefaultSequential
	}
	e.maxDepth = deepest()
	e.buffers.New = func() any { return new([direntBuffer]byte) }
	return e
}

// deepest returns how deep beneath a root directories may lie.
func deepest() int {
	const least, most = 256, 16 << 10
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return least
	}
	return int(min(max(files.Cur/2, least), most))
}

// openDir fills in what a directory has; fd is a descriptor of O_PATH for it.
func (r *Root) openDir(fd int) error {
	dirFD, err := openAt(fd, ".", unix.O_DIRECTORY)
	if err != nil {
		return newError("open", r.Path, err)
	}
	if r.Dir, err = newDir(dirFD, nil, r.env, r.Path); err != nil {
		return err
	}
	r.Meta = r.Dir.meta
	if _, err := r.Dir.Stat(IncompleteMarker); err == nil {
		_ = r.Dir.Close()
		return fmt.Errorf("open %q: %w", r.Path, ErrMarked)
	}
	r.Entry, r.Incomplete = r.Dir.Self("")
	return nil
}

// OpenFile opens the content of a root that is a file, as [Dir.OpenFile] does.
func (r *Root) OpenFile() (*File, error) {
	if r.Meta.Type != tree.File {
		return nil, &Error{Path: r.Path, Op: "open", Kind: Unsupported, Err: unix.EINVAL}
	}
	fd, err := openPath(r.Path, unix.O_NOATIME|unix.O_NONBLOCK)
	if err == unix.EPERM {
		fd, err = openPath(r.Path, unix.O_NONBLOCK)
	}
	if err == unix.EWOULDBLOCK {
		fd, err = openLeased(openPath(r.Path, unix.O_PATH))
	}
	if err != nil {
		return nil, openError(r.Path, err)
	}
	return newFile(fd, r.env, nil, r.Path, r.Meta)
}

// Close closes the root's directory, if it is one.
func (r *Root) Close() error {
	if r.Dir == nil {
		return nil
	}
	return r.Dir.Close()
}

// openPath opens an absolute path of any length, following symbolic links: the kernel takes PATH_MAX bytes at a time.
func openPath(path string, flags int) (int, error) {
	const most = unix.PathMax - 1
	dir := unix.AT_FDCWD
	for len(path) > most {
		cut := strings.LastIndexByte(path[:most], '/')
		if cut <= 0 {
			break // a component of 4 KiB: the kernel says what it thinks of it
		}
		next, err := retry(func() (int, error) {
			return unix.Openat(dir, path[:cut], unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		})
		closeBase(dir)
		if err != nil {
			return -1, err
		}
		dir, path = next, strings.TrimLeft(path[cut:], "/")
	}
	fd, err := retry(func() (int, error) { return unix.Openat(dir, path, flags|unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	closeBase(dir)
	return fd, err
}

// closeBase closes a directory that a path was resolved from, unless it is the working directory.
func closeBase(dir int) {
	if dir != unix.AT_FDCWD {
		_ = unix.Close(dir)
	}
}
