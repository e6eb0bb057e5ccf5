package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Names in the folder of an index.
const (
	currentName = "CURRENT"
	buildLock   = "build.lock"
	building    = "building"
	basePrefix  = "base-"
	deltaPrefix = "delta-"
	lockSuffix  = ".lock"
	trashName   = "trash"
)

// trashTime is how long a damaged part is kept for whoever wants to know.
const trashTime = 24 * time.Hour

// tryLock locks a file or folder until the returned file is closed, or returns nil when another process, or another
// Index of this one, holds it.
func tryLock(path string, flags int, how int) (*os.File, error) {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// lockFolder locks a folder, which must still have its name afterwards.
func lockFolder(path string, how int) (*os.File, error) {
	f, err := tryLock(path, os.O_RDONLY, how)
	if err != nil || f == nil {
		return nil, err
	}
	here, err := f.Stat()
	if err == nil {
		var there os.FileInfo
		if there, err = os.Stat(path); err == nil && !os.SameFile(here, there) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// setAside moves what cannot be used out of the way and says so.
func (x *Index) setAside(name string, why error) error {
	x.o.Logger.Warn("part of the local index cannot be used and is set aside; it is built again", "path", x.path(name), "err", why)
	if err := os.MkdirAll(x.path(trashName), 0o700); err != nil {
		return fmt.Errorf("set %s aside: %w", name, err)
	}
	to := filepath.Join(x.path(trashName), fmt.Sprintf("%d-%s", time.Now().UnixNano(), name))
	if err := os.Rename(x.path(name), to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set %s aside: %w", name, err)
	}
	return nil
}

// tidy removes what is old: trash, bases that are not current, deltas that belong to none, what an interrupted build
// left, and sets aside what no index makes. What is in use is left alone; failures are, too.
func (x *Index) tidy() {
	x.sweepTrash(time.Now().Add(-trashTime))
	current, _ := x.current()
	entries, err := os.ReadDir(x.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case e.Type().IsRegular() && (name == currentName || strings.HasSuffix(name, lockSuffix)), name == trashName && e.IsDir():
		case strings.HasPrefix(name, deltaPrefix) && e.IsDir() && !strings.HasSuffix(name, lockSuffix): // sweepDeltas decides
		case name == trashName:
			os.Remove(x.path(name))
		case strings.HasPrefix(name, ".tmp-"), name == building && e.IsDir():
			x.removeLeft(name)
		case strings.HasPrefix(name, basePrefix) && e.IsDir():
			if name != current {
				x.removeBase(name)
			}
		default:
			if err := x.setAside(name, errors.New("no index makes such a thing")); err != nil {
				x.o.Logger.Warn("folder of the local index holds what is not its own", "err", err)
			}
		}
	}
}

// sweepTrash removes what was set aside before a time.
func (x *Index) sweepTrash(before time.Time) {
	entries, err := os.ReadDir(x.path(trashName))
	if err != nil {
		return
	}
	for _, e := range entries {
		stamp, _, _ := strings.Cut(e.Name(), "-")
		if ns, err := strconv.ParseInt(stamp, 10, 64); err != nil || time.Unix(0, ns).Before(before) {
			os.RemoveAll(filepath.Join(x.path(trashName), e.Name()))
		}
	}
}

// removeLeft removes what only a builder makes, unless one is at work.
func (x *Index) removeLeft(name string) {
	lock, err := tryLock(x.path(buildLock), os.O_RDWR|os.O_CREATE, unix.LOCK_EX)
	if err != nil || lock == nil {
		return
	}
	defer lock.Close()
	os.RemoveAll(x.path(name))
}

// removeBase removes a base that is not current, unless it is in use, or is about to become current.
func (x *Index) removeBase(name string) {
	building, err := tryLock(x.path(buildLock), os.O_RDWR|os.O_CREATE, unix.LOCK_EX)
	if err != nil || building == nil {
		return
	}
	defer building.Close()
	if current, _ := x.current(); current == name {
		return
	}
	x.removeUnused(name)
}

// removeUnused removes a base that nobody has open. The lock of builders must be held.
func (x *Index) removeUnused(name string) {
	lock, err := lockFolder(x.path(name), unix.LOCK_EX)
	if err != nil || lock == nil {
		return
	}
	defer lock.Close()
	os.RemoveAll(x.path(name))
}

// current returns the name of the current base, "" if there is none.
func (x *Index) current() (string, error) {
	b, err := os.ReadFile(x.path(currentName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	name, ok := strings.CutSuffix(string(b), "\n")
	if _, err := baseNumber(name); !ok || err != nil {
		return "", fmt.Errorf("%s of %d bytes: %w", currentName, len(b), ErrDamaged)
	}
	return name, nil
}

func baseNumber(name string) (uint64, error) {
	return strconv.ParseUint(strings.TrimPrefix(name, basePrefix), 10, 63)
}

// nextBase returns a name that no base has.
func (x *Index) nextBase() (string, error) {
	current, _ := x.current()
	entries, err := os.ReadDir(x.dir)
	if err != nil {
		return "", err
	}
	names := []string{current}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	var numbers []uint64
	for _, name := range names {
		if n, err := baseNumber(name); err == nil && strings.HasPrefix(name, basePrefix) {
			numbers = append(numbers, n)
		}
	}
	n := uint64(1)
	if len(numbers) > 0 {
		n = slices.Max(numbers) + 1
	}
	return basePrefix + strconv.FormatUint(n, 10), nil
}

// openBase opens the current base, or returns nil if there is none that can be used.
func (x *Index) openBase() (*database, *seal, error) {
	for range 10 { // another process may put a new one in its place and remove it
		name, err := x.current()
		if errors.Is(err, ErrDamaged) {
			err = x.setAside(currentName, err)
		}
		if err != nil || name == "" {
			return nil, nil, err
		}
		lock, err := lockFolder(x.path(name), unix.LOCK_SH)
		if errors.Is(err, fs.ErrNotExist) || err == nil && lock == nil {
			if again, err := x.current(); err == nil && again == name {
				return nil, nil, nil // it was set aside
			}
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("open base of the index: %w", err)
		}
		s, d, err := x.openSealed(name)
		if err == nil {
			d.lock = lock
			return d, s, nil
		}
		lock.Close()
		if !mended(err) {
			return nil, nil, fmt.Errorf("open base of the index: %w", err)
		}
		return nil, nil, x.setAside(name, err)
	}
	return nil, nil, nil
}

// mended reports whether an error is about what is in a folder, so that building it again mends it.
func mended(err error) bool { return errors.Is(err, ErrDamaged) || errors.Is(err, fs.ErrNotExist) }

// openSealed opens a base or delta that is as it was left and belongs to this repository.
func (x *Index) openSealed(name string) (*seal, *database, error) {
	s, err := openSeal(x.path(name))
	if err != nil {
		return nil, nil, err
	}
	if s.Repo != x.repo() {
		return nil, nil, fmt.Errorf("of repository %s, not %s: %w", s.Repo, x.repo(), ErrDamaged)
	}
	d, err := openReadOnly(x.path(name), s)
	if err != nil {
		return nil, nil, err
	}
	return s, d, nil
}

func (x *Index) closeBase(d *database) error {
	err := d.close()
	return errors.Join(err, d.lock.Close())
}

// freeBytes returns how many bytes this user may write to the file system of dir.
func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("ask for the room at %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// room returns ErrNoSpace unless size bytes can be written and minFree are left. It empties the trash if need be.
func (x *Index) room(size int64) error {
	for emptied := false; ; emptied = true {
		free, err := x.free(x.dir)
		if err != nil {
			return err
		}
		if free >= size+minFree {
			return nil
		}
		if emptied {
			return fmt.Errorf("%s: %d MiB are free, %d needed: %w", x.dir, free>>20, (size+minFree)>>20, ErrNoSpace)
		}
		x.sweepTrash(time.Now())
	}
}
