package meter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/limit"
	"savepoint/repo/storage/mem"
	"savepoint/repo/storage/meter"
	"savepoint/repo/storage/retry"
	"savepoint/repo/storage/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(testing.TB) storage.Store { return meter.New(mem.New(nil)) })
}

func put(ctx context.Context, s storage.Store, name, data string, o storage.PutOptions) error {
	return s.Put(ctx, name, strings.NewReader(data), int64(len(data)), o)
}

func list(ctx context.Context, s storage.Store, each func()) error {
	for _, err := range s.List(ctx, "", "") {
		if err != nil {
			return err
		}
		each()
	}
	return nil
}

// scenario does something of everything.
func scenario(t *testing.T, s storage.Store, f *fault.Store) {
	t.Helper()
	ctx := t.Context()
	dead, cancel := context.WithCancel(ctx)
	cancel()
	once := storage.PutOptions{IfAbsent: true}
	check := func(err, want error) {
		t.Helper()
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Fatalf("error is %v, want %v", err, want)
		}
	}
	check(put(ctx, s, "a", "12345", once), nil)
	check(put(ctx, s, "b", "123", once), nil)
	check(put(ctx, s, "b", "1234", once), storage.ErrExists)
	check(put(dead, s, "c", "1", once), context.Canceled)
	check(put(ctx, s, "c", "1", storage.PutOptions{RetainUntil: time.Unix(1e10, 0)}), storage.ErrUnsupported)
	got, err := s.Get(ctx, "a", 1, 3, []byte("kept"))
	check(err, nil)
	if string(got) != "kept234" {
		t.Fatalf("Get = %q", got)
	}
	_, err = s.Get(ctx, "none", 0, -1, nil)
	check(err, storage.ErrNotExist)
	_, err = s.Stat(ctx, "none")
	check(err, storage.ErrNotExist)
	check(list(ctx, s, func() {}), nil)
	for range s.List(ctx, "", "") {
		break
	}
	check(list(dead, s, func() {}), context.Canceled)
	f.Arm(fault.Rule{Temporary: true}, fault.Rule{At: 1, Err: storage.ErrSlowDown, Temporary: true}, fault.Rule{At: 2, Err: storage.ErrDenied},
		fault.Rule{At: 3, N: 1, Temporary: true})
	check(s.Delete(ctx, "a"), fault.ErrInjected)
	check(s.Delete(ctx, "a"), storage.ErrSlowDown)
	check(s.Delete(ctx, "a"), storage.ErrDenied)
	check(list(ctx, s, func() {}), fault.ErrInjected)
	check(s.Delete(ctx, "a", "b"), nil)
}

