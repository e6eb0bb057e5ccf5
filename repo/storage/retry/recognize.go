package retry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"savepoint/repo/storage"
)

// sample is how many bytes are compared at either end of an object.
const sample = 4 << 10

var errGone = errors.New("the name was taken, and the object is gone")

// recognize tells whether the object under a name that is taken is the one that an earlier attempt has put. It
// returns nil if it is, taken if it is not, and a temporary error when that cannot be told now.
func (s *Store) recognize(ctx context.Context, name string, body io.ReaderAt, size int64, taken error) error {
	same, err := s.same(ctx, name, body, size)
	switch {
	case errors.Is(err, storage.ErrNotExist):
		// Deleted in between. The error of a Put must not be ErrNotExist.
		return &storage.OpError{Op: "put", Name: name, Temporary: true, Err: errGone}
	case err != nil:
		err = fmt.Errorf("compare with the object that is there: %w", err)
		return &storage.OpError{Op: "put", Name: name, Temporary: temporary(err), Err: err}
	case !same:
		return taken
	}
	return nil
}

// same compares the size and both ends of an object with a body.
func (s *Store) same(ctx context.Context, name string, body io.ReaderAt, size int64) (bool, error) {
	info, err := s.inner.Stat(ctx, name)
	if err != nil {
		return false, err
	}
	if info.Size != size {
		return false, nil
	}
	first := min(size, sample)
	last := min(size-first, sample)
	for _, r := range [][2]int64{{0, first}, {size - last, last}} {
		off, n := r[0], r[1]
		if n == 0 {
			continue
		}
		there, err := s.inner.Get(ctx, name, off, n, nil)
		if errors.Is(err, storage.ErrRange) {
			return false, nil // another object took its place
		}
		if err != nil {
			return false, err
		}
		own := make([]byte, n)
		if _, err := io.ReadFull(io.NewSectionReader(body, off, n), own); err != nil {
			return false, fmt.Errorf("read body: %w", err)
		}
		if !bytes.Equal(there, own) {
			return false, nil
		}
	}
	return true, nil
}
