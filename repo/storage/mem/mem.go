// Package mem is a Store in memory: for tests, and the reference for what the
// contract of package storage means. It has helpers that no other store has, for
// tests of higher layers that age, damage and copy a repository.
package mem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"savepoint/repo/storage"
)

var _ storage.Store = (*Store)(nil)

// Store is safe for concurrent use.
type Store struct {
	now func() time.Time

	mu      sync.RWMutex
	objects map[string]object
}

// object has a body that is never changed in place, so clones share it.
type object struct {
	body []byte
	time time.Time
}

// New returns an empty store whose clock is now; nil is time.Now. The clock is
// read while the object is published, under the store's lock: it must not call the
// store.
func New(now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{now: now, objects: make(map[string]object)}
}

// Put implements storage.Store. Retention is not supported.
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
	if size < 1 {
		return fmt.Errorf("size %d: an object has at least one byte", size)
	}
	if !o.RetainUntil.IsZero() {
		return fmt.Errorf("retention: %w", storage.ErrUnsupported)
	}
	var b bytes.Buffer
	b.Grow(int(min(size, 32<<20)) + bytes.MinRead) // a wrong size costs no more than this
	n, err := io.Copy(&b, io.NewSectionReader(body, 0, size))
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	if n < size {
		return fmt.Errorf("body ends after %d of %d bytes: %w", n, size, io.ErrUnexpectedEOF)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if old, ok := s.objects[name]; o.IfAbsent && ok && len(old.body) > 0 {
		return storage.ErrExists
	}
	s.objects[name] = object{body: b.Bytes(), time: stamp(s.now())}
	return nil
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	ob, err := s.find(ctx, name)
	if err != nil {
		return dst, opError("get", name, err)
	}
	size := int64(len(ob.body))
	if n < 0 {
		n = size - off
	}
	if off < 0 || off > size || n > size-off {
		return dst, opError("get", name, fmt.Errorf("%d bytes at %d of %d: %w", n, off, size, storage.ErrRange))
	}
	return append(dst, ob.body[off:off+n]...), nil
}

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	ob, err := s.find(ctx, name)
	if err != nil {
		return storage.Info{}, opError("stat", name, err)
	}
	return ob.info(name), nil
}

// List implements storage.Store. It yields the objects that were there when the
// iteration began.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		for _, info := range s.collect(prefix, after) {
			if err := ctx.Err(); err != nil {
				yield(storage.Info{}, opError("list", prefix, err))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(storage.Info{}, opError("list", prefix, err))
		}
	}
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := storage.CheckName(name); err != nil {
			return opError("delete", name, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return opError("delete", strings.Join(names[:min(1, len(names))], ""), err)
	}
	for _, name := range names {
		delete(s.objects, name)
	}
	return nil
}

func (s *Store) find(ctx context.Context, name string) (object, error) {
	if err := ctx.Err(); err != nil {
		return object{}, err
	}
	if err := storage.CheckName(name); err != nil {
		return object{}, errors.Join(err, storage.ErrNotExist)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	ob := s.objects[name]
	if len(ob.body) == 0 {
		return object{}, storage.ErrNotExist
	}
	return ob, nil
}

func (s *Store) collect(prefix, after string) []storage.Info {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []storage.Info
	for name, ob := range s.objects {
		if strings.HasPrefix(name, prefix) && name > after && len(ob.body) > 0 {
			found = append(found, ob.info(name))
		}
	}
	slices.SortFunc(found, func(a, b storage.Info) int { return strings.Compare(a.Name, b.Name) })
	return found
}

func (ob object) info(name string) storage.Info {
	return storage.Info{Name: name, Size: int64(len(ob.body)), Time: ob.time}
}

// stamp drops the monotonic reading and the zone, as a real storage does.
func stamp(t time.Time) time.Time { return t.Round(0).UTC() }

func opError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &storage.OpError{Op: op, Name: name, Err: err}
}

// Clone returns a store of its own with the same objects, times and clock: what
// would be found if everything stopped now.
func (s *Store) Clone() *Store {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &Store{now: s.now, objects: maps.Clone(s.objects)}
}

// Objects returns the names of all objects in order.
func (s *Store) Objects() []string {
	infos := s.collect("", "")
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name
	}
	return names
}

// SetTime changes the time of an object. It panics when there is none.
func (s *Store) SetTime(name string, t time.Time) {
	s.change(name, func(ob *object) { ob.time = stamp(t) })
}

// Replace damages an object: data takes the place of its body, and its time stays.
// An empty body makes it, as in every store, no object at all. It copies data and
// panics when there is no such object.
func (s *Store) Replace(name string, data []byte) {
	s.change(name, func(ob *object) { ob.body = bytes.Clone(data) })
}

func (s *Store) change(name string, f func(*object)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ob, ok := s.objects[name]
	if !ok {
		panic("mem: change of an object that does not exist: " + name)
	}
	f(&ob)
	s.objects[name] = ob
}
