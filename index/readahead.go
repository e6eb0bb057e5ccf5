package index

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"savepoint/repo/record"
)

const (
	readers     = 4
	aheadBytes  = 16 << 20 // of segments that were read and wait to be applied; a single one may be larger
	segmentCost = 2        // bytes of memory for each byte of the object while it is read
)

type readResult struct {
	s   *record.Segment
	err error
}

// readAhead reads segments, some at once, and calls apply for those that can be read, in order and one at a time. An
// error of read or apply ends it.
func readAhead(parent context.Context, segments []Listed, read Reader, apply func(Listed, *record.Segment) error) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	weight := semaphore.NewWeighted(aheadBytes)
	cost := func(l Listed) int64 { return min(max(l.Size*segmentCost, 1), aheadBytes) }
	queue := make(chan chan readResult, readers-1)
	wg.Go(func() {
		defer close(queue)
		for _, l := range segments {
			if weight.Acquire(ctx, cost(l)) != nil {
				return
			}
			r := make(chan readResult, 1)
			select {
			case queue <- r:
			case <-ctx.Done():
				return
			}
			wg.Go(func() {
				s, err := read(ctx, l.ID)
				r <- readResult{s, err}
			})
		}
	})
	i := 0
	for r := range queue {
		if parent.Err() != nil {
			break
		}
		res := <-r
		if res.err != nil {
			return res.err
		}
		if res.s != nil {
			if err := apply(segments[i], res.s); err != nil {
				return err
			}
		}
		weight.Release(cost(segments[i]))
		i++
	}
	return parent.Err()
}
