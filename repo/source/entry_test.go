package source_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"savepoint/internal/needtest"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

// acl is the binary form of user::rw-,user:1000:r--,group::r--,mask::r--,other::---.
const acl = "\x02\x00\x00\x00" +
	"\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\xe8\x03\x00\x00" + "\x04\x00\x04\x00\xff\xff\xff\xff" +
	"\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"

func setAttr(t *testing.T, path, name, value string) {
	t.Helper()
	err := unix.Lsetxattr(path, name, []byte(value), 0)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		needtest.Without(t, "xattr", "file system of the test folder keeps no "+name)
	case errors.Is(err, unix.EPERM):
		needtest.Without(t, "root", "not permitted to set "+name)
	case err != nil:
		t.Fatal(err)
	}
}

func TestAttributes(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), nil)
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("v\x00", 1000)
	for _, name := range []string{"file", "dir", "."} {
		setAttr(t, filepath.Join(dir, name), "user.z", big)
		setAttr(t, filepath.Join(dir, name), "user.a", "")
	}
	setAttr(t, filepath.Join(dir, "file"), "system.posix_acl_access", acl)
	want := []tree.Xattr{{Name: "user.a"}, {Name: "user.z", Value: big}}
	withACL := append([]tree.Xattr{{Name: "system.posix_acl_access", Value: acl}}, want...)

	r := openRoot(t, dir)
	d := r.Dir
	if diff := cmp.Diff(want, r.Entry.Xattrs); diff != "" || r.Incomplete != nil {
		t.Error("root:", diff, r.Incomplete)
	}
	e, err := d.Entry("file", stat(t, d, "file"))
	if diff := cmp.Diff(withACL, e.Xattrs); diff != "" || err != nil {
		t.Error("file by name:", diff, err)
	}
	f := openFile(t, filepath.Join(dir, "file"))
	if e, err = f.Entry("file"); !cmp.Equal(withACL, e.Xattrs) || err != nil {
		t.Error("open file:", e, err)
	}
	sub, err := d.Open("dir")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if e, err = sub.Self("dir"); !cmp.Equal(want, e.Xattrs) || err != nil || e.Type != tree.Directory || e.Name != "dir" {
		t.Error("open directory:", e, err)
	}
	if r := openRoot(t, filepath.Join(dir, "file")); !cmp.Equal(withACL, r.Entry.Xattrs) || r.Incomplete != nil {
		t.Error("file as root:", r.Entry, r.Incomplete)
	}
}

func TestAttributesOfLinksAndFifos(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("nowhere", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := openRoot(t, dir).Dir
	for _, name := range []string{"link", "fifo"} {
		setAttr(t, filepath.Join(dir, name), "trusted.savepoint", "kept")
		e, err := d.Entry(name, stat(t, d, name))
		if err != nil {
			t.Fatal(err)
		}
		if want := []tree.Xattr{{Name: "trusted.savepoint", Value: "kept"}}; !cmp.Equal(e.Xattrs, want) {
			t.Errorf("%s: attributes %v, want %v", name, e.Xattrs, want)
		}
	}
}

func TestUnreadableAttributeIsListed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write(t, path, nil)
	setAttr(t, path, "user.secret", "x")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	d := openRoot(t, dir).Dir
	m := stat(t, d, "file")
	asNobody(t, func() {
		e, err := d.Entry("file", m)
		var se *source.Error
		if !errors.As(err, &se) || se.Kind != source.Unreadable || !strings.Contains(err.Error(), "user.secret") {
			t.Errorf("error %v", err)
		}
		if e == nil || e.Inode != m.Inode {
			t.Errorf("entry %+v", e)
		}
	})
}

func TestHardLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "one"), nil)
	write(t, filepath.Join(dir, "alone"), nil)
	if err := os.Link(filepath.Join(dir, "one"), filepath.Join(dir, "two")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	devices := source.NewDeviceTable(7, 7, 9)
	r, err := source.Options{Devices: devices}.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	links := map[string]*tree.Link{}
	for _, name := range []string{"one", "two", "alone", "dir"} {
		e, err := r.Dir.Entry(name, stat(t, r.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		links[name] = e.Link
	}
	want := &tree.Link{Device: 2, Inode: stat(t, r.Dir, "one").Inode}
	if diff := cmp.Diff(map[string]*tree.Link{"one": want, "two": want, "alone": nil, "dir": nil}, links); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]uint64{7, 9, r.Meta.Dev}, devices.Devices()); diff != "" {
		t.Error(diff)
	}
}

func TestOwnerNames(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), nil)
	d := openRoot(t, dir).Dir
	m := stat(t, d, "file")
	m.UID, m.GID = 0, 0
	e, err := d.Entry("file", m)
	if err != nil || e.User != "root" || e.Group != "root" {
		t.Errorf("owner %q, group %q, %v; want root", e.User, e.Group, err)
	}
	m.UID, m.GID = 4_000_000_001, 4_000_000_002
	if e, err = d.Entry("file", m); err != nil || e.User != "" || e.Group != "" {
		t.Errorf("owner %q, group %q, %v; want none", e.User, e.Group, err)
	}
}
