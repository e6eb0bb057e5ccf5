package chunk

import (
	"errors"
	"io"
)

const (
	// minBuffer lets small chunks of a fixed size be read many at a time.
	minBuffer = 256 << 10

	// maxEmptyReads is how often in a row a reader may return nothing at all.
	maxEmptyReads = 100
)

var errBadCount = errors.New("reader returned an impossible count")

// Reader reads a stream chunk by chunk. One goroutine may use it at a time.
type Reader struct {
	r     io.Reader
	c     *Cutter
	buf   []byte // at least 2 × Max bytes long
	start int    // buf[start:end] is read and not returned yet
	end   int
	err   error // from r, io.EOF too; nothing is read after it
}

// NewReader returns a Reader that cuts r by p, which must be valid as for
// [NewCutter]; a nil r is for who calls Reset first. It works in buf if that has a capacity of at least twice the
// longest chunk of p, else in one of its own of that size, or of 256 KiB if that
// is more; buf may be nil, and a larger one makes for fewer and larger reads.
// While the Reader is in use, buf belongs to it.
func NewReader(r io.Reader, p Params, buf []byte) *Reader {
	c := NewCutter(p)
	if buf = buf[:cap(buf)]; len(buf) < 2*c.Max() {
		buf = make([]byte, max(2*c.Max(), minBuffer))
	}
	return &Reader{r: r, c: c, buf: buf}
}

// Reset makes the Reader start over with r, with the same parameters and
// buffer. What Next returned before is no longer valid.
func (r *Reader) Reset(src io.Reader) {
	r.r, r.start, r.end, r.err = src, 0, 0, nil
}

// Next returns the next chunk, which is valid until the next call of Next or
// Reset, and may be changed by the caller until then. At the end of the stream
// the error is io.EOF. Another error is the reader's own, as it is, or
// [io.ErrNoProgress]: it comes as soon as it is met, in place of bytes that
// were read and not yet returned, and from then on.
func (r *Reader) Next() ([]byte, error) {
	// Cut first and read only if that was not enough: few bytes are left over
	// when the buffer is filled again, and only these are moved.
	n := r.cut()
	if n == 0 && r.err == nil {
		r.fill()
		n = r.cut()
	}
	if r.err != nil && (r.err != io.EOF || n == 0) {
		return nil, r.err
	}
	chunk := r.buf[r.start : r.start+n : r.start+n]
	r.start += n
	return chunk, nil
}

func (r *Reader) cut() int {
	return r.c.Cut(r.buf[r.start:r.end], r.err == io.EOF)
}

// fill reads until there is enough for any chunk, or an error.
func (r *Reader) fill() {
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	for empty := 0; r.err == nil && r.end < r.c.Max(); {
		n, err := r.r.Read(r.buf[r.end:])
		if n < 0 || n > len(r.buf)-r.end {
			r.err = errBadCount
			return
		}
		r.end += n
		r.err = err
		if n > 0 {
			empty = 0
		} else if empty++; empty == maxEmptyReads && err == nil {
			r.err = io.ErrNoProgress
		}
	}
}
