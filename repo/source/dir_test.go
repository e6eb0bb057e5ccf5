package source_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"savepoint/internal/needtest"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

func TestOddNames(t *testing.T) {
	dir := t.TempDir()
	want := []string{"\x01", " ", "a\nb", "na\xffme", strings.Repeat("n", 255), "ä", "\xfe"} // in byte order
	for _, name := range want {
		write(t, filepath.Join(dir, name), []byte(name))
	}
	d := openRoot(t, dir).Dir
	names, err := d.Names(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range names.Len() {
		name := names.Name(i)
		got = append(got, name)
		m := stat(t, d, name)
		if dt := names.DType(i); dt != 0 && dt != m.Type {
			t.Errorf("%q: type %d in the listing, %d in truth", name, dt, m.Type)
		}
		f, err := d.OpenFile(name, m)
		if err != nil {
			t.Fatal(err)
		}
		if _, data := readAll(t, f); string(data) != name {
			t.Errorf("%q holds %q", name, data)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again, err := d.Names(context.Background())
	if err != nil || again.Len() != len(want) {
		t.Errorf("listed again: %d names, %v", again.Len(), err)
	}
	_, err = d.Stat("gone\nand more")
	if e := wantKind(t, err, source.Vanished); strings.Contains(e.Error(), "\n") {
		t.Errorf("message has a line break: %s", e)
	}
}

func TestPathLongerThanPathMax(t *testing.T) {
	const depth = 60
	dir := t.TempDir()
	name := strings.Repeat("d", 200)
	at, err := unix.Open(dir, unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range depth {
		if err := unix.Mkdirat(at, name, 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(at, name, unix.O_DIRECTORY, 0)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(at)
		at = next
	}
	fd, err := unix.Openat(at, "deep", unix.O_CREAT|unix.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	unix.Write(fd, []byte("at the bottom"))
	unix.Close(fd)
	unix.Close(at)

	d := openRoot(t, dir).Dir
	for range depth {
		next, err := d.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { next.Close() })
		d = next
	}
	path := dir + strings.Repeat("/"+name, depth)
	if d.Path() != path {
		t.Errorf("path is %d bytes %.20q…, want %d", len(d.Path()), d.Path(), len(path))
	}
	f, err := d.OpenFile("deep", stat(t, d, "deep"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Path() != path+"/deep" {
		t.Error("path of the file is wrong")
	}
	if _, data := readAll(t, f); string(data) != "at the bottom" {
		t.Errorf("content %q", data)
	}
	// A root may lie that deep as well.
	if r := openRoot(t, path); !cmp.Equal(r.Dir.Meta(), d.Meta()) {
		t.Error("root by its long path is another directory")
	}
	if r := openRoot(t, path+"/deep"); r.Meta.Size != 13 {
		t.Errorf("file by its long path has size %d", r.Meta.Size)
	}
}

func TestSymlinksAreNotFollowedBeneathRoot(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("x/", 1500)
	for name, target := range map[string]string{"loop": "loop", "dangling": "no/where", "odd": "a\n\xff", "long": long, "dir": "."} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		d := openRoot(t, dir).Dir
		m := stat(t, d, name)
		e, err := d.Entry(name, m)
		if err != nil {
			t.Fatal(err)
		}
		if e.Type != tree.Symlink || e.Target != target || e.Size != 0 || e.Content != nil {
			t.Errorf("%s: entry %+v", name, e)
		}
		if _, err := d.Open(name); !errors.Is(err, source.ErrReplaced) {
			t.Errorf("open %s as directory: %v, want %v", name, err, source.ErrReplaced)
		}
		_, err = d.OpenFile(name, m)
		if wantKind(t, err, source.Vanished); !errors.Is(err, source.ErrReplaced) {
			t.Errorf("open %s as file: %v, want %v", name, err, source.ErrReplaced)
		}
	}
}

func TestRoots(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "real")
	if err := os.Mkdir(real, 0o750); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(real, "file"), []byte("content"))
	for name, target := range map[string]string{"toDir": "real", "toFile": "real/file", "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r := openRoot(t, dir+"//toDir/.")
	if r.Path != filepath.Join(dir, "toDir") || r.Dir == nil || r.Entry.Type != tree.Directory || r.Entry.Mode != 0o750 || r.Entry.Name != "" {
		t.Errorf("root %+v, entry %+v", r, r.Entry)
	}
	r = openRoot(t, filepath.Join(dir, "toFile"))
	if r.Dir != nil || r.Entry.Type != tree.File || r.Entry.Size != 7 || r.Incomplete != nil {
		t.Errorf("root %+v, entry %+v", r, r.Entry)
	}
	f, err := r.OpenFile()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, data := readAll(t, f); string(data) != "content" {
		t.Errorf("content %q", data)
	}
	if _, err := source.OpenRoot(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing root: %v", err)
	}
	if _, err := source.OpenRoot(filepath.Join(dir, "loop")); !errors.Is(err, unix.ELOOP) {
		t.Errorf("looping root: %v", err)
	}
	write(t, filepath.Join(real, source.IncompleteMarker), nil)
	if _, err := source.OpenRoot(filepath.Join(dir, "toDir")); !errors.Is(err, source.ErrMarked) {
		t.Errorf("marked root: %v, want %v", err, source.ErrMarked)
	}
}

func TestFifosSocketsDevices(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o640); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := map[string]tree.Type{"fifo": tree.Fifo, "socket": tree.Socket}
	t.Run("nodes", func(t *testing.T) {
		for name, kind := range want {
			d := openRoot(t, dir).Dir
			m := stat(t, d, name)
			e, err := d.Entry(name, m)
			if err != nil || e.Type != kind || e.Name != name || e.Size != 0 {
				t.Errorf("entry of %s: %+v, %v", name, e, err)
			}
			// Swapped in for a file: neither waits nor passes for it.
			if _, err := d.OpenFile(name, m); !errors.Is(err, source.ErrReplaced) {
				t.Errorf("open %s: %v, want %v", name, err, source.ErrReplaced)
			}
			if r := openRoot(t, filepath.Join(dir, name)); r.Entry.Type != kind || r.Incomplete != nil {
				t.Errorf("as root: %+v, %v", r.Entry, r.Incomplete)
			}
		}
	})
	t.Run("devices", func(t *testing.T) {
		if err := unix.Mknod(filepath.Join(dir, "device"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 300))); err != nil {
			needtest.Without(t, "root", "no device can be made: "+err.Error())
		}
		d := openRoot(t, dir).Dir
		e, err := d.Entry("device", stat(t, d, "device"))
		if err != nil || e.Type != tree.CharDevice || e.Rdev != [2]uint32{1, 300} {
			t.Errorf("entry %+v, %v", e, err)
		}
	})
}

// asNobody runs fn without root's privilege over files, on a thread that ends with it.
func asNobody(t *testing.T, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread goes with the goroutine
		if os.Getuid() == 0 {
			if err := unix.Setfsuid(65534); err != nil {
				t.Error(err)
				return
			}
		}
		fn()
	}()
	<-done
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret"), []byte("x"))
	write(t, filepath.Join(dir, "public"), []byte("x"))
	if err := os.Chmod(filepath.Join(dir, "secret"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "closed"), 0); err != nil {
		t.Fatal(err)
	}
	d := openRoot(t, dir).Dir
	asNobody(t, func() {
		m, err := d.Stat("secret")
		if err != nil {
			t.Error(err)
			return
		}
		var e *source.Error
		if _, err = d.OpenFile("secret", m); !errors.As(err, &e) || e.Kind != source.Unreadable || e.Path != filepath.Join(dir, "secret") {
			t.Errorf("secret: %v", err)
		}
		if e, err := d.Entry("secret", m); err != nil || e.Size != 1 {
			t.Errorf("entry of what cannot be opened: %+v, %v", e, err)
		}
		if _, err = d.Open("closed"); !errors.As(err, &e) || e.Kind != source.Unreadable {
			t.Errorf("closed: %v", err)
		}
		// Somebody else's file may not be opened without an access time, but may be opened.
		m, err = d.Stat("public")
		if err != nil {
			t.Error(err)
			return
		}
		f, err := d.OpenFile("public", m)
		if err != nil {
			t.Error(err)
			return
		}
		f.Close()
	})
}

func TestVanishedAndReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "profile")
	write(t, path, []byte("old"))
	d := openRoot(t, dir).Dir
	m := stat(t, d, "profile")
	write(t, path+".tmp", []byte("new"))
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
	_, err := d.OpenFile("profile", m)
	if wantKind(t, err, source.Vanished); !errors.Is(err, source.ErrReplaced) {
		t.Errorf("replaced: %v", err)
	}
	m = stat(t, d, "profile")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = d.OpenFile("profile", m)
	if wantKind(t, err, source.Vanished); errors.Is(err, source.ErrReplaced) {
		t.Errorf("removed: %v", err)
	}
	_, err = d.Open("profile")
	wantKind(t, err, source.Vanished)
}

func TestDirIsClosedByItsLastUser(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), nil)
	r, err := source.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := r.Dir.Hold()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	stat(t, d, "file")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTooDeep walks down further than this process may have descriptors: that is a fault of one directory, and does not end the run.
func TestTooDeep(t *testing.T) {
	const limit = 512
	dir := t.TempDir()
	if err := os.MkdirAll(dir+strings.Repeat("/d", limit), 0o700); err != nil {
		t.Fatal(err)
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	}()
	d := openRoot(t, dir).Dir
	for depth := range limit {
		below, err := d.Open("d")
		if err != nil {
			wantKind(t, err, source.Unsupported)
			if depth != limit/2 {
				t.Errorf("refused at a depth of %d", depth)
			}
			return
		}
		defer below.Close()
		d = below
	}
	t.Error("nothing is refused")
}
