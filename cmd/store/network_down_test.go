package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"savepoint/internal/miniotest"
)

// TestNetworkDown has the server away from the start: every command ends with 1 when --retry-for is over, names the endpoint, and
// leaves nothing behind.
func TestNetworkDown(t *testing.T) {
	networked(t)
	server := miniotest.MinIO(t)
	x := newTrial(t, server, 100_000)
	x.backup()
	toxic := server.Toxi(t)
	toxic.Down(t)
	x.through(toxic.URL(x.bucket, "repo"))
	key, target := filepath.Join(x.dir, "second"), filepath.Join(t.TempDir(), "target")
	tests := map[string]func(*testing.T){}
	for _, args := range [][]string{
		{"init", "--no-password", "--machine-key", key}, {"backup", "src"}, {"backup", "src", "--json"}, {"restore", "--target", target},
		{"snapshots"}, {"ls"}, {"key", "list"},
	} {
		tests[strings.Join(args[:min(2, len(args))], " ")] = func(t *testing.T) {
			y := &trial{host: &host{t: t, dir: x.dir, env: x.env}}
			began := time.Now()
			y.fails(1, append(args, "--retry-for", "1s"), "open s3://", toxic.Endpoint, " attempts in 1s", "refused", "Check that "+toxic.Endpoint+" runs", "--retry-for")
			lasts(t, began, 4*time.Second)
			began = time.Now()
			y.fails(1, append(args, "--retry-for", "0"), "refused", "Check that "+toxic.Endpoint+" runs")
			lasts(t, began, 3*time.Second)
		}
	}
	together(t, tests)
	absent(t, key, target)
	toxic.Up(t)
	x.backup()
	x.audit(2)
}

// TestNetworkDownMeanwhile stops the server in the middle of a backup and of a restore, for good and for a while. What was stored
// and named by a segment is not sent again.
func TestNetworkDownMeanwhile(t *testing.T) {
	networked(t)
	const bulk, pack = 80_000_000, 30_000_000
	server := miniotest.MinIO(t)
	x := newTrial(t, server, 300_000)
	x.backup()
	x.bulk = bulk
	x.change()

	p, release := x.startHeld(x.proxy, putPack, 1, "backup", "src", "--retry-for", "1s")
	server.Stop(t)
	release()
	began := time.Now()
	p.want(1, " attempts in ", "No snapshot was made; earlier ones are safe", "the same command goes on from there", "Check that "+x.proxy.Endpoint+" runs")
	t.Logf("%s", p.err)
	lasts(t, began, 12*time.Second)
	server.Start(t)

	// The same, but that segments come through: what they name is not sent again.
	x.proxy.Inject(miniotest.Fault{Match: putPack, Skip: 1, Do: miniotest.Refuse()})
	x.fails(1, []string{"backup", "src", "--retry-for", "1s"}, "No snapshot was made; earlier ones are safe")
	x.heal()
	before := x.sent.Load()
	doc := x.backup()
	if sent := x.sent.Load() - before; sent > bulk-pack {
		t.Errorf("the next run sends %d bytes of %d", sent, bulk)
	}

	// A restore, for good.
	target := filepath.Join(t.TempDir(), "target")
	p, release = x.startHeld(x.proxy, getPack, 2, "restore", "--target", target, "--no-cache", "--retry-for", "1s")
	server.Stop(t)
	release()
	p.want(1, " attempts in ", "the target is incomplete", "The repository is unharmed", "Check that "+x.proxy.Endpoint+" runs")
	t.Logf("%s", p.err)
	x.nothingWrong(target)
	remove(t, target)
	server.Start(t)

	// For a while.
	p, release = x.startHeld(x.proxy, getPack, 2, "restore", "--target", target, "--no-cache", "-v")
	server.Stop(t)
	release()
	p.says("the storage fails, the request is repeated")
	server.Start(t)
	p.want(0, "the storage answers again")
	x.same(x.taken[doc.Snapshot.ID], target)
	x.audit(2)
}
