// Package corpus makes directory trees to test backups with, and compares two
// trees in everything that a backup must bring back.
//
// What Tree makes depends on the options alone, so a seed that a failing test
// prints makes the same tree again. Run as root it also makes what only root
// can: foreign owners, devices, files without any permission.
package corpus

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Kind is a set of unusual things that a tree may hold.
type Kind uint

// The kinds. What a file system or the user's rights do not allow is left out
// silently; Compare looks at two trees and not at what was asked for.
const (
	OddNames  Kind = 1 << iota // newlines, invalid UTF-8, 255 bytes, a leading dash, …
	HardLinks                  // within a folder and across folders
	Symlinks                   // to files, folders, nothing, themselves
	Fifos                      // named pipes
	Devices                    // as root
	Sparse                     // holes at the start, in the middle, at the end, everywhere
	Xattrs                     // user.*
	OddModes                   // setuid, setgid, sticky; as root also none
	Owners                     // as root
	OddTimes                   // before 1970, far in the future
)

// TreeOptions says what Tree makes. The zero value is a tree of a few hundred
// entries and about 10 MiB with everything that is unusual.
type TreeOptions struct {
	Seed uint64
	// Files is the number of random files beside the unusual ones; 0 is 200.
	Files int
	// MaxSize bounds the random files, in bytes; 0 is 1 MiB. Most are far
	// smaller.
	MaxSize int64
	// Boundaries are the sizes around which files are made, one byte less,
	// exactly, and one more; nil are the limits of chunks and blocks.
	Boundaries []int64
	// Depth is the number of folders nested in one another; 0 is 60.
	Depth int
	// LongPath adds a branch whose path is longer than PATH_MAX. Few programs
	// can read it; os.RemoveAll can remove it.
	LongPath bool
	// Skip leaves kinds out.
	Skip Kind
}

func (o TreeOptions) withDefaults() TreeOptions {
	if o.Files == 0 {
		o.Files = 200
	}
	if o.MaxSize == 0 {
		o.MaxSize = 1 << 20
	}
	if o.Boundaries == nil {
		o.Boundaries = []int64{1, 4 << 10, 64 << 10, 96 << 10, 512 << 10, 1 << 20}
	}
	if o.Depth == 0 {
		o.Depth = 60
	}
	return o
}

// Tree fills dir, which it creates if need be, and which must be empty.
func Tree(dir string, o TreeOptions) error {
	b := newBuilder(dir, o)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b.dirs = append(b.dirs, dir)
	steps := []func() error{
		b.random, b.boundaries, b.empty, b.deep, b.oddNames, b.sparse,
		b.symlinks, b.special, b.modes, b.hardLinks, b.longPath, b.finishDirs,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("make tree %s (seed %d): %w", dir, o.Seed, err)
		}
	}
	return nil
}

// A builder makes one tree. Folders get their metadata at the end, for every
// entry that is made in one changes its time.
type builder struct {
	TreeOptions
	root  string
	rng   *rand.Rand
	now   time.Time // the newest ordinary time of a file
	asAll bool      // run as root
	dirs  []string
	files []string
}

func newBuilder(dir string, o TreeOptions) *builder {
	return &builder{
		TreeOptions: o.withDefaults(),
		root:        dir,
		rng:         rand.New(rand.NewPCG(o.Seed, 0x5a7e)),
		now:         time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		asAll:       os.Geteuid() == 0,
	}
}

func (b *builder) has(k Kind) bool { return b.Skip&k == 0 }

// mkdir makes a folder that finishDirs will complete.
func (b *builder) mkdir(elem ...string) (string, error) {
	dir := filepath.Join(append([]string{b.root}, elem...)...)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	b.dirs = append(b.dirs, dir)
	return dir, nil
}

// file writes a complete file of n bytes.
func (b *builder) file(path string, n int64) error {
	if err := os.WriteFile(path, content(b.rng, n), 0o644); err != nil {
		return err
	}
	b.files = append(b.files, path)
	return b.finish(path, filePlain)
}

// random spreads files over random folders.
func (b *builder) random() error {
	dirs := []string{b.root}
	for i := range b.Files {
		if b.rng.IntN(8) == 0 {
			parent := dirs[b.rng.IntN(len(dirs))]
			rel, err := filepath.Rel(b.root, parent)
			if err != nil {
				return err
			}
			dir, err := b.mkdir(rel, fmt.Sprintf("dir%d", i))
			if err != nil {
				return err
			}
			dirs = append(dirs, dir)
		}
		path := filepath.Join(dirs[b.rng.IntN(len(dirs))], fmt.Sprintf("file%d", i))
		if err := b.file(path, b.size()); err != nil {
			return err
		}
	}
	return nil
}

// size is spread evenly over orders of magnitude.
func (b *builder) size() int64 {
	limit := b.MaxSize
	for limit > 64 && b.rng.IntN(3) != 0 {
		limit /= 4
	}
	return b.rng.Int64N(limit + 1)
}

func (b *builder) boundaries() error {
	dir, err := b.mkdir("boundaries")
	if err != nil {
		return err
	}
	var sizes []int64
	for _, n := range b.Boundaries {
		sizes = append(sizes, max(n-1, 0), n, n+1)
	}
	slices.Sort(sizes)
	for _, n := range slices.Compact(sizes) {
		if err := b.file(filepath.Join(dir, fmt.Sprint(n)), n); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) empty() error {
	dir, err := b.mkdir("empty folder")
	if err != nil {
		return err
	}
	return b.file(dir+" not, an empty file", 0)
}

func (b *builder) deep() error {
	elem := []string{"deep"}
	for i := range b.Depth {
		dir, err := b.mkdir(elem...)
		if err != nil {
			return err
		}
		if i%10 == 9 {
			if err := b.file(filepath.Join(dir, "file"), 100); err != nil {
				return err
			}
		}
		elem = append(elem, fmt.Sprint(i))
	}
	return nil
}

// longPath nests folders with long names until the path is over PATH_MAX.
func (b *builder) longPath() error {
	if !b.LongPath {
		return nil
	}
	flags := unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	at, err := unix.Open(b.root, flags, 0)
	if err != nil {
		return err
	}
	chain := []int{at}
	defer func() {
		for _, fd := range chain {
			unix.Close(fd)
		}
	}()
	name := longName('p')
	for range unix.PathMax/len(name) + 2 {
		if err := unix.Mkdirat(at, name, 0o755); err != nil {
			return err
		}
		if at, err = unix.Openat(at, name, flags, 0); err != nil {
			return err
		}
		chain = append(chain, at)
	}
	file := fmt.Sprintf("/proc/self/fd/%d/file", at)
	if err := os.WriteFile(file, content(b.rng, 1000), 0o644); err != nil {
		return err
	}
	if err := setTime(file, b.time()); err != nil {
		return err
	}
	for _, fd := range slices.Backward(chain[1:]) {
		if err := setTime(fmt.Sprintf("/proc/self/fd/%d/.", fd), b.time()); err != nil {
			return err
		}
	}
	return nil
}
