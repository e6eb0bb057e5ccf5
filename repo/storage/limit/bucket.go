package limit

import (
	"context"
	"math"
	"time"

	"golang.org/x/time/rate"
)

// maxPiece is the most bytes paid at a time, so that a wait is short and calls take turns.
const maxPiece = 64 << 10

// bucket gives out bytes at a rate. It holds a tenth of a second's worth, which makes up for timers that are late.
type bucket struct {
	limiter *rate.Limiter
	piece   int64
	now     func() time.Time
	waiting func(more int)
	turn    chan struct{} // held by the range that pays
}

// newBucket returns a bucket for so many bytes a second, or nil when that is no limit. It tells waiting when a call begins and ends to wait.
func newBucket(perSecond int64, waiting func(more int)) *bucket {
	if perSecond <= 0 {
		return nil
	}
	burst := min(max(perSecond/10, 1), math.MaxInt32)
	return &bucket{
		limiter: rate.NewLimiter(rate.Limit(perSecond), int(burst)),
		piece:   min(burst, maxPiece),
		now:     time.Now,
		waiting: waiting,
		turn:    make(chan struct{}, 1),
	}
}

// payRange pays for n bytes; if these are several pieces, when no other range does. The only error is the context's.
func (b *bucket) payRange(ctx context.Context, n int64) error {
	if n > b.piece {
		select {
		case b.turn <- struct{}{}:
			defer func() { <-b.turn }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for n > 0 {
		piece := min(n, b.piece)
		if err := b.pay(ctx, int(piece)); err != nil {
			return err
		}
		n -= piece
	}
	return nil
}

// pay waits until n bytes, at most a piece, may go. The only error is the context's: Limiter.WaitN would also
// fail ahead of a deadline, with an error of its own.
func (b *bucket) pay(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := b.now()
	r := b.limiter.ReserveN(now, n)
	wait := r.DelayFrom(now)
	if wait <= 0 {
		return nil
	}
	if b.waiting != nil {
		b.waiting(1)
		defer b.waiting(-1)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		r.CancelAt(b.now())
		return ctx.Err()
	}
}
