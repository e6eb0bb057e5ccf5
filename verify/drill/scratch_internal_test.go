package drill

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"savepoint/repo/restore"
)

func begun(t *testing.T, where Scratch, run string, wantRemoved int) *scratch {
	t.Helper()
	s, removed, notices, err := openScratch(where, run)
	if err != nil || len(notices) > 0 {
		t.Fatal(err, notices)
	}
	if removed != wantRemoved {
		t.Errorf("%d folders of others were removed, not %d", removed, wantRemoved)
	}
	return s
}

func namesIn(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestScratch(t *testing.T) {
	where := Scratch{Base: filepath.Join(t.TempDir(), "cache", "drill"), Make: true}
	first := begun(t, where, "first", 0)
	if info, err := os.Stat(first.path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	second := begun(t, where, "second", 0) // the first one runs
	if n, err := second.others(); err != nil || n != 1 {
		t.Errorf("%d others, %v", n, err)
	}
	putFile(t, filepath.Join(first.restored(), "a", "b"))
	_ = first.lock.Close() // killed
	if n, err := second.others(); err != nil || n != 0 {
		t.Errorf("%d others, %v", n, err)
	}
	if got := namesIn(t, where.Base); got != "first second" {
		t.Errorf("there is %s", got)
	}
	third := begun(t, where, "third", 1)
	if err := errors.Join(second.remove(), second.remove(), third.remove()); err != nil {
		t.Fatal(err)
	}
	if got := namesIn(t, where.Base); got != "" {
		t.Errorf("left: %s", got)
	}
}

func putFile(t *testing.T, path string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("bytes"), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// TestScratchLeavesOthers has everything in the folder that is none of a killed drill's.
func TestScratchLeavesOthers(t *testing.T) {
	where := Scratch{Base: t.TempDir(), Prefix: "savepoint-drill-"}
	putFile(t, filepath.Join(where.Base, "file"))
	putFile(t, filepath.Join(where.Base, "folder", lockName))                          // not named as one
	putFile(t, filepath.Join(where.Base, "savepoint-drill-file"))                      // no folder
	putFile(t, filepath.Join(where.Base, "savepoint-drill-unlocked", "restored", "a")) // kept, or somebody's
	if err := os.Symlink("folder", filepath.Join(where.Base, "savepoint-drill-link")); err != nil {
		t.Fatal(err)
	}
	putFile(t, filepath.Join(where.Base, "savepoint-drill-linked", "a"))
	if err := os.Symlink("../folder/"+lockName, filepath.Join(where.Base, "savepoint-drill-linked", lockName)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(where.Base, "savepoint-drill-odd", lockName), 0o700),
		os.Mkdir(filepath.Join(where.Base, "savepoint-drill-empty"), 0o700)); err != nil { // killed before it had a lock
		t.Fatal(err)
	}
	kept := begun(t, where, "kept", 0)
	putFile(t, filepath.Join(kept.restored(), "a"))
	if err := errors.Join(kept.keep(), kept.remove()); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(where.Base, "savepoint-drill-foreign", lockName)
	putFile(t, foreign)
	want := "file folder savepoint-drill-file savepoint-drill-foreign savepoint-drill-kept savepoint-drill-link savepoint-drill-linked savepoint-drill-odd savepoint-drill-unlocked"
	removed := 0
	if os.Geteuid() != 0 { // then it is our own
		removed, want = 1, strings.Replace(want, " savepoint-drill-foreign", "", 1)
	} else if err := os.Chown(foreign, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	s := begun(t, where, "mine", removed)
	if err := s.remove(); err != nil {
		t.Fatal(err)
	}
	if got := namesIn(t, where.Base); got != want {
		t.Errorf("there is   %s\nthere was  %s", got, want)
	}
	if _, err := os.Stat(filepath.Join(kept.restored(), "a")); err != nil {
		t.Error(err)
	}
}

// TestScratchEnding has another drill look at a folder in the middle of its end, when its lock is free already.
func TestScratchEnding(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*scratch) error
		left string
	}{
		{"kept", func(s *scratch) error { s.kept = true; return os.Remove(filepath.Join(s.path, lockName)) }, "run"},
		{"removed", (*scratch).remove, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			where := Scratch{Base: t.TempDir()}
			s := begun(t, where, "run", 0)
			putFile(t, filepath.Join(s.restored(), "a"))
			base, err := where.hold()
			if err != nil {
				t.Fatal(err)
			}
			defer base.Close()
			// The other one has opened the lock file, and then gets the lock.
			dir, err := os.Open(s.path)
			if err != nil {
				t.Fatal(err)
			}
			lock, err := openFile(dir, lockName, unix.O_RDWR)
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.end(s); err != nil {
				t.Fatal(err)
			}
			s.close()
			if (&leftover{path: s.path, dir: dir, lock: lock}).mine() {
				t.Error("it is taken for a leftover")
			}
			if got := namesIn(t, where.Base); got != tt.left {
				t.Errorf("there is %q, not %q", got, tt.left)
			}
		})
	}
	// Both remove it.
	where := Scratch{Base: t.TempDir()}
	s := begun(t, where, "run", 0)
	if err := errors.Join(os.RemoveAll(s.path), s.remove()); err != nil {
		t.Errorf("removed by another one: %v", err)
	}
}

