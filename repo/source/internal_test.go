package source

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

// dirent appends an entry as getdents64 writes it.
func dirent(buf []byte, kind byte, name string) []byte {
	size := (direntName + len(name) + 1 + 7) &^ 7
	e := make([]byte, size)
	binary.NativeEndian.PutUint16(e[16:], uint16(size))
	e[18] = kind
	copy(e[direntName:], name)
	return append(buf, e...)
}

// lister returns a function that lists n names as getdents64 does, in an order far from theirs.
func lister(n int) func([]byte) (int, error) {
	const step = 7_368_787 // prime, so it meets every name once
	i := 0
	return func(buf []byte) (int, error) {
		out := buf[:0]
		for ; i < n && len(out)+64 <= len(buf); i++ {
			out = dirent(out, unix.DT_REG, fmt.Sprintf("player-%07d.profile", i*step%n))
		}
		return len(out), nil
	}
}

func TestMillionNames(t *testing.T) {
	const n, nameBytes = 1_000_000, len("player-0000000.profile")
	buf := make([]byte, direntBuffer)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	names, err := readNames(context.Background(), buf, lister(n))
	runtime.GC()
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d names of %d bytes: %.1f bytes more for each", n, nameBytes, float64(held)/n-float64(nameBytes))
	if limit := int64(n * (nameBytes + 12)); held > limit {
		t.Errorf("names hold %d bytes, want at most %d", held, limit)
	}
	if names.Len() != n {
		t.Fatalf("%d names, want %d", names.Len(), n)
	}
	for _, i := range []int{0, 1, 499_999, 999_999} {
		if got, want := names.Name(i), fmt.Sprintf("player-%07d.profile", i); got != want {
			t.Errorf("name %d is %q, want %q", i, got, want)
		}
	}
	if !names.Has("player-0123456.profile") || names.Has("player-1000000.profile") {
		t.Error("Has is wrong about its names")
	}
}

func TestNamesListedTwiceAndDots(t *testing.T) {
	var listing []byte
	for _, name := range []string{"b", ".", "a", "..", "b", "...", ".x"} {
		listing = dirent(listing, unix.DT_DIR, name)
	}
	names, err := readNames(context.Background(), make([]byte, 4096), func(buf []byte) (int, error) {
		n := copy(buf, listing)
		listing = nil
		return n, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range names.Len() {
		got = append(got, names.Name(i))
	}
	if want := []string{"...", ".x", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
}

func TestNamesMalformed(t *testing.T) {
	good := dirent(nil, unix.DT_REG, "name")
	short := slices.Clone(good)
	binary.NativeEndian.PutUint16(short[16:], 8)
	long := slices.Clone(good)
	binary.NativeEndian.PutUint16(long[16:], 400)
	open := slices.Clone(good)
	for i := direntName; i < len(open); i++ {
		open[i] = 'x'
	}
	for name, listing := range map[string][]byte{
		"cut":           good[:10],
		"short record":  short,
		"long record":   long,
		"no end":        open,
		"empty name":    dirent(nil, unix.DT_REG, ""),
		"slash in name": dirent(nil, unix.DT_REG, "../etc"),
	} {
		var n Names
		if err := n.addAll(listing); !errors.Is(err, errDirents) {
			t.Errorf("%s: error %v, want %v", name, err, errDirents)
		}
	}
}

func TestNamesCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	next := lister(1_000_000)
	_, err := readNames(ctx, make([]byte, direntBuffer), func(buf []byte) (int, error) {
		cancel()
		return next(buf)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestOwnersAreBounded(t *testing.T) {
	o := NewOwners()
	asked := 0
	o.userName = func(id string) string { asked++; return "u" + id }
	for id := range uint32(3 * ownersLimit) {
		if got, want := o.User(id), fmt.Sprintf("u%d", id); got != want {
			t.Fatalf("user %d is %q, want %q", id, got, want)
		}
		o.User(id)
	}
	if asked != 3*ownersLimit {
		t.Errorf("looked up %d times, want %d", asked, 3*ownersLimit)
	}
	if len(o.users) > ownersLimit {
		t.Errorf("%d names are held, want at most %d", len(o.users), ownersLimit)
	}
}

func TestNanosecondsSaturate(t *testing.T) {
	for _, c := range []struct {
		sec, nsec, want int64
	}{
		{1, 5, 1_000_000_005},
		{-1, 999_999_999, -1},
		{9_223_372_035, 999_999_999, 9_223_372_035_999_999_999},
		{15_032_385_535, 0, 1<<63 - 1}, // the year 2446, ext4's last
		{-62_135_596_800, 0, -1 << 63}, // the year 1
	} {
		if got := nanoseconds(c.sec, c.nsec); got != c.want {
			t.Errorf("%d s %d ns: %d, want %d", c.sec, c.nsec, got, c.want)
		}
	}
}

func TestKinds(t *testing.T) {
	for err, want := range map[error]Kind{
		unix.ENOENT: Vanished, unix.ESTALE: Vanished, unix.EACCES: Unreadable, unix.EPERM: Unreadable, unix.EIO: Unreadable,
		unix.EMFILE: Failed, unix.ENOMEM: Failed, unix.EOPNOTSUPP: Unsupported, ErrReplaced: Vanished, errAttrs: Unreadable,
	} {
		if got := newError("open", "/x", fmt.Errorf("deeper: %w", err)).Kind; got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
}

func TestTrustedFileSystems(t *testing.T) {
	for magic, want := range map[int64]bool{
		unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true, zfsMagic: true,
		unix.TMPFS_MAGIC: false, unix.RAMFS_MAGIC: false, unix.FUSE_SUPER_MAGIC: false, unix.NFS_SUPER_MAGIC: false,
		unix.CIFS_SUPER_MAGIC: false, unix.SMB2_SUPER_MAGIC: false, unix.V9FS_MAGIC: false,
		unix.OVERLAYFS_SUPER_MAGIC: false, unix.MSDOS_SUPER_MAGIC: false, unix.CEPH_SUPER_MAGIC: false, 12345: false,
	} {
		if got := trusted(magic); got != want {
			t.Errorf("file system %#x: trusted %v, want %v", magic, got, want)
		}
	}
}

// TestNamesTooLong has names as file systems give them that count characters, not bytes: neighbours must not suffer.
func TestNamesTooLong(t *testing.T) {
	long := strings.Repeat("\u0436", 255)
	want := []string{"a", strings.Repeat("n", 255), strings.Repeat("n", 256), "z", long}
	var listing []byte
	for _, name := range want {
		listing = dirent(listing, unix.DT_REG, name)
	}
	var n Names
	if err := n.addAll(listing); err != nil {
		t.Fatal(err)
	}
	n.sort()
	var got []string
	for i := range n.Len() {
		got = append(got, n.Name(i))
	}
	if !slices.Equal(got, want) || !n.Has(long) || n.DType(4) != tree.File {
		t.Errorf("names %q, want %q", got, want)
	}
	d := &Dir{name: "/srv", env: &env{maxDepth: 1}}
	_, statErr := d.Stat(long)
	_, openErr := d.Open(long)
	for _, err := range []error{statErr, openErr} {
		var e *Error
		if !errors.As(err, &e) || e.Kind != Unsupported || e.Path != "/srv/"+long {
			t.Errorf("error %v, want one of kind %v", err, Unsupported)
		}
	}
}
