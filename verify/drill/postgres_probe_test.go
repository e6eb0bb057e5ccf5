package drill_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/storage/mem"
	"savepoint/verify"
	"savepoint/verify/drill"
	"savepoint/verify/probe"
)

// TestPostgreSQLProbe backs up a cluster while its server runs, and drills it with the built-in probe: its recovery has to be waited for.
func TestPostgreSQLProbe(t *testing.T) {
	pg := findPostgres(t)
	source := filepath.Join(pg.folder(t), "data")
	answer := pg.fill(t, source)
	sum := strings.Split(answer, "|")[1]
	st := mem.New(nil)
	r, err := repo.Init(t.Context(), st, []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "test", Passphrase: password, WorkFactor: 4}}, repo.Options{Host: "db-1"})
	if err != nil {
		t.Fatal(err)
	}
	back := func(dataset string) {
		t.Helper()
		if _, err := backup.Run(t.Context(), r, backup.Options{Dataset: dataset, Host: "db-1", Paths: []string{source}}); err != nil {
			t.Fatal(err)
		}
	}
	pg.during(t, source, func(socket string) error {
		_, err := pg.query(t, source, socket, "CREATE TABLE heartbeat AS SELECT now() AS at; UPDATE accounts SET balance = balance WHERE id < 100")
		back("ledger")
		return err
	})
	outside := filepath.Join(pg.folder(t), "space")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(source, "pg_tblspc", "16999")); err != nil {
		t.Fatal(err)
	}
	back("elsewhere")
	if err := os.WriteFile(filepath.Join(source, "global", "pg_control"), make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(source, "pg_tblspc", "16999")); err != nil {
		t.Fatal(err)
	}
	back("broken")

	for _, tt := range []struct {
		name, dataset string
		args          []string
		isolation     probe.Isolation
		verdict       verify.Verdict
		says          string
	}{
		{"as it should be", "ledger", []string{"--sql", "SELECT count(*) FROM accounts", "--expect", "20000", "--sql", "SELECT sum(balance) FROM accounts", "--expect", sum,
			"--canary", "SELECT max(at) FROM heartbeat", "--max-age", "1h", "--set", "shared_buffers=1MB"}, probe.Full, verify.Pass, ""},
		{"not isolated", "ledger", []string{"--data", "{target}"}, probe.None, verify.Pass, ""},
		{"within the tolerance", "ledger", []string{"--sql", "SELECT count(*) FROM accounts", "--expect", "20100", "--tolerance", "1%"}, probe.Full, verify.Pass, ""},
		{"an invariant violated", "ledger", []string{"--sql", "SELECT count(*) FROM accounts", "--expect", "20100", "--tolerance", "10"}, probe.Full, verify.Damage,
			`SELECT count(*) FROM accounts answers "20000", 20100, give or take 10 is wanted`},
		{"a table that is not there", "ledger", []string{"--sql", "SELECT 1 FROM gold", "--expect", "1"}, probe.Full, verify.Damage, `relation "gold" does not exist`},
		{"a tablespace elsewhere", "elsewhere", nil, probe.Full, verify.Damage, "pg_tblspc/16999 of the cluster is a link to " + outside + ", which is not in the snapshot"},
		{"does not start", "broken", nil, probe.Full, verify.Damage, "did not start"},
		{"no such folder", "ledger", []string{"--data", "none"}, probe.Full, verify.Damage, "no cluster of PostgreSQL"},
		{"a folder outside", "ledger", []string{"--data", "../x"}, probe.Full, verify.CouldNotRun, "not in the restored folder"},
		{"no programs", "ledger", []string{"--bin", "/nonexistent"}, probe.Full, verify.CouldNotRun, "needs the programs of PostgreSQL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			needIsolation(t, tt.isolation)
			d, err := drill.Run(t.Context(), drill.WithDisk(drill.Options{
				Open: func(ctx context.Context, cache string) (drill.Opened, error) {
					r, err := repo.Open(ctx, st, repo.Secret{Passphrase: password}, repo.Options{Cache: cache, Host: "spare"})
					return drill.Opened{Repo: r}, err
				},
				Select: func(snaps []*repo.Snapshot) (repo.Choice, error) {
					return repo.Select(snaps, repo.Query{Dataset: tt.dataset})
				},
				Scratch: drill.Scratch{Base: filepath.Join(t.TempDir(), "drill"), Make: true}, Run: "run",
				Probe: &probe.Spec{Argv: append([]string{"postgres"}, tt.args...), Isolation: tt.isolation},
			}, nil))
			if d == nil {
				t.Fatal(err)
			}
			if d.Verdict != tt.verdict || !strings.Contains(strings.Join(d.Reasons, " "), tt.says) {
				t.Fatalf("%s, want %s: %q\n%s", d.Verdict, tt.verdict, d.Reasons, d.Probe.Output)
			}
			if tt.verdict != verify.Pass {
				return
			}
			p := d.RTO.Phases
			if d.Probe.Checked < 2 || len(p) != 8 || p[6].Seconds <= 0 || p[7].Seconds <= 0 || d.Probe.Left > 0 {
				t.Errorf("%+v, %+v", p, d.Probe)
			}
			if tt.name == "as it should be" && (d.Probe.CanaryAge == nil || *d.Probe.CanaryAge <= 0 || *d.Probe.CanaryAge > 3600) {
				t.Errorf("canary %v", d.Probe.CanaryAge)
			}
			t.Logf("start %.0f ms, validate %.0f ms", p[6].Seconds*1000, p[7].Seconds*1000)
		})
	}
}