// TestScratchReplaced has somebody put another folder in the place of the one that was made: that one stays.
func TestScratchReplaced(t *testing.T) {
	where := Scratch{Base: t.TempDir()}
	s := begun(t, where, "run", 0)
	putFile(t, filepath.Join(s.restored(), "a"))
	if err := s.same(); err != nil {
		t.Error(err)
	}
	moved := filepath.Join(where.Base, "moved")
	if err := os.Rename(s.path, moved); err != nil {
		t.Fatal(err)
	}
	putFile(t, filepath.Join(s.path, "precious"))
	if err := s.same(); err == nil {
		t.Error("nothing was noticed")
	}
	if err := s.remove(); err == nil || !strings.Contains(err.Error(), "moved or replaced") {
		t.Errorf("%v", err)
	}
	if got := namesIn(t, s.path) + " " + namesIn(t, moved); got != "precious " {
		t.Errorf("there is %q", got)
	}
}

func TestScratchRefused(t *testing.T) {
	dir := t.TempDir()
	missing := Scratch{Base: filepath.Join(dir, "missing")}
	if _, _, _, err := openScratch(missing, "run"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	taken := Scratch{Base: dir}
	putFile(t, filepath.Join(dir, "run", "a"))
	if _, _, _, err := openScratch(taken, "run"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a run of the same name: %v", err)
	}
	if got := namesIn(t, filepath.Join(dir, "run")); got != "a" {
		t.Errorf("it holds %s", got)
	}
}

// onDisk is what statfs says of a disk with a million blocks, a quarter of them free.
func onDisk(string) (unix.Statfs_t, error) {
	return unix.Statfs_t{Type: unix.EXT4_SUPER_MAGIC, Bsize: 4096, Frsize: 4096, Blocks: 1 << 20, Bfree: 1 << 19, Bavail: 1 << 18, Files: 1000, Ffree: 500}, nil
}

func TestCheckSpace(t *testing.T) {
	const free = 1 << 30
	o := Options{statfs: onDisk}
	for _, tt := range []struct {
		plan restore.Plan
		says string // "" for enough
	}{
		{restore.Plan{}, ""},
		{restore.Plan{Bytes: 900 << 20, Files: 100}, ""},
		{restore.Plan{Bytes: 900 << 20, Holes: 1 << 50}, ""},
		{restore.Plan{Bytes: free}, "84 MiB are missing"},
		{restore.Plan{Bytes: free - 65<<20}, "missing"}, // what is spared
		{restore.Plan{Bytes: 1<<64 - 1, Files: 1<<64 - 1}, "missing"},
		{restore.Plan{Files: 436}, ""},
		{restore.Plan{Files: 300, Others: 100, Directories: 37}, "1 too many"},
	} {
		err := o.checkSpace("/scratch", tt.plan)
		if err == nil && tt.says != "" || err != nil && (tt.says == "" || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%+v: %v, want %q", tt.plan, err, tt.says)
		}
	}
}

func TestCheckFilesystem(t *testing.T) {
	for _, magic := range []int64{unix.TMPFS_MAGIC, unix.RAMFS_MAGIC} {
		o := Options{statfs: func(string) (unix.Statfs_t, error) { return unix.Statfs_t{Type: magic}, nil }}
		if _, err := o.checkFilesystem("/x"); err == nil || !strings.Contains(err.Error(), "in memory") {
			t.Errorf("%x: %v", magic, err)
		}
	}
	if name, err := (Options{statfs: onDisk}).checkFilesystem("/x"); err != nil || name != "ext4" {
		t.Errorf("%s, %v", name, err)
	}
}

// TestProblems has what a restore could not do: what holds data and is missing differs, the rest was not compared.
func TestProblems(t *testing.T) {
	x := &run{o: Options{}}
	x.doc = x.newDocument()
	x.doc.Compared.DifferenceCount = 1
	var all []restore.Problem
	for _, op := range []string{"create", "create directory and all beneath it", "create symbolic link", "link", "set size"} {
		all = append(all, restore.Problem{Path: "/missing", Op: op, Missing: true, Err: unix.ENAMETOOLONG})
	}
	for _, op := range []string{"create device", "create fifo", "create socket"} {
		all = append(all, restore.Problem{Path: "/special", Op: op, Missing: true, Err: unix.EPERM})
	}
	all = append(all, restore.Problem{Path: "/a", Op: "set mode", Err: unix.EPERM}, restore.Problem{Path: "/b", Op: "set mode", Err: unix.EPERM})
	x.problems(&restore.Result{Problems: all})
	c := x.doc.Compared
	if c.DifferenceCount != 6 || len(c.Differences) != 5 || c.Differences[0].Path != "/missing" || !strings.Contains(c.Differences[0].What, "file name too long") {
		t.Errorf("%+v", c)
	}
	want := []string{"1 entry: the rights or the file system did not allow to create device", "1 entry: the rights or the file system did not allow to create fifo",
		"1 entry: the rights or the file system did not allow to create socket", "2 entries: the rights or the file system did not allow to set mode"}
	if diff := cmp.Diff(want, c.NotCompared); diff != "" {
		t.Error(diff)
	}
}

func TestUpperDir(t *testing.T) {
	info := filepath.Join(t.TempDir(), "mountinfo")
	text := `22 1 0:20 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/l,upperdir=/run/up\040per,workdir=/w
23 22 8:1 / /data rw - ext4 /dev/sda1 rw
24 22 0:30 / /data/deep rw - overlay none rw,upperdir=/mnt/x
25 22 0:31 / /da rw - tmpfs none rw
malformed
`
	if err := os.WriteFile(info, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/": "/run/up per", "/home": "/run/up per", "/data": "", "/data/x": "", "/data/deep/x": "/mnt/x", "/database": "/run/up per"} {
		if got := upperDir(info, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
