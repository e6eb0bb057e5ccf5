package restore

import (
	"errors"
	"fmt"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

// retry calls fn until no signal interrupts it.
func retry(fn func() error) error {
	for {
		if err := fn(); err != unix.EINTR {
			return err
		}
	}
}

func openat(dir int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags|unix.O_CLOEXEC, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

var errWrote = errors.New("the kernel wrote nothing")

// pwrite writes all of b at off.
func pwrite(fd int, b []byte, off int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, off)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case n == 0:
			return errWrote
		default:
			b, off = b[n:], off+int64(n)
		}
	}
	return nil
}

// closeFile closes a file that was written to: some file systems say only then that something went wrong.
func closeFile(fd int) error {
	if err := unix.Close(fd); err != unix.EINTR { // which closes it, too
		return err
	}
	return nil
}

// object is what metadata is set on: an open file or directory, or, if name is set, an entry of the open directory fd, which
// is not followed.
type object struct {
	fd   int
	name string
}

func (o object) chown(uid, gid int) error {
	if o.name == "" {
		return retry(func() error { return unix.Fchown(o.fd, uid, gid) })
	}
	return retry(func() error { return unix.Fchownat(o.fd, o.name, uid, gid, unix.AT_SYMLINK_NOFOLLOW) })
}

func (o object) setxattr(x tree.Xattr) error {
	if o.name == "" {
		return retry(func() error { return unix.Fsetxattr(o.fd, x.Name, []byte(x.Value), 0) })
	}
	path := "/proc/self/fd/" + strconv.Itoa(o.fd) + "/" + o.name
	return retry(func() error { return unix.Lsetxattr(path, x.Name, []byte(x.Value), 0) })
}

func (o object) chmod(mode uint32) error {
	if o.name == "" {
		return retry(func() error { return unix.Fchmod(o.fd, mode) })
	}
	err := retry(func() error { return unix.Fchmodat(o.fd, o.name, mode, unix.AT_SYMLINK_NOFOLLOW) })
	if err != unix.EOPNOTSUPP && err != unix.ENOSYS {
		return err
	}
	// Before Linux 6.6 nothing changes the mode of a name without following it but this.
	fd, err := openat(o.fd, o.name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return fmt.Errorf("%w: a symbolic link", ErrSwapped)
	}
	return retry(func() error { return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode) })
}

// setTime sets the time of modification and leaves that of access alone.
func (o object) setTime(mtime int64) error {
	ts := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(mtime)}
	if o.name != "" {
		return retry(func() error { return unix.UtimesNanoAt(o.fd, o.name, ts[:], unix.AT_SYMLINK_NOFOLLOW) })
	}
	for { // futimens, which x/sys does not have
		_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(o.fd), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}
