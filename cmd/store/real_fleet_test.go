package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/internal/miniotest"
	"savepoint/verify/health"
)

const (
	fleetSize = 40
	fleetRPO  = 2 * time.Hour
	fleetText = `repository: %s
timezone: UTC
datasets:
  world:
    class: state
    hosts: [%s]
    paths: [%s]
    schedule: "0 */2 * * *"
    objectives: {rpo: 2h, rto: 4h}
`
)

// fleet is many hosts that have the same dataset, each with a cache of its own.
type fleet struct {
	*host
	names []string
	prom  string
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	server := miniotest.MinIO(t)
	url := server.URL(server.Bucket(t), "repo")
	x := &fleet{host: newHost(t, server, url)}
	x.prom = filepath.Join(x.dir, "savepoint.prom")
	for i := range fleetSize {
		x.names = append(x.names, fmt.Sprintf("world-%02d", i+1))
	}
	config := filepath.Join(x.dir, "store.yaml")
	text := fmt.Sprintf(fleetText, url, strings.Join(x.names, ", "), filepath.Join(x.dir, "world"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	x.env = append(x.env, "STORE_CONFIG="+config, "TZ=UTC")
	x.initRepo()
	return x
}

// backup backs up all hosts but one, four at a time, whose data is the same.
func (x *fleet) backup(round int, but string) {
	x.t.Helper()
	names := slices.DeleteFunc(slices.Clone(x.names), func(name string) bool { return name == but })
	for i, four := range slices.Collect(slices.Chunk(names, 4)) {
		x.file("world/level", uint64(fleetSize*round+i), 2000)
		var running []*process
		for _, name := range four {
			running = append(running, x.as(name).start("backup", "--dataset", "world", "--host", name, "-q"))
		}
		for _, p := range running {
			p.want(0)
		}
	}
}

// as is the machine with a name.
func (x *fleet) as(name string) *host {
	h := *x.host
	h.env = append(slices.Clone(x.env), "XDG_CACHE_HOME="+filepath.Join(x.dir, "cache-"+name))
	return &h
}

// TestSilentHost holds that of forty hosts the one is named that is not backed up any more.
func TestSilentHost(t *testing.T) {
	if testing.Short() {
		t.Skip("backs up forty hosts, three times")
	}
	x := newFleet(t)
	const silent = "world-23"
	x.backup(0, "")
	x.backup(1, silent)
	x.backup(2, silent)

	var status health.Status
	x.read(&status)
	if len(status.Sources) != fleetSize {
		t.Fatalf("health knows %d sources, want %d", len(status.Sources), fleetSize)
	}
	var since, next time.Time // the newest recovery point of the silent host, and the oldest of the others
	for _, s := range status.Sources {
		switch at := s.RecoveryPoint.WindowStart; {
		case s.Host == silent:
			since = at
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	gap := next.Sub(since)
	if gap < 2*time.Second {
		t.Fatalf("the hosts that went on are only %s ahead of the silent one", gap)
	}
	// The moment at which its exposure is above the objective, and that of nobody else yet.
	h := *x.host
	h.env = clockAt(x.env, since.Add(fleetRPO+gap/2))
	late := &fleet{host: &h, names: x.names, prom: x.prom}
	late.namesOnly(silent)
	late.metricsNameOnly(silent)
}

func (x *fleet) read(s *health.Status) {
	x.t.Helper()
	y := site{host: x.host}
	y.json(s, 0, "health", "--json")
}

// namesOnly holds that health tells of one host, in each of its forms, as what is above the objective.
func (x *fleet) namesOnly(silent string) {
	x.t.Helper()
	var status health.Status
	x.read(&status)
	var exposed []string
	for _, w := range status.Warnings {
		if w.State == health.Exposed {
			exposed = append(exposed, w.Dataset+"@"+w.Host)
		}
	}
	if want := []string{"world@" + silent}; !slices.Equal(exposed, want) {
		x.t.Errorf("health names %q, want %q", exposed, want)
	}
	if first := status.Sources[0]; first.Host != silent || first.State != health.Exposed {
		x.t.Errorf("the first source is %s, which is %q", first.Name(), first.State)
	}
	text := x.run("health").want(0).out.String()
	saysOf(x.t, "health", text, "world@"+silent, "where its RPO is 2h")
	if n := strings.Count(text, "where its RPO is"); n != 1 {
		x.t.Errorf("health tells of %d sources that they are above their objective", n)
	}
	check := x.run("health", "--format", "nagios").want(nagiosCritical).out.String()
	line, rest, _ := strings.Cut(check, "\n")
	if !strings.HasPrefix(line, "SAVEPOINT CRITICAL - ") || !strings.Contains(line, "world@"+silent+" would lose") {
		x.t.Errorf("the line that goes into messages does not name the host: %s", line)
	}
	if n := strings.Count(rest, "\ncritical: ") + strings.Count(rest[:min(10, len(rest))], "critical: "); n != 1 {
		x.t.Errorf("%d critical lines:\n%s", n, rest)
	}
}

// metricsNameOnly holds that RPOExceeded of docs/operations.md would fire for one host, from the file of the place that sees all, and from the one
// that each host writes of itself.
func (x *fleet) metricsNameOnly(silent string) {
	x.t.Helper()
	ruleText(x.t, "RPOExceeded", "savepoint_objective_rpo_seconds")
	y := site{host: x.host, prom: x.prom}
	x.run("health", "--all-hosts", "--textfile", x.prom).want(0)
	m := y.readMetrics()
	if n := m.value(x.t, "savepoint_exported_sources"); n != fleetSize {
		x.t.Errorf("%v sources are exported, want %d", n, fleetSize)
	}
	at := m.value(x.t, "savepoint_metrics_written_timestamp_seconds")
	over := func(m metrics, name string) bool {
		y.name = name
		point, rpo := y.of(m, "savepoint_recovery_point_timestamp_seconds", "world", "trust=committed"), y.of(m, "savepoint_objective_rpo_seconds", "world")
		if point == 0 || rpo != fleetRPO.Seconds() {
			x.t.Errorf("%s: recovery point %v, objective %v", name, point, rpo)
		}
		return at-point > rpo
	}
	for _, name := range x.names {
		if got := over(m, name); got != (name == silent) {
			x.t.Errorf("RPOExceeded of %s: %t", name, got)
		}
	}
	own := parseMetrics(x.t, x.run("health", "--format", "prometheus", "--host", silent).want(0).out.Bytes())
	if n := own.value(x.t, "savepoint_exported_sources"); n != 1 || !over(own, silent) {
		x.t.Errorf("its own file has %v sources, or does not say so", n)
	}
}
