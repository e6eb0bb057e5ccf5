package file

import (
	"os"
	"path"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"savepoint/repo/storage"
)

// dir is an open directory of the repository. Whoever gets one closes it.
type dir struct {
	fd   int
	root string // absolute path of the repository
	rel  string // path beneath it, empty for the repository itself
}

// dirID tells a directory from one that was removed and made again under the same
// name. The zero value equals none.
type dirID struct {
	major, minor uint32
	ino          uint64
	born         unix.StatxTimestamp
}

// split parts a name into its directory, empty at the top, and its last element.
func split(name string) (string, string) {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)], name[i+1:]
}

func (d dir) join(name string) string { return path.Join(d.root, d.rel, name) }

func (d dir) close() { unix.Close(d.fd) }

// top opens the repository's directory once more, so that each dir owns its
// descriptor.
func (s *Store) top() (dir, error) {
	d, err := dir{fd: int(s.root.Fd()), root: s.path}.open(".")
	runtime.KeepAlive(s)
	d.rel = ""
	return d, err
}

// openDir opens a directory beneath the repository, element by element and never
// through a symbolic link.
func (s *Store) openDir(rel string) (dir, error) {
	d, err := s.top()
	if err != nil || rel == "" {
		return d, err
	}
	for element := range strings.SplitSeq(rel, "/") {
		child, err := d.open(element)
		d.close()
		if err != nil {
			return dir{}, err
		}
		d = child
	}
	return d, nil
}

// makeDir is openDir that makes what is missing. When it returns, every directory
// on the way is durably entered in its parent, whoever made it: another process may
// have made it just now and not synced it yet.
func (s *Store) makeDir(rel string) (dir, error) {
	d, err := s.top()
	if err != nil || rel == "" {
		return d, err
	}
	for element := range strings.SplitSeq(rel, "/") {
		child, err := d.openOrMake(element)
		if err == nil {
			err = s.settle(d, child)
		}
		d.close()
		if err != nil {
			return dir{}, err
		}
		d = child
	}
	return d, nil
}

// settle syncs parent unless the entry of child is known to be durable. It closes
// child when it fails.
func (s *Store) settle(parent, child dir) error {
	id := child.id()
	s.mu.Lock()
	known := id != dirID{} && s.durable[child.rel] == id
	s.mu.Unlock()
	if known {
		return nil
	}
	if err := parent.sync(); err != nil {
		child.close()
		return err
	}
	s.mu.Lock()
	s.durable[child.rel] = id
	s.mu.Unlock()
	return nil
}

// id is zero where the file system does not tell when a directory was made.
func (d dir) id() dirID {
	var st unix.Statx_t
	err := unix.Statx(d.fd, "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return dirID{}
	}
	return dirID{st.Dev_major, st.Dev_minor, st.Ino, st.Btime}
}

func (d dir) open(name string) (dir, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := openat(d.fd, name, flags, 0)
	if err != nil {
		return dir{}, d.fail("open", name, err)
	}
	return dir{fd: fd, root: d.root, rel: path.Join(d.rel, name)}, nil
}

// openOrMake copes with a Delete that removes the directory, empty still, before
// it is opened.
func (d dir) openOrMake(name string) (dir, error) {
	const tries = 10
	var last error
	for range tries {
		child, err := d.open(name)
		if !isENOENT(err) {
			return child, err
		}
		mkdirErr := retry(func() error { return unix.Mkdirat(d.fd, name, 0o700) })
		if mkdirErr != nil && mkdirErr != unix.EEXIST {
			return dir{}, d.fail("mkdir", name, mkdirErr)
		}
		if mkdirErr == nil {
			if made, err := d.open(name); err == nil {
				d.hand(made.fd)
				made.close()
			}
		}
		last = err
	}
	return dir{}, last
}

// hand gives what root has just made to the owner of d: a backup by root, once, must not lock the owner of a repository
// out of it. Where that is not allowed, in a user namespace or on a network file system, it stays as it is.
func (d dir) hand(fd int) {
	if unix.Geteuid() != 0 {
		return
	}
	var of, made unix.Stat_t
	if unix.Fstat(d.fd, &of) != nil || unix.Fstat(fd, &made) != nil || made.Uid != 0 || of.Uid == 0 {
		return
	}
	_ = retry(func() error { return unix.Fchown(fd, int(of.Uid), int(of.Gid)) })
}

// lstat never follows a link.
func (d dir) lstat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return st, d.fail("lstat", name, err)
	}
	return st, nil
}

// openObject opens an object for reading. O_NONBLOCK keeps it from waiting for the
// writer of a fifo.
func (d dir) openObject(name string) (int, *unix.Stat_t, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := openat(d.fd, name, flags, 0)
	if absent(err) {
		return -1, nil, storage.ErrNotExist
	}
	if err != nil {
		return -1, nil, d.fail("open", name, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, nil, d.fail("stat", name, err)
	}
	if !isObject(&st) {
		unix.Close(fd)
		return -1, nil, storage.ErrNotExist
	}
	return fd, &st, nil
}

func (d dir) sync() error {
	if err := ignoreNoDirSync(retry(func() error { return unix.Fsync(d.fd) })); err != nil {
		return d.fail("sync", "", err)
	}
	return nil
}

func (d dir) fail(op, name string, err error) error {
	return &os.PathError{Op: op, Path: d.join(name), Err: err}
}

func openat(at int, name string, flags int, mode uint32) (fd int, err error) {
	err = retry(func() error {
		fd, err = unix.Openat(at, name, flags, mode)
		return err
	})
	return fd, err
}

func pread(fd int, p []byte, off int64) (n int, err error) {
	err = retry(func() error {
		n, err = unix.Pread(fd, p, off)
		return err
	})
	return n, err
}

// retry repeats what a signal interrupted; network file systems let that happen.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
