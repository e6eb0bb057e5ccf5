package record

import (
	"math"
	"time"

	"savepoint/internal/usage"
)

type usageBody struct {
	Wall     uint64         `cbor:"1,keyasint,omitempty"` // nanoseconds, as all times here
	User     uint64         `cbor:"2,keyasint,omitempty"`
	System   uint64         `cbor:"3,keyasint,omitempty"`
	Cores    uint64         `cbor:"4,keyasint,omitempty"`
	Memory   uint64         `cbor:"5,keyasint,omitempty"`
	Waited   []Phase        `cbor:"6,keyasint,omitempty"`
	Requests []requestsBody `cbor:"7,keyasint,omitempty"`
	Limit    string         `cbor:"8,keyasint,omitempty"`
}

type requestsBody struct {
	_             struct{} `cbor:",toarray"`
	Op            string
	Count         uint64
	Retries       uint64
	P50, P99, Max uint64
}

// usageBodyOf returns what is written of a run's usage.
func usageBodyOf(u *usage.Usage) *usageBody {
	if u == nil {
		return nil
	}
	b := &usageBody{Wall: nanos(u.Wall), User: nanos(u.User), System: nanos(u.System), Cores: uint64(max(0, u.Cores)), Memory: u.PeakMemory, Limit: string(u.Limit)}
	for _, w := range []Phase{
		{Name: string(usage.Storage), Nanos: nanos(u.Waited.Storage)}, {Name: string(usage.Source), Nanos: nanos(u.Waited.Source)},
		{Name: string(usage.Target), Nanos: nanos(u.Waited.Target)}, {Name: string(usage.Limit), Nanos: nanos(u.Waited.Limit)},
	} {
		if w.Nanos > 0 {
			b.Waited = append(b.Waited, w)
		}
	}
	for _, r := range u.Requests {
		b.Requests = append(b.Requests, requestsBody{Op: r.Op, Count: r.Count, Retries: r.Retries, P50: nanos(r.P50), P99: nanos(r.P99), Max: nanos(r.Max)})
	}
	return b
}

// usage returns what was read. What a later program waits for is left out; numbers that no duration holds are the longest one.
func (b *usageBody) usage() *usage.Usage {
	if b == nil {
		return nil
	}
	u := &usage.Usage{Wall: duration(b.Wall), User: duration(b.User), System: duration(b.System), Cores: int(min(b.Cores, math.MaxInt32)), PeakMemory: b.Memory,
		Limit: usage.Resource(b.Limit)}
	for _, w := range b.Waited {
		switch usage.Resource(w.Name) {
		case usage.Storage:
			u.Waited.Storage = duration(w.Nanos)
		case usage.Source:
			u.Waited.Source = duration(w.Nanos)
		case usage.Target:
			u.Waited.Target = duration(w.Nanos)
		case usage.Limit:
			u.Waited.Limit = duration(w.Nanos)
		}
	}
	for _, r := range b.Requests {
		u.Requests = append(u.Requests, usage.Requests{Op: r.Op, Count: r.Count, Retries: r.Retries, P50: duration(r.P50), P99: duration(r.P99), Max: duration(r.Max)})
	}
	return u
}

func nanos(d time.Duration) uint64 { return uint64(max(0, d)) }

func duration(n uint64) time.Duration { return time.Duration(min(n, math.MaxInt64)) }
