package main

import (
	"path/filepath"
	"testing"
	"time"

	"savepoint/internal/miniotest"
)

// stuck are the ways in which a server can be there and give no sign of life.
var stuck = []struct {
	name string
	harm func(*testing.T, *trial, *miniotest.Toxic)
	heal func(*testing.T, *trial, *miniotest.Toxic)
	says string // once the connection is given up
}{
	{"frozen", func(t *testing.T, x *trial, _ *miniotest.Toxic) { x.server.Pause(t) }, func(t *testing.T, x *trial, _ *miniotest.Toxic) { x.server.Resume(t) },
		"no byte has moved for 1s"},
	{"half-open", func(t *testing.T, _ *trial, c *miniotest.Toxic) { c.HalfOpen(t) }, func(t *testing.T, _ *trial, c *miniotest.Toxic) { c.Heal(t) },
		"no byte has moved for 1s"},
	{"away", func(t *testing.T, _ *trial, c *miniotest.Toxic) { c.Down(t) }, func(t *testing.T, _ *trial, c *miniotest.Toxic) { c.Up(t) },
		"refused"},
}

// newStuckTrial makes a repository that is reached through a toxic, and a snapshot in it.
func newStuckTrial(t *testing.T, bulk int) (*trial, *miniotest.Toxic) {
	t.Helper()
	x := newTrial(t, miniotest.MinIO(t), bulk)
	x.backup()
	x.change()
	toxic := (&miniotest.Server{Endpoint: x.proxy.Endpoint}).Toxi(t) // the proxy passes on what is signed for another
	x.through(toxic.URL(x.bucket, "repo"))
	return x, toxic
}

// TestNetworkWaits runs at the same time what waits for the most part.
func TestNetworkWaits(t *testing.T) {
	networked(t)
	together(t, map[string]func(*testing.T){"busy": testBusy, "stuck": testStuck, "interrupted": testInterrupted, "slow": testSlow})
}

// testStuck has the server give no sign of life from the start, and in the middle of a backup and of a restore: they
// end when the connection has been idle and --retry-for is over, and say so. When it comes back in time they go on.
func testStuck(t *testing.T) {
	tests := map[string]func(*testing.T){}
	for _, s := range stuck[:2] {
		tests[s.name] = func(t *testing.T) {
			x, toxic := newStuckTrial(t, 5_000_000)
			x.impatient()
			const within = 10 * time.Second // idle, --retry-for, and idle once more; and what the program does
			target := filepath.Join(t.TempDir(), "target")

			s.harm(t, x, toxic)
			for _, args := range [][]string{{"backup", "src"}, {"restore", "--target", target}, {"snapshots"}} {
				began := time.Now()
				x.fails(1, append(args, "--retry-for", "1s"), "open s3://", s.says, "Check that "+toxic.Endpoint+" runs")
				lasts(t, began, within)
			}
			absent(t, target)
			s.heal(t, x, toxic)

			meanwhile := func(p *process, release func()) {
				s.harm(t, x, toxic)
				release()
				began := time.Now()
				p.want(1, s.says, "Check that "+toxic.Endpoint+" runs")
				lasts(t, began, within)
				t.Logf("%v: %s", p.args, p.err)
				s.heal(t, x, toxic)
			}
			p, release := x.startHeld(x.proxy, putPack, 0, "backup", "src", "--retry-for", "1s")
			meanwhile(p, release)
			p, release = x.startHeld(x.proxy, getPack, 0, "restore", "--target", target, "--no-cache", "--retry-for", "1s")
			meanwhile(p, release)
			x.nothingWrong(target)

			// For a while.
			p, release = x.startHeld(x.proxy, putPack, 0, "backup", "src", "--json", "-v")
			s.harm(t, x, toxic)
			release()
			p.says(s.says)
			s.heal(t, x, toxic)
			doc := x.backedUp(p)
			if doc.Storage.Retries == 0 {
				t.Errorf("nothing was repeated: %+v", doc.Storage)
			}
			x.audit(2)
		}
	}
	together(t, tests)
}

// testInterrupted sends a signal to a backup and to a restore while the server gives no sign of life.
func testInterrupted(t *testing.T) {
	tests := map[string]func(*testing.T){}
	for _, s := range stuck {
		tests[s.name] = func(t *testing.T) {
			x, toxic := newStuckTrial(t, 5_000_000)
			target := filepath.Join(t.TempDir(), "target")
			p, release := x.startHeld(x.proxy, putPack, 0, "backup", "src")
			s.harm(t, x, toxic)
			release()
			p.interrupted(2*quiet + 2*time.Second)
			t.Logf("backup: %s", p.err)
			s.heal(t, x, toxic)
			p, release = x.startHeld(x.proxy, getPack, 0, "restore", "--target", target, "--no-cache")
			s.harm(t, x, toxic)
			release()
			p.interrupted(2*quiet + 2*time.Second)
			p.want(exitInterrupted, "is incomplete: remove it and run the command again", "The repository is unharmed")
			t.Logf("restore: %s", p.err)
			s.heal(t, x, toxic)
			x.audit(1)
			x.backup()
			x.audit(2)
		}
	}
	together(t, tests)
}

// testSlow has a line with a delay of 200 ms and 1 MB a second: it is slow, and nothing else.
func testSlow(t *testing.T) {
	x, toxic := newStuckTrial(t, 500_000)
	x.impatient()
	toxic.Latency(t, 200*time.Millisecond, 20*time.Millisecond)
	toxic.Bandwidth(t, 1000)
	began := time.Now()
	p := x.startBackup()
	doc := x.backedUp(p)
	if doc.Storage.Failed > 0 || p.err.String() != "" {
		t.Errorf("%d requests failed; it says %q", doc.Storage.Failed, p.err)
	}
	t.Logf("a backup of %d new bytes takes %v, %+v", doc.Stats.NewBytes, time.Since(began), doc.Storage)
	began = time.Now()
	if got := x.restores(doc.Snapshot.ID).Storage; got.Failed > 0 {
		t.Errorf("%d requests of the restore failed", got.Failed)
	}
	t.Logf("a restore takes %v", time.Since(began))
	lasts(t, began, 30*time.Second)
	if n := x.snapshots(); n != 2 {
		t.Errorf("%d snapshots", n)
	}
	toxic.Heal(t)
	x.audit(2)
}
