package corpus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func (b *builder) oddNames() error {
	if !b.has(OddNames) {
		return nil
	}
	dir, err := b.mkdir("names")
	if err != nil {
		return err
	}
	for i, name := range oddNames() {
		path := filepath.Join(dir, name)
		var err error
		if i%5 == 4 {
			if err = os.Mkdir(path, 0o755); err == nil {
				b.dirs = append(b.dirs, path)
				err = b.file(filepath.Join(path, name), 10)
			}
		} else {
			err = b.file(path, int64(10+i))
		}
		// Some file systems take valid UTF-8 only.
		if err != nil && !errors.Is(err, unix.EILSEQ) && !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	return nil
}

// sparse makes files whose data, given in MiB, lies between holes.
func (b *builder) sparse() error {
	if !b.has(Sparse) {
		return nil
	}
	dir, err := b.mkdir("sparse")
	if err != nil {
		return err
	}
	const mib = 1 << 20
	for _, f := range []struct {
		name string
		size int64
		data []int64 // where 64 KiB of data start
	}{
		{"hole at the start", 3 * mib, []int64{3*mib - 64<<10}},
		{"hole in the middle", 4 * mib, []int64{0, 4*mib - 64<<10}},
		{"hole at the end", 3*mib + 1, []int64{0}},
		{"only a hole", 2*mib + 12345, nil},
		{"many holes", 16 * mib, []int64{mib, 3 * mib, 5*mib + 4096, 9 * mib, 13*mib + 8192}},
		{"large hole", 256 * mib, []int64{128 * mib}},
	} {
		path := filepath.Join(dir, f.name)
		if err := writeSparse(path, f.size, f.data, content(b.rng, 64<<10)); err != nil {
			return err
		}
		if err := b.finish(path, filePlain); err != nil {
			return err
		}
	}
	return nil
}

func writeSparse(path string, size int64, at []int64, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	for _, off := range at {
		if _, err := f.WriteAt(data, off); err != nil {
			return err
		}
	}
	return f.Close()
}

func (b *builder) symlinks() error {
	if !b.has(Symlinks) {
		return nil
	}
	dir, err := b.mkdir("symlinks")
	if err != nil {
		return err
	}
	for name, target := range orderedPairs(
		"to a file", "../empty folder not, an empty file", "to a folder", "../boundaries", "up", "..", "here", ".",
		"dangling", "nowhere", "absolute", "/nonexistent/savepoint", "outside", "../../../../../../etc/hostname",
		"loop", "loop", "loop a", "loop b", "loop b", "loop a", "to a link", "to a file",
		"odd", "new\nline \xff", "slashes", "..//.//boundaries/", "long", strings.Repeat("../", 1364)+"x",
	) {
		path := filepath.Join(dir, name)
		if err := os.Symlink(target, path); err != nil {
			return err
		}
		if err := b.finish(path, fileLink); err != nil {
			return err
		}
	}
	return nil
}

// orderedPairs yields keys and values that stand by turns.
func orderedPairs(s ...string) func(func(string, string) bool) {
	return func(yield func(string, string) bool) {
		for i := 0; i+1 < len(s); i += 2 {
			if !yield(s[i], s[i+1]) {
				return
			}
		}
	}
}

// special makes pipes and, where it may, devices.
func (b *builder) special() error {
	dir, err := b.mkdir("special")
	if err != nil {
		return err
	}
	nodes := []struct {
		name string
		kind Kind
		mode uint32
		dev  uint64
	}{
		{"pipe", Fifos, unix.S_IFIFO | 0o644, 0},
		{"another pipe", Fifos, unix.S_IFIFO | 0o600, 0},
		{"null", Devices, unix.S_IFCHR | 0o666, unix.Mkdev(1, 3)},
		{"disk", Devices, unix.S_IFBLK | 0o660, unix.Mkdev(259, 1_000_000)},
	}
	for _, n := range nodes {
		if !b.has(n.kind) {
			continue
		}
		path := filepath.Join(dir, n.name)
		err := unix.Mknod(path, n.mode, int(n.dev))
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "mknod", Path: path, Err: err}
		}
		if err := b.finish(path, fileSpecial); err != nil {
			return err
		}
	}
	return nil
}

// hardLinks gives some of the files second and third names.
func (b *builder) hardLinks() error {
	if !b.has(HardLinks) || len(b.files) == 0 {
		return nil
	}
	dir, err := b.mkdir("hard links")
	if err != nil {
		return err
	}
	for i := range 12 {
		old := b.files[b.rng.IntN(len(b.files))]
		path := filepath.Join(dir, fmt.Sprintf("link%d", i))
		if i%3 == 0 {
			path = fmt.Sprintf("%s/again%d", filepath.Dir(old), i)
		}
		if err := os.Link(old, path); err != nil {
			return err
		}
	}
	for _, name := range []string{"special/pipe", "symlinks/loop"} {
		err := os.Link(filepath.Join(b.root, name), filepath.Join(dir, filepath.Base(name)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EPERM) {
			return err
		}
	}
	return nil
}
