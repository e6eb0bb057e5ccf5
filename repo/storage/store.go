package storage

import (
	"context"
	"io"
	"iter"
	"time"
)

// Info describes an object.
type Info struct {
	Name string
	Size int64 // bytes, at least 1
	// Time is the storage's clock when the name was published, in UTC and
	// without a monotonic reading.
	Time time.Time
}

// PutOptions says how Put publishes. The zero value replaces what is there and
// retains nothing.
type PutOptions struct {
	// IfAbsent makes Put fail with ErrExists, and leave what is there, when the
	// name is taken. Of several such Puts of one name exactly one succeeds. A caller
	// that repeats one after a lost answer may meet its own object.
	IfAbsent bool
	// RetainUntil, when it is not zero, asks that the object can be neither deleted
	// nor replaced before this time. A storage that cannot promise it publishes
	// nothing and returns ErrUnsupported.
	RetainUntil time.Time
}

// Store keeps objects. The package comment has the contract that goes beyond the
// single method.
type Store interface {
	// Put publishes size bytes of body under name. It is atomic and durable on
	// return. Without IfAbsent an object that is there is replaced; putting the same
	// bytes again is harmless. A size below 1 is refused, and a body that ends before
	// size or fails is an error; nothing is published in these cases. Body is not read
	// after Put returns; it may be read more than once.
	Put(ctx context.Context, name string, body io.ReaderAt, size int64, o PutOptions) error

	// Get appends bytes [off, off+n) of the object to dst and returns the extended
	// slice; n < 0 means to the end of the object. It delivers all of the range or an
	// error, and then returns dst as it was, so that its memory can be used again. A
	// range that does not lie inside the object is ErrRange; an empty range at its end
	// does. A missing object is ErrNotExist.
	Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error)

	// Stat returns what List would say of the one object. A missing object is
	// ErrNotExist.
	Stat(ctx context.Context, name string) (Info, error)

	// List yields the objects whose names begin with prefix and are greater than
	// after, in name order. Prefix need not end at a slash and may be empty; so may
	// after. The sequence ends after the first error. Each iteration lists anew.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]

	// Delete removes objects, durably and in no promised order. A missing object is
	// no error. It tries every name and joins the errors; if a name is malformed,
	// nothing is removed.
	Delete(ctx context.Context, names ...string) error
}
