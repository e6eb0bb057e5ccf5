package drill

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// removers is how many goroutines remove at a time: unlinking waits for the file system's locks as much as it computes.
	removers = 8
	// deepest is how many folders of one branch are open at a time. What lies deeper is moved up first, so that neither the
	// length of paths nor the number of open files matters.
	deepest = 24
	// namesAtOnce is how many names of a folder are read at a time.
	namesAtOnce = 1024
)

// remover removes a tree in parallel. It follows no symbolic link, enters nothing that is mounted, and gives itself the rights to
// folders that have none. Memory is bounded by removers × deepest × namesAtOnce names, and few of those branches are large.
type remover struct {
	mount mount
	top   int // folder that deep ones are moved to
	moved atomic.Uint64
	free  chan struct{} // a token for each goroutine beside the first

	mu   sync.Mutex
	errs []error
	deep []string // moved to the top, to be removed
}

// removeAll removes what is in a folder, and the folder too when except is "": else all but the entry of that name.
func removeAll(path, except string) error {
	fd, err := openDir(unix.AT_FDCWD, path)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if err := emptyFolder(f, except); err != nil {
		return err
	}
	if except == "" {
		return os.Remove(path)
	}
	return nil
}

// emptyFolder removes what is in an open folder, but for the entry called except.
func emptyFolder(f *os.File, except string) error {
	at, err := mountOf(int(f.Fd()))
	if err != nil {
		return &os.PathError{Op: "statx", Path: f.Name(), Err: err}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil { // it may have been read before
		return &os.PathError{Op: "list", Path: f.Name(), Err: err}
	}
	r := &remover{mount: at, top: int(f.Fd()), free: make(chan struct{}, removers-1)}
	r.empty(f, 0, except)
	for len(r.deep) > 0 && len(r.errs) == 0 {
		name := r.deep[len(r.deep)-1]
		r.deep = r.deep[:len(r.deep)-1]
		r.folder(f, name, 1)
	}
	if err := errors.Join(r.errs...); err != nil {
		return fmt.Errorf("remove what is in %s: %w", f.Name(), err)
	}
	return nil
}

// openDir opens a folder, giving itself the rights to it if need be.
func openDir(dir int, name string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := openat(dir, name, flags)
	if err != unix.EACCES {
		return fd, err
	}
	at, err := openat(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if err != nil {
		return -1, err
	}
	err = unix.Chmod("/proc/self/fd/"+strconv.Itoa(at), 0o700)
	_ = unix.Close(at) // nothing was written
	if err != nil {
		return -1, err
	}
	return openat(dir, name, flags)
}

func openat(dir int, name string, flags int) (fd int, err error) {
	err = ignoringEINTR(func() error {
		fd, err = unix.Openat(dir, name, flags, 0)
		return err
	})
	return fd, err
}

// fail notes what could not be removed; a few say enough.
func (r *remover) fail(op, name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errs) < 5 {
		r.errs = append(r.errs, fmt.Errorf("%s %q: %w", op, name, err))
	}
}

func (r *remover) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.errs) > 0
}

// empty removes what is in an open folder but for one entry. When names are left by a file system that loses its place as entries go,
// it starts again.
func (r *remover) empty(f *os.File, depth int, except string) {
	var below sync.WaitGroup
	defer below.Wait()
	for again := true; again && !r.failed(); {
		again = false
		for !r.failed() {
			names, err := f.Readdirnames(namesAtOnce)
			for _, name := range names {
				if name == except && depth == 0 {
					continue
				}
				again = true
				r.entry(f, name, depth, &below)
			}
			if err == io.EOF || errors.Is(err, unix.ENOENT) { // the end, or removed by another one
				break
			}
			if err != nil {
				r.fail("list", f.Name(), err)
				return
			}
		}
		below.Wait()
		if again {
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				r.fail("list", f.Name(), err)
			}
		}
	}
}

// entry removes one entry of a folder. A folder goes to another goroutine when one is free.
func (r *remover) entry(f *os.File, name string, depth int, below *sync.WaitGroup) {
	if err := r.unlink(f, name, 0); err != unix.EISDIR {
		if err != nil {
			r.fail("remove", name, err)
		}
		return
	}
	if depth >= deepest {
		r.moveUp(f, name)
		return
	}
	select {
	case r.free <- struct{}{}:
		below.Go(func() {
			defer func() { <-r.free }()
			r.folder(f, name, depth+1)
		})
	default:
		r.folder(f, name, depth+1)
	}
}

// folder removes a folder with all in it.
func (r *remover) folder(parent *os.File, name string, depth int) {
	fd, err := openDir(int(parent.Fd()), name)
	if err != nil {
		if err != unix.ENOENT {
			r.fail("open", name, err)
		}
		return
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	at, err := mountOf(fd)
	if err != nil {
		r.fail("statx", name, err)
		return
	}
	if at != r.mount {
		r.fail("remove", name, errors.New("something is mounted there; unmount it, and the next drill removes the folder"))
		return
	}
	r.empty(f, depth, "")
	if r.failed() {
		return
	}
	if err := r.unlink(parent, name, unix.AT_REMOVEDIR); err != nil {
		r.fail("remove", name, err)
	}
}

// unlink removes a name, giving itself the rights to the folder that it is in if need be.
func (r *remover) unlink(dir *os.File, name string, flags int) error {
	fd := int(dir.Fd())
	err := ignoringEINTR(func() error { return unix.Unlinkat(fd, name, flags) })
	if err == unix.EACCES && unix.Fchmod(fd, 0o700) == nil {
		err = ignoringEINTR(func() error { return unix.Unlinkat(fd, name, flags) })
	}
	if err == unix.ENOENT {
		return nil
	}
	return err
}

// moveUp moves a deep folder into the one that is to be removed, from where it is removed later. To be moved, a folder must be writable.
func (r *remover) moveUp(dir *os.File, name string) {
	fd, err := openDir(int(dir.Fd()), name)
	if err != nil {
		r.fail("open", name, err)
		return
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&0o700 != 0o700 {
		err = unix.Fchmod(fd, 0o700)
	}
	_ = unix.Close(fd) // nothing was written
	at := fmt.Sprintf(".deep-%d", r.moved.Add(1))
	if err == nil {
		err = unix.Renameat2(int(dir.Fd()), name, r.top, at, unix.RENAME_NOREPLACE)
		if err == unix.EACCES && unix.Fchmod(int(dir.Fd()), 0o700) == nil {
			err = unix.Renameat2(int(dir.Fd()), name, r.top, at, unix.RENAME_NOREPLACE)
		}
	}
	if err == unix.EEXIST { // a name of what is being removed
		r.moveUp(dir, name)
		return
	}
	if err != nil {
		r.fail("move", name, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deep = append(r.deep, at)
}

func ignoringEINTR(fn func() error) error {
	for {
		if err := fn(); err != unix.EINTR {
			return err
		}
	}
}
