package source_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/repo/source"
)

// BenchmarkUnchanged lists folders of 50,000 files in all and stats each: what an unchanged file costs here. The time
// of an operation is that of one file.
func BenchmarkUnchanged(b *testing.B) {
	const dirs, files = 50, 1000
	root := b.TempDir()
	for i := range dirs {
		dir := filepath.Join(root, fmt.Sprintf("%02d", i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for j := range files {
			write(b, filepath.Join(dir, fmt.Sprintf("player-%07d.profile", j)), nil)
		}
	}
	r := openRoot(b, root)
	parent, ref := r.Entry, time.Now()
	left := 0
	var names *source.Names
	var d *source.Dir
	for n := 0; b.Loop(); n++ {
		if left == 0 {
			if d != nil {
				d.Close()
			}
			var err error
			if d, err = r.Dir.Open(fmt.Sprintf("%02d", n/files%dirs)); err != nil {
				b.Fatal(err)
			}
			if names, err = d.Names(context.Background()); err != nil {
				b.Fatal(err)
			}
			left = names.Len()
		}
		left--
		if m := stat(b, d, names.Name(left)); source.Unchanged(parent, m, ref) {
			b.Fatal("a file passes for its root")
		}
	}
	d.Close()
}

// BenchmarkRead reads a file of 256 MiB, from the page cache and from disk, with and without leaving the cache as it was.
func BenchmarkRead(b *testing.B) {
	const size = 256 << 20
	path := filepath.Join(b.TempDir(), "file")
	write(b, path, make([]byte, size))
	for _, c := range []struct {
		name       string
		sequential uint64
		cold       bool
	}{{"warm/plain", size + 1, false}, {"warm/watched", 1 << 20, false}, {"cold/plain", size + 1, true}, {"cold/watched", 1 << 20, true}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(size)
			buf := make([]byte, 1<<20)
			for b.Loop() {
				if c.cold {
					b.StopTimer()
					forget(b, path)
					b.StartTimer()
				}
				r, err := source.Options{Sequential: c.sequential}.OpenRoot(path)
				if err != nil {
					b.Fatal(err)
				}
				f, err := r.OpenFile()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := f.Next(); err != nil {
					b.Fatal(err)
				}
				if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, f, buf); n != size || err != nil {
					b.Fatal(n, err)
				}
				f.Close()
			}
		})
	}
}

// forget takes a file out of the page cache.
func forget(b *testing.B, path string) {
	b.Helper()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkMillionNames lists one folder of 1,000,000 files on disk; skipped when -short.
func BenchmarkMillionNames(b *testing.B) {
	if testing.Short() {
		b.Skip("makes a million files")
	}
	const files = 1_000_000
	dir := b.TempDir()
	for i := range files {
		write(b, filepath.Join(dir, fmt.Sprintf("player-%07d.profile", i)), nil)
	}
	d := openRoot(b, dir).Dir
	for b.Loop() {
		if names, err := d.Names(context.Background()); err != nil || names.Len() != files {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/files, "ns/name")
}
