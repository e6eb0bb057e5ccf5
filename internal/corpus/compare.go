package corpus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Compare returns in what the trees (or files) a and b differ, one text a
// difference, in the order of the names: entries that only one has, types,
// modes, owners, sizes, contents, times of change in nanoseconds (also those of
// symlinks and folders), targets of symlinks, which names are links to one
// file, device numbers, extended attributes, and space taken where holes were
// filled or made. An error means that one could not be read.
//
// It opens every folder relative to the one above it, so paths may be of any
// length; it needs two open files for each level.
func Compare(a, b string) ([]string, error) {
	c := &comparer{
		firstA: make(map[inode]string),
		firstB: make(map[inode]string),
		buf:    make([]byte, maxXattr),
	}
	if err := c.entry(a, b, "."); err != nil {
		return nil, err
	}
	return c.found, nil
}

// maxXattr is the kernel's limit for the list of an inode's attributes, and for
// the value of one, in bytes.
const maxXattr = 1 << 16

type inode struct{ dev, ino uint64 }

type comparer struct {
	found          []string
	firstA, firstB map[inode]string // the first name of each file that has several
	buf            []byte           // scratch space for attributes
}

// differ notes a difference at rel.
func (c *comparer) differ(rel, format string, args ...any) {
	if quoted := strconv.Quote(rel); quoted != `"`+rel+`"` {
		rel = quoted
	}
	c.found = append(c.found, rel+": "+fmt.Sprintf(format, args...))
}

// entry compares what the paths a and b name. They are short: at most a name
// beneath an open folder.
func (c *comparer) entry(a, b, rel string) error {
	var sa, sb unix.Stat_t
	if err := unix.Lstat(a, &sa); err != nil {
		return wrap("stat", a, rel, err)
	}
	if err := unix.Lstat(b, &sb); err != nil {
		return wrap("stat", b, rel, err)
	}
	if sa.Mode&unix.S_IFMT != sb.Mode&unix.S_IFMT {
		c.differ(rel, "%s != %s", typeName(sa.Mode), typeName(sb.Mode))
		return nil
	}
	c.stat(rel, &sa, &sb)
	linked := c.links(rel, &sa, &sb)
	if err := c.xattrs(a, b, rel); err != nil {
		return err
	}
	switch sa.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return c.dir(a, b, rel)
	case unix.S_IFLNK:
		return c.target(a, b, rel)
	case unix.S_IFREG:
		if !linked {
			return c.content(a, b, rel, &sa, &sb)
		}
	}
	return nil
}

// stat compares what the inodes say.
func (c *comparer) stat(rel string, a, b *unix.Stat_t) {
	if ma, mb := a.Mode&0o7777, b.Mode&0o7777; ma != mb {
		c.differ(rel, "mode %04o != %04o", ma, mb)
	}
	if a.Uid != b.Uid || a.Gid != b.Gid {
		c.differ(rel, "owner %d:%d != %d:%d", a.Uid, a.Gid, b.Uid, b.Gid)
	}
	if a.Mtim != b.Mtim {
		c.differ(rel, "time %s != %s", stamp(a.Mtim), stamp(b.Mtim))
	}
	switch a.Mode & unix.S_IFMT {
	case unix.S_IFCHR, unix.S_IFBLK:
		if a.Rdev != b.Rdev {
			c.differ(rel, "device %d,%d != %d,%d", unix.Major(a.Rdev), unix.Minor(a.Rdev), unix.Major(b.Rdev), unix.Minor(b.Rdev))
		}
	case unix.S_IFREG:
		if a.Size != b.Size {
			c.differ(rel, "size %d != %d", a.Size, b.Size)
		}
	}
}

// links compares which earlier name each of the files is a link to. It reports
// whether both are links to the same one, whose content has been compared.
func (c *comparer) links(rel string, a, b *unix.Stat_t) bool {
	if a.Mode&unix.S_IFMT == unix.S_IFDIR {
		return false
	}
	la, lb := first(c.firstA, rel, a), first(c.firstB, rel, b)
	if la != lb {
		c.differ(rel, "same file as %q != as %q", la, lb)
		return false
	}
	return la != rel
}

func first(names map[inode]string, rel string, st *unix.Stat_t) string {
	if st.Nlink < 2 {
		return rel
	}
	key := inode{st.Dev, st.Ino}
	if _, seen := names[key]; !seen {
		names[key] = rel
	}
	return names[key]
}

// dir compares the entries of two folders.
func (c *comparer) dir(a, b, rel string) error {
	fa, na, err := openDir(a, rel)
	if err != nil {
		return err
	}
	defer fa.Close()
	fb, nb, err := openDir(b, rel)
	if err != nil {
		return err
	}
	defer fb.Close()
	for len(na) > 0 || len(nb) > 0 {
		switch {
		case len(nb) == 0 || len(na) > 0 && na[0] < nb[0]:
			c.differ(join(rel, na[0]), "only in the first")
			na = na[1:]
		case len(na) == 0 || nb[0] < na[0]:
			c.differ(join(rel, nb[0]), "only in the second")
			nb = nb[1:]
		default:
			name := na[0]
			na, nb = na[1:], nb[1:]
			if err := c.entry(beneath(fa, name), beneath(fb, name), join(rel, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *comparer) target(a, b, rel string) error {
	ta, err := os.Readlink(a)
	if err != nil {
		return wrap("readlink", a, rel, err)
	}
	tb, err := os.Readlink(b)
	if err != nil {
		return wrap("readlink", b, rel, err)
	}
	if ta != tb {
		c.differ(rel, "target %q != %q", ta, tb)
	}
	return nil
}

func openDir(path, rel string) (*os.File, []string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, wrap("open", path, rel, err)
	}
	names, err := f.Readdirnames(-1)
	if err != nil {
		f.Close()
		return nil, nil, wrap("read", path, rel, err)
	}
	slices.Sort(names)
	return f, names, nil
}

// beneath returns a short path of an entry of an open folder.
func beneath(dir *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), name)
}

func join(rel, name string) string {
	if rel == "." {
		return name
	}
	return rel + "/" + name
}

// wrap names the entry in place of its path through /proc.
func wrap(op, path, rel string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	if rel == "." {
		rel = path
	}
	return &fs.PathError{Op: op, Path: rel, Err: err}
}

func stamp(t unix.Timespec) string {
	return time.Unix(t.Unix()).UTC().Format(time.RFC3339Nano)
}

func typeName(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "folder"
	case unix.S_IFLNK:
		return "symlink"
	case unix.S_IFIFO:
		return "pipe"
	case unix.S_IFSOCK:
		return "socket"
	case unix.S_IFCHR:
		return "character device"
	default:
		return "block device"
	}
}
