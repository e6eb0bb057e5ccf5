package drill

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	sparseSize = 12 << 20
	bigSize    = 9<<20 + 777
	odd        = "odd \xff\nname"
)

// changeSource makes the tree whose copy the changes change.
func changeSource(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "source")
	write(t, filepath.Join(dir, "small"), noise(1, 5000))
	write(t, filepath.Join(dir, "other small"), noise(2, 5000))
	write(t, filepath.Join(dir, "twin 1"), noise(3, 5000))
	write(t, filepath.Join(dir, "twin 2"), noise(3, 5000))
	write(t, filepath.Join(dir, "middle"), noise(4, 700_000))
	write(t, filepath.Join(dir, "big"), noise(5, bigSize))
	write(t, filepath.Join(dir, "empty"), nil)
	write(t, filepath.Join(dir, "sub/deeper/file"), noise(6, 10))
	write(t, filepath.Join(dir, "sub/script"), []byte("#!"))
	write(t, filepath.Join(dir, odd), noise(7, 10))
	write(t, filepath.Join(dir, "name 1"), noise(8, 3<<20))
	must(t, os.Link(filepath.Join(dir, "name 1"), filepath.Join(dir, "name 2")))
	must(t, os.Link(filepath.Join(dir, "name 1"), filepath.Join(dir, "name 3")))
	must(t, os.Symlink("small", filepath.Join(dir, "symlink")))
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	must(t, os.Chmod(filepath.Join(dir, "sub/script"), os.ModeSetuid|0o755))
	if os.Geteuid() == 0 {
		must(t, unix.Mknod(filepath.Join(dir, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	}
	sparse := filepath.Join(dir, "sparse")
	write(t, sparse, noise(9, 1<<20))
	must(t, os.Truncate(sparse, sparseSize))
	for _, twin := range []string{"twin 1", "twin 2"} {
		must(t, os.Chtimes(filepath.Join(dir, twin), time.Time{}, time.Unix(1_700_000_000, 5)))
	}
	must(t, unix.Setxattr(filepath.Join(dir, "small"), "user.kept", []byte("value"), 0))
	must(t, unix.Setxattr(filepath.Join(dir, "sub"), "user.kept", []byte("value"), 0))
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// change is one thing that is done to a restored tree, and what is to be said of it.
type change struct {
	do   func(t *testing.T, dir string)
	path string // that differs; a pattern
	what string // a pattern
	root bool   // only root can do it, or would see it
}

// poke changes a byte of a file, and keeps its times.
func poke(name string, off int64) func(*testing.T, string) {
	return edit(name, func(t *testing.T, f *os.File) {
		b := make([]byte, 1)
		if _, err := f.ReadAt(b, off); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 0x40
		if _, err := f.WriteAt(b, off); err != nil {
			t.Fatal(err)
		}
	})
}

// edit changes a file, and keeps its times.
func edit(name string, fn func(*testing.T, *os.File)) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
		must(t, err)
		defer f.Close()
		info, err := f.Stat()
		must(t, err)
		fn(t, f)
		must(t, os.Chtimes(f.Name(), time.Time{}, info.ModTime()))
	}
}

// in changes the entries of a directory, and keeps the times of all that is in it.
func in(sub string, fn func(t *testing.T, dir string)) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		dir = filepath.Join(dir, sub)
		times := map[string]time.Time{}
		names, err := os.ReadDir(dir)
		must(t, err)
		for _, n := range names {
			info, err := n.Info()
			must(t, err)
			times[n.Name()] = info.ModTime()
		}
		info, err := os.Stat(dir)
		must(t, err)
		fn(t, dir)
		for name, at := range times {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				ts := unix.NsecToTimespec(at.UnixNano())
				must(t, unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(dir, name), []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW))
			}
		}
		must(t, os.Chtimes(dir, time.Time{}, info.ModTime()))
	}
}

