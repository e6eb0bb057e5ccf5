package file_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/repo/storage"
	"savepoint/repo/storage/file"
)

func create(t *testing.T) (*file.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := file.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func put(t *testing.T, s storage.Store, name, data string) {
	t.Helper()
	if err := putErr(t, s, name, data, false); err != nil {
		t.Fatal(err)
	}
}

func putErr(t *testing.T, s storage.Store, name, data string, ifAbsent bool) error {
	t.Helper()
	return s.Put(t.Context(), name, strings.NewReader(data), int64(len(data)), storage.PutOptions{IfAbsent: ifAbsent})
}

func list(t *testing.T, s storage.Store, prefix string) (names []string) {
	t.Helper()
	for info, err := range s.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

// temps returns the names in .tmp.
func temps(t *testing.T, dir string) (names []string) {
	t.Helper()
	found, err := os.ReadDir(filepath.Join(dir, ".tmp"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range found {
		names = append(names, e.Name())
	}
	return names
}

func TestOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	_, err := file.Open(dir)
	if !errors.Is(err, storage.ErrNotExist) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Open of a missing directory = %v", err)
	}
	if _, err := os.Lstat(filepath.Dir(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open makes directories: %v", err)
	}
	s, err := file.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "config", "x")
	for _, open := range []func(string) (*file.Store, error){file.Open, file.Create} {
		again, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := list(t, again, ""); !slices.Equal(got, []string{"config"}) {
			t.Errorf("List = %q", got)
		}
		if _, err := open(filepath.Join(dir, "config")); err == nil || errors.Is(err, storage.ErrNotExist) {
			t.Errorf("opening a file = %v", err)
		}
	}
	empty := t.TempDir()
	if _, err := file.Open(empty); err != nil {
		t.Fatal(err)
	}
	if found, err := os.ReadDir(empty); err != nil || len(found) != 0 {
		t.Errorf("Open writes: %v, %v", found, err)
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "repo")
	s, err := file.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "data/0f/x", "x")
	err = filepath.WalkDir(filepath.Dir(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		st, err := d.Info()
		if err == nil && st.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, st.Mode().Perm(), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestForeign puts everything into the directory that is no object.
func TestForeign(t *testing.T) {
	s, dir := create(t)
	put(t, s, "d/o", "object")
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.WriteFile(at("d/empty"), nil, 0o600),
		os.WriteFile(at("empty"), nil, 0o600),
		os.Mkdir(at("d/dir"), 0o700),
		os.Symlink("o", at("d/link")),
		os.Symlink("nowhere", at("d/dangling")),
		os.Symlink("d", at("e")),
		unix.Mkfifo(at("d/fifo"), 0o600),
		unix.Mknod(at("d/sock"), unix.S_IFSOCK|0o600, 0),
		os.WriteFile(at("d/with space"), []byte("x"), 0o600),
		os.WriteFile(at("d/o~"), []byte("x"), 0o600),
		os.Mkdir(at("lost+found"), 0o700),
		os.WriteFile(at("lost+found/x"), []byte("x"), 0o600),
		os.WriteFile(at(".tmp/unfinished"), []byte("x"), 0o600),
		os.Mkdir(at(".tmp/deep"), 0o700),
		os.WriteFile(at(".tmp/deep/x"), []byte("x"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := list(t, s, ""); !slices.Equal(got, []string{"d/o"}) {
		t.Errorf("List = %q, want d/o alone", got)
	}
	for _, prefix := range []string{"e/", ".tmp", ".tmp/", ".tmp/deep/", "lost+found/", "d/dir/", "d/link/"} {
		if got := list(t, s, prefix); len(got) != 0 {
			t.Errorf("List(%s) = %q", prefix, got)
		}
	}
	foreign := []string{
		"d/empty", "empty", "d/dir", "d/link", "d/dangling", "e", "e/o", "d/fifo", "d/sock", "d/with space", "d/o~",
		"lost+found/x", ".tmp", ".tmp/unfinished", ".tmp/deep/x", "d/link/x", "d/empty/x",
	}
	for _, name := range foreign {
		if _, err := s.Stat(t.Context(), name); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Stat(%s) = %v", name, err)
		}
		if _, err := s.Get(t.Context(), name, 0, -1, nil); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Get(%s) = %v", name, err)
		}
		if storage.ValidName(name) {
			if err := s.Delete(t.Context(), name); err != nil {
				t.Errorf("Delete(%s) = %v", name, err)
			}
		}
		if name != "d/link/x" && name != "d/empty/x" {
			if _, err := os.Lstat(at(name)); err != nil {
				t.Errorf("Delete removes what is no object: %v", err)
			}
		}
	}
	for _, name := range []string{".tmp", ".tmp/x", ".tmp/deep/x"} {
		if err := putErr(t, s, name, "x", false); err == nil {
			t.Errorf("Put(%s) is accepted", name)
		}
	}
}

// TestInTheWay puts onto names that are taken by what is no object.
func TestInTheWay(t *testing.T) {
	s, dir := create(t)
	if err := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"empty", "link", "dir"} {
		err := putErr(t, s, name, "x", true)
		if err == nil || errors.Is(err, storage.ErrExists) || !strings.Contains(err.Error(), "no object") {
			t.Errorf("Put(%s) with IfAbsent = %v", name, err)
		}
	}
	for _, name := range []string{"empty", "link"} {
		put(t, s, name, "ours") // a link is replaced, not followed
		if got, err := s.Get(t.Context(), name, 0, -1, nil); err != nil || string(got) != "ours" {
			t.Errorf("Get(%s) = %q, %v", name, got, err)
		}
	}
	if got, err := os.ReadFile(outside); err != nil || string(got) != "theirs" {
		t.Errorf("outside the repository: %q, %v", got, err)
	}
	for _, name := range []string{"dir", "link/below"} {
		if err := putErr(t, s, name, "x", false); err == nil || errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Put(%s) = %v", name, err)
		}
	}
	if got := temps(t, dir); len(got) != 0 {
		t.Errorf("failed Puts leave %q", got)
	}
}

// TestSymlinkedPrefix has a directory of the repository be a link: to a place
// outside, and to one inside.
func TestSymlinkedPrefix(t *testing.T) {
	s, dir := create(t)
	outside := t.TempDir()
	put(t, s, "real/x", "inside")
	if err := os.WriteFile(filepath.Join(outside, "x"), []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"out": outside, "in": "real"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), name+"/x", 0, -1, nil); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Get through a link = %v", err)
		}
		for _, n := range []string{name + "/x", name + "/new", name + "/sub/new"} {
			if err := putErr(t, s, n, "y", false); err == nil || errors.Is(err, storage.ErrNotExist) {
				t.Errorf("Put(%s) through a link = %v", n, err)
			}
		}
		if err := s.Delete(t.Context(), name+"/x"); err != nil {
			t.Errorf("Delete through a link = %v", err)
		}
		if got := list(t, s, name); len(got) != 0 {
			t.Errorf("List through a link = %q", got)
		}
	}
	if got, err := os.ReadFile(filepath.Join(outside, "x")); err != nil || string(got) != "outside" {
		t.Errorf("outside the repository: %q, %v", got, err)
	}
	if found, err := os.ReadDir(outside); err != nil || len(found) != 1 {
		t.Errorf("outside the repository: %v, %v", found, err)
	}
	if got := list(t, s, ""); !slices.Equal(got, []string{"real/x"}) {
		t.Errorf("List = %q", got)
	}

	if err := os.RemoveAll(filepath.Join(dir, ".tmp")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, ".tmp")); err != nil {
		t.Fatal(err)
	}
	if err := putErr(t, s, "o", "y", false); err == nil {
		t.Error("Put writes through a .tmp that is a link")
	}
}

