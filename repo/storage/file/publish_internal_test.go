package file

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/repo/storage"
)

func create(t *testing.T) *Store {
	t.Helper()
	s, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Store, name string) {
	t.Helper()
	if err := s.Put(t.Context(), name, strings.NewReader("body"), 4, storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func stat(t *testing.T, s *Store, name string) storage.Info {
	t.Helper()
	info, err := s.Stat(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// temps returns the names in .tmp.
func temps(t *testing.T, dir string) (names []string) {
	t.Helper()
	found, err := os.ReadDir(filepath.Join(dir, tempDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		names = append(names, e.Name())
	}
	return names
}

// tick puts probes until the clock of the file system has moved on, and returns it.
func tick(t *testing.T, s *Store) time.Time {
	t.Helper()
	probe := func() time.Time {
		put(t, s, "probe")
		return stat(t, s, "probe").Time
	}
	for first := probe(); ; {
		if now := probe(); now.After(first) {
			return now
		}
	}
}

// TestFrozenWriter stops between the synced body and the publication, where the
// mtime of the file is set already.
func TestFrozenWriter(t *testing.T) {
	for _, ifAbsent := range []bool{false, true} {
		s := create(t)
		other, err := Open(s.path)
		if err != nil {
			t.Fatal(err)
		}
		var woken time.Time
		s.atPublish = func() { woken = tick(t, other) }
		if err := s.Put(t.Context(), "frozen", strings.NewReader("body"), 4, storage.PutOptions{IfAbsent: ifAbsent}); err != nil {
			t.Fatal(err)
		}
		if got := stat(t, s, "frozen").Time; got.Before(woken) {
			t.Errorf("IfAbsent %t: time is %v, it was not there at %v", ifAbsent, got, woken)
		}
	}
}

// TestLink runs what IfAbsent does where renames cannot be told not to replace.
func TestLink(t *testing.T) {
	s := create(t)
	link := func(name string) error {
		tmp, err := s.newTemp()
		if err != nil {
			t.Fatal(err)
		}
		defer tmp.discard()
		if _, err := tmp.file.WriteString("linked"); err != nil {
			t.Fatal(err)
		}
		d, err := s.top()
		if err != nil {
			t.Fatal(err)
		}
		defer d.close()
		return tmp.link(d, name)
	}
	if err := link("o"); err != nil {
		t.Fatal(err)
	}
	if err := link("o"); err != storage.ErrExists {
		t.Errorf("link of a name that is taken = %v", err)
	}
	if got, err := s.Get(t.Context(), "o", 0, -1, nil); err != nil || string(got) != "linked" {
		t.Errorf("Get = %q, %v", got, err)
	}
	if got := temps(t, s.path); len(got) != 0 {
		t.Errorf("temporary names stay: %q", got)
	}
}

// TestDirectoryVanishes removes the directory at the worst moment: Put makes it
// again.
func TestDirectoryVanishes(t *testing.T) {
	s := create(t)
	put(t, s, "l/a/0")
	tmp, err := s.newTemp()
	if err != nil {
		t.Fatal(err)
	}
	defer tmp.discard()
	if _, err := tmp.file.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	d, err := s.makeDir("l/a")
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if err := s.Delete(t.Context(), "l/a/0"); err != nil {
		t.Fatal(err)
	}
	if err := tmp.move(d, "1", true); !isENOENT(err) {
		t.Fatalf("move into a directory that is gone = %v", err)
	}
	if err := s.publish(t.Context(), tmp, "l/a/1", true); err != nil {
		t.Fatal(err)
	}
	stat(t, s, "l/a/1")
}

// TestSettle follows which directories count as durable.
func TestSettle(t *testing.T) {
	s := create(t)
	put(t, s, "l/a/0")
	first := s.durable["l/a"]
	if first == (dirID{}) {
		t.Skip("the file system does not tell when a directory was made: every Put syncs all parents")
	}
	put(t, s, "l/a/1")
	if s.durable["l/a"] != first {
		t.Error("a directory that is still there is taken for a new one")
	}
	other, err := Open(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Delete(t.Context(), "l/a/0", "l/a/1"); err != nil {
		t.Fatal(err)
	}
	tick(t, other) // the clock that stamps directories too
	put(t, other, "l/a/2")
	put(t, s, "l/a/3")
	if s.durable["l/a"] == first {
		t.Error("a directory made again by another process is taken for the old one")
	}
}

func TestSweep(t *testing.T) {
	s := create(t)
	put(t, s, "o")
	dir := filepath.Join(s.path, tempDir)
	old := time.Now().Add(-25 * time.Hour)
	write := func(name string, mtime time.Time) *os.File {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if _, err := f.WriteString("unfinished"); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(f.Name(), mtime, mtime); err != nil {
			t.Fatal(err)
		}
		return f
	}
	write("stale", old)
	write("fresh", time.Now().Add(-23*time.Hour))
	live := write("live", old)
	if err := unix.Flock(int(live.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	linked := write("linked", old)
	if err := os.Link(linked.Name(), filepath.Join(s.path, "object")); err != nil {
		t.Fatal(err)
	}
	before := stat(t, s, "object")

	put(t, s, "o") // not the first Put of this Store
	if got := temps(t, s.path); len(got) != 4 {
		t.Errorf("a later Put sweeps: %q", got)
	}
	next, err := Open(s.path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, next, "o")
	if got := temps(t, s.path); !slices.Equal(got, []string{"fresh", "linked", "live"}) {
		t.Errorf("after a sweep: %q", got)
	}
	if after := stat(t, s, "object"); after != before {
		t.Errorf("a sweep moves the time of an object from %v to %v", before.Time, after.Time)
	}
	live.Close()
	if next, err = Open(s.path); err != nil {
		t.Fatal(err)
	}
	put(t, next, "o")
	if got := temps(t, s.path); !slices.Equal(got, []string{"fresh", "linked"}) {
		t.Errorf("after the writer's death: %q", got)
	}
}

// TestOwnTempIsLocked has a sweep with no patience meet the file of a living Put.
func TestOwnTempIsLocked(t *testing.T) {
	s := create(t)
	s.atPublish = func() {
		names := temps(t, s.path)
		d, err := s.openDir(tempDir)
		if err != nil || len(names) != 1 {
			t.Fatalf("%q in .tmp, %v", names, err)
		}
		defer d.close()
		d.removeStale(names[0], time.Now().Add(time.Hour))
	}
	put(t, s, "o")
	stat(t, s, "o")
}

func TestExplain(t *testing.T) {
	tests := []struct {
		err       unix.Errno
		text      string
		temporary bool
	}{
		{unix.ENOSPC, "file system is full", false},
		{unix.EDQUOT, "quota is used up", false},
		{unix.EROFS, "read-only", false},
		{unix.EACCES, "may not do that", false},
		{unix.EPERM, "forbids", false},
		{unix.EXDEV, "another file system", false},
		{unix.EIO, "device", false},
		{unix.EMFILE, "too many open files", true},
		{unix.ENOMEM, "cannot allocate", true},
	}
	for _, tt := range tests {
		err := opError("put", "data/0f/x", &os.PathError{Op: "write", Path: "/repo/.tmp/y", Err: tt.err})
		oe, ok := errors.AsType[*storage.OpError](err)
		if !ok || oe.Temporary != tt.temporary || !errors.Is(err, tt.err) {
			t.Errorf("%v becomes %#v", tt.err, err)
		}
		for _, part := range []string{tt.text, "put data/0f/x", "/repo/.tmp/y"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error %q does not say %q", err, part)
			}
		}
	}
	if opError("put", "x", nil) != nil {
		t.Error("no error becomes one")
	}
}

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{1 << 10, 32 << 20} {
		b.Run(map[bool]string{true: "1KiB", false: "32MiB"}[size == 1<<10], func(b *testing.B) {
			s, err := Create(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			body := bytes.NewReader(make([]byte, size))
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := s.Put(b.Context(), "data/0f/o", body, int64(size), storage.PutOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s, err := Create(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Put(b.Context(), "data/0f/o", bytes.NewReader(make([]byte, 1<<20)), 1<<20, storage.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 4096)
	for b.Loop() {
		if buf, err = s.Get(b.Context(), "data/0f/o", 70_000, 4096, buf[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	s, err := Create(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	const hex = "0123456789abcdef"
	for i := range 256 {
		dir := filepath.Join(s.path, "data", string([]byte{hex[i/16], hex[i%16]}))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			b.Fatal(err)
		}
		for j := range 40 {
			if err := os.WriteFile(filepath.Join(dir, strings.Repeat("f", j+1)), []byte("x"), 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		n := 0
		for _, err := range s.List(b.Context(), "data/", "") {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 256*40 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/(256*40), "µs/object")
}

// TestLostAnswer has a server that did what it was asked for and whose answer was lost: the client asks again, and is told that
// the name is taken, or that the temporary name is gone.
func TestLostAnswer(t *testing.T) {
	for name, serve := range map[string]func(temp, object string) error{"link": os.Link, "rename": os.Rename} {
		for _, ifAbsent := range []bool{false, true} {
			if name == "link" && !ifAbsent {
				continue // it only ever renames
			}
			s := create(t)
			s.atPublish = func() {
				if err := serve(filepath.Join(s.path, tempDir, temps(t, s.path)[0]), filepath.Join(s.path, "object")); err != nil {
					t.Fatal(err)
				}
			}
			err := s.Put(t.Context(), "object", strings.NewReader("body"), 4, storage.PutOptions{IfAbsent: ifAbsent})
			if err != nil {
				t.Errorf("%s, if absent %v: %v", name, ifAbsent, err)
			}
			if got := stat(t, s, "object"); got.Size != 4 || len(temps(t, s.path)) > 0 {
				t.Errorf("%s, if absent %v: %+v; left over is %q", name, ifAbsent, got, temps(t, s.path))
			}
		}
	}
}
