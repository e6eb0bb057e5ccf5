package file

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"savepoint/repo/storage"
)

// copyStep is how much Put copies before it looks at its context again.
const copyStep = 256 << 10

// errInTheWay is what Put with IfAbsent meets that is neither an object nor absent.
var errInTheWay = errors.New("the name is taken by something that is no object (an empty file, a link or a directory): remove it")

// Put implements storage.Store. Retention is not supported, and a name whose first
// element is .tmp is refused. Without IfAbsent it replaces whatever file is there,
// also what is no object.
func (s *Store) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	return opError("put", name, s.put(ctx, name, body, size, o))
}

func (s *Store) put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := storage.CheckName(name); err != nil {
		return err
	}
	if reserved(name) {
		return fmt.Errorf("names in %s/ are reserved for unfinished objects", tempDir)
	}
	if size < 1 {
		return fmt.Errorf("size %d: an object has at least one byte", size)
	}
	if !o.RetainUntil.IsZero() {
		return fmt.Errorf("retention: %w", storage.ErrUnsupported)
	}
	t, err := s.newTemp()
	if err != nil {
		return err
	}
	defer t.discard()
	s.sweep.Do(t.sweepStale)
	if err := s.copyBody(ctx, t, body, size); err != nil {
		return err
	}
	// On disk before it has a name: a crash must not leave a name with no bytes.
	if err := t.file.Sync(); err != nil {
		return err
	}
	if s.atPublish != nil {
		s.atPublish()
	}
	return s.publish(ctx, t, name, o.IfAbsent)
}

func (s *Store) copyBody(ctx context.Context, t *temp, body io.ReaderAt, size int64) error {
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	r := io.NewSectionReader(body, 0, size)
	for done := int64(0); done < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(r, (*buf)[:min(copyStep, size-done)])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return fmt.Errorf("body ends after %d of %d bytes: %w", done+int64(n), size, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return fmt.Errorf("read body: %w", err)
		}
		if _, err := t.file.Write((*buf)[:n]); err != nil {
			return err
		}
		done += int64(n)
	}
	return nil
}

// publish gives the file its name and makes that durable. The first step of it
// repeats when a Delete removed the directory, empty still, under it.
func (s *Store) publish(ctx context.Context, t *temp, name string, ifAbsent bool) error {
	const tries = 10
	parent, base := split(name)
	var last error
	for range tries {
		d, err := s.makeDir(parent)
		if isENOENT(err) {
			last = err
			continue
		}
		if err != nil {
			return err
		}
		if err = ctx.Err(); err == nil {
			if err = t.move(d, base, ifAbsent); err != nil && t.landed(d, base) {
				err = nil
			}
		}
		if err == nil {
			err = d.sync()
		}
		d.close()
		if !isENOENT(err) {
			return err
		}
		last = err
	}
	return last
}

// move renames the file to base in d.
func (t *temp) move(d dir, base string, ifAbsent bool) error {
	if !ifAbsent {
		if err := retry(func() error { return unix.Renameat(t.dir.fd, t.name, d.fd, base) }); err != nil {
			return d.fail("rename", base, err)
		}
		t.moved = true
		return nil
	}
	err := retry(func() error { return unix.Renameat2(t.dir.fd, t.name, d.fd, base, unix.RENAME_NOREPLACE) })
	switch err {
	case nil:
		t.moved = true
		return nil
	case unix.EEXIST:
		return d.taken(base)
	case unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP:
		return t.link(d, base)
	}
	return d.fail("rename", base, err)
}

// link is move with IfAbsent for file systems that cannot rename without replacing
// (NFS). The removal of the temporary name, which discard does, sets the ctime once
// more: an object can look a moment younger than it is, never older.
func (t *temp) link(d dir, base string) error {
	switch err := retry(func() error { return unix.Linkat(t.dir.fd, t.name, d.fd, base, 0) }); err {
	case nil:
		return nil
	case unix.EEXIST:
		return d.taken(base)
	case unix.EPERM, unix.EOPNOTSUPP, unix.ENOSYS:
		return fmt.Errorf("%w: the file system has neither renames that do not replace nor hard links (%w)", storage.ErrUnsupported, err)
	default:
		return d.fail("link", base, err)
	}
}

// landed reports whether the file has the name in spite of an error: a network file
// system whose server's answer was lost asks again, and is then told that the
// name is taken, or that there is nothing to rename. A signal has the same effect.
func (t *temp) landed(d dir, base string) bool {
	var own unix.Stat_t
	if err := retry(func() error { return unix.Fstat(int(t.file.Fd()), &own) }); err != nil {
		return false
	}
	is, err := d.lstat(base)
	return err == nil && is.Dev == own.Dev && is.Ino == own.Ino
}

func (d dir) taken(base string) error {
	st, err := d.lstat(base)
	if err == nil && !isObject(&st) {
		return errInTheWay
	}
	return storage.ErrExists // also if it is gone again: it was there
}

func isENOENT(err error) bool { return errors.Is(err, unix.ENOENT) }
