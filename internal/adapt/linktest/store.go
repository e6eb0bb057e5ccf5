package linktest

import (
	"context"
	"fmt"
	"io"
	"iter"

	"savepoint/repo/storage"
)

// Store is a store at the other end of a line: bodies of objects take their time, everything else only the latency. What
// the server refuses is storage.ErrSlowDown, and nothing was done.
type Store struct {
	inner storage.Store
	// Puts and Gets are the line's two directions; other requests go with Gets.
	Puts, Gets *Link
}

var _ storage.Store = (*Store)(nil)

// New returns inner at the other end of a line that is the same in both directions.
func New(inner storage.Store, line Line) *Store {
	return &Store{inner: inner, Puts: NewLink(line), Gets: NewLink(line)}
}

func carry(ctx context.Context, l *Link, op, name string, n int64) error {
	ok, err := l.Carry(ctx, n)
	if err == nil && !ok {
		return &storage.OpError{Op: op, Name: name, Temporary: true, Err: fmt.Errorf("503: %w", storage.ErrSlowDown)}
	}
	if err != nil {
		return &storage.OpError{Op: op, Name: name, Err: err}
	}
	return nil
}

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	if err := carry(ctx, s.Puts, "put", name, size); err != nil {
		return err
	}
	return s.inner.Put(ctx, name, body, size, o)
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	out, err := s.inner.Get(ctx, name, off, n, dst)
	if carryErr := carry(ctx, s.Gets, "get", name, int64(len(out)-len(dst))); carryErr != nil {
		return dst, carryErr
	}
	return out, err
}

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	if err := carry(ctx, s.Gets, "stat", name, 0); err != nil {
		return storage.Info{}, err
	}
	return s.inner.Stat(ctx, name)
}

// List implements storage.Store.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		if err := carry(ctx, s.Gets, "list", prefix, 0); err != nil {
			yield(storage.Info{}, err)
			return
		}
		for info, err := range s.inner.List(ctx, prefix, after) {
			if !yield(info, err) {
				return
			}
		}
	}
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	if err := carry(ctx, s.Gets, "delete", "", 0); err != nil {
		return err
	}
	return s.inner.Delete(ctx, names...)
}
