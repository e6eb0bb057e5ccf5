package drill

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/repo/source"
	"savepoint/repo/tree"
)

// selinux is the label that a system with SELinux gives every file.
const selinux = "security.selinux"

// metadata returns in what the metadata of an object differs from that of its entry. attrsErr says what of attrs could not be read.
func (c *comparer) metadata(e *tree.Entry, m source.Meta, attrs []tree.Xattr, attrsErr error) []reason {
	var out []reason
	mode := e.Mode
	if c.root {
		if m.UID != e.UID || m.GID != e.GID {
			out = append(out, reason{"set owner", fmt.Sprintf("owner %d:%d, was %d:%d", m.UID, m.GID, e.UID, e.GID)})
		}
	}
	if e.Type != tree.Directory {
		// Bits that would give rights of another user or group than they were meant to are not restored.
		if m.UID != e.UID {
			mode &^= unix.S_ISUID
		}
		if m.GID != e.GID {
			mode &^= unix.S_ISGID
		}
	}
	if m.Mode != mode && e.Type != tree.Symlink {
		out = append(out, reason{"set mode", fmt.Sprintf("mode %04o, was %04o", m.Mode, mode)})
	}
	if m.MTime != e.MTime {
		out = append(out, reason{"set time", fmt.Sprintf("modified %s, was %s", stamp(m.MTime), stamp(e.MTime))})
	}
	if attrsErr != nil {
		out = append(out, reason{"", fmt.Sprintf("attributes cannot be read: %v", cause(attrsErr))})
	}
	if len(attrs) > 0 || len(e.Xattrs) > 0 {
		out = append(out, attributes(e.Xattrs, attrs)...)
	}
	return out
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// attributes compares extended attributes, both in order of name.
func attributes(want, got []tree.Xattr) []reason {
	var out []reason
	differ := func(name, what string) {
		out = append(out, reason{"set attribute " + name, "attribute " + strconv.Quote(name) + " " + what})
	}
	for len(want) > 0 || len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && want[0].Name < got[0].Name:
			differ(want[0].Name, "is missing")
			want = want[1:]
		case len(want) == 0 || got[0].Name < want[0].Name:
			if got[0].Name != selinux { // given by the system where there was none
				differ(got[0].Name, "is there and was never backed up")
			}
			got = got[1:]
		default:
			if want[0].Value != got[0].Value {
				differ(want[0].Name, "has another value")
			}
			want, got = want[1:], got[1:]
		}
	}
	return out
}

// special compares what is neither file nor directory.
func (c *comparer) special(in *folder, e *tree.Entry) error {
	m, err := in.dir.Stat(e.Name)
	if err != nil || m.Type != e.Type {
		return c.other(in, e, err)
	}
	got, err := in.dir.Entry(e.Name, m)
	if got == nil {
		return c.other(in, e, err)
	}
	c.entries.Add(1)
	reasons := c.metadata(e, m, got.Xattrs, err)
	if got.Target != e.Target {
		reasons = append(reasons, reason{"", fmt.Sprintf("leads to %q, was to %q", got.Target, e.Target)})
	}
	if got.Rdev != e.Rdev {
		reasons = append(reasons, reason{"", fmt.Sprintf("device %d,%d, was %d,%d", got.Rdev[0], got.Rdev[1], e.Rdev[0], e.Rdev[1])})
	}
	if e.Link != nil || m.Nlink > 1 {
		_, linked := c.links.note(in, e, m)
		reasons = append(reasons, linked...)
	}
	c.differ(in, e.Name, reasons)
	return nil
}

// other notes that an entry could not be opened as what it is; err says why, or is nil when it is something else. It returns an error if
// nothing can be.
func (c *comparer) other(in *folder, e *tree.Entry, err error) error {
	if fatal(err) {
		return err
	}
	if e.Type == tree.Directory {
		c.part.Store(true)
	}
	m, statErr := in.dir.Stat(e.Name)
	switch {
	case errors.Is(statErr, unix.ENOENT):
		c.missing(in, e)
	case statErr != nil:
		return c.unreadable(in, e.Name, statErr)
	case m.Type != e.Type:
		c.differ(in, e.Name, []reason{{"", fmt.Sprintf("is a %s, was a %s", typeWord(m.Type), typeWord(e.Type))}})
	case err == nil: // it was something else a moment ago
		c.differ(in, e.Name, []reason{{"", "changes while it is compared"}})
	default:
		return c.unreadable(in, e.Name, err)
	}
	return nil
}

// unreadable notes what cannot be read. It returns an error if nothing can be.
func (c *comparer) unreadable(in *folder, name string, err error) error {
	if fatal(err) {
		return err
	}
	if name == "" {
		c.part.Store(true)
	}
	c.differ(in, name, []reason{{"", fmt.Sprintf("cannot be read: %v", cause(err))}})
	return nil
}

// fatal reports whether an error is one of this process, or of its end, and says nothing of the entry.
func fatal(err error) bool {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		var s *source.Error
		return err != nil && !errors.As(err, &s)
	}
	return errno == unix.EMFILE || errno == unix.ENFILE || errno == unix.ENOMEM
}

// cause takes the path off an error, which is said beside it.
func cause(err error) error {
	var s *source.Error
	if errors.As(err, &s) {
		return s.Err
	}
	return err
}

// typeWord names a type.
func typeWord(t tree.Type) string {
	switch t {
	case tree.File:
		return "file"
	case tree.Directory:
		return "directory"
	case tree.Symlink:
		return "symbolic link"
	case tree.Fifo:
		return "fifo"
	case tree.Socket:
		return "socket"
	}
	return "device"
}

// sizeWord says how much n bytes are.
func sizeWord(n uint64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	unit := 0
	f := float64(n) / (1 << 10)
	for ; f >= 1<<10 && unit < len(units)-1; unit++ {
		f /= 1 << 10
	}
	return fmt.Sprintf("%.4g %ciB", f, units[unit])
}
