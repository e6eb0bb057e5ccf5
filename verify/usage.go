package verify

import (
	"time"

	"savepoint/internal/usage"
)

// Usage is what a run took of this host and of the storage.
type Usage struct {
	Wall       float64   `json:"measured_seconds"`   // from the first request to the storage on, without the time in which a password was typed
	User       float64   `json:"cpu_user_seconds"`   // of the process, as is all that follows
	System     float64   `json:"cpu_system_seconds"` // in the kernel
	Cores      int       `json:"cores"`
	PeakMemory uint64    `json:"peak_memory_bytes"` // resident, over all of its life; 0: not known
	Limit      string    `json:"limit"`             // what held the run up: cpu, storage, source, target, limit or unclear
	Waited     Waited    `json:"waited"`
	Latencies  []Latency `json:"latencies"`
}

// Waited is for how long nobody could go on, in seconds. Times of disks are means over those who used them.
type Waited struct {
	Storage float64 `json:"storage_seconds"`
	Source  float64 `json:"source_seconds"`
	Target  float64 `json:"target_seconds"`
	Limit   float64 `json:"limit_seconds"`
}

// Latency is how long requests of one operation took, each attempt on its own.
type Latency struct {
	Op      string  `json:"op"`
	Count   uint64  `json:"count"`
	Retries uint64  `json:"retries"`
	P50     float64 `json:"p50_seconds"`
	P99     float64 `json:"p99_seconds"`
	Max     float64 `json:"max_seconds"`
}

// UsageOf returns what a recorder has measured so far; nil without one.
func UsageOf(r *usage.Recorder) *Usage {
	if r == nil {
		return nil
	}
	u := r.Usage()
	seconds := func(d time.Duration) float64 { return d.Round(time.Microsecond).Seconds() }
	out := &Usage{Wall: seconds(u.Wall), User: seconds(u.User), System: seconds(u.System), Cores: u.Cores, PeakMemory: u.PeakMemory, Limit: string(u.Limit),
		Waited: Waited{Storage: seconds(u.Waited.Storage), Source: seconds(u.Waited.Source), Target: seconds(u.Waited.Target), Limit: seconds(u.Waited.Limit)}, Latencies: []Latency{}}
	for _, l := range u.Requests {
		out.Latencies = append(out.Latencies, Latency{Op: l.Op, Count: l.Count, Retries: l.Retries, P50: seconds(l.P50), P99: seconds(l.P99), Max: seconds(l.Max)})
	}
	return out
}
