package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"savepoint/internal/usage"
	"savepoint/repo/storage"
	"savepoint/repo/storage/meter"
	"savepoint/verify"
)

// latencies returns what a meter knows, for a recorder.
func latencies(m *meter.Store) func() []usage.Requests {
	return func() []usage.Requests {
		var out []usage.Requests
		for _, l := range m.Latencies() {
			out = append(out, usage.Requests{Op: l.Op, Count: l.Count, Retries: l.Retries, P50: l.P50, P99: l.P99, Max: l.Max})
		}
		return out
	}
}

// awaited tells the recorder of every call of a store, from before its first attempt to after its last.
func (a *app) awaited(st storage.Store) storage.Store {
	if st == nil {
		return nil
	}
	return &awaited{inner: st, usage: a.usage}
}

type awaited struct {
	inner storage.Store
	usage *usage.Recorder
}

var _ storage.Store = (*awaited)(nil)

// Put implements storage.Store.
func (w *awaited) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	w.usage.Calling(1)
	defer w.usage.Calling(-1)
	return w.inner.Put(ctx, name, body, size, o)
}

// Get implements storage.Store.
func (w *awaited) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	w.usage.Calling(1)
	defer w.usage.Calling(-1)
	return w.inner.Get(ctx, name, off, n, dst)
}

// Stat implements storage.Store.
func (w *awaited) Stat(ctx context.Context, name string) (storage.Info, error) {
	w.usage.Calling(1)
	defer w.usage.Calling(-1)
	return w.inner.Stat(ctx, name)
}

// List implements storage.Store. The body of the loop is not waited for.
func (w *awaited) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		w.usage.Calling(1)
		defer w.usage.Calling(-1)
		for info, err := range w.inner.List(ctx, prefix, after) {
			w.usage.Calling(-1)
			more := yield(info, err)
			w.usage.Calling(1)
			if !more {
				return
			}
		}
	}
}

// Delete implements storage.Store.
func (w *awaited) Delete(ctx context.Context, names ...string) error {
	w.usage.Calling(1)
	defer w.usage.Calling(-1)
	return w.inner.Delete(ctx, names...)
}

// noteUsage says with -v what a run took.
func (a *app) noteUsage(u *verify.Usage) {
	if a.g.verbose > 0 && !a.g.json && u != nil {
		a.notef("%s", usageText(u))
	}
}

// usageText says in one line what held a run up, and what it took.
func usageText(u *verify.Usage) string {
	text := "limit: " + u.Limit
	if l := costliest(u); l != nil {
		text += fmt.Sprintf(" (p99 of %s %s)", plural(l.Count, opTexts[l.Op], opTexts[l.Op]+"s"), latencyText(l.P99))
	}
	share := 0.0
	if u.Wall > 0 && u.Cores > 0 {
		share = min(1, (u.User+u.System)/(u.Wall*float64(u.Cores)))
	}
	text += fmt.Sprintf("; cpu %.0f%% of %s", 100*share, plural(u.Cores, "core", "cores"))
	if u.PeakMemory > 0 {
		text += "; peak memory " + sizeText(u.PeakMemory)
	}
	return text
}

// costliest returns the operation whose requests took the most time together; nil if there were none.
func costliest(u *verify.Usage) *verify.Latency {
	var most *verify.Latency
	for i := range u.Latencies {
		if l := &u.Latencies[i]; most == nil || float64(l.Count)*l.P50 > float64(most.Count)*most.P50 {
			most = l
		}
	}
	return most
}

// latencyText is durationText for what may be shorter than a millisecond.
func latencyText(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return durationText(d)
}

// opTexts are the requests that an operation makes of an object store.
var opTexts = map[string]string{"put": "PUT", "get": "GET", "stat": "HEAD", "list": "LIST", "delete": "DELETE"}
