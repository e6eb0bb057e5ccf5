package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"savepoint/internal/corpus/world"
)

// seed of everything that is drawn.
const seed = 20261120

// sizes of the corpora.
type sizes struct {
	srcFiles     int
	srcBytes     int64
	pgScale      int // 15 MB each
	transactions int
	bigBytes     int64
	bigEdits     int
	profiles     int
	entries      int // of one folder
}

func fullSizes() sizes {
	return sizes{srcFiles: 80_000, srcBytes: 1_400 << 20, pgScale: 30, transactions: 40_000, bigBytes: 2 << 30, bigEdits: 200,
		profiles: 100_000, entries: 1_000_000}
}

func quickSizes() sizes {
	return sizes{srcFiles: 3_000, srcBytes: 40 << 20, pgScale: 1, transactions: 400, bigBytes: 64 << 20, bigEdits: 20,
		profiles: 2_000, entries: 10_000}
}

// A source is a corpus: a folder that can be made, and then changed in place.
type source struct {
	name   string
	make   func(ctx context.Context, live string) error
	change func(ctx context.Context, live string) error // nil: it stays as it is
	part   string                                       // a folder in it with about half of the files, for the slope
	peer   bool                                         // restic takes part
}

// newSource returns the corpus of that name.
func newSource(name string, z sizes) source {
	switch name {
	case "src":
		return source{name: name, peer: true, part: "one",
			make:   func(ctx context.Context, live string) error { return makeTree(ctx, live, z.srcFiles, z.srcBytes) },
			change: func(_ context.Context, live string) error { return changeTree(live) }}
	case "db":
		return source{name: name, peer: true,
			make: func(ctx context.Context, live string) error { return makeCluster(ctx, live, z.pgScale) },
			change: func(ctx context.Context, live string) error {
				return changeCluster(ctx, live, z.pgScale, z.transactions)
			}}
	case "bigfile":
		return source{name: name, peer: true,
			make:   func(ctx context.Context, live string) error { return makeBigFile(ctx, live, z.bigBytes) },
			change: func(_ context.Context, live string) error { return changeBigFile(live, z.bigEdits) }}
	case "profiles":
		return source{name: name, peer: true,
			make:   func(_ context.Context, live string) error { return world.Profiles(live, seed, z.profiles) },
			change: func(_ context.Context, live string) error { return changeProfiles(live) }}
	case "million":
		return source{name: name, make: func(ctx context.Context, live string) error { return makeEntries(ctx, live, z.entries) }}
	}
	panic("bench: no corpus " + name)
}

// extent is how much there is.
type extent struct {
	Files int   `json:"files"` // all but folders
	Bytes int64 `json:"bytes"` // of regular files
}

// warm reads all files once, so that every tool finds them in the page cache, and counts them.
func warm(dir string) (extent, error) {
	var e extent
	buf := make([]byte, 1<<20)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		e.Files++
		if !d.Type().IsRegular() {
			return nil
		}
		n, err := readAll(path, buf)
		e.Bytes += n
		return err
	})
	return e, err
}

func readAll(path string, buf []byte) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	// The wrapper keeps f from writing itself anywhere past buf.
	return io.CopyBuffer(io.Discard, struct{ io.Reader }{f}, buf)
}

// treeSize returns the bytes of the files beneath a folder.
func treeSize(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += info.Size()
		return nil
	})
	return total, err
}

// makeEntries fills one folder with n small files; every fourth holds a line, the others are empty.
func makeEntries(ctx context.Context, live string, n int) error {
	if err := os.MkdirAll(live, 0o755); err != nil {
		return err
	}
	for i := range n {
		if i%10_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var line []byte
		if i%4 == 0 {
			line = fmt.Appendf(nil, "entry %d\n", i)
		}
		if err := os.WriteFile(filepath.Join(live, fmt.Sprintf("%07d", i)), line, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// regularFiles returns the paths of the regular files beneath a folder, in order.
func regularFiles(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	return files, err
}
