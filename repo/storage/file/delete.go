package file

import (
	"context"
	"errors"
	"path"

	"golang.org/x/sys/unix"

	"savepoint/repo/storage"
)

// Delete implements storage.Store. It removes in the order given and syncs a
// directory when the next name lies in another one. What is no object stays.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := storage.CheckName(name); err != nil {
			return opError("delete", name, err)
		}
	}
	var failed []error
	for len(names) > 0 {
		if err := ctx.Err(); err != nil {
			failed = append(failed, opError("delete", names[0], err))
			break
		}
		parent, _ := split(names[0])
		n := 1
		for n < len(names) && path.Dir(names[n]) == path.Dir(names[0]) {
			n++
		}
		if !reserved(names[0]) {
			failed = append(failed, s.deleteIn(ctx, parent, names[:n]))
		}
		names = names[n:]
	}
	return errors.Join(failed...)
}

// deleteIn removes objects of one directory, and the directory if that leaves it
// empty.
func (s *Store) deleteIn(ctx context.Context, parent string, names []string) error {
	d, err := s.openDir(parent)
	if absent(err) {
		return nil
	}
	if err != nil {
		return opError("delete", names[0], err)
	}
	defer d.close()
	var failed []error
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			failed = append(failed, opError("delete", name, err))
			break
		}
		if err := d.remove(path.Base(name)); err != nil {
			failed = append(failed, opError("delete", name, err))
		}
	}
	// Synced even if nothing was there: it may be another's removal, not yet durable.
	if err := d.sync(); err != nil {
		failed = append(failed, opError("delete", names[0], err))
	}
	s.prune(parent)
	return errors.Join(failed...)
}

// remove unlinks an object; nothing there, or no object, is no error.
func (d dir) remove(base string) error {
	st, err := d.lstat(base)
	if absent(err) || err == nil && !isObject(&st) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := retry(func() error { return unix.Unlinkat(d.fd, base, 0) }); err != nil && err != unix.ENOENT {
		return d.fail("unlink", base, err)
	}
	return nil
}

// prune removes a directory, and those above it, while they are empty. Sessions
// have directories of their own, which would pile up. A Put that meets a directory
// removed under it makes it again. One that comes back after a crash does no harm, so
// nothing is synced.
func (s *Store) prune(rel string) {
	for rel != "" {
		parent, base := split(rel)
		d, err := s.openDir(parent)
		if err != nil {
			return
		}
		err = unix.Unlinkat(d.fd, base, unix.AT_REMOVEDIR)
		d.close()
		if err != nil {
			return
		}
		s.mu.Lock()
		delete(s.durable, rel)
		s.mu.Unlock()
		rel = parent
	}
}
