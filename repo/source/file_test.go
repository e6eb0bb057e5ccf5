package source_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"savepoint/internal/needtest"
	"savepoint/repo/source"
)

const kib = 1 << 10

// sparse makes a file with data at [offset, offset+length) for each pair, all bytes 'd'.
func sparse(t *testing.T, size int64, data ...[2]int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sparse")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, d := range data {
		if _, err := f.WriteAt(bytes.Repeat([]byte("d"), int(d[1])), d[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if end, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_HOLE); size > 0 && len(data) == 0 && (err != nil || end != 0) {
		needtest.Without(t, "holes", "file system of the test folder tells no holes")
	}
	return path
}

func TestSparseFiles(t *testing.T) {
	sparse(t, 1) // whether holes are told here
	type segs = []source.Segment
	for _, c := range []struct {
		name  string
		size  int64
		data  [][2]int64
		fixed uint32
		want  segs
	}{
		{"empty", 0, nil, 0, nil},
		{"all data", 256 * kib, [][2]int64{{0, 256 * kib}}, 0, segs{{Length: 256 * kib}}},
		{"all hole", 1 << 40, nil, 0, segs{{Length: 1 << 40, Hole: true}}},
		{"hole at start", 512 * kib, [][2]int64{{256 * kib, 256 * kib}}, 0,
			segs{{Length: 256 * kib, Hole: true}, {Offset: 256 * kib, Length: 256 * kib}}},
		{"hole in the middle and odd end", 512*kib + 5, [][2]int64{{0, 64 * kib}, {256 * kib, 256*kib + 5}}, 0,
			segs{{Length: 64 * kib}, {Offset: 64 * kib, Length: 192 * kib, Hole: true}, {Offset: 256 * kib, Length: 256*kib + 5}}},
		{"hole at end", 1<<40 + 3, [][2]int64{{0, 64 * kib}}, 0,
			segs{{Length: 64 * kib}, {Offset: 64 * kib, Length: 1<<40 + 3 - 64*kib, Hole: true}}},
		{"data far out", 1 << 40, [][2]int64{{1 << 39, 64 * kib}}, 0,
			segs{{Length: 1 << 39, Hole: true}, {Offset: 1 << 39, Length: 64 * kib}, {Offset: 1<<39 + 64*kib, Length: 1<<39 - 64*kib, Hole: true}}},
		{"short hole is data", 256 * kib, [][2]int64{{0, 64 * kib}, {96 * kib, 160 * kib}}, 0, segs{{Length: 256 * kib}}},
		{"small file is data", 32 * kib, nil, 0, segs{{Length: 32 * kib}}},
		{"holes at multiples of the splitter", 512 * kib, [][2]int64{{0, 68 * kib}, {252 * kib, 260 * kib}}, 16 * kib,
			segs{{Length: 80 * kib}, {Offset: 80 * kib, Length: 160 * kib, Hole: true}, {Offset: 240 * kib, Length: 272 * kib}}},
		{"hole that no multiple fits in", 1 << 20, [][2]int64{{0, 4 * kib}, {124 * kib, 900 * kib}}, 64 * kib, segs{{Length: 1 << 20}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := sparse(t, c.size, c.data...)
			f := openFile(t, path)
			f.SetSplitter(c.fixed)
			got, data := readAll(t, f)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Fatal(diff)
			}
			if torn, err := f.Changed(); torn || err != nil {
				t.Errorf("torn %v, %v", torn, err)
			}
			ref, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer ref.Close()
			for _, s := range got {
				if s.Hole {
					continue
				}
				want := make([]byte, s.Length)
				if _, err := ref.ReadAt(want, s.Offset); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(want, data[:s.Length]) {
					t.Errorf("content at %d differs", s.Offset)
				}
				data = data[s.Length:]
			}
			if len(data) != 0 {
				t.Errorf("%d bytes too many", len(data))
			}
		})
	}
}

