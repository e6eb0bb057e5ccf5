package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// readers is how many files are read at a time: enough to keep a disk busy with small ones.
const readers = 16

// floor measures what a drill cannot do without, done by other means: reading a copy of the tree from disk, comparing nothing, and
// removing it with rm. Both are seconds.
func (c *cell) floor(ctx context.Context) (read, remove float64, err error) {
	dir := filepath.Join(c.dir, c.name, "floor")
	if err := runQuiet(command(ctx, "", "cp", "-a", c.live, dir)); err != nil {
		return 0, 0, err
	}
	files, err := forgetTree(dir)
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if err := readTree(files); err != nil {
		return 0, 0, err
	}
	read = time.Since(start).Seconds()
	s, err := measure(command(ctx, "", "rm", "-rf", dir))
	return read, s.Wall, err
}

// forgetTree takes the files beneath a folder out of the page cache, and returns their paths.
func forgetTree(dir string) ([]string, error) {
	unix.Sync()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files = append(files, path)
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
	})
	return files, err
}

// readTree reads files, several at a time.
func readTree(files []string) error {
	var g errgroup.Group
	for i := range readers {
		g.Go(func() error {
			buf := make([]byte, 1<<20)
			for j := i; j < len(files); j += readers {
				if _, err := readAll(files[j], buf); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
