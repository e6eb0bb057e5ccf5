package main

import (
	"context"
	"io"
	"iter"
	"sync"

	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

var _ storage.Store = (*lateStore)(nil)

// lateStore opens a bucket at the first call, and again at the next when that failed: so whoever repeats calls repeats the
// opening too.
type lateStore struct {
	open func(context.Context) (*s3.Store, error)

	mu sync.Mutex
	st *s3.Store
}

// bucket returns the store, nil when it is not open yet.
func (l *lateStore) bucket() *s3.Store {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.st
}

func (l *lateStore) store(ctx context.Context) (*s3.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.st != nil {
		return l.st, nil
	}
	st, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	l.st = st
	return st, nil
}

// Put implements storage.Store.
func (l *lateStore) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	st, err := l.store(ctx)
	if err != nil {
		return err
	}
	return st.Put(ctx, name, body, size, o)
}

// Get implements storage.Store.
func (l *lateStore) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	st, err := l.store(ctx)
	if err != nil {
		return dst, err
	}
	return st.Get(ctx, name, off, n, dst)
}

// Stat implements storage.Store.
func (l *lateStore) Stat(ctx context.Context, name string) (storage.Info, error) {
	st, err := l.store(ctx)
	if err != nil {
		return storage.Info{}, err
	}
	return st.Stat(ctx, name)
}

// List implements storage.Store.
func (l *lateStore) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		st, err := l.store(ctx)
		if err != nil {
			yield(storage.Info{}, err)
			return
		}
		st.List(ctx, prefix, after)(yield)
	}
}

// Delete implements storage.Store.
func (l *lateStore) Delete(ctx context.Context, names ...string) error {
	st, err := l.store(ctx)
	if err != nil {
		return err
	}
	return st.Delete(ctx, names...)
}
