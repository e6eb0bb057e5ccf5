package limit

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// paced is a body that is read at the rate of a bucket.
type paced struct {
	ctx    context.Context // of the Put that reads it
	bucket *bucket
	body   io.ReaderAt
	size   int64
	free   atomic.Int64 // bytes that may still be read without paying
	held   atomic.Int64 // nanoseconds that readings waited
}

func newPaced(ctx context.Context, b *bucket, body io.ReaderAt, size int64, hashing int) *paced {
	p := &paced{ctx: ctx, bucket: b, body: body, size: size}
	p.free.Store(int64(hashing) * size)
	return p
}

// Held returns how long the limit held back those who read the body: a store within that measures how long a Put takes asks for it.
func (p *paced) Held() time.Duration { return time.Duration(p.held.Load()) }

// ReadAt implements io.ReaderAt. After the context is done it returns the context's error.
func (p *paced) ReadAt(b []byte, off int64) (n int, err error) {
	for len(b) > 0 {
		piece := b[:min(int64(len(b)), p.bucket.piece)]
		// What lies beyond the end is asked for and never comes.
		price := min(int64(len(piece)), max(p.size-off, 0))
		if p.free.Add(-price) < 0 {
			began := p.bucket.now()
			err := p.bucket.pay(p.ctx, int(price))
			p.held.Add(int64(p.bucket.now().Sub(began)))
			if err != nil {
				return n, err
			}
		}
		got, err := p.body.ReadAt(piece, off)
		n += got
		if err != nil || got < len(piece) {
			return n, err
		}
		b, off = b[got:], off+int64(got)
	}
	return n, nil
}
