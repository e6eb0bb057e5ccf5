package source

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/internal/needtest"
)

const cacheFile = 80 << 20 // more than a dropper looks ahead

// coldFile makes a file of which the page cache holds the stretches given and no others.
func coldFile(t *testing.T, warm ...int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	fd := int(f.Fd())
	if err := errors.Join(unix.Fallocate(fd, 0, 0, cacheFile), f.Sync(), unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED),
		unix.Fadvise(fd, 0, 0, unix.FADV_RANDOM)); err != nil {
		t.Fatal(err)
	}
	page := make([]byte, 4096)
	for _, s := range warm {
		if _, err := f.ReadAt(page, s<<stretchBits+8192); err != nil {
			t.Fatal(err)
		}
	}
	for s := range int64(cacheFile >> stretchBits) {
		if there, err := cached(fd, s<<stretchBits, stretch); err != nil || there != slices.Contains(warm, s) {
			needtest.Without(t, "page cache", "this file system does not let go of its page cache, or does not tell")
		}
	}
	return f
}

// TestReadingLeavesThePageCacheAsItWas reads a large file of which a few stretches were resident: these stay, and
// nothing is added. Unwritten extents are data to the reader here, so that nothing is passed over.
func TestReadingLeavesThePageCacheAsItWas(t *testing.T) {
	for _, c := range []struct {
		name string
		ask  residency
		read int
	}{{"cachestat", cached, 300_000}, {"mincore", mapped, 300_000}, {"odd reads", cached, 5<<20 + 1}} {
		t.Run(c.name, func(t *testing.T) {
			warm := []int64{0, 7, 63, 64, 70}
			file := coldFile(t, warm...)
			e := Options{}.env()
			e.residency = c.ask
			fd, err := unix.Open(file.Name(), unix.O_RDONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			m, err := statFD(fd)
			if err != nil {
				t.Fatal(err)
			}
			f, err := newFile(fd, e, nil, file.Name(), m)
			if err != nil {
				t.Fatal(err)
			}
			f.gaps = gapsNone
			if _, err := f.Next(); err != nil {
				t.Fatal(err)
			}
			if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, f, make([]byte, c.read)); n != cacheFile || err != nil {
				t.Fatal(n, err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			for s := range int64(cacheFile >> stretchBits) {
				there, err := cached(int(file.Fd()), s<<stretchBits, stretch)
				if err != nil {
					t.Fatal(err)
				}
				if there != slices.Contains(warm, s) {
					t.Errorf("stretch %d: resident %v, was %v", s, there, !there)
				}
			}
		})
	}
}

func TestResidencyUnknownDropsNothing(t *testing.T) {
	calls := 0
	d := newDropper(-1, cacheFile, func(int, int64, int64) (bool, error) { calls++; return false, unix.EPERM })
	d.before(0, stretch)
	d.after(stretch)
	d.before(stretch, stretch)
	d.finish()
	if calls != 1 || d.dropped != 0 {
		t.Errorf("asked %d times, dropped %d stretches; want 1 and 0", calls, d.dropped)
	}
}

// TestDropperBitsAreNotReused walks with steps of many sizes and checks, before each drop, that the stretch was examined
// once and while its bit could not stand for another.
func TestDropperBitsAreNotReused(t *testing.T) {
	for _, step := range []int64{100, stretch / 3, stretch, 5*stretch + 1, 40 * stretch, 200 * stretch} {
		asked := map[int64]int{}
		d := newDropper(-1, 1000*stretch, func(_ int, off, n int64) (bool, error) {
			asked[off>>stretchBits]++
			return true, nil
		})
		off := int64(0)
		for i := 0; off < d.size && i < 5000; i++ {
			d.before(off, min(step, d.size-off))
			off = min(off+step, d.size)
			if d.known-d.dropped > lookahead {
				t.Fatalf("step %d: %d stretches share %d bits", step, d.known-d.dropped, lookahead)
			}
			d.after(off)
			if i%7 == 0 {
				off = min(off+100*stretch, d.size) // a hole
			}
		}
		for s, n := range asked {
			if n != 1 {
				t.Errorf("step %d: stretch %d examined %d times", step, s, n)
			}
		}
	}
}

func TestDropperPassesOverHoles(t *testing.T) {
	calls := 0
	d := newDropper(-1, 1<<41, func(int, int64, int64) (bool, error) { calls++; return true, nil })
	for _, off := range []int64{0, 1 << 40, 1<<40 + stretch} {
		d.before(off, stretch)
		d.after(off + stretch)
	}
	d.finish()
	if calls > 2*lookahead {
		t.Errorf("examined %d stretches of a file that is a hole but for three", calls)
	}
}
