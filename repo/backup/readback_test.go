package backup_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/internal/corpus"
	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/tree"
)

func runIn(t testing.TB, r *repo.Repo, o backup.Options) (*backup.Result, error) {
	t.Helper()
	return backup.Run(t.Context(), r, o)
}

// sameAsSource compares what was read back with what lies beneath dir now, both ways: types, modes, owners, times, sizes,
// bytes, targets, devices and which names are one file.
func sameAsSource(t testing.TB, got map[string]node, dir string) {
	t.Helper()
	seen := 0
	links := map[tree.Link]uint64{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		e, ok := got[path]
		if !ok {
			t.Errorf("%q is missing", path)
			return nil
		}
		seen++
		if e.Type != typeOf(st.Mode) || e.Mode != st.Mode&0o7777 || e.UID != st.Uid || e.GID != st.Gid || e.Inode != st.Ino {
			t.Errorf("%q: type %d, mode %o, owner %d:%d, inode %d", path, e.Type, e.Mode, e.UID, e.GID, e.Inode)
		}
		if want := st.Mtim.Nano(); e.MTime != want && st.Mtim.Sec < 9e9 {
			t.Errorf("%q: mtime %d, want %d", path, e.MTime, want)
		}
		if linked := st.Nlink > 1 && e.Type != tree.Directory; linked != (e.Link != nil) {
			t.Errorf("%q: %d links, %v", path, st.Nlink, e.Link)
		} else if linked {
			if ino, ok := links[*e.Link]; ok && ino != st.Ino {
				t.Errorf("%q: link %v stands for two files", path, *e.Link)
			}
			links[*e.Link] = st.Ino
		}
		return sameContent(t, path, e, &st)
	})
	must(t, err)
	for path := range got {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			seen--
		}
	}
	if seen != 0 {
		t.Errorf("%d entries more than in the source", -seen)
	}
}

func sameContent(t testing.TB, path string, e node, st *unix.Stat_t) error {
	t.Helper()
	switch e.Type {
	case tree.File:
		want, err := os.ReadFile(path)
		if e.data != string(want) {
			t.Errorf("%q: content differs (%d bytes, want %d)", path, len(e.data), len(want))
		}
		return err
	case tree.Symlink:
		want, err := os.Readlink(path)
		if e.Target != want {
			t.Errorf("%q: target %q, want %q", path, e.Target, want)
		}
		return err
	case tree.CharDevice, tree.BlockDevice:
		if e.Rdev != [2]uint32{unix.Major(st.Rdev), unix.Minor(st.Rdev)} {
			t.Errorf("%q: device %v", path, e.Rdev)
		}
	}
	return nil
}

func typeOf(mode uint32) tree.Type {
	return map[uint32]tree.Type{unix.S_IFREG: tree.File, unix.S_IFDIR: tree.Directory, unix.S_IFLNK: tree.Symlink, unix.S_IFIFO: tree.Fifo,
		unix.S_IFSOCK: tree.Socket, unix.S_IFCHR: tree.CharDevice, unix.S_IFBLK: tree.BlockDevice}[mode&unix.S_IFMT]
}

// smallTree is quick to make and has everything unusual, but what a path can't reach.
func smallTree(seed uint64) corpus.TreeOptions {
	return corpus.TreeOptions{Seed: seed, Files: 80, MaxSize: 256 << 10, Depth: 40}
}

// dense leaves out large holes, which take time to compare.
func dense(seed uint64) corpus.TreeOptions {
	o := smallTree(seed)
	o.Skip = corpus.Sparse
	return o
}

// TestReadBack backs random trees up as they change, and compares each snapshot with its source.
func TestReadBack(t *testing.T) {
	for seed := range seeds(3) {
		dir := filepath.Join(t.TempDir(), "tree")
		must(t, corpus.Tree(dir, dense(seed)))
		l := newLab(t)
		for day := range uint64(3) {
			if day > 0 {
				must(t, corpus.Mutate(dir, dense(100*seed+day)))
			}
			o := options(dir)
			o.AllowShrink = true
			res := l.clean(t, o)
			t.Logf("seed %d, day %d: %+v", seed, day, res.Snapshot.Stats)
			sameAsSource(t, readBack(t, l.open(t, l.st), res.Snapshot), dir)
			if day > 0 && res.Snapshot.Stats.UnchangedFiles == 0 {
				t.Error("nothing was taken over")
			}
		}
	}
}
