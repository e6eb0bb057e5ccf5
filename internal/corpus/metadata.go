package corpus

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// fileKind says which metadata an entry can have.
type fileKind int

const (
	filePlain fileKind = iota
	fileDir
	fileLink    // symlink: neither mode nor user.* attributes
	fileSpecial // pipe or device: no user.* attributes
)

// finish gives an entry its random metadata. The order matters: a change of
// owner clears setuid, and each of them but the last may change times.
func (b *builder) finish(path string, kind fileKind) error {
	if b.has(Xattrs) && kind <= fileDir && b.rng.IntN(6) == 0 {
		if err := b.setXattrs(path); err != nil {
			return err
		}
	}
	if b.has(Owners) && b.asAll && b.rng.IntN(3) == 0 {
		ids := []int{0, 1, 1000, 65534, 100_000, math.MaxInt32}
		if err := os.Lchown(path, ids[b.rng.IntN(len(ids))], ids[b.rng.IntN(len(ids))]); err != nil {
			return err
		}
	}
	if kind != fileLink {
		if err := unix.Chmod(path, b.mode(kind)); err != nil {
			return &fs.PathError{Op: "chmod", Path: path, Err: err}
		}
	}
	return setTime(path, b.time())
}

func (b *builder) mode(kind fileKind) uint32 {
	modes := []uint32{0o644, 0o600, 0o755, 0o640}
	if kind == fileDir {
		modes = []uint32{0o755, 0o700, 0o750}
	}
	return modes[b.rng.IntN(len(modes))]
}

// time is one of the last three years, and sometimes an unusual one.
func (b *builder) time() time.Time {
	if b.has(OddTimes) && b.rng.IntN(10) == 0 {
		odd := []time.Time{
			time.Unix(0, 0), time.Unix(0, 1), time.Unix(-1, 999_999_999), time.Unix(-1, 1),
			time.Date(1902, 1, 1, 0, 0, 0, 123_456_789, time.UTC), time.Date(1969, 7, 20, 20, 17, 40, 0, time.UTC),
			time.Unix(math.MaxInt32, 999_999_999), time.Unix(math.MaxInt32+1, 0),
			time.Date(2106, 2, 7, 6, 28, 16, 1, time.UTC), time.Date(2262, 4, 11, 23, 47, 16, 854_775_807, time.UTC),
		}
		return odd[b.rng.IntN(len(odd))]
	}
	return b.now.Add(-time.Duration(b.rng.Int64N(int64(3 * 365 * 24 * time.Hour))))
}

func (b *builder) setXattrs(path string) error {
	for i := range 1 + b.rng.IntN(3) {
		value := content(b.rng, []int64{0, 1, 17, 900}[b.rng.IntN(4)])
		err := unix.Lsetxattr(path, fmt.Sprintf("user.savepoint.%d", i), value, 0)
		if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
			return nil
		}
		if err != nil {
			return &fs.PathError{Op: "setxattr", Path: path, Err: err}
		}
	}
	return nil
}

// finishDirs completes folders, those within first.
func (b *builder) finishDirs() error {
	for _, dir := range slices.Backward(b.dirs) {
		if err := b.finish(dir, fileDir); err != nil {
			return err
		}
	}
	return nil
}

// modes makes files and folders with each unusual mode. Those that lock their
// own maker out are for root, whom they do not.
func (b *builder) modes() error {
	if !b.has(OddModes) {
		return nil
	}
	dir, err := b.mkdir("modes")
	if err != nil {
		return err
	}
	files, dirs := []uint32{0o4755, 0o2755, 0o1644, 0o7777, 0o4600}, []uint32{0o1777, 0o2775, 0o7700}
	if b.asAll {
		files, dirs = append(files, 0, 0o111, 0o222, 0o7000), append(dirs, 0, 0o555, 0o111)
	}
	for _, mode := range files {
		path := filepath.Join(dir, fmt.Sprintf("file%04o", mode))
		if err := os.WriteFile(path, content(b.rng, 100), 0o644); err != nil {
			return err
		}
		if err := setMode(path, mode, b.time()); err != nil {
			return err
		}
	}
	for _, mode := range dirs {
		path := filepath.Join(dir, fmt.Sprintf("dir%04o", mode))
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		if err := b.file(filepath.Join(path, "inside"), 10); err != nil {
			return err
		}
		b.files = b.files[:len(b.files)-1] // others leave this one alone
		if err := setMode(path, mode, b.time()); err != nil {
			return err
		}
	}
	return nil
}

func setMode(path string, mode uint32, t time.Time) error {
	if err := unix.Chmod(path, mode); err != nil {
		return &fs.PathError{Op: "chmod", Path: path, Err: err}
	}
	return setTime(path, t)
}

// setTime sets the times of an entry, also of a symlink itself. The kernel
// moves a time that the file system cannot hold to the nearest that it can.
func setTime(path string, t time.Time) error {
	ts := unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "utimensat", Path: path, Err: err}
	}
	return nil
}
