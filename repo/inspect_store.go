package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"sync"

	"savepoint/repo/storage"
)

// UnreadError says that the store does not give one object, though it gives others: a bad sector, an object that these credentials may not
// read. Nothing is known of the object then.
type UnreadError struct {
	Object string
	Err    error // the store's
}

// Error is the store's error, which names the object.
func (e *UnreadError) Error() string { return e.Err.Error() }

// Unwrap returns the store's error.
func (e *UnreadError) Unwrap() error { return e.Err }

// Unread reports whether an error says that an object could not be read, so that nothing is known of it.
func Unread(err error) bool {
	var u *UnreadError
	return errors.As(err, &u)
}

// ErrStoreDown is wrapped by the error of an [Inspection] of which so many objects in a row could not be read that the store counts as
// failed.
var ErrStoreDown = errors.New("the store gives no objects")

// failuresInRow is how many objects in a row may not be readable until the store counts as failed.
const failuresInRow = 8

// patientStore goes on when single objects cannot be read: such an error becomes an *UnreadError, and the object is not asked for again,
// as each time may have taken many tries. When no object of several in a row can be read, the error wraps ErrStoreDown.
type patientStore struct {
	inner storage.Store

	mu     sync.Mutex
	failed map[string]error
	row    map[string]bool // objects that failed since one was read
}

var _ storage.Store = (*patientStore)(nil)

func newPatientStore(inner storage.Store) *patientStore {
	return &patientStore{inner: inner, failed: map[string]error{}, row: map[string]bool{}}
}

// names returns the objects that could not be read, in order, with why.
func (s *patientStore) names() []*UnreadError {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*UnreadError
	for _, name := range slices.Sorted(maps.Keys(s.failed)) {
		out = append(out, &UnreadError{name, s.failed[name]})
	}
	return out
}

// known returns the error with which an object failed before.
func (s *patientStore) known(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failed[name]; err != nil {
		return &UnreadError{name, err}
	}
	return nil
}

// answer takes in what came of asking for an object.
func (s *patientStore) answer(ctx context.Context, name string, err error) error {
	if err != nil && ctx.Err() != nil && !gone(err) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || gone(err) || isRange(err) {
		clear(s.row)
		return err
	}
	s.failed[name], s.row[name] = err, true
	if n := len(s.row); n >= failuresInRow {
		for name := range s.row { // it is not theirs
			delete(s.failed, name)
		}
		return fmt.Errorf("%w: %d in a row could not be read: %w", ErrStoreDown, n, err)
	}
	return &UnreadError{name, err}
}

func (s *patientStore) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	if err := s.known(name); err != nil {
		return dst, err
	}
	out, err := s.inner.Get(ctx, name, off, n, dst)
	return out, s.answer(ctx, name, err)
}

func (s *patientStore) Stat(ctx context.Context, name string) (storage.Info, error) {
	if err := s.known(name); err != nil {
		return storage.Info{}, err
	}
	info, err := s.inner.Stat(ctx, name)
	return info, s.answer(ctx, name, err)
}

func (s *patientStore) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return s.inner.List(ctx, prefix, after)
}

func (s *patientStore) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	return s.inner.Put(ctx, name, body, size, o)
}

func (s *patientStore) Delete(ctx context.Context, names ...string) error {
	return s.inner.Delete(ctx, names...)
}

// through returns the repository with another way to its store.
func (r *Repo) through(st storage.Store) *Repo {
	return &Repo{st: st, o: r.o, id: r.id, ring: r.ring, params: r.params, codec: r.codec, dataID: r.dataID, treeID: r.treeID, tags: r.tags,
		cutter: r.cutter, slot: r.slot, readOnly: r.readOnly, mergeAbove: r.mergeAbove}
}
