package corpus

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// holeSlack is by how much the space that two equal files take may differ,
// beside a sixteenth of it: file systems round, and allocate ahead.
const holeSlack = 64 << 10

// content compares bytes, and the space they take. Where both files have a
// hole nothing is read.
func (c *comparer) content(a, b, rel string, sa, sb *unix.Stat_t) error {
	taken, other := sa.Blocks*512, sb.Blocks*512
	if slack := holeSlack + max(taken, other)/16; sa.Size == sb.Size && max(taken-other, other-taken) > slack {
		c.differ(rel, "takes %d bytes on disk != %d: holes differ", taken, other)
	}
	size := min(sa.Size, sb.Size)
	if size == 0 {
		return nil
	}
	fa, err := os.OpenFile(a, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return wrap("open", a, rel, err)
	}
	defer fa.Close()
	fb, err := os.OpenFile(b, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return wrap("open", b, rel, err)
	}
	defer fb.Close()

	const step = 256 << 10
	bufA, bufB := make([]byte, min(step, size)), make([]byte, min(step, size))
	for off := int64(0); ; {
		off = min(nextData(fa, off, size), nextData(fb, off, size))
		if off >= size {
			return nil
		}
		n := min(step, size-off)
		if _, err := fa.ReadAt(bufA[:n], off); err != nil && err != io.EOF {
			return wrap("read", a, rel, err)
		}
		if _, err := fb.ReadAt(bufB[:n], off); err != nil && err != io.EOF {
			return wrap("read", b, rel, err)
		}
		if !bytes.Equal(bufA[:n], bufB[:n]) {
			i := int64(0)
			for bufA[i] == bufB[i] {
				i++
			}
			c.differ(rel, "content differs from byte %d", off+i)
			return nil
		}
		off += n
	}
}

// nextData returns where data begins at or after off, or size.
func nextData(f *os.File, off, size int64) int64 {
	if off >= size {
		return size
	}
	at, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return size
	case err != nil: // the file system cannot say
		return off
	}
	return min(at, size)
}

// xattrs compares extended attributes of all name spaces that can be seen, but
// for the labels of SELinux, which depend on where a file lies.
func (c *comparer) xattrs(a, b, rel string) error {
	xa, err := readXattrs(a, c.buf)
	if err != nil {
		return wrap("getxattr", a, rel, err)
	}
	xb, err := readXattrs(b, c.buf)
	if err != nil {
		return wrap("getxattr", b, rel, err)
	}
	all := make(map[string]string)
	maps.Copy(all, xa)
	maps.Copy(all, xb)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		va, inA := xa[name]
		vb, inB := xb[name]
		switch {
		case !inA:
			c.differ(rel, "attribute %s only in the second", name)
		case !inB:
			c.differ(rel, "attribute %s only in the first", name)
		case va != vb:
			c.differ(rel, "attribute %s %q != %q", name, va, vb)
		}
	}
	return nil
}

// readXattrs returns the attributes of a file. buf is scratch space.
func readXattrs(path string, buf []byte) (map[string]string, error) {
	n, err := unix.Llistxattr(path, buf)
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := make(map[string]string)
	for _, name := range strings.FieldsFunc(string(buf[:n]), func(r rune) bool { return r == 0 }) {
		if name == "security.selinux" {
			continue
		}
		n, err := unix.Lgetxattr(path, name, buf)
		if err != nil {
			return nil, err
		}
		found[name] = string(buf[:n])
	}
	return found, nil
}