// TestTimeIsCtime sets mtime aside: it is the temporary file's.
func TestTimeIsCtime(t *testing.T) {
	s, dir := create(t)
	put(t, s, "o", "x")
	path := filepath.Join(dir, "o")
	if err := os.Chtimes(path, time.Unix(1e9, 0), time.Unix(1e9, 0)); err != nil { // the other times, which anybody may set
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	info, err := s.Stat(t.Context(), "o")
	if err != nil {
		t.Fatal(err)
	}
	if sec, nsec := st.Ctim.Unix(); info.Time.Unix() != sec || int64(info.Time.Nanosecond()) != nsec {
		t.Errorf("time is %v, ctime %d.%09d", info.Time, sec, nsec)
	}
}

func TestEmptiedDirectoriesGo(t *testing.T) {
	s, dir := create(t)
	put(t, s, "leases/a/0", "x")
	put(t, s, "leases/a/1", "x")
	put(t, s, "leases/b/0", "x")
	if err := s.Delete(t.Context(), "leases/a/0", "leases/a/1"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "leases/a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an emptied directory stays: %v", err)
	}
	if err := s.Delete(t.Context(), "leases/b/0"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir); err != nil {
		t.Errorf("the repository's own directory: %v", err)
	}
	put(t, s, "leases/a/0", "x")
}
