// Package limit is a Store that sends and receives at most so many bytes a second:
// a decorator.
//
// The rates hold for all calls of one Store together, one for what Put sends and one
// for what Get receives. Stat, List and Delete are free, and so is what a request has
// beside its body. Requests are forwarded as they are: none is split, repeated or
// added.
//
// # Accuracy
//
// Put paces the reading of its body in pieces of at most 64 KiB and at most a tenth of
// a second's worth, so a pack of 32 MiB leaves as evenly as the network buffers let
// it. In any stretch of time the bytes read are at most its length × the rate, plus
// Options.Upload/10, plus what the store within has read and not sent yet.
//
// Get cannot pace what arrives. It pays for the range before the request, and receives
// it as fast as the network gives it: over a longer time the rate holds, and at any
// moment what has arrived is at most the time × the rate + Options.Download/10. Ranges
// above a piece pay one after the other, in the order in which they came, so that
// several of them arrive one at a time and not all at once; smaller ones pay beside
// them and hardly wait. A range without an end, and what is beyond the first 32 MiB of a
// range, is paid after it has arrived and before Get returns: its length is certain
// only then.
//
// A wait ends at once with the context. What was paid for a request that fails is
// spent.
package limit

import (
	"context"
	"io"
	"iter"

	"savepoint/repo/storage"
)

var _ storage.Store = (*Store)(nil)

// prepaid is the most bytes that Get pays for before it knows that they exist.
const prepaid = 32 << 20

// Options of New. The zero value limits nothing.
type Options struct {
	Upload   int64 // bytes a second that Put sends; 0 or less: unlimited
	Download int64 // bytes a second that Get receives; 0 or less: unlimited
	// Hashing is how many times the store within reads a whole body before it sends it, to compute a checksum
	// for a header. These readings are free. A store that reads more often sends more slowly than it may.
	Hashing int
	// Waiting is told when calls are held back: 1 when one begins to wait for its bytes, -1 when it goes on. It is called by many
	// goroutines and must be quick. Nil: nobody wants to know.
	Waiting func(more int)
}

// Store is safe for concurrent use, if the store within is.
type Store struct {
	inner    storage.Store
	hashing  int
	up, down *bucket // nil: unlimited
}

// New returns a store that paces what goes to and comes from inner.
func New(inner storage.Store, o Options) *Store {
	return &Store{inner: inner, hashing: max(o.Hashing, 0), up: newBucket(o.Upload, o.Waiting), down: newBucket(o.Download, o.Waiting)}
}

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	if s.up != nil && size > 0 {
		body = newPaced(ctx, s.up, body, size, s.hashing)
	}
	return s.inner.Put(ctx, name, body, size, o)
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	if s.down == nil {
		return s.inner.Get(ctx, name, off, n, dst)
	}
	paid := min(max(n, 0), prepaid)
	if err := s.down.payRange(ctx, paid); err != nil {
		return dst, &storage.OpError{Op: "get", Name: name, Err: err}
	}
	out, err := s.inner.Get(ctx, name, off, n, dst)
	if err != nil {
		return dst, err
	}
	// The bytes are there, so the end of the context spoils nothing any more.
	_ = s.down.payRange(ctx, int64(len(out)-len(dst))-paid)
	return out, nil
}

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	return s.inner.Stat(ctx, name)
}

// List implements storage.Store.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return s.inner.List(ctx, prefix, after)
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	return s.inner.Delete(ctx, names...)
}
