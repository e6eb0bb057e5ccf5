package health_test

import (
	"strings"
	"testing"
	"time"

	"savepoint/internal/usage"
	"savepoint/repo/record"
	"savepoint/verify/health"
)

// TestUsage exports what the last backup took. Of requests that a report tells twice, or of operations that there are not, one series or
// none is made: two that are one would cost the whole file.
func TestUsage(t *testing.T) {
	w := newWorld(t)
	report := func(u *usage.Usage) {
		w.wait(time.Minute)
		snap := w.backup("world", "a", nil)
		w.put("world", "a", &record.Report{Kind: record.BackupReport, Ran: [2]int64{snap.Window[0], snap.Stored.UnixNano()}, Manifest: snap.Name,
			Published: snap.Stored.UnixNano(), Usage: u})
	}
	report(&usage.Usage{User: time.Hour, PeakMemory: 1 << 40})
	report(&usage.Usage{User: 1500 * time.Millisecond, System: 250 * time.Millisecond, PeakMemory: 189 << 20, Requests: []usage.Requests{
		{Op: "put", Count: 3, P50: time.Second, P99: 2 * time.Second, Max: 3 * time.Second}, {Op: "put", P50: time.Hour}, {Op: "shred", P50: time.Hour}}})
	text := w.scrape(health.Options{})
	got := samples(t, text)
	const source = `class="state",dataset="world",host="a"`
	for name, want := range map[string]float64{
		"savepoint_backup_last_cpu_seconds{" + source + `,mode="user"}`:                          1.5,
		"savepoint_backup_last_cpu_seconds{" + source + `,mode="system"}`:                        0.25,
		"savepoint_backup_last_peak_memory_bytes{" + source + "}":                                189 << 20,
		`savepoint_backup_last_storage_request_seconds{` + source + `,op="put",statistic="p50"}`: 1,
		`savepoint_backup_last_storage_request_seconds{` + source + `,op="put",statistic="p99"}`: 2,
		`savepoint_backup_last_storage_request_seconds{` + source + `,op="put",statistic="max"}`: 3,
	} {
		if v, there := got[name]; v != want || !there {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
	if n := strings.Count(text, "\nsavepoint_backup_last_storage_request_seconds{"); n != 3 {
		t.Errorf("%d series of requests", n)
	}
	report(nil)
	if text = w.scrape(health.Options{}); strings.Contains(text, "\nsavepoint_backup_last_cpu_seconds") {
		t.Error("what a backup before the last one took is exported as the last one's")
	}
}