func TestMetrics(t *testing.T) {
	f := fault.New(mem.New(nil))
	s := meter.New(f)
	scenario(t, s, f)
	s.Retried("get")
	s.Retried("get")
	s.Retried("none")
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(s)
	counts := map[string]int{
		"put ok": 2, "put exists": 1, "put cancelled": 1, "put error": 1,
		"get ok": 1, "get not_found": 1,
		"stat not_found": 1,
		"list ok":        2, "list cancelled": 1, "list temporary": 1,
		"delete ok": 1, "delete temporary": 1, "delete slow_down": 1, "delete denied": 1,
	}
	var want strings.Builder
	want.WriteString("# HELP savepoint_storage_requests_total Requests to the storage by operation and result, each attempt on its own.\n" +
		"# TYPE savepoint_storage_requests_total counter\n")
	for _, op := range []string{"put", "get", "stat", "list", "delete"} {
		for _, result := range []string{"ok", "not_found", "exists", "slow_down", "denied", "temporary", "cancelled", "error"} {
			fmt.Fprintf(&want, "savepoint_storage_requests_total{op=%q,result=%q} %d\n", op, result, counts[op+" "+result])
		}
	}
	want.WriteString(`# HELP savepoint_storage_bytes_total Bytes of object bodies in requests that went well, sent or received.
# TYPE savepoint_storage_bytes_total counter
savepoint_storage_bytes_total{direction="received"} 3
savepoint_storage_bytes_total{direction="sent"} 8
# HELP savepoint_storage_in_flight Requests to the storage that have begun and not ended.
# TYPE savepoint_storage_in_flight gauge
savepoint_storage_in_flight 0
# HELP savepoint_storage_retries_total Requests to the storage that repeat one that failed.
# TYPE savepoint_storage_retries_total counter
savepoint_storage_retries_total{op="delete"} 0
savepoint_storage_retries_total{op="get"} 2
savepoint_storage_retries_total{op="list"} 0
savepoint_storage_retries_total{op="put"} 0
savepoint_storage_retries_total{op="stat"} 0
`)
	names := []string{"savepoint_storage_requests_total", "savepoint_storage_bytes_total", "savepoint_storage_in_flight", "savepoint_storage_retries_total"}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want.String()), names...); err != nil {
		t.Error(err)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

// TestSeries holds that nothing appears with use: every series is there from the beginning.
func TestSeries(t *testing.T) {
	f := fault.New(mem.New(nil))
	s := meter.New(f)
	before := testutil.CollectAndCount(s)
	scenario(t, s, f)
	if after := testutil.CollectAndCount(s); before != after || before != 5*8+2+5+1+5 {
		t.Errorf("%d series, and %d after use", before, after)
	}
}

// TestTwoStores registers two, told apart by a label.
func TestTwoStores(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	for _, repo := range []string{"main", "replica"} {
		prometheus.WrapRegistererWith(prometheus.Labels{"repo": repo}, reg).MustRegister(meter.New(mem.New(nil)))
	}
	if n, err := testutil.GatherAndCount(reg, "savepoint_storage_in_flight"); n != 2 || err != nil {
		t.Errorf("%d series, %v", n, err)
	}
}

func TestTotals(t *testing.T) {
	f := fault.New(mem.New(nil))
	s := meter.New(f)
	scenario(t, s, f)
	s.Retried("put")
	got := s.Totals()
	if got.P50 > got.P99 || got.P99 > got.Max || got.Max <= 0 {
		t.Errorf("durations are %v, %v, %v", got.P50, got.P99, got.Max)
	}
	got.P50, got.P99, got.Max = 0, 0, 0
	want := meter.Totals{Put: 5, Get: 2, Stat: 1, List: 4, Delete: 4, Failed: 6, Retries: 1, Sent: 8, Received: 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	if n := s.SlowDowns(); n != 1 {
		t.Errorf("SlowDowns = %d", n)
	}
	if n := got.Requests(); n != 16 {
		t.Errorf("Requests = %d", n)
	}
}

// TestRetries counts within a retry.Store: attempts are requests.
func TestRetries(t *testing.T) {
	m := meter.New(fault.New(mem.New(nil), fault.Rule{Count: 3, Temporary: true}))
	s := retry.New(m, retry.Options{First: 1, Max: 1, OnRetry: m.Retried})
	if err := put(t.Context(), s, "o", "12345", storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	got := m.Totals()
	if got.Put != 4 || got.Failed != 3 || got.Retries != 3 || got.Sent != 5 {
		t.Errorf("totals are %+v", got)
	}
}

// TestDurations has requests of known lengths, and a loop body that takes its time.
func TestDurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var next time.Duration
		wait := func(ctx context.Context, _ fault.Op, _ string) error {
			select {
			case <-time.After(next):
			case <-ctx.Done():
			}
			return ctx.Err()
		}
		f := fault.New(mem.New(nil), fault.Rule{Count: fault.Forever, Do: fault.Delay, Wait: wait})
		s := meter.New(f)
		for i := range 100 {
			next = time.Duration(i+1) * time.Millisecond
			if err := put(t.Context(), s, fmt.Sprint(i%3), "x", storage.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		near := func(what string, got, want time.Duration) {
			t.Helper()
			if got < want || got > want+want/16 {
				t.Errorf("%s is %v, want %v or up to 1/16 more", what, got, want)
			}
		}
		got := s.Totals()
		near("P50", got.P50, 50*time.Millisecond)
		near("P99", got.P99, 99*time.Millisecond)
		if got.Max != 100*time.Millisecond {
			t.Errorf("Max is %v", got.Max)
		}
		next = 200 * time.Millisecond
		if err := list(t.Context(), s, func() { time.Sleep(time.Hour) }); err != nil {
			t.Fatal(err)
		}
		if got := s.Totals(); got.Max != 200*time.Millisecond {
			t.Errorf("Max after a List is %v", got.Max)
		}
		next = time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Stat(ctx, "0"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if got := s.Totals(); got.Max != 200*time.Millisecond || got.Stat != 1 || got.Failed != 0 {
			t.Errorf("after a cancelled request: %+v", got)
		}
	})
}

func TestInFlight(t *testing.T) {
	gate := fault.NewGate()
	s := meter.New(fault.New(mem.New(nil), fault.Rule{Count: 2, Do: fault.Freeze, Gate: gate}))
	inFlight := func(want int) {
		t.Helper()
		text := fmt.Sprintf("# HELP savepoint_storage_in_flight Requests to the storage that have begun and not ended.\n"+
			"# TYPE savepoint_storage_in_flight gauge\nsavepoint_storage_in_flight %d\n", want)
		if err := testutil.CollectAndCompare(s, strings.NewReader(text), "savepoint_storage_in_flight"); err != nil {
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			if err := put(t.Context(), s, fmt.Sprint(i), "x", storage.PutOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	<-gate.Reached
	<-gate.Reached
	inFlight(2)
	close(gate.Release)
	wg.Wait()
	if err := list(t.Context(), s, func() { inFlight(1) }); err != nil {
		t.Fatal(err)
	}
	inFlight(0)
}

// TestLatencies tells the operations apart.
func TestLatencies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(op fault.Op, took time.Duration) fault.Rule {
			return fault.Rule{Op: op, Count: fault.Forever, Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
				<-time.After(took)
				return nil
			}}
		}
		s := meter.New(fault.New(mem.New(nil), slow(fault.Put, 16*time.Second), slow(fault.Get, time.Second)))
		for i := range 3 {
			if err := put(t.Context(), s, fmt.Sprint(i), "12345", storage.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Get(t.Context(), "0", 0, -1, nil); err != nil {
			t.Fatal(err)
		}
		s.Retried("put")
		s.Retried("delete") // of which there was none
		want := []meter.Latency{
			{Op: "put", Count: 3, Retries: 1, P50: 16 * time.Second, P99: 16 * time.Second, Max: 16 * time.Second},
			{Op: "get", Count: 1, P50: time.Second, P99: time.Second, Max: time.Second},
		}
		if diff := cmp.Diff(want, s.Latencies()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := s.Totals(); got.P50 != 16*time.Second || got.Retries != 2 {
			t.Errorf("totals are %+v", got)
		}
	})
}

// reading is a store that reads the body it is given.
type reading struct{ storage.Store }

func (s reading) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	<-time.After(time.Second)
	if _, err := io.Copy(io.Discard, io.NewSectionReader(body, 0, size)); err != nil {
		return err
	}
	return s.Store.Put(ctx, name, strings.NewReader("-"), 1, o)
}

// TestLimited does not hold the pauses of a limit against the storage.
func TestLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := meter.New(reading{mem.New(nil)})
		began := time.Now()
		if err := put(t.Context(), limit.New(s, limit.Options{Upload: 10}), "o", strings.Repeat("x", 100), storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 10*time.Second {
			t.Errorf("the limit held nothing back: %v", took)
		}
		if got := s.Totals().Max; got != time.Second {
			t.Errorf("the storage took %v", got)
		}
	})
}