func replace(name string, fn func(path string) error) func(*testing.T, string) {
	return in("", func(t *testing.T, dir string) {
		path := filepath.Join(dir, name)
		must(t, os.RemoveAll(path))
		must(t, fn(path))
	})
}

func touch(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, name)
		var st unix.Stat_t
		must(t, unix.Lstat(path, &st))
		ts := st.Mtim
		if ts.Nsec++; ts.Nsec == 1_000_000_000 {
			ts.Nsec = 0
		}
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW))
	}
}

// changes are named for what they are done to and how.
func changes() map[string]change {
	chmod := func(name string, mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, name), mode)) }
	}
	attr := func(name, attr, value string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			must(t, unix.Setxattr(filepath.Join(dir, name), attr, []byte(value), 0))
		}
	}
	chown := func(name string, uid, gid int) func(*testing.T, string) {
		return func(t *testing.T, dir string) { must(t, os.Lchown(filepath.Join(dir, name), uid, gid)) }
	}
	return map[string]change{
		"mode of a file":           {chmod("small", 0o600), "small", "mode 0600, was 0644", false},
		"mode of a directory":      {chmod("sub", 0o700), "sub", "mode 0700, was 0755", false},
		"mode of a fifo":           {chmod("fifo", 0o600), "fifo", "mode 0600, was 0644", false},
		"mode of the root":         {chmod("", 0o700), "", "mode 0700, was 0755", false},
		"setuid bit":               {chmod("sub/script", 0o755), "sub/script", "mode 0755, was 4755", false},
		"owner of a file":          {chown("small", 1, -1), "small", "owner 1:0, was 0:0", true},
		"group of a symbolic link": {chown("symlink", -1, 7), "symlink", "owner 0:7, was 0:0", true},
		"owner of a directory":     {chown("sub/deeper", 3, 4), "sub/deeper", "owner 3:4, was 0:0", true},
		"time of a file":           {touch("big"), "big", "modified .*, was .*", false},
		"time of a directory":      {touch("sub/deeper"), "sub/deeper", "modified .*, was .*", false},
		"time of a symbolic link":  {touch("symlink"), "symlink", "modified .*, was .*", false},
		"time of the root":         {touch(""), "", "modified .*, was .*", false},
		"attribute changed":        {attr("small", "user.kept", "other"), "small", `attribute "user.kept" has another value`, false},
		"attribute added":          {attr("middle", "user.new", ""), "middle", `attribute "user.new" is there and was never backed up`, false},
		"attribute removed": {func(t *testing.T, dir string) { must(t, unix.Removexattr(dir+"/sub", "user.kept")) }, "sub",
			`attribute "user.kept" is missing`, false},
		"access control list": {attr("big", "system.posix_acl_access", acl), "big",
			`mode 0664, was 0644; attribute "system.posix_acl_access" is there and was never backed up`, false},
		"target of a symbolic link": {replace("symlink", func(p string) error { return os.Symlink("big", p) }), "symlink", `leads to "big", was to "small"`, false},
		"number of a device": {replace("null", func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))) }), "null",
			"(mode 0644, was 0666; )?device 1,5, was 1,3", true},
		"fifo becomes a file":      {replace("fifo", func(p string) error { return os.WriteFile(p, nil, 0o644) }), "fifo", "is a file, was a fifo", false},
		"file becomes a fifo":      {replace("small", func(p string) error { return unix.Mkfifo(p, 0o644) }), "small", "is a fifo, was a file", false},
		"file becomes a directory": {replace("small", func(p string) error { return os.Mkdir(p, 0o755) }), "small", "is a directory, was a file", false},
		"directory becomes a file": {replace("sub", func(p string) error { return os.WriteFile(p, nil, 0o644) }), "sub", "is a file, was a directory", false},
		"file becomes a link to an equal one": {replace("twin 2", func(p string) error { return os.Symlink("twin 1", p) }), "twin 2",
			"is a symbolic link, was a file", false},
		"directory becomes a link to an equal one": {replace("sub", func(p string) error { return os.Symlink(filepath.Join(filepath.Dir(p), "sub"), p) }), "sub",
			"is a symbolic link, was a directory", false},

		"first byte of a small file":     {poke("small", 0), "small", "has other bytes", false},
		"last byte of a small file":      {poke("small", 4999), "small", "has other bytes", false},
		"first byte of a middling one":   {poke("middle", 0), "middle", "has other bytes", false},
		"last byte of a middling one":    {poke("middle", 699_999), "middle", "has other bytes from [0-9.]+ KiB on", false},
		"first byte of a large one":      {poke("big", 0), "big", "has other bytes", false},
		"middle byte of a large one":     {poke("big", 5<<20), "big", "has other bytes from (4|5)[0-9.]* MiB on", false},
		"last byte of a large one":       {poke("big", bigSize-1), "big", "has other bytes from (8|9)[0-9.]* MiB on", false},
		"byte of one with several names": {poke("name 2", 2<<20), "name [123]", "has other bytes from (1|2)[0-9.]* MiB on", false},
		"byte of one with an odd name":   {poke(odd, 3), "odd ..name", "has other bytes", false},

		"append to a small file": {edit("small", func(t *testing.T, f *os.File) { writeAt(t, f, 5000, 1) }), "small", "is 5001 bytes long, was 5000", false},
		"append to a large file": {edit("big", func(t *testing.T, f *os.File) { writeAt(t, f, bigSize, 1<<20) }), "big", "is 10486537 bytes long, was 9437961", false},
		"append to an empty one": {edit("empty", func(t *testing.T, f *os.File) { writeAt(t, f, 0, 3) }), "empty", "is 3 bytes long, was 0", false},
		"truncate a small file":  {edit("small", func(t *testing.T, f *os.File) { must(t, f.Truncate(4999)) }), "small", "is 4999 bytes long, was 5000", false},
		"truncate a large file":  {edit("big", func(t *testing.T, f *os.File) { must(t, f.Truncate(5<<20)) }), "big", "is 5242880 bytes long, was 9437961", false},
		"truncate to nothing":    {edit("big", func(t *testing.T, f *os.File) { must(t, f.Truncate(0)) }), "big", "is 0 bytes long, was 9437961", false},
		"fill a hole with zeros": {edit("sparse", func(t *testing.T, f *os.File) { zeroAt(t, f, 4<<20, 3<<20) }), "sparse",
			"takes 4 MiB of the disk for 1 MiB of data: holes are filled", false},
		"a byte in a hole": {edit("sparse", func(t *testing.T, f *os.File) { writeAt(t, f, 7<<20+1234, 1) }), "sparse", "has other bytes from 7.001 MiB on", false},
		"the last byte of a hole": {edit("sparse", func(t *testing.T, f *os.File) { writeAt(t, f, sparseSize-1, 1) }), "sparse",
			"has other bytes from 12 MiB on", false},
		"a hole where bytes were": {edit("big", func(t *testing.T, f *os.File) {
			must(t, unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 3<<20, 1<<20))
		}), "big", "has other bytes from (2|3)[0-9.]* MiB on", false},

		"a file of its own": {replace("name 2", func(p string) error { return os.WriteFile(p, noise(8, 3<<20), 0o644) }), "name [123]",
			`is a file of its own, was one with ".*/name [123]"`, false},
		"two files become one": {replace("twin 2", func(p string) error { return os.Link(filepath.Join(filepath.Dir(p), "twin 1"), p) }), "twin [12]",
			`is one file with ".*/twin [12]", was another`, false},
		"an empty file is added":  {in("sub", func(t *testing.T, dir string) { write(t, dir+"/new", nil) }), "sub/new", "is there and was never backed up", false},
		"a first name is added":   {in("", func(t *testing.T, dir string) { write(t, dir+"/\x01", nil) }), "\x01", "is there and was never backed up", false},
		"a directory is added":    {in("", func(t *testing.T, dir string) { write(t, dir+"/z/new", nil) }), "z", "is there and was never backed up", false},
		"a file is removed":       {in("", func(t *testing.T, dir string) { must(t, os.Remove(dir+"/big")) }), "big", "is missing", false},
		"a directory is removed":  {in("", func(t *testing.T, dir string) { must(t, os.RemoveAll(dir+"/sub")) }), "sub", "is missing", false},
		"a link is removed":       {in("", func(t *testing.T, dir string) { must(t, os.Remove(dir+"/symlink")) }), "symlink", "is missing", false},
		"one of names is removed": {in("", func(t *testing.T, dir string) { must(t, os.Remove(dir+"/name 1")) }), "name 1", "is missing", false},
		"one letter of a name":    {in("", func(t *testing.T, dir string) { must(t, os.Remove(dir+"/"+odd)) }), "odd ..name", "is missing", false},
		"two things of one": {func(t *testing.T, dir string) {
			poke("small", 17)(t, dir)
			must(t, os.Chmod(dir+"/small", 0o600))
		}, "small", "mode 0600, was 0644; has other bytes", false},
	}
}

