package source

import (
	"errors"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

// targetLimit bounds the target of a symbolic link, in bytes. Linux makes none longer than PATH_MAX; a file system in
// user space may.
const targetLimit = 256 << 10

var errTarget = errors.New("target is longer than 256 KiB")

// Entry returns the metadata of name, as Stat returned it in m, in the form of a snapshot: no content yet. The
// attributes are read here; for a file use [File.Entry] and for a directory [Dir.Self], which cannot meet another
// object under the same name.
//
// An entry that comes with an error is usable and lacks what the error, an *Error, says. Without an entry nothing is.
func (d *Dir) Entry(name string, m Meta) (*tree.Entry, error) {
	var target string
	if m.Type == tree.Symlink {
		var err error
		if target, err = readLink(d.fd, name); err != nil {
			return nil, newError("read link", d.join(name), err)
		}
	}
	e, err := d.env.entry(name, m, attrs{path: "/proc/self/fd/" + strconv.Itoa(d.fd) + "/" + name})
	e.Target = target
	if err != nil {
		return e, newError("read attributes", d.join(name), err)
	}
	return e, nil
}

// Self returns the entry of the open directory under the name it is to have (none for a root), as it was when it was
// opened. The error is as in Entry; the entry is never nil.
func (d *Dir) Self(name string) (*tree.Entry, error) {
	e, err := d.env.entry(name, d.meta, attrs{fd: d.fd})
	if err != nil {
		return e, newError("read attributes", d.Path(), err)
	}
	return e, nil
}

// entry builds an entry. It is never nil; the bare error names attributes that it lacks.
func (e *env) entry(name string, m Meta, a attrs) (*tree.Entry, error) {
	x, err := a.read()
	return &tree.Entry{
		Name: name, Type: m.Type, Mode: m.Mode, UID: m.UID, GID: m.GID, Size: m.Size,
		MTime: m.MTime, CTime: m.CTime, Inode: m.Inode, Rdev: m.Rdev, Xattrs: x,
		Link:  e.devices.Link(m),
		User:  e.owners.User(m.UID),
		Group: e.owners.Group(m.GID),
	}, err
}

// readLink returns the target of a symbolic link.
func readLink(dir int, name string) (string, error) {
	for buf := make([]byte, 256); len(buf) <= targetLimit; buf = make([]byte, 4*len(buf)) {
		n, err := retry(func() (int, error) { return unix.Readlinkat(dir, name, buf) })
		if err == unix.EINVAL {
			return "", ErrReplaced // by something that is no link
		}
		if err != nil {
			return "", err
		}
		if n < len(buf) {
			return string(buf[:n]), nil
		}
	}
	return "", errTarget
}

// DeviceTable numbers file systems, so that entries of one snapshot can say which files are one file. It is safe for
// concurrent use.
//
// A device gets the next number when it is first met. For equal trees to give equal entries whoever walks first, seed
// the table: with the parent snapshot's table and the devices of the roots.
type DeviceTable struct {
	mu      sync.Mutex
	index   map[uint64]uint32
	devices []uint64
}

// NewDeviceTable returns a table that begins with devices (numbers st_dev), each once.
func NewDeviceTable(devices ...uint64) *DeviceTable {
	t := &DeviceTable{index: make(map[uint64]uint32)}
	for _, dev := range devices {
		t.Index(dev)
	}
	return t
}

// Index returns the number of dev, adding it if it is new.
func (t *DeviceTable) Index(dev uint64) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.index[dev]
	if !ok {
		i = uint32(len(t.devices))
		t.index[dev] = i
		t.devices = append(t.devices, dev)
	}
	return i
}

// Devices returns the table for the manifest, a copy.
func (t *DeviceTable) Devices() []uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]uint64(nil), t.devices...)
}

// Link returns the hard-link identity of an object, nil if it has one name only or is a directory. An unchanged
// file's entry takes it anew too: the parent's numbers are those of the parent's table.
func (t *DeviceTable) Link(m Meta) *tree.Link {
	if m.Nlink <= 1 || m.Type == tree.Directory {
		return nil
	}
	return &tree.Link{Device: t.Index(m.Dev), Inode: m.Inode}
}
