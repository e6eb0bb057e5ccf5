package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// target is the directory that is restored into.
type target struct {
	path   string
	marker string
	dir    *os.File
	was    unix.Stat_t

	acl, defaultACL []byte // the access control lists that it had

	owners   bool   // set owners
	uid, gid uint32 // what new files get
	umask    uint32
	private  bool // nobody else can look into the target before the end
}

const (
	accessACL  = "system.posix_acl_access"
	defaultACL = "system.posix_acl_default"
)

// openTarget creates the directory when it is missing and opens it. It must be empty.
func openTarget(path string) (*target, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, &TargetError{"create directory", path, bare(err)}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, &TargetError{"open directory", path, bare(err)}
	}
	t := &target{path: path, dir: f, owners: os.Geteuid() == 0}
	if err := t.checkEmpty(); err != nil {
		_ = f.Close() // was only looked at
		return nil, err
	}
	return t, nil
}

// bare takes the path off an error, which is said elsewhere.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (t *target) fd() int { return int(t.dir.Fd()) }

// checkEmpty returns an error that wraps ErrNotEmpty and names what is there beside the marker.
func (t *target) checkEmpty() error {
	names, err := t.list()
	if err != nil {
		return &TargetError{"list directory", t.path, bare(err)}
	}
	if names = slices.DeleteFunc(names, func(n string) bool { return n == t.marker }); len(names) == 0 {
		return nil
	}
	more := ""
	if len(names) > 3 {
		names, more = names[:3], " and more"
	}
	slices.Sort(names)
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	text := fmt.Sprintf("%q holds %s%s", t.path, strings.Join(quoted, ", "), more)
	if _, err := os.Lstat(t.path + "/" + IncompleteMarker); err == nil && t.marker == "" {
		text += "; " + IncompleteMarker + " says that an earlier restore into it did not finish: empty it and run the restore again"
	}
	return fmt.Errorf("%w: %s", ErrNotEmpty, text)
}

// list returns up to five names in the target.
func (t *target) list() ([]string, error) {
	if _, err := t.dir.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	names, err := t.dir.Readdirnames(5)
	if err == io.EOF {
		err = nil
	}
	return names, err
}

// begin puts the marker into the target, shuts others out and finds out what new files get there. After an error the target is as it
// was.
func (t *target) begin(marker, what string) error {
	t.marker = marker
	if err := retry(func() error { return unix.Fstat(t.fd(), &t.was) }); err != nil {
		return &TargetError{"stat", t.path, err}
	}
	// A default access control list and the setgid bit would be passed on to everything below; with the other list chmod does not
	// say who may do what.
	t.acl, t.defaultACL = t.takeOff(accessACL), t.takeOff(defaultACL)
	if n, err := unix.Fgetxattr(t.fd(), defaultACL, nil); err == nil && n > 0 {
		return &TargetError{"use", t.path, errors.New("what is made in it gets a default access control list that only its owner can take off; restore into a new folder in it")}
	}
	shut := retry(func() error { return unix.Fchmod(t.fd(), 0o700) }) == nil
	path := t.path + "/" + marker
	fd, err := openat(t.fd(), marker, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o777)
	if err == unix.EEXIST {
		return fmt.Errorf("%w: another restore into %q has just begun", ErrNotEmpty, t.path)
	}
	if err != nil {
		return errors.Join(&TargetError{"create", path, err}, t.giveBack())
	}
	if err = t.mark(fd, path, what); err != nil {
		return errors.Join(err, t.end(), t.giveBack())
	}
	t.private = shut && t.was.Uid == t.uid
	return nil
}

// mark fills and closes the marker. Since the target was looked at before, another restore may have begun and ended.
func (t *target) mark(fd int, path, what string) error {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstat(fd, &st) })
	if err == nil {
		text := what + " is being restored into this directory, or was and did not come to its end.\nIn that case empty the directory and run the restore again.\n"
		err = pwrite(fd, []byte(text), 0)
	}
	if err = errors.Join(err, closeFile(fd)); err != nil {
		return &TargetError{"write", path, err}
	}
	t.uid, t.gid, t.umask = st.Uid, st.Gid, 0o777&^st.Mode
	if t.umask&0o700 != 0 {
		return &TargetError{"create", path, fmt.Errorf("the umask %03o takes this process its own rights; run the restore with another umask", t.umask)}
	}
	return t.checkEmpty()
}

// takeOff removes an attribute of the target and returns what it was; nil if there was none, or if it stays.
func (t *target) takeOff(attr string) []byte {
	buf := make([]byte, 64<<10)
	if n, err := unix.Fgetxattr(t.fd(), attr, buf); err == nil && n > 0 && unix.Fremovexattr(t.fd(), attr) == nil {
		return slices.Clone(buf[:n])
	}
	return nil
}

// sync waits until everything written is on the disk.
func (t *target) sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := retry(func() error { return unix.Syncfs(t.fd()) }); err != nil {
		return &TargetError{"sync", t.path, err}
	}
	return nil
}

// end takes the marker away.
func (t *target) end() error {
	if err := retry(func() error { return unix.Unlinkat(t.fd(), t.marker, 0) }); err != nil {
		return &TargetError{"remove", t.path + "/" + t.marker, err}
	}
	return nil
}

// giveBack sets what the target had before, when it does not take a root's metadata.
func (t *target) giveBack() error {
	err := retry(func() error { return unix.Fchmod(t.fd(), t.was.Mode&0o7777) })
	if t.acl != nil {
		err = errors.Join(err, unix.Fsetxattr(t.fd(), accessACL, t.acl, 0))
	}
	if t.defaultACL != nil {
		err = errors.Join(err, unix.Fsetxattr(t.fd(), defaultACL, t.defaultACL, 0))
	}
	if err != nil && t.private {
		return &TargetError{"set mode", t.path, err}
	}
	return nil
}

// flush makes what was done to the target itself durable.
func (t *target) flush() error {
	if err := retry(func() error { return unix.Fsync(t.fd()) }); err != nil && err != unix.EINVAL {
		return &TargetError{"sync", t.path, err}
	}
	return nil
}
