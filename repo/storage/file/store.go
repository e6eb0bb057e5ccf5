// Package file is a Store in a directory of a local or network file system, made
// for Linux.
//
// An object is a regular file of at least one byte under its name beneath the
// directory. Put writes it to .tmp/, syncs it, renames it and syncs the directory
// (docs/decisions/0004-file-store-durability.md says why in this order). Files have
// mode 0600, directories 0700; what root makes belongs to the owner of the repository. Nothing is reached through a symbolic link beneath
// the directory, and links, empty files, directories, fifos, malformed names and all
// of .tmp/ are never taken for objects.
//
// The time of an object is the ctime of its file, which the rename sets. Hence
// chmod, chown, new hard links and copying change it.
//
// A directory that Delete empties is removed. The first Put of a Store removes what
// killed writers left in .tmp/ more than a day ago; files of living writers are
// locked and stay, however old they are.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/repo/storage"
)

var _ storage.Store = (*Store)(nil)

// readStep is the most that Get reads before it looks at its context again.
const readStep = 8 << 20

// Store is safe for concurrent use, by several processes too. It holds one file
// descriptor, which goes when the Store is garbage.
type Store struct {
	root *os.File // held open: what is mounted over the path later is not written to
	path string   // absolute, for messages

	mu      sync.Mutex
	durable map[string]dirID // directories whose entry in their parent is synced

	sweep   sync.Once
	buffers sync.Pool // *[]byte of copyStep bytes

	atPublish func() // tests freeze and kill here, between body and publication
}

// Open opens a directory that exists; if it does not, the error is
// storage.ErrNotExist. Nothing is written.
func Open(dir string) (*Store, error) {
	s, err := open(dir)
	if err != nil {
		return nil, opError("open", dir, err)
	}
	return s, nil
}

// Create opens a directory, and makes it and its parents durably, with mode 0700,
// where they are missing. A directory that exists is left as it is.
func Create(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		err = makePath(abs)
	}
	if err != nil {
		return nil, opError("create", dir, err)
	}
	s, err := open(dir)
	if err != nil {
		return nil, opError("create", dir, err)
	}
	return s, nil
}

func open(path string) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenFile(abs, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no such directory: %w", storage.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	s := &Store{root: root, path: abs, durable: make(map[string]dirID)}
	s.buffers.New = func() any { b := make([]byte, copyStep); return &b }
	return s, nil
}

// makePath is os.MkdirAll that syncs the parent of each directory it makes.
func makePath(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, os.ErrNotExist) && filepath.Dir(path) != path {
		if err := makePath(filepath.Dir(path)); err != nil {
			return err
		}
		err = os.Mkdir(path, 0o700)
	}
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer parent.Close()
	return ignoreNoDirSync(parent.Sync())
}

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	info, err := s.stat(ctx, name)
	return info, opError("stat", name, err)
}

func (s *Store) stat(ctx context.Context, name string) (storage.Info, error) {
	d, base, err := s.openParent(ctx, name)
	if err != nil {
		return storage.Info{}, err
	}
	defer d.close()
	st, err := d.lstat(base)
	if absent(err) || err == nil && !isObject(&st) {
		return storage.Info{}, storage.ErrNotExist
	}
	if err != nil {
		return storage.Info{}, err
	}
	return info(name, &st), nil
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	out, err := s.get(ctx, name, off, n, dst)
	if err != nil {
		return dst, opError("get", name, err)
	}
	return out, nil
}

func (s *Store) get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	d, base, err := s.openParent(ctx, name)
	if err != nil {
		return nil, err
	}
	defer d.close()
	fd, st, err := d.openObject(base)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if n < 0 {
		n = st.Size - off
	}
	if off < 0 || off > st.Size || n > st.Size-off {
		return nil, fmt.Errorf("%d bytes at %d of %d: %w", n, off, st.Size, storage.ErrRange)
	}
	if int64(int(n)) != n {
		return nil, fmt.Errorf("%d bytes do not fit in memory", n)
	}
	start := len(dst)
	out := slices.Grow(dst, int(n))[:start+int(n)]
	for todo := out[start:]; len(todo) > 0; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		got, err := pread(fd, todo[:min(len(todo), readStep)], off)
		if err != nil {
			return nil, &os.PathError{Op: "read", Path: d.join(base), Err: err}
		}
		if got == 0 {
			return nil, fmt.Errorf("file shrank while it was read: %w", io.ErrUnexpectedEOF)
		}
		todo, off = todo[got:], off+int64(got)
	}
	return out, nil
}

// openParent opens the directory of an object that is to be read and returns the
// last element of its name. The caller closes the directory.
func (s *Store) openParent(ctx context.Context, name string) (dir, string, error) {
	if err := ctx.Err(); err != nil {
		return dir{}, "", err
	}
	if err := storage.CheckName(name); err != nil {
		return dir{}, "", errors.Join(err, storage.ErrNotExist)
	}
	if reserved(name) {
		return dir{}, "", storage.ErrNotExist
	}
	parent, base := split(name)
	d, err := s.openDir(parent)
	if absent(err) {
		return dir{}, "", storage.ErrNotExist
	}
	return d, base, err
}

// isObject reports whether a file that stands under a valid name is an object.
func isObject(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size > 0
}

func info(name string, st *unix.Stat_t) storage.Info {
	return storage.Info{Name: name, Size: st.Size, Time: time.Unix(st.Ctim.Unix()).UTC()}
}
