package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// errStopped is what a request sees of a body that it has outlived.
var errStopped = errors.New("the call is over")

// bodyStep is how much of a body is read at a time for its sums.
const bodyStep = 128 << 10

// readBody writes the body to w.
func (s *Store) readBody(ctx context.Context, body io.ReaderAt, size int64, w io.Writer) error {
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	r := &bodyReader{ctx: ctx, body: body, size: size}
	_, err := io.CopyBuffer(w, r, *buf)
	return err
}

// bodyReader reads a body once, in order. Unlike an io.SectionReader it takes an end
// before size for an error, and remembers its error: what minio-go and net/http make
// of one cannot be told from one of the connection.
type bodyReader struct {
	ctx  context.Context
	body io.ReaderAt
	size int64

	mu      sync.Mutex // held while the body is read
	off     int64
	err     error
	stopped bool
}

// stop returns the error of the body, and sees to it that nobody reads it from now
// on: net/http may still be at it when a request has failed.
func (r *bodyReader) stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	return r.err
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return 0, errStopped
	}
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	if r.err != nil {
		return 0, r.err
	}
	p = p[:min(int64(len(p)), r.size-r.off)]
	if len(p) == 0 {
		return 0, io.EOF
	}
	n, err := r.body.ReadAt(p, r.off)
	r.off += int64(n)
	switch {
	case r.ctx.Err() != nil:
		r.err = r.ctx.Err()
	case n == len(p):
		return n, nil
	case err == io.EOF:
		r.err = fmt.Errorf("body ends after %d of %d bytes: %w", r.off, r.size, io.ErrUnexpectedEOF)
	case err == nil:
		r.err = fmt.Errorf("read body: %w", io.ErrNoProgress)
	default:
		r.err = fmt.Errorf("read body: %w", err)
	}
	return 0, r.err
}
