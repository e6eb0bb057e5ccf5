package corpus

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Mutate brings a tree that Tree made into another state, as a day of use
// would: about one in four of its files is changed, in every way there is
// (written over, appended to, cut, touched, renamed, replaced by another type,
// given other metadata), and new ones appear. The same seed changes the same
// tree alike; o.Skip applies to what is new.
func Mutate(dir string, o TreeOptions) error {
	b := newBuilder(dir, o)
	b.now = b.now.AddDate(0, 0, 1)
	files, dirs, err := survey(dir)
	if err != nil {
		return err
	}
	ways := mutations()
	turn := 0
	for _, path := range files {
		if b.rng.IntN(4) != 0 {
			continue
		}
		err := ways[turn%len(ways)](b, path)
		turn++
		// Without root's rights, some of the files refuse.
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("change tree %s (seed %d): %w", dir, o.Seed, err)
		}
	}
	fresh, err := b.mkdir(fmt.Sprintf("new %x", b.rng.Uint32()))
	if err != nil {
		return err
	}
	for i := range 10 {
		if err := b.file(filepath.Join(fresh, fmt.Sprint(i)), b.size()); err != nil {
			return err
		}
	}
	if err := b.finishDirs(); err != nil {
		return err
	}
	return b.touchChanged(dirs)
}

// touchChanged gives the folders whose entries changed a time that comes from
// the seed, in place of the clock's.
func (b *builder) touchChanged(dirs map[string]time.Time) error {
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		if !info.ModTime().Equal(dirs[dir]) {
			if err := b.touch(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// survey lists the regular files of a tree, in the order of their names, and
// the folders with their times, but for those that a path cannot reach.
func survey(dir string) (files []string, dirs map[string]time.Time, err error) {
	dirs = make(map[string]time.Time)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, unix.ENAMETOOLONG), errors.Is(err, fs.ErrPermission):
			return nil
		case err != nil:
			return err
		case len(path)+1 > unix.PathMax-256:
			return fs.SkipDir
		case d.Type().IsRegular():
			files = append(files, path)
		case d.IsDir():
			info, err := d.Info()
			if err != nil {
				return err
			}
			dirs[path] = info.ModTime()
		}
		return nil
	})
	slices.Sort(files)
	return files, dirs, err
}

// mutations returns the ways in which a file changes, which are taken by
// turns so that each of them happens.
func mutations() []func(*builder, string) error {
	return []func(*builder, string) error{
		(*builder).overwrite, (*builder).appendTo, (*builder).insert, (*builder).truncate,
		(*builder).touch, (*builder).remove, (*builder).rename, (*builder).replace,
		(*builder).chmod, (*builder).unlink, (*builder).becomeDir, (*builder).becomeLink,
		(*builder).grow, (*builder).xattr,
	}
}

// edit opens a file, lets fn change it, and sets its time.
func (b *builder) edit(path string, fn func(f *os.File, size int64) error) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := fn(f, info.Size()); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return b.touch(path)
}

// touch changes the time alone.
func (b *builder) touch(path string) error {
	return setTime(path, b.now.Add(time.Duration(b.rng.Int64N(int64(time.Hour)))))
}

// overwrite changes bytes in place.
func (b *builder) overwrite(path string) error {
	return b.edit(path, func(f *os.File, size int64) error {
		_, err := f.WriteAt(content(b.rng, min(100, size)), b.rng.Int64N(max(size-100, 0)+1))
		return err
	})
}

func (b *builder) appendTo(path string) error {
	return b.edit(path, func(f *os.File, size int64) error {
		_, err := f.WriteAt(content(b.rng, 1+b.rng.Int64N(20_000)), size)
		return err
	})
}

// insert moves what follows, so that only cutting by content finds it again.
func (b *builder) insert(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	at := b.rng.IntN(len(data) + 1)
	return b.edit(path, func(f *os.File, _ int64) error {
		_, err := f.WriteAt(slices.Insert(data, at, content(b.rng, 1+b.rng.Int64N(500))...), 0)
		return err
	})
}

func (b *builder) truncate(path string) error {
	return b.edit(path, func(f *os.File, size int64) error { return f.Truncate(b.rng.Int64N(size + 1)) })
}

// grow adds a hole.
func (b *builder) grow(path string) error {
	return b.edit(path, func(f *os.File, size int64) error { return f.Truncate(size + 1<<20) })
}

func (b *builder) remove(path string) error { return os.Remove(path) }

func (b *builder) rename(path string) error {
	return os.Rename(path, fmt.Sprintf("%s/renamed %x", filepath.Dir(path), b.rng.Uint32()))
}

// replace writes a new file in place of the old, as editors do.
func (b *builder) replace(path string) error {
	fresh := filepath.Join(filepath.Dir(path), fmt.Sprintf(".fresh %x", b.rng.Uint32()))
	if err := b.file(fresh, b.size()); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// chmod changes the mode and keeps the time.
func (b *builder) chmod(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Chmod(path, info.Mode().Perm()^0o010)
}

// unlink makes a file of its own of what may have been a hard link.
func (b *builder) unlink(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	return b.touch(path)
}

func (b *builder) becomeDir(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	b.dirs = append(b.dirs, path)
	return b.file(filepath.Join(path, "was a file"), b.size())
}

func (b *builder) becomeLink(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	if err := os.Symlink("was a file", path); err != nil {
		return err
	}
	return b.finish(path, fileLink)
}

func (b *builder) xattr(path string) error {
	if !b.has(Xattrs) {
		return b.touch(path)
	}
	return b.setXattrs(path)
}