// TestChangedWhileRead rewrites a file between two reads of it.
func TestChangedWhileRead(t *testing.T) {
	old := bytes.Repeat([]byte("o"), 100*kib)
	edit := func(fn func(f *os.File) error) func(string) error {
		return func(path string) error {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			return errors.Join(fn(f), f.Close())
		}
	}
	rewrite := edit(func(f *os.File) error { _, err := f.WriteAt([]byte("new"), 99*kib); return err })
	grow := edit(func(f *os.File) error { _, err := f.WriteAt([]byte("more"), 100*kib); return err })
	for _, c := range []struct {
		name   string
		change func(path string) error
		fixed  uint32
		torn   bool
		size   int
	}{
		{"left alone", func(string) error { return nil }, 0, false, 100 * kib},
		{"rewritten", rewrite, 0, true, 100 * kib},
		{"grown", grow, 0, false, 100 * kib},
		{"database grown", grow, 4096, true, 100 * kib},
		{"cut off", edit(func(f *os.File) error { return f.Truncate(60 * kib) }), 0, true, 60 * kib},
		{"cut off, then longer", edit(func(f *os.File) error {
			return errors.Join(f.Truncate(0), f.Truncate(100*kib))
		}), 0, true, 100 * kib},
		{"attributes", func(path string) error { return os.Chmod(path, 0o600) }, 0, true, 100 * kib},
		{"replaced", func(path string) error {
			return errors.Join(os.WriteFile(path+"2", old, 0o644), os.Rename(path+"2", path))
		}, 0, true, 100 * kib},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			write(t, path, old)
			age(t, path)
			f := openFile(t, path)
			f.SetSplitter(c.fixed)
			seg, err := f.Next()
			if err != nil || seg != (source.Segment{Length: 100 * kib}) {
				t.Fatal(seg, err)
			}
			first := make([]byte, 50*kib)
			if _, err := io.ReadFull(f, first); err != nil {
				t.Fatal(err)
			}
			if err := c.change(path); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(f)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(first) + len(rest); got != c.size {
				t.Errorf("%d bytes read, want %d", got, c.size)
			}
			if _, err := f.Next(); err != io.EOF {
				t.Errorf("segment after the last: %v", err)
			}
			if torn, err := f.Changed(); torn != c.torn || err != nil {
				t.Errorf("torn %v, %v, want %v", torn, err, c.torn)
			}
		})
	}
}

func TestShortReadIsTornEvenWhenHealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, make([]byte, 100*kib))
	f := openFile(t, path)
	if _, err := f.Next(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 10); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, f); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	if err := os.Truncate(path, 300*kib); err != nil {
		t.Fatal(err)
	}
	if torn, err := f.Changed(); !torn || err != nil {
		t.Errorf("torn %v, %v, want true", torn, err)
	}
}

func TestHolesPunchedWhileRead(t *testing.T) {
	const m = 1 << 20
	path := sparse(t, 4*m, [2]int64{m, m}, [2]int64{3 * m, m})
	sparse(t, 1)
	f := openFile(t, path)
	if seg, err := f.Next(); err != nil || seg != (source.Segment{Length: m, Hole: true}) {
		t.Fatal(seg, err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := unix.Fallocate(int(w.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, m, m); err != nil {
		needtest.Without(t, "holes", "cannot punch holes: "+err.Error())
	}
	segs, _ := readAll(t, f)
	if diff := cmp.Diff([]source.Segment{{Offset: m, Length: 3 * m}}, segs); diff != "" {
		t.Error(diff)
	}
	if torn, err := f.Changed(); !torn || err != nil {
		t.Errorf("torn %v, %v, want true", torn, err)
	}
}

func TestReadAt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, []byte("0123456789"))
	f := openFile(t, path)
	write(t, path, []byte("0123456789 and what came later"))
	for _, c := range []struct {
		off  int64
		n    int
		want string
		err  error
	}{{0, 4, "0123", nil}, {8, 2, "89", nil}, {8, 5, "89", io.EOF}, {10, 1, "", io.EOF}, {99, 1, "", io.EOF}} {
		p := make([]byte, c.n)
		n, err := f.ReadAt(p, c.off)
		if string(p[:n]) != c.want || err != c.err {
			t.Errorf("%d bytes at %d: %q, %v; want %q, %v", c.n, c.off, p[:n], err, c.want, c.err)
		}
	}
	if _, err := f.ReadAt(nil, -1); !errors.Is(err, unix.EINVAL) {
		t.Errorf("negative offset: %v", err)
	}
}

// TestLeased reads a file that another program has a lease on, which it gives back when it is told that somebody wants the file.
func TestLeased(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leased")
	write(t, path, []byte("content"))
	told := make(chan os.Signal, 1)
	signal.Notify(told, unix.SIGIO)
	defer signal.Stop(told)
	holder, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	fd := holder.Fd()
	lease := func(kind int) error {
		_, err := unix.FcntlInt(fd, unix.F_SETLEASE, kind)
		return err
	}
	for name, open := range map[string]func(testing.TB, string) *source.File{"entry": openFile, "root": openRootFile} {
		t.Run(name, func(t *testing.T) {
			if err := lease(unix.F_WRLCK); err != nil {
				needtest.Without(t, "leases", err.Error())
			}
			given := make(chan error, 1)
			go func() {
				<-told
				given <- lease(unix.F_UNLCK)
			}()
			if _, data := readAll(t, open(t, path)); string(data) != "content" {
				t.Errorf("read %q", data)
			}
			if err := <-given; err != nil {
				t.Error(err)
			}
		})
	}
}

func openRootFile(t testing.TB, path string) *source.File {
	t.Helper()
	f, err := openRoot(t, path).OpenFile()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}
