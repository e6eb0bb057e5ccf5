package meter

import (
	"math"
	"math/bits"
	"sync"
	"time"
)

// Totals is what a Store has counted. It is a plain value.
type Totals struct {
	Put, Get, Stat, List, Delete uint64 // requests that have ended, whatever came of them

	// Failed counts requests of all kinds that did not do what was asked. Cancelled ones are left out, and a Stat
	// that finds nothing and a conditional Put that finds something have their answer.
	Failed  uint64
	Retries uint64 // attempts that repeat another one

	Sent, Received uint64 // bytes of bodies, in requests that went well

	// P50, P99 and Max are durations of requests that were not cancelled. The first two are at most 1/16 too long.
	P50, P99, Max time.Duration
}

// Requests is the number of all requests.
func (t Totals) Requests() uint64 { return t.Put + t.Get + t.Stat + t.List + t.Delete }

// Latency is how long the requests of one operation took, those left out that were cancelled.
type Latency struct {
	Op      string // put, get, stat, list or delete
	Count   uint64
	Retries uint64 // attempts that repeat another one

	// P50 and P99 are at most 1/16 too long, and never too short.
	P50, P99, Max time.Duration
}

// tally adds up.
type tally struct {
	mu       sync.Mutex
	requests [numOps]uint64
	failed   uint64
	slowed   uint64
	retries  [numOps]uint64
	sent     uint64
	received uint64
	times    [numOps]spread
}

func (t *tally) count(r *request, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests[r.op]++
	if failure(r.op, r.result) {
		t.failed++
	}
	if r.result == slowDown {
		t.slowed++
	}
	t.sent += uint64(r.sent)
	t.received += uint64(r.received)
	if r.result != cancelled {
		t.times[r.op].add(took)
	}
}

func (t *tally) slowDowns() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.slowed
}

func (t *tally) retried(o op) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.retries[o]++
}

func (t *tally) totals() Totals {
	t.mu.Lock()
	defer t.mu.Unlock()
	var times spread
	retries := uint64(0)
	for o := range t.times {
		times.merge(&t.times[o])
		retries += t.retries[o]
	}
	return Totals{
		Put: t.requests[put], Get: t.requests[get], Stat: t.requests[stat], List: t.requests[list], Delete: t.requests[del],
		Failed: t.failed, Retries: retries, Sent: t.sent, Received: t.received,
		P50: times.quantile(0.5), P99: times.quantile(0.99), Max: times.max,
	}
}

func (t *tally) latencies() []Latency {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Latency
	for o := range t.times {
		if s := &t.times[o]; s.n > 0 {
			out = append(out, Latency{Op: opNames[o], Count: s.n, Retries: t.retries[o], P50: s.quantile(0.5), P99: s.quantile(0.99), Max: s.max})
		}
	}
	return out
}

// spread counts durations in cells: sixteen for every doubling, so that a cell's upper end is at most 1/16 above
// all that is in it. Below 16 ns each nanosecond has a cell.
type spread struct {
	cells [60 * perDoubling]uint64
	n     uint64
	max   time.Duration
}

const perDoubling = 16

func (s *spread) add(d time.Duration) {
	d = max(d, 0)
	s.cells[cell(uint64(d))]++
	s.n++
	s.max = max(s.max, d)
}

// merge adds what is in another one.
func (s *spread) merge(o *spread) {
	for i, n := range o.cells {
		s.cells[i] += n
	}
	s.n += o.n
	s.max = max(s.max, o.max)
}

// quantile returns a duration that so great a share of all does not exceed; 0 of none.
func (s *spread) quantile(share float64) time.Duration {
	rank := uint64(math.Ceil(share * float64(s.n)))
	seen := uint64(0)
	for i, n := range s.cells {
		if seen += n; n > 0 && seen >= rank {
			return min(time.Duration(upper(i)), s.max)
		}
	}
	return 0
}

// cell is the number of the cell of v: the position of the highest bit, and the four bits after it.
func cell(v uint64) int {
	if v < perDoubling {
		return int(v)
	}
	shift := bits.Len64(v) - 5
	return (shift+1)*perDoubling + int(v>>shift) - perDoubling
}

// upper is the greatest value in a cell.
func upper(i int) uint64 {
	if i < perDoubling {
		return uint64(i)
	}
	shift := i/perDoubling - 1
	return uint64(i%perDoubling+perDoubling+1)<<shift - 1
}
