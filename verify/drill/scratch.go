package drill

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lockName is the file in a drill's folder that is locked as long as the drill runs. A folder without it is none of a drill's: one that
// was kept has lost it.
const lockName = ".savepoint-drill-lock"

// scratch is the folder that a drill works in:
//
//	<run>/.savepoint-drill-lock   locked
//	<run>/cache/                  of the repository; empty in the beginning
//	<run>/restored/               what is restored
//	<run>/probe/                  temporary files of a probe
//	<run>/resumed/                the repository of a first backup
//
// Who makes one, or looks for those of others, holds a lock on the folder that they lie in, so that none is seen between its making
// and its locking. What is in the folder is removed through the descriptor of the one that was made, whatever its path leads to by then.
type scratch struct {
	where Scratch
	leftover
	kept bool
}

// leftover is the folder of a drill that was killed, or of one that comes to its end; its lock is held.
type leftover struct {
	path string
	dir  *os.File
	lock *os.File
}

// openScratch makes a folder, and removes those of drills that were killed. The errors are notices about folders that could not be.
func openScratch(where Scratch, run string) (s *scratch, removed int, notices []error, err error) {
	if where.Make {
		if err := os.MkdirAll(where.Base, 0o700); err != nil {
			return nil, 0, nil, fmt.Errorf("make the scratch folder: %w", err)
		}
	}
	base, err := where.hold()
	if err != nil {
		return nil, 0, nil, err
	}
	s, err = makeScratch(where, run)
	var left []leftover
	if err == nil {
		left, _, err = where.look(base, s.name())
	}
	_ = base.Close() // and so unlocks it
	if err != nil {
		return nil, 0, nil, errors.Join(err, s.remove())
	}
	for _, l := range left {
		if err := l.remove(); err != nil {
			notices = append(notices, fmt.Errorf("remove what a killed drill left in %s: %w", l.path, err))
			continue
		}
		removed++
	}
	return s, removed, notices, nil
}

// hold opens and locks the folder of all. Nobody holds it for longer than it takes to look through it.
func (w Scratch) hold() (*os.File, error) {
	base, err := os.OpenFile(w.Base, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the scratch folder: %w", err)
	}
	if err := ignoringEINTR(func() error { return unix.Flock(int(base.Fd()), unix.LOCK_EX) }); err != nil {
		_ = base.Close() // was only opened
		return nil, fmt.Errorf("lock the scratch folder %s: %w", w.Base, err)
	}
	return base, nil
}

func makeScratch(where Scratch, run string) (*scratch, error) {
	path := filepath.Join(where.Base, where.Prefix+run)
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, fmt.Errorf("make a scratch folder: %w", err)
	}
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the scratch folder: %w", err), os.Remove(path))
	}
	s := &scratch{where: where, leftover: leftover{path: path, dir: dir}}
	if s.lock, err = openFile(dir, lockName, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL); err == nil {
		err = unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		err = unix.Mkdirat(int(dir.Fd()), "cache", 0o700)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the scratch folder %s: %w", s.path, err), s.remove())
	}
	return s, nil
}

