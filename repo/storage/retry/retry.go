package retry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"savepoint/repo/storage"
)

var _ storage.Store = (*Store)(nil)

// Store is safe for concurrent use, if the store within is.
type Store struct {
	inner  storage.Store
	o      Options
	now    func() time.Time
	gate   gate
	outage outage
}

// New returns a store that repeats what fails for a while in inner.
func New(inner storage.Store, o Options) *Store {
	o = o.withDefaults()
	return &Store{
		inner:  inner,
		o:      o,
		now:    time.Now,
		gate:   gate{first: o.First, max: o.Max, rand: o.Rand},
		outage: outage{logger: o.Logger},
	}
}

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	failed := false
	return s.do(ctx, "put", name, func() error {
		err := s.inner.Put(ctx, name, body, size, o)
		if o.IfAbsent && failed && errors.Is(err, storage.ErrExists) {
			return s.recognize(ctx, name, body, size, err)
		}
		failed = failed || err != nil
		return err
	})
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	out := dst
	err := s.do(ctx, "get", name, func() error {
		got, err := s.inner.Get(ctx, name, off, n, dst)
		if err == nil {
			out = got
		}
		return err
	})
	return out, err
}

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	var info storage.Info
	err := s.do(ctx, "stat", name, func() (err error) {
		info, err = s.inner.Stat(ctx, name)
		return err
	})
	if err != nil {
		return storage.Info{}, err
	}
	return info, nil
}

// List implements storage.Store. A listing of the store within that is out of order ends it with an error that
// is not temporary: what it leaves out must not look like what is not there.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		c := s.begin("list", prefix)
		last := after
		for {
			if err := c.next(ctx); err != nil {
				yield(storage.Info{}, err)
				return
			}
			from := last
			var failure error
			for info, err := range s.inner.List(ctx, prefix, last) {
				if err == nil && info.Name <= last {
					err = outOfOrder(prefix, info.Name, last)
				}
				if err != nil {
					failure = err
					break
				}
				last = info.Name
				if !yield(info, nil) {
					return
				}
			}
			if failure == nil {
				c.succeeded()
				return
			}
			if last != from {
				c.restart()
			}
			if !c.again(ctx, failure) {
				yield(storage.Info{}, c.explain(ctx, failure))
				return
			}
		}
	}
}

func outOfOrder(prefix, name, last string) error {
	return &storage.OpError{Op: "list", Name: prefix, Err: fmt.Errorf("the listing is out of order: %q after %q", name, last)}
}

// do makes attempts until one succeeds or the call ends.
func (s *Store) do(ctx context.Context, op, name string, attempt func() error) error {
	c := s.begin(op, name)
	for {
		if err := c.next(ctx); err != nil {
			return err
		}
		err := attempt()
		if err == nil {
			c.succeeded()
			return nil
		}
		if !c.again(ctx, err) {
			return c.explain(ctx, err)
		}
	}
}
