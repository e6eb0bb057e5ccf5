package main

import (
	"net/http"
	"path/filepath"
	"testing"

	"savepoint/internal/miniotest"
)

// busy are the answers of a server that works in principle.
var busy = []struct {
	code   string
	status int
}{
	{"InternalError", http.StatusInternalServerError},
	{"SlowDown", http.StatusServiceUnavailable},
	{"TooManyRequests", http.StatusTooManyRequests},
	{"ServiceUnavailable", http.StatusServiceUnavailable},
	{"RequestTimeout", http.StatusBadRequest},
}

// testBusy has every third request answered with an error that passes: all commands get through, without a word, and
// count what they had to repeat.
func testBusy(t *testing.T) {
	server := miniotest.MinIO(t)
	parts := map[string]func(*testing.T){}
	for _, e := range busy {
		parts[e.code] = func(t *testing.T) {
			x := bareTrial(t, server, 300_000)
			disturb := func() (hits func() int64) {
				x.heal()
				n, third := every(3, nil)
				x.inject(third, 0, miniotest.Status(e.status, e.code))
				return n.Load
			}
			hits := disturb()
			x.initRepo()
			if hits() < 3 {
				t.Fatalf("init: %d faults", hits())
			}
			hits = disturb()
			p := x.startBackup()
			doc := x.backedUp(p)
			if n := hits(); n < 3 || doc.Storage.Retries != uint64(n) || doc.Storage.Failed < uint64(n) || p.err.String() != "" {
				t.Errorf("backup: %d faults, %d requests failed, %d were repeated; it says %q", n, doc.Storage.Failed, doc.Storage.Retries, p.err)
			}
			hits = disturb()
			got, n := x.restores(doc.Snapshot.ID).Storage, uint64(hits()) // its lease ends after the document: perhaps one more
			if n < 3 || got.Retries > n || got.Retries+1 < n {
				t.Errorf("restore: %d faults, %d requests were repeated", n, got.Retries)
			}
			disturb()
			if n := x.snapshots(); n != 1 {
				t.Errorf("%d snapshots are listed", n)
			}
			x.audit(1)
		}
	}
	together(t, parts)
}

// TestNetworkBusyForGood has every request answered so: commands end after --retry-for, and say with what.
func TestNetworkBusyForGood(t *testing.T) {
	networked(t)
	server := miniotest.MinIO(t)
	parts := map[string]func(*testing.T){}
	for _, e := range busy[:2] {
		parts[e.code] = func(t *testing.T) {
			x := newTrial(t, server, 300_000)
			x.backup()
			x.change()
			key, target := filepath.Join(x.dir, "second"), filepath.Join(t.TempDir(), "target")
			always := func(match func(*http.Request) bool) {
				x.heal()
				x.inject(match, 0, miniotest.Status(e.status, e.code))
			}
			for _, args := range [][]string{
				{"init", "--repo", x.proxy.URL(x.bucket, "second"), "--no-password", "--machine-key", key},
				{"backup", "src"},
				{"restore", "--target", target},
				{"snapshots"},
			} {
				always(nil)
				x.fails(1, append(args, "--retry-for", "300ms"), e.code, " attempt", "Check that "+x.proxy.Endpoint+" runs")
			}
			absent(t, key, target)
			always(putPack)
			x.fails(1, []string{"backup", "src", "--retry-for", "300ms"}, e.code, "put data/", "No snapshot was made; earlier ones are safe")
			always(miniotest.On(http.MethodGet, "/data/"))
			x.fails(1, []string{"restore", "--target", target, "--retry-for", "300ms"}, e.code, "the target is incomplete", "The repository is unharmed")
			remove(t, target)
			x.audit(1)
			x.backup()
			x.audit(2)
		}
	}
	together(t, parts)
}
