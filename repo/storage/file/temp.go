package file

import (
	"crypto/rand"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// tempDir holds files that are not yet objects, on the file system of the
	// repository so that they can be renamed.
	tempDir = ".tmp"
	// staleAge is the age at which the file of a dead writer is removed.
	staleAge = 24 * time.Hour
)

// reserved reports whether the name lies in tempDir.
func reserved(name string) bool {
	return name == tempDir || strings.HasPrefix(name, tempDir+"/")
}

// temp is an unfinished object. It is locked as long as its writer lives.
type temp struct {
	dir   dir
	name  string
	file  *os.File
	moved bool // the name in dir is gone
}

func (s *Store) newTemp() (*temp, error) {
	top, err := s.top()
	if err != nil {
		return nil, err
	}
	defer top.close()
	d, err := top.openOrMake(tempDir)
	if err != nil {
		return nil, err
	}
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	name := rand.Text()
	fd, err := openat(d.fd, name, flags, 0o600)
	if err != nil {
		d.close()
		return nil, d.fail("create", name, err)
	}
	t := &temp{dir: d, name: name, file: os.NewFile(uintptr(fd), d.join(name))}
	top.hand(fd)
	// Where there are no locks, a sweep goes by age alone.
	_ = retry(func() error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	return t, nil
}

// discard closes the file and removes its temporary name, if it has one still. The
// bytes are synced by then, or worth nothing, so close has no error to tell.
func (t *temp) discard() {
	if !t.moved {
		_ = unix.Unlinkat(t.dir.fd, t.name, 0)
	}
	t.file.Close()
	t.dir.close()
}

// sweepStale removes what killed writers left. It measures age by the storage's
// clock, which has just stamped t. Its errors are nobody's business: the files are
// only waste.
func (t *temp) sweepStale() {
	now, err := t.dir.lstat(t.name)
	if err != nil {
		return
	}
	again, err := t.dir.open(".")
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(again.fd), t.dir.join(""))
	names, _ := f.Readdirnames(-1)
	f.Close()
	limit := time.Unix(now.Mtim.Unix()).Add(-staleAge)
	for _, name := range names {
		t.dir.removeStale(name, limit)
	}
}

// removeStale leaves alone what has a second name: it is the other half of a link
// whose writer was killed, and unlinking it would change the time of the object.
func (d dir) removeStale(name string, limit time.Time) {
	st, err := d.lstat(name)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink > 1 || time.Unix(st.Mtim.Unix()).After(limit) {
		return
	}
	// NFS gives exclusive locks on descriptors open for writing only.
	fd, err := openat(d.fd, name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK {
		return
	}
	_ = unix.Unlinkat(d.fd, name, 0)
}
