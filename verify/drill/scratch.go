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
//
// Who makes one, or looks for those of others, holds a lock on the folder that they lie in, so that none is seen between its making
// and its locking.
type scratch struct {
	where Scratch
	path  string
	lock  *os.File
	kept  bool
}

// leftover is the folder of a drill that was killed; its lock is held.
type leftover struct {
	path string
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
	s := &scratch{where: where, path: filepath.Join(where.Base, where.Prefix+run)}
	if err := os.Mkdir(s.path, 0o700); err != nil {
		return nil, fmt.Errorf("make a scratch folder: %w", err)
	}
	var err error
	s.lock, err = os.OpenFile(filepath.Join(s.path, lockName), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		err = os.Mkdir(s.cache(), 0o700)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the scratch folder %s: %w", s.path, err), s.remove())
	}
	return s, nil
}

func (s *scratch) name() string     { return filepath.Base(s.path) }
func (s *scratch) cache() string    { return filepath.Join(s.path, "cache") }
func (s *scratch) restored() string { return filepath.Join(s.path, "restored") }

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
		path := filepath.Join(w.Base, e.Name())
		lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			_ = unix.Rmdir(path) // killed between two steps of its making or removal: it is empty then, and else stays
		}
		if err != nil {
			continue
		}
		switch {
		case !ours(lock):
		case unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil:
			left = append(left, leftover{path, lock})
			continue
		default:
			running++
		}
		_ = lock.Close() // was only looked at
	}
	return left, running, nil
}

// ours reports whether a lock is a file of this user.
func ours(lock *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(lock.Fd()), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Uid == uint32(os.Geteuid())
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
		_ = l.lock.Close() // for the next drill to remove
	}
	return running, err
}

// keep leaves what was restored. Without its lock the folder is no leftover of a drill.
func (s *scratch) keep() error {
	s.kept = true
	err := errors.Join(removeAll(s.cache(), ""), os.Remove(filepath.Join(s.path, lockName)), s.lock.Close())
	if err != nil {
		return fmt.Errorf("keep the restored folder: %w", err)
	}
	return nil
}

// remove removes the folder with all in it, the lock last. It does nothing when that is done already, or the folder is kept.
func (s *scratch) remove() error {
	if s == nil || s.kept {
		return nil
	}
	s.kept = true
	if err := (leftover{s.path, s.lock}).remove(); err != nil {
		return fmt.Errorf("remove the scratch folder: %w", err)
	}
	return nil
}

func (l leftover) remove() error {
	err := removeAll(l.path, lockName)
	if err == nil {
		err = os.Remove(filepath.Join(l.path, lockName))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = os.Remove(l.path)
	}
	if l.lock != nil {
		_ = l.lock.Close() // nothing was written
	}
	return err
}
