package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"sync"
	"time"

	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

// namePatience is how long an opening is repeated when the server's name does not resolve. Name servers have their moments, but
// a name that does not exist is misspelt.
const namePatience = 20 * time.Second

// boundNames makes the error of an opening final when the server's name has not resolved for namePatience.
func boundNames(open func(context.Context) (*s3.Store, error)) func(context.Context) (*s3.Store, error) {
	began := time.Now()
	return func(ctx context.Context) (*s3.Store, error) {
		st, err := open(ctx)
		op, failed := errors.AsType[*storage.OpError](err)
		if failed && unresolved(err) != "" && time.Since(began) >= namePatience {
			return nil, &storage.OpError{Op: op.Op, Name: op.Name, Err: op.Err}
		}
		return st, err
	}
}

// unresolved returns the host that an error says does not exist, "" when it is of something else.
func unresolved(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return dns.Name
	}
	return ""
}

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
