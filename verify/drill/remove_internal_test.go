package drill

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/internal/corpus"
	"savepoint/internal/needtest"
)

func TestRemoveAll(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("stays"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "d")
	if err := corpus.Tree(filepath.Join(dir, "tree"), corpus.TreeOptions{Seed: 1, LongPath: true}); err != nil {
		t.Fatal(err)
	}
	deepen(t, dir, 600) // 5,400 bytes of path
	err := errors.Join(os.Symlink(filepath.Dir(outside), filepath.Join(dir, "link")), os.MkdirAll(filepath.Join(dir, "shut", "in"), 0o700),
		os.WriteFile(filepath.Join(dir, "shut", "in", "f"), nil, 0), os.Chmod(filepath.Join(dir, "shut", "in"), 0o500),
		os.Chmod(filepath.Join(dir, "shut"), 0), os.WriteFile(filepath.Join(dir, "stays"), nil, 0o600))
	for i := range 3 * namesAtOnce {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, fmt.Sprint("f", i)), nil, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	// With so few open files no branch can be open all the way down.
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: 400, Max: limit.Max}
	err = unix.Setrlimit(unix.RLIMIT_NOFILE, &few)
	if err == nil {
		err = errors.Join(removeAll(dir, "stays"), unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	}
	if err != nil {
		t.Fatal(err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 || names[0].Name() != "stays" {
		t.Fatalf("%v, %v", names, err)
	}
	for range 2 { // the second time there is nothing
		if err := removeAll(dir, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	if _, err := os.Lstat(outside); err != nil {
		t.Error(err)
	}
}

// deepen makes folders one in the other, with a file in each.
func deepen(t *testing.T, dir string, levels int) {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	for range levels {
		if err == nil {
			err = unix.Mkdirat(fd, "12345678", 0o700)
		}
		var file, next int
		if err == nil {
			file, err = unix.Openat(fd, "file", unix.O_CREAT|unix.O_WRONLY, 0o600)
		}
		if err == nil {
			next, err = unix.Openat(fd, "12345678", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, _ = unix.Close(file), unix.Close(fd)
		fd = next
	}
	_ = unix.Close(fd)
}

// TestRemoveForeign leaves alone what is mounted in the tree, be it of the same file system, and says so.
func TestRemoveForeign(t *testing.T) {
	for _, tt := range []struct {
		name  string
		mount func(at string) error
	}{
		{"another file system", func(at string) error { return unix.Mount("none", at, "tmpfs", 0, "size=1m") }},
		{"the same file system", func(at string) error { return unix.Mount(t.TempDir(), at, "", unix.MS_BIND, "") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			at := filepath.Join(dir, "a", "mount")
			if err := os.MkdirAll(at, 0o700); err != nil {
				t.Fatal(err)
			}
			mounted(t, at, tt.mount)
			if err := os.WriteFile(filepath.Join(at, "stays"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := removeAll(dir, ""); err == nil || !strings.Contains(err.Error(), "is mounted there") {
				t.Errorf("no error that says why: %v", err)
			}
			if _, err := os.Lstat(filepath.Join(at, "stays")); err != nil {
				t.Error(err)
			}
		})
	}
}

// mounted mounts something for the length of a test.
func mounted(t *testing.T, at string, mount func(at string) error) {
	t.Helper()
	if err := mount(at); err != nil {
		needtest.Without(t, "root", fmt.Sprintf("only root can mount: %v", err))
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkRemoveAll(b *testing.B) {
	const dirs, files = 2000, 10
	for b.Loop() {
		b.StopTimer()
		dir := filepath.Join(b.TempDir(), "d")
		for i := range dirs {
			sub := filepath.Join(dir, fmt.Sprint(i%40), fmt.Sprint(i))
			if err := os.MkdirAll(sub, 0o700); err != nil {
				b.Fatal(err)
			}
			for j := range files {
				if err := os.WriteFile(filepath.Join(sub, fmt.Sprint(j)), []byte("some bytes"), 0o600); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.StartTimer()
		if err := removeAll(dir, ""); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(dirs*files), "ns/file")
}
