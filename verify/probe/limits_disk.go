package probe

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// lookAt judges what is left of a disk. A probe that wrote less than half of what is gone is not to blame: others fill the disk, and its drill ends
// before that is full. Then it is weighed again when an eighth of the rest is gone too.
func (l *limits) lookAt(d *disk, own map[int]process) string {
	st, err := statfs(d.path)
	switch {
	case err != nil: // it is not the probe's doing, and its drill will see
	case st.Bavail < d.blocks:
		size := uint64(max(st.Frsize, 1))
		if wrote, _ := l.wrote(d.path, own); wrote >= (d.had-st.Bavail)*size/2 {
			return fmt.Sprintf("it left %d MiB on the disk of %s, and was killed", st.Bavail*size>>20, d.path)
		}
		d.blocks = st.Bavail - st.Bavail/8
	case st.Files > 0 && st.Ffree < d.files:
		if _, made := l.wrote(d.path, own); made >= (d.hadFiles-st.Ffree)/2 {
			return fmt.Sprintf("it left room for %d files on the disk of %s, and was killed", st.Ffree, d.path)
		}
		d.files = st.Ffree - st.Ffree/8
	}
	return ""
}

// wrote returns how many bytes and files the probe has put on the disk of a path, as far as that can be read: what has changed in its folders since
// it began, and what has no name any more, and one of its processes has open.
func (l *limits) wrote(path string, own map[int]process) (bytes, files uint64) {
	var disk unix.Stat_t
	if unix.Stat(path, &disk) != nil {
		return 0, 0
	}
	seen := map[uint64]bool{}
	count := func(st *unix.Stat_t) {
		if st.Dev == disk.Dev && !seen[st.Ino] && !time.Unix(st.Ctim.Unix()).Before(l.began) {
			seen[st.Ino] = true
			bytes, files = bytes+uint64(max(0, st.Blocks))*512, files+1
		}
	}
	for _, d := range l.disks {
		_ = filepath.WalkDir(d.path, func(name string, _ fs.DirEntry, err error) error {
			var st unix.Stat_t
			if err == nil && unix.Lstat(name, &st) == nil { // else it may be gone by now
				count(&st)
			}
			return nil
		})
	}
	for pid := range own {
		dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
		open, _ := os.ReadDir(dir)
		for _, fd := range open {
			var st unix.Stat_t
			if unix.Stat(filepath.Join(dir, fd.Name()), &st) == nil && st.Nlink == 0 {
				count(&st)
			}
		}
	}
	return bytes, files
}

// fileClock returns the time that a file would get that changes now.
func fileClock() time.Time {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &ts) != nil {
		return time.Time{}
	}
	return time.Unix(ts.Unix())
}