// acl gives group 7 the right to write, beside what mode 0644 says.
const acl = "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x04\x00\x04\x00\xff\xff\xff\xff\x08\x00\x06\x00\x07\x00\x00\x00\x10\x00\x06\x00\xff\xff\xff\xff\x20\x00\x04\x00\xff\xff\xff\xff"

func writeAt(t *testing.T, f *os.File, off int64, n int) {
	t.Helper()
	_, err := f.WriteAt(noise(99, n), off)
	must(t, err)
}

func zeroAt(t *testing.T, f *os.File, off int64, n int) {
	t.Helper()
	_, err := f.WriteAt(make([]byte, n), off)
	must(t, err)
}

// TestCompareFindsOneChange changes one thing at a time.
func TestCompareFindsOneChange(t *testing.T) {
	src := changeSource(t)
	b := bring(t, src)
	for name, ch := range changes() {
		t.Run(name, func(t *testing.T) {
			if ch.root && os.Geteuid() != 0 {
				t.Skip("only root can")
			}
			b := *b
			b.again(t)
			b.same(t, compareOptions{})
			ch.do(t, b.dir)
			for _, o := range []compareOptions{{Workers: 3}, {Workers: 1, buffered: true}} {
				c, _ := b.compare(t, o)
				if c.DifferenceCount != 1 || len(c.Differences) != 1 {
					t.Fatalf("%d differences: %q", c.DifferenceCount, c.Differences)
				}
				d := c.Differences[0]
				path := strings.TrimSuffix(regexp.QuoteMeta(src)+"/"+ch.path, "/")
				if !regexp.MustCompile(`^(?s:` + path + `)$`).MatchString(d.Path) {
					t.Errorf("%q differs, want %s", d.Path, path)
				}
				if !regexp.MustCompile(`^` + ch.what + `$`).MatchString(d.What) {
					t.Errorf("it %q, want %s", d.What, ch.what)
				}
			}
		})
	}
}

// TestCompareSwappedFiles swaps two files of equal size and time.
func TestCompareSwappedFiles(t *testing.T) {
	b := bring(t, changeSource(t))
	in("", func(t *testing.T, dir string) {
		must(t, unix.Renameat2(unix.AT_FDCWD, dir+"/twin 1", unix.AT_FDCWD, dir+"/other small", unix.RENAME_EXCHANGE))
	})(t, b.dir)
	c, _ := b.compare(t, compareOptions{})
	if c.DifferenceCount != 2 || c.Differences[0].What != "has other bytes" || c.Differences[1].What != "has other bytes" {
		t.Errorf("%v", c.Differences)
	}
}
