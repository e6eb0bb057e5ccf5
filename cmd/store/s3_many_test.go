package main

import (
	"fmt"
	"path/filepath"
	"testing"

	"savepoint/internal/miniotest"
)

// TestTenAtOnce runs ten backups at a time, of ten hosts with caches of their own, into one repository. Each finds what a
// finished snapshot of another host has stored.
func TestTenAtOnce(t *testing.T) {
	const hosts, shared, own = 10, 4_000_000, 200_000
	server := miniotest.MinIO(t)
	h := newHost(t, server, server.URL(server.Bucket(t), "repo"))
	h.initRepo()
	h.file("base/shared", 1, shared)
	h.run("backup", "base", "--host", "first").want(0)

	var running []*process
	for i := range hosts {
		src := fmt.Sprintf("src-%d", i)
		h.file(src+"/shared", 1, shared)
		h.file(src+"/own", uint64(100+i), own)
		running = append(running, h.start("backup", filepath.Join(h.dir, src), "--dataset", "world", "--host", fmt.Sprintf("world-%d", i),
			"--cache-dir", filepath.Join(h.dir, fmt.Sprintf("cache-%d", i)), "--json"))
	}
	for i, p := range running {
		doc := p.backedUp()
		if n := doc.Stats.NewBytes; n < own || n > own+shared/10 {
			t.Errorf("host %d stored %d new bytes, want its own %d: nothing is found of what is there", i, n, own)
		}
		if doc.Snapshot.Completeness != "complete" || doc.Snapshot.Late {
			t.Errorf("host %d: snapshot %+v", i, doc.Snapshot)
		}
		h.restored(doc.Snapshot.ID, fmt.Sprintf("src-%d", i))
	}
	if n := h.snapshots(); n != hosts+1 {
		t.Errorf("%d snapshots, want %d", n, hosts+1)
	}
}

// TestOneHostTwoRuns has two sources of one host share a cache at the same time, and a second run of one source end at once.
func TestOneHostTwoRuns(t *testing.T) {
	_, proxy, h := behindProxy(t)
	h.file("a/file", 1, 2_000_000)
	h.file("b/file", 2, 2_000_000)

	first, release := h.startHeld(proxy, putPack, 0, "backup", "a", "--json")
	h.run("backup", "a").want(exitHeld, "held by another process: a backup of", "Let it finish")
	second := h.run("backup", "b", "--json").backedUp() // while the first one runs
	release()
	doc := first.backedUp()
	h.restored(doc.Snapshot.ID, "a")
	h.restored(second.Snapshot.ID, "b")

	// Both again, beside each other, with what the cache knows now.
	h.file("a/new", 3, 100_000)
	h.file("b/new", 4, 100_000)
	one, two := h.start("backup", "a", "--json"), h.start("backup", "b", "--json")
	for _, p := range []*process{one, two} {
		if doc := p.backedUp(); doc.Stats.NewBytes > 200_000 {
			t.Errorf("%v stored %d new bytes, want 100,000", p.args, doc.Stats.NewBytes)
		}
	}
}
