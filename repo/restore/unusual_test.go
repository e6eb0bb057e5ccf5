package restore_test

import (
	"encoding/binary"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/internal/needtest"
	"savepoint/repo/restore"
)

// acl is an access control list that lets user 12345 in, as the kernel has it in an attribute.
func acl() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range [][3]uint32{{1, 7, ^uint32(0)}, {2, 7, 12345}, {4, 5, ^uint32(0)}, {16, 7, ^uint32(0)}, {32, 5, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint16(b, uint16(e[0]))
		b = binary.LittleEndian.AppendUint16(b, uint16(e[1]))
		b = binary.LittleEndian.AppendUint32(b, e[2])
	}
	return b
}

func setACL(t *testing.T, dir, attr string) {
	t.Helper()
	if err := unix.Setxattr(dir, attr, acl(), 0); err != nil {
		cannot(t, "access control lists: "+err.Error())
	}
}

// TestTargetLists restores into targets that let somebody else in: whom the root of the snapshot does not let in, has no business
// there afterwards. A target that takes no root's metadata keeps its own lists.
func TestTargetLists(t *testing.T) {
	const access, inherited = "system.posix_acl_access", "system.posix_acl_default"
	dir := filepath.Join(t.TempDir(), "source")
	write(t, dir+"/d/f", noise(1, 1000))
	other := filepath.Join(t.TempDir(), "other")
	write(t, other+"/f", noise(2, 1000))
	_, r, snap := saved(t, dir, other)

	above := t.TempDir()
	setACL(t, above, inherited)
	target := filepath.Join(above, "new")
	bring(t, r, snap, restore.Selection{Root: dir}, restore.Options{Target: target})
	same(t, dir, target)

	target = t.TempDir()
	setACL(t, target, access)
	setACL(t, target, inherited)
	bring(t, r, snap, restore.Selection{Root: dir}, restore.Options{Target: target})
	same(t, dir, target)

	target = t.TempDir()
	setACL(t, target, access)
	setACL(t, target, inherited)
	bring(t, r, snap, restore.Selection{}, restore.Options{Target: target})
	same(t, dir, target+"/source")
	for _, attr := range []string{access, inherited} {
		buf := make([]byte, 256)
		if n, err := unix.Getxattr(target, attr, buf); err != nil || !slices.Equal(buf[:n], acl()) {
			t.Errorf("%s of the target is %x, %v afterwards", attr, buf[:max(n, 0)], err)
		}
	}
}

// limitFiles lets no file of this process grow beyond n bytes until the test ends.
func limitFiles(t *testing.T, n uint64) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	caught := make(chan os.Signal, 1) // without a taker the signal ends the process
	signal.Notify(caught, syscall.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
		signal.Stop(caught)
	})
}

// TestBeyondTheFileSystem has files that are larger than any can be in the target: they are missing and listed, and all else is
// restored.
func TestBeyondTheFileSystem(t *testing.T) {
	if !needtest.Alone(t) {
		return
	}
	const limit = 1 << 20
	dir := filepath.Join(t.TempDir(), "source")
	write(t, dir+"/a", noise(1, 1000))
	write(t, dir+"/chunks", noise(2, 3<<20))
	write(t, dir+"/hole", nil)
	write(t, dir+"/tail", noise(3, 1000))
	for _, name := range []string{"/hole", "/tail"} {
		if err := os.Truncate(dir+name, 2*limit); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(dir+"/tail", dir+"/tail-2"); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/z/many", noise(4, 900_000))
	_, r, snap := saved(t, dir)

	target := filepath.Join(t.TempDir(), "t")
	limitFiles(t, limit)
	res, err := restore.Run(t.Context(), r, snap, restore.Selection{}, restore.Options{Target: target, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for _, p := range res.Problems {
		if !p.Missing {
			t.Errorf("%+v is not called missing", p)
		}
		missing = append(missing, filepath.Base(p.Path))
	}
	if want := []string{"chunks", "hole", "tail", "tail-2"}; !slices.Equal(missing, want) {
		t.Errorf("missing are %q, want %q", missing, want)
	}
	if got, want := names(t, target), []string{"a", "z"}; !slices.Equal(got, want) {
		t.Errorf("the target holds %q, want %q", got, want)
	}
	same(t, dir+"/z", target+"/z")
	if res.Files != 2 || res.Bytes != 901_000 {
		t.Errorf("%d files of %d bytes are counted", res.Files, res.Bytes)
	}
}

// TestForeignTarget restores as a user into folders that are not theirs, but that their group may write to: what these would pass on
// does not become a part of what is restored.
func TestForeignTarget(t *testing.T) {
	const place = "RESTORE_TEST_FOREIGN_TARGET"
	if os.Getuid() == 0 {
		above := t.TempDir()
		setgid, list := above+"/setgid", above+"/list"
		for _, err := range []error{
			os.Chmod(filepath.Dir(above), 0o755), os.Chmod(above, 0o755), os.Mkdir(setgid, 0o700), os.Mkdir(list, 0o700),
			os.Chown(setgid, 0, 65534), os.Chown(list, 0, 65534), unix.Chmod(setgid, 0o2770), unix.Chmod(list, 0o770),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		setACL(t, list, "system.posix_acl_default")
		t.Setenv(place, above)
		again(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
		return
	}
	above := os.Getenv(place)
	if above == "" {
		cannot(t, "only root can make a folder of somebody else")
	}
	dir := filepath.Join(t.TempDir(), "source")
	write(t, dir+"/d/f", noise(1, 1000))
	if err := os.Chmod(dir+"/d", 0o700); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	write(t, other, noise(2, 1000))
	_, r, snap := saved(t, dir, other)
	bring(t, r, snap, restore.Selection{}, restore.Options{Target: above + "/setgid"})
	same(t, dir, above+"/setgid/source")

	_, err := restore.Run(t.Context(), r, snap, restore.Selection{}, restore.Options{Target: above + "/list"})
	if te := (*restore.TargetError)(nil); !errors.As(err, &te) || len(names(t, above+"/list")) > 0 {
		t.Errorf("got %v; the target holds %q", err, names(t, above+"/list"))
	}
	bring(t, r, snap, restore.Selection{}, restore.Options{Target: above + "/list/new"})
	same(t, dir, above+"/list/new/source")
}