// openFile opens a file in a folder, not following a symbolic link, nor waiting for what is none.
func openFile(dir *os.File, name string, flags int) (*os.File, error) {
	fd := -1
	err := ignoringEINTR(func() (err error) {
		fd, err = unix.Openat(int(dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: filepath.Join(dir.Name(), name), Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (s *scratch) name() string     { return filepath.Base(s.path) }
func (s *scratch) cache() string    { return filepath.Join(s.path, "cache") }
func (s *scratch) restored() string { return filepath.Join(s.path, "restored") }
func (s *scratch) resumed() string  { return filepath.Join(s.path, "resumed") }
func (s *scratch) probe() string    { return filepath.Join(s.path, "probe") }

// look finds the folders of other drills of this user: those that were killed, and how many run. The caller holds base.
func (w Scratch) look(base *os.File, own string) (left []leftover, running int, err error) {
	if _, err := base.Seek(0, io.SeekStart); err != nil {
		return nil, 0, fmt.Errorf("list the scratch folder: %w", err)
	}
	entries, err := base.ReadDir(-1)
	if err != nil {
		return nil, 0, fmt.Errorf("list the scratch folder: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name() == own || !strings.HasPrefix(e.Name(), w.Prefix) {
			continue
		}
		l, runs := w.lookAt(base, e.Name())
		if runs {
			running++
		}
		if l != nil {
			left = append(left, *l)
		}
	}
	return left, running, nil
}

// lookAt finds out what a folder in base is: a leftover, whose lock is held then; that of a drill that runs; or neither.
func (w Scratch) lookAt(base *os.File, name string) (left *leftover, runs bool) {
	fd, err := openat(int(base.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if err != nil {
		return nil, false
	}
	l := &leftover{path: filepath.Join(w.Base, name), dir: os.NewFile(uintptr(fd), filepath.Join(w.Base, name))}
	if !ours(l.dir, unix.S_IFDIR) {
		l.close()
		return nil, false
	}
	if l.lock, err = openFile(l.dir, lockName, unix.O_RDWR); errors.Is(err, fs.ErrNotExist) {
		_ = unix.Unlinkat(int(base.Fd()), name, unix.AT_REMOVEDIR) // killed between two steps of its making or removal: it is empty then, and else stays
	}
	if err != nil || !ours(l.lock, unix.S_IFREG) {
		l.close()
		return nil, false
	}
	if !l.mine() {
		runs = ours(l.lock, unix.S_IFREG)
		l.close()
		return nil, runs
	}
	return l, false
}

// mine gets the lock, if it is that of a leftover. A lock without a name was taken away by its drill before it gave it free: that has come
// to its end, and what is there was kept.
func (l *leftover) mine() bool {
	return unix.Flock(int(l.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && ours(l.lock, unix.S_IFREG)
}

// ours reports whether an open object is of this type and this user's, and has a name.
func ours(f *os.File, kind uint32) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && st.Mode&unix.S_IFMT == kind && st.Uid == uint32(os.Geteuid()) && st.Nlink > 0
}

// others returns how many other drills of this user run beside this one.
func (s *scratch) others() (int, error) {
	base, err := s.where.hold()
	if err != nil {
		return 0, err
	}
	defer base.Close()
	left, running, err := s.where.look(base, s.name())
	for _, l := range left {
		l.close() // for the next drill to remove
	}
	return running, err
}

// keep leaves what was restored. Without its lock the folder is no leftover of a drill.
func (s *scratch) keep() error {
	s.kept = true
	// The lock's name goes before the lock: who gets it then sees that the folder is no leftover.
	err := errors.Join(removeAll(s.cache(), ""), removeAll(s.probe(), ""), removeAll(s.resumed(), ""), unix.Unlinkat(int(s.dir.Fd()), lockName, 0))
	s.close()
	if err != nil {
		return fmt.Errorf("keep the restored folder: %w", err)
	}
	return nil
}

// again removes what was restored, so that there is room for another restore.
func (s *scratch) again() error {
	if err := errors.Join(s.same(), removeAll(s.restored(), ""), removeAll(s.probe(), ""), removeAll(s.resumed(), "")); err != nil {
		return fmt.Errorf("remove what was restored: %w", err)
	}
	return nil
}

// clear removes all that is in the folder but the lock. After an error the folder is left to the next drill.
func (s *scratch) clear() error {
	if err := emptyFolder(s.dir, lockName); err != nil {
		s.kept = true
		s.close()
		return fmt.Errorf("empty the scratch folder: %w", err)
	}
	return nil
}

// remove removes the folder with all in it, the lock last. It does nothing when that is done already, or the folder is kept.
func (s *scratch) remove() error {
	if s == nil || s.kept {
		return nil
	}
	s.kept = true
	if err := s.leftover.remove(); err != nil {
		return fmt.Errorf("remove the scratch folder: %w", err)
	}
	return nil
}

// same returns an error when the path of the folder leads to another one by now, or to none.
func (l *leftover) same() error {
	var made, is unix.Stat_t
	err := unix.Fstat(int(l.dir.Fd()), &made)
	if err == nil {
		err = unix.Lstat(l.path, &is)
	}
	if err == nil && (made.Dev != is.Dev || made.Ino != is.Ino) {
		err = errors.New("it is another folder now")
	}
	if err != nil {
		return fmt.Errorf("the scratch folder %s was moved or replaced while it was in use: %w", l.path, err)
	}
	return nil
}

// remove removes the folder with all in it, the lock last. Another drill may take away what is empty by then.
func (l *leftover) remove() error {
	defer l.close()
	err := emptyFolder(l.dir, lockName)
	if err == nil {
		err = ignoring(unix.ENOENT, unix.Unlinkat(int(l.dir.Fd()), lockName, 0))
	}
	if err != nil {
		return err
	}
	if err = l.same(); err == nil {
		err = ignoring(unix.ENOENT, unix.Rmdir(l.path))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// close gives the lock free. Nothing was written to either file.
func (l *leftover) close() {
	if l.lock != nil {
		_ = l.lock.Close()
	}
	_ = l.dir.Close()
}

func ignoring(what unix.Errno, err error) error {
	if err == what {
		return nil
	}
	return err
}