// TestPostgreSQLProbeEnded ends a drill while its probe asks a server that no namespace holds: nothing of it is left, its shared memory neither.
func TestPostgreSQLProbeEnded(t *testing.T) {
	pg := findPostgres(t)
	source := filepath.Join(pg.folder(t), "data")
	pg.fill(t, source)
	st := mem.New(nil)
	r, err := repo.Init(t.Context(), st, []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "test", Passphrase: password, WorkFactor: 4}}, repo.Options{Host: "db-1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Run(t.Context(), r, backup.Options{Dataset: "ledger", Host: "db-1", Paths: []string{source}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	base := filepath.Join(t.TempDir(), "drill")
	segment := make(chan string, 1)
	probing := func() {
		go func() {
			segment <- memoryOf(t.Context(), filepath.Join(base, "run", "restored", "postmaster.pid"))
			cancel(stop)
		}()
	}
	d, err := drill.Run(ctx, drill.WithDisk(drill.Options{
		Open: func(ctx context.Context, cache string) (drill.Opened, error) {
			r, err := repo.Open(ctx, st, repo.Secret{Passphrase: password}, repo.Options{Cache: cache, Host: "spare"})
			return drill.Opened{Repo: r}, err
		},
		Select:  func(snaps []*repo.Snapshot) (repo.Choice, error) { return repo.Select(snaps, repo.Query{}) },
		Scratch: drill.Scratch{Base: base, Make: true}, Run: "run", Events: drill.Events{Probing: probing},
		Probe: &probe.Spec{Argv: []string{"postgres", "--sql", "SELECT pg_sleep(600)", "--expect", "1"}, Isolation: probe.None},
	}, nil))
	if d != nil || !errors.Is(err, stop) {
		t.Fatalf("%v, %+v", err, d)
	}
	id := <-segment
	b, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == id {
			t.Errorf("shared memory is left: %s", line)
		}
	}
	if left, err := os.ReadDir(base); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// memoryOf waits until a server is ready and returns the number of its shared memory.
func memoryOf(ctx context.Context, pidFile string) string {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		b, _ := os.ReadFile(pidFile) // it is not there yet
		if lines := strings.Split(string(b), "\n"); len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready" {
			if f := strings.Fields(lines[6]); len(f) == 2 {
				return f[1]
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ""
		}
	}
}
