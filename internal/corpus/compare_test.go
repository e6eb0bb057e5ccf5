package corpus_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCompareSees changes one thing at a time.
func TestCompareSees(t *testing.T) {
	root := os.Geteuid() == 0
	for _, tt := range []struct {
		name   string
		change func(dir string) error
		want   string
		root   bool
	}{
		{"nothing", func(string) error { return nil }, "", false},
		{"content", func(d string) error { return overwrite(d+"/file", 150_000, "x") }, "file: content differs from byte 150000", false},
		{"last byte", func(d string) error { return overwrite(d+"/file", 299_999, "x") }, "file: content differs from byte 299999", false},
		{"size", func(d string) error { return overwrite(d+"/file", 300_000, "x") }, "file: size 300000 != 300001", false},
		{"mode", func(d string) error { return os.Chmod(d+"/file", 0o640) }, "file: mode 0644 != 0640", false},
		{"setuid", func(d string) error { return os.Chmod(d+"/file", 0o644|os.ModeSetuid) }, "file: mode 0644 != 4644", false},
		{"owner", func(d string) error { return os.Chown(d+"/file", 0, 77) }, "file: owner 0:0 != 0:77", true},
		{"owner of a symlink", func(d string) error { return os.Lchown(d+"/link", 66, 0) }, "link: owner 0:0 != 66:0", true},
		{"time", func(d string) error { return settime(d+"/file", 1) }, "file: time 2026-11-01T00:00:00Z != 2026-11-01T00:00:00.000000001Z", false},
		{"time of a folder", func(d string) error { return settime(d+"/dir", 1) }, "dir: time", false},
		{"time of a symlink", func(d string) error { return settime(d+"/link", 1) }, "link: time", false},
		{"time of the root", func(d string) error { return settime(d, 1) }, ".: time", false},
		{"target", func(d string) error {
			return errors.Join(os.Remove(d+"/link"), os.Symlink("fila", d+"/link"), settime(d+"/link", 0))
		}, `link: target "file" != "fila"`, false},
		{"type", func(d string) error {
			return errors.Join(os.Remove(d+"/link"), os.WriteFile(d+"/link", []byte("file"), 0o644), settime(d+"/link", 0))
		}, "link: symlink != file", false},
		{"missing", func(d string) error { return os.Remove(d + "/a\nb") }, `"a\nb": only in the first`, false},
		{"added", func(d string) error { return os.WriteFile(d+"/dir/new", nil, 0o644) }, "dir/new: only in the second", false},
		{"hard link broken", func(d string) error {
			return errors.Join(os.Remove(d+"/hard2"), os.WriteFile(d+"/hard2", []byte("h"), 0o644), settime(d+"/hard2", 0))
		}, `hard2: same file as "hard1" != as "hard2"`, false},
		{"hard link made", func(d string) error {
			return errors.Join(os.Remove(d+"/single"), os.Link(d+"/hard1", d+"/single"))
		}, `single: same file as "single" != as "hard1"`, false},
		{"attribute", func(d string) error { return unix.Setxattr(d+"/file", "user.a", []byte("2"), 0) }, `file: attribute user.a "1" != "2"`, false},
		{"attribute gone", func(d string) error { return unix.Removexattr(d+"/file", "user.a") }, "file: attribute user.a only in the first", false},
		{"attribute new", func(d string) error { return unix.Setxattr(d+"/dir", "user.b", nil, 0) }, "dir: attribute user.b only in the second", false},
		{"hole filled", func(d string) error { return overwrite(d+"/sparse", 0, strings.Repeat("\x00", 1<<20)) }, "sparse: takes", false},
		{"data in a hole", func(d string) error { return overwrite(d+"/sparse", 1<<20, "x") }, "sparse: content differs from byte 1048576", false},
		{"device", func(d string) error {
			return errors.Join(os.Remove(d+"/dev"), unix.Mknod(d+"/dev", unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5))), settime(d+"/dev", 0))
		}, "dev: device 1,3 != 1,5", true},
		{"pipe", func(d string) error { return os.Chmod(d+"/pipe", 0o600) }, "pipe: mode 0644 != 0600", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root && !root {
				t.Skip("only root can make this difference")
			}
			a, b := specimen(t), specimen(t)
			if err := tt.change(b); err != nil {
				if errors.Is(err, unix.ENOTSUP) {
					t.Skipf("the file system: %v", err)
				}
				t.Fatal(err)
			}
			// What changed in the folder moves its time, which is not meant.
			if !strings.HasPrefix(tt.want, ".: ") {
				if err := settime(b, 0); err != nil {
					t.Fatal(err)
				}
			}
			diff := compare(t, a, b)
			if tt.want == "" {
				if len(diff) != 0 {
					t.Errorf("differences in equal trees:\n%s", strings.Join(diff, "\n"))
				}
				return
			}
			found := false
			for _, d := range diff {
				found = found || strings.HasPrefix(d, tt.want)
			}
			if !found {
				t.Errorf("want %q in:\n%s", tt.want, strings.Join(diff, "\n"))
			}
		})
	}
}

// specimen makes a tree with one of each.
func specimen(t testing.TB) string {
	t.Helper()
	d := filepath.Join(t.TempDir(), "d")
	steps := []error{
		os.Mkdir(d, 0o755), os.Mkdir(d+"/dir", 0o755),
		os.WriteFile(d+"/file", []byte(strings.Repeat("abc", 100_000)), 0o644),
		os.WriteFile(d+"/a\nb", nil, 0o644),
		os.WriteFile(d+"/hard1", []byte("h"), 0o644), os.Link(d+"/hard1", d+"/hard2"),
		os.WriteFile(d+"/single", []byte("h"), 0o644),
		os.Symlink("file", d+"/link"),
		os.WriteFile(d+"/sparse", nil, 0o644), os.Truncate(d+"/sparse", 8<<20),
		unix.Mkfifo(d+"/pipe", 0o644),
	}
	if os.Geteuid() == 0 {
		if err := unix.Mknod(d+"/dev", unix.S_IFCHR|0o644, int(unix.Mkdev(1, 3))); err != nil {
			t.Logf("no device: %v", err)
		} else {
			steps = append(steps, settime(d+"/dev", 0))
		}
	}
	if err := unix.Setxattr(d+"/file", "user.a", []byte("1"), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
		t.Fatal(err)
	}
	for _, name := range []string{"dir", "file", "a\nb", "hard1", "single", "link", "sparse", "pipe", "."} {
		steps = append(steps, settime(filepath.Join(d, name), 0))
	}
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	return d
}

func overwrite(path string, off int64, s string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte(s), off)
	return err
}

func settime(path string, ns int64) error {
	ts := unix.NsecToTimespec(time.Date(2026, 11, 1, 0, 0, 0, int(ns), time.UTC).UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}
