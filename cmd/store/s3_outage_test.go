package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"savepoint/internal/miniotest"
)

// TestOutage stops the server in the middle of a backup. A short outage is waited for and told of; a long one fails, and the
// next run goes on from what was stored; a signal in an outage ends at once.
func TestOutage(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for messages that come after seconds, and stores 200 MB")
	}
	server, proxy, h := behindProxy(t)
	h.file("src/large", 1, 80_000_000)

	// Ten seconds or so. The word comes after a few of them, once.
	p, release := h.startHeld(proxy, putPack, 1, "backup", "src", "--json")
	server.Stop(t)
	release()
	p.says("requests to " + proxy.Endpoint + " fail; they are repeated for up to 15m0s each")
	server.Start(t)
	doc := p.backedUp()
	p.want(0, "the storage answers again")
	if n := strings.Count(p.err.String(), "\n"); n != 2 {
		t.Errorf("%d lines of an outage, want 2:\n%s", n, p.err)
	}
	if doc.Storage.Retries == 0 || doc.Storage.Failed == 0 {
		t.Errorf("no request failed and was repeated, by the document: %+v", doc.Storage)
	}
	h.restored(doc.Snapshot.ID, "src")

	// For good.
	h.file("src/large", 2, 80_000_000)
	p, release = h.startHeld(proxy, putPack, 1, "backup", "src", "--retry-for", "2s")
	server.Stop(t)
	release()
	p.want(1, " attempts in ", "No snapshot was made; earlier ones are safe", "the same command goes on from there",
		"Check that "+proxy.Endpoint+" runs", "--retry-for")
	began := time.Now()
	h.run("snapshots", "--retry-for", "1s").want(1, "open s3://", "attempts in 1s", "Check that "+proxy.Endpoint+" runs")
	h.run("snapshots", "--retry-for", "0").want(1, "open s3://", "Check that "+proxy.Endpoint+" runs")
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("to give up after a second took %v", d)
	}

	// A signal, when nothing is open yet.
	p = h.start("backup", "src", "-v")
	p.says("the storage fails, the request is repeated")
	p.interrupted(5 * time.Second)

	server.Start(t)
	if n := h.snapshots(); n != 1 {
		t.Fatalf("%d snapshots after runs that failed, want 1", n)
	}
	again := h.run("backup", "src", "--json").backedUp()
	h.restored(again.Snapshot.ID, "src")

	// A signal, in the middle.
	h.file("src/large", 3, 80_000_000)
	p, release = h.startHeld(proxy, putPack, 1, "backup", "src", "-v")
	server.Stop(t)
	release()
	p.says("the storage fails, the request is repeated")
	p.interrupted(5 * time.Second)
	server.Start(t)
	if n := h.snapshots(); n != 2 {
		t.Fatalf("%d snapshots after the interrupted run, want 2", n)
	}
}

// TestFrozenServer ends a backup by a signal while the server takes connections and answers nothing.
func TestFrozenServer(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for seconds")
	}
	server, proxy, h := behindProxy(t)
	h.file("src/large", 1, 40_000_000)
	p, release := h.startHeld(proxy, putPack, 0, "backup", "src")
	server.Pause(t)
	release()
	p.interrupted(quiet + 5*time.Second)
	server.Resume(t)
	h.run("backup", "src").want(0)
}

// TestPacksFail has a server take one pack and then no more, and all else: the backup fails and says so, and the next run uses
// what was stored.
func TestPacksFail(t *testing.T) {
	if testing.Short() {
		t.Skip("stores 80 MB")
	}
	const size, pack = 80_000_000, 30_000_000
	_, proxy, h := behindProxy(t)
	h.file("src/large", 1, size)
	proxy.Inject(miniotest.Fault{Match: putPack, Skip: 1, Do: miniotest.Status(http.StatusInternalServerError, "InternalError")})
	h.run("backup", "src", "--retry-for", "1s").want(1, "InternalError", "No snapshot was made", "is used by the next run as far as it was indexed")
	if n := h.snapshots(); n != 0 {
		t.Fatalf("%d snapshots after a backup that failed", n)
	}
	proxy.Heal()
	doc := h.run("backup", "src", "--json").backedUp()
	if n := doc.Stats.NewBytes; n == 0 || n > size-pack {
		t.Errorf("the next run stored %d bytes of %d: what was stored before is not used", n, size)
	}
	h.restored(doc.Snapshot.ID, "src")
}

// interrupted sends SIGINT, and wants the process to end within a time.
func (p *process) interrupted(within time.Duration) {
	p.h.t.Helper()
	began := time.Now()
	p.signal(syscall.SIGINT)
	p.want(exitInterrupted, "store: interrupted")
	if d := time.Since(began); d > within {
		p.h.t.Errorf("store %s took %v to end after a signal", strings.Join(p.args, " "), d)
	}
}

// TestOutageAtInit leaves no key behind that opens nothing.
func TestOutageAtInit(t *testing.T) {
	server := miniotest.MinIO(t)
	h := newHost(t, server, server.URL(server.Bucket(t), "repo"))
	server.Stop(t)
	h.run("init", "--no-password", "--machine-key", "key", "--retry-for", "300ms").want(1, "open s3://", server.Endpoint, "after ")
	if _, err := os.Stat(filepath.Join(h.dir, "key")); err == nil {
		t.Error("a key is left that opens nothing")
	}
	server.Start(t)
	h.initRepo()
}

// TestNetworkFaults has requests of all kinds fail in all ways that pass: a backup and a restore get through, without a word.
func TestNetworkFaults(t *testing.T) {
	_, proxy, h := behindProxy(t)
	h.file("src/large", 1, 5_000_000)
	h.file("src/small", 2, 1000)

	put := func(path string) func(*http.Request) bool { return miniotest.On(http.MethodPut, path) }
	get := func(path string) func(*http.Request) bool { return miniotest.On(http.MethodGet, path) }
	hits := 0
	inject := func(match func(*http.Request) bool, times int, do miniotest.Action) {
		hits += times
		proxy.Inject(miniotest.Fault{Match: match, Times: times, Do: do})
	}
	inject(miniotest.OnList, 1, miniotest.Status(http.StatusServiceUnavailable, "SlowDown"))
	inject(get("/config"), 1, miniotest.Status(http.StatusInternalServerError, "InternalError"))
	inject(put("/leases/"), 1, miniotest.LostAnswer()) // it is there, and its repetition is told that it exists
	inject(putPack, 1, miniotest.LostAnswer())
	inject(put("/index/"), 1, miniotest.Status(http.StatusTooManyRequests, "TooManyRequests"))
	inject(put("/snapshots/"), 1, miniotest.LostAnswer())
	inject(put("/reports/"), 1, miniotest.Status(http.StatusGatewayTimeout, ""))
	p := h.run("backup", "src", "--json")
	doc := p.backedUp()
	if p.err.String() != "" {
		t.Errorf("it says %s", p.err)
	}
	if doc.Storage.Retries == 0 || doc.Storage.Failed < uint64(hits)-1 {
		t.Errorf("%d faults, by the document %d requests failed and %d were repeated", hits, doc.Storage.Failed, doc.Storage.Retries)
	}
	if n := h.snapshots(); n != 1 {
		t.Errorf("%d snapshots, want 1", n)
	}

	inject(get("/data/"), 1, miniotest.CutBody(1000))
	inject(get("/data/"), 1, miniotest.ShortBody(100_000))
	inject(get("/snapshots/"), 1, miniotest.Status(http.StatusBadGateway, ""))
	h.restored(doc.Snapshot.ID, "src")
}
