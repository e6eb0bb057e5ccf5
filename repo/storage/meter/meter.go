// Package meter is a Store that counts requests, bytes and time: a decorator. It
// stands within retry, so that each attempt is a request.
//
// A request is one call of a method, and for List one iteration, however many pages
// the store within asks for. What it adds up is exported twice: as Prometheus metrics
// (Store is a prometheus.Collector; several stores in one registry need
// prometheus.WrapRegistererWith and a label of the caller's, such as repo), and as
// Totals and Latencies for a report.
//
//	savepoint_storage_requests_total{op,result}   by what came of them, see below
//	savepoint_storage_bytes_total{direction}      of bodies, sent or received, in requests that went well
//	savepoint_storage_request_seconds{op}         duration of those not cancelled
//	savepoint_storage_in_flight                   requests that have begun and not ended
//	savepoint_storage_retries_total{op}           attempts that repeat another one, as retry tells
//
// op is put, get, stat, list or delete. result is ok; not_found and exists for
// storage.ErrNotExist and storage.ErrExists; slow_down and denied; temporary for other
// errors that are; cancelled for those of a context; error for the rest. The duration of
// a List leaves out the body of the loop, and that of a Put the pauses of a limit around this store.
//
// The memory is constant: about 40 KiB and the series above, all of which are there
// from the beginning.
package meter

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"savepoint/repo/storage"
)

var _ storage.Store = (*Store)(nil)

// Store is safe for concurrent use, if the store within is.
type Store struct {
	inner   storage.Store
	now     func() time.Time
	metrics *metrics
	tally   tally
}

// New returns a store that counts what goes to and comes from inner.
func New(inner storage.Store) *Store {
	return &Store{inner: inner, now: time.Now, metrics: newMetrics()}
}

// SlowDowns returns how often the store asked for fewer requests: a sign for who decides how many go at once, which something
// that repeats calls hides.
func (s *Store) SlowDowns() uint64 { return s.tally.slowDowns() }

// Retried counts a repeated attempt. It is what retry.Options.OnRetry wants; a name that is no operation is
// ignored.
func (s *Store) Retried(operation string) {
	for o, name := range opNames {
		if name == operation {
			s.metrics.retries[o].Inc()
			s.tally.retried(op(o))
		}
	}
}

// Totals returns what was counted since New.
func (s *Store) Totals() Totals { return s.tally.totals() }

// Latencies returns how long requests took since New, of each operation of which there was one.
func (s *Store) Latencies() []Latency { return s.tally.latencies() }

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	r := s.begin(put)
	defer r.end()
	err := s.inner.Put(ctx, name, body, size, o)
	if h, is := body.(heldBack); is {
		r.held = h.Held()
	}
	r.done(err)
	if err == nil {
		r.sent = size
	}
	return err
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	r := s.begin(get)
	defer r.end()
	out, err := s.inner.Get(ctx, name, off, n, dst)
	r.done(err)
	if err != nil {
		return dst, err
	}
	r.received = int64(len(out) - len(dst))
	return out, nil
}

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	r := s.begin(stat)
	defer r.end()
	info, err := s.inner.Stat(ctx, name)
	r.done(err)
	return info, err
}

// List implements storage.Store. An iteration that the caller leaves early went well.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		r := s.begin(list)
		defer r.end()
		for info, err := range s.inner.List(ctx, prefix, after) {
			if err != nil {
				r.done(err)
			}
			pause := s.now()
			more := yield(info, err)
			r.began = r.began.Add(s.now().Sub(pause))
			if !more || err != nil {
				break
			}
		}
		if !r.over {
			r.done(nil)
		}
	}
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	r := s.begin(del)
	defer r.end()
	err := s.inner.Delete(ctx, names...)
	r.done(err)
	return err
}

// heldBack is a body whose readings a limit holds back for so long all together, which is not the storage's doing.
type heldBack interface{ Held() time.Duration }

// request is one call.
type request struct {
	s              *Store
	op             op
	began          time.Time
	over           bool
	result         result
	sent, received int64
	held           time.Duration // of its duration, by a limit
}

func (s *Store) begin(o op) *request {
	s.metrics.inFlight.Inc()
	return &request{s: s, op: o, began: s.now(), result: failed}
}

// done notes what came of the request. One that panics is counted as failed.
func (r *request) done(err error) { r.over, r.result = true, resultOf(err) }

// end counts the request.
func (r *request) end() {
	took := max(0, r.s.now().Sub(r.began)-r.held)
	r.s.metrics.inFlight.Dec()
	r.s.metrics.count(r, took)
	r.s.tally.count(r, took)
}

// op is a method of storage.Store.
type op int

const (
	put op = iota
	get
	stat
	list
	del
	numOps
)

var opNames = [numOps]string{"put", "get", "stat", "list", "delete"}

// result is what came of a request.
type result int

const (
	ok result = iota
	notFound
	exists
	slowDown
	denied
	temporary
	cancelled
	failed
	numResults
)

var resultNames = [numResults]string{"ok", "not_found", "exists", "slow_down", "denied", "temporary", "cancelled", "error"}

// resultOf sorts an error; of joined ones, the first entry of the table that any of them is decides.
func resultOf(err error) result {
	if err == nil {
		return ok
	}
	for _, known := range []struct {
		err    error
		result result
	}{
		{storage.ErrSlowDown, slowDown},
		{storage.ErrDenied, denied},
		{storage.ErrNotExist, notFound},
		{storage.ErrExists, exists},
	} {
		if errors.Is(err, known.err) {
			return known.result
		}
	}
	if oe, is := errors.AsType[*storage.OpError](err); is && oe.Temporary {
		return temporary
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return cancelled
	}
	return failed
}

// failure reports whether the storage did not do what it was asked: being told that there is nothing answers a
// Stat, and that there is something answers a conditional Put.
func failure(o op, r result) bool {
	switch r {
	case ok, cancelled, exists:
		return false
	case notFound:
		return o != stat
	}
	return true
}
