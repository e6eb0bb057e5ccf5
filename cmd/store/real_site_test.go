package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"savepoint/internal/corpus/world"
	"savepoint/internal/miniotest"
	"savepoint/internal/needtest"
	"savepoint/verify"
	"savepoint/verify/health"
)

// site is a small game's backend on one host: a policy with four datasets, and a repository on MinIO.
type site struct {
	*host
	server *miniotest.Server
	bucket string
	name   string // of the host
	game   string // folder of profiles, regions and logs
	ledger *ledger
	prom   string // file of the metrics
}

// datasets are those of the policy, in order.
var datasets = []string{"ledger", "logs", "profiles", "regions"}

const policyText = `repository: %[1]s
timezone: UTC
datasets:
  profiles:
    class: user
    paths: [%[2]s/players]
    schedule: "@monthly"
    objectives: {rpo: 7d, rto: 4h}
    expect: {files: 100}
  regions:
    class: state
    paths: [%[2]s/world]
    schedule: "@hourly"
    objectives: {rpo: 2h, rto: 4h}
    drill: {probe: {files: {match: ["regions/*"], least: 2}}}
  ledger:
    class: transactional
    paths: [%[3]s]
    schedule: "@monthly"
    objectives: {rpo: 7d, rto: 1h}
    drill: {probe: %[4]s}
  logs:
    class: log
    paths: [%[2]s/logs]
    schedule: "@monthly"
    objectives: {rpo: 7d, rto: 12h}
    tolerate: ["torn:%[2]s/logs/*.log"]
`

// newSite makes the sources and the repository.
func newSite(t *testing.T) *site {
	t.Helper()
	needDisk(t)
	if ok, err := condition("mounts"); err != nil || !ok {
		needtest.Without(t, "namespaces", fmt.Sprintf("probes need namespaces: %v", err))
	}
	server := miniotest.MinIO(t)
	bucket := server.Bucket(t)
	x := &site{host: newHost(t, server, server.URL(bucket, "repo")), server: server, bucket: bucket, ledger: newLedger(t)}
	var err error
	if x.name, err = os.Hostname(); err != nil {
		t.Fatal(err)
	}
	x.game, x.prom = filepath.Join(x.dir, "game"), filepath.Join(x.dir, "savepoint.prom")
	if err := world.Make(x.game, 1, 0.15); err != nil {
		t.Fatal(err)
	}
	x.env = append(x.env, "STORE_CONFIG="+x.config(), "TZ=UTC")
	x.run("config", "check").want(0)
	x.initRepo()
	return x
}

// in is the site as a part of the test has it.
func (x *site) in(t *testing.T) *site {
	y, h, l := *x, *x.host, *x.ledger
	y.host, y.ledger, h.t, l.t = &h, &l, t, t
	return &y
}

// config writes the policy, in which texts are replaced by others, and returns its file.
func (x *site) config(oldNew ...string) string {
	x.t.Helper()
	text := fmt.Sprintf(policyText, x.server.URL(x.bucket, "repo"), x.game, x.ledger.source, x.ledger.policy())
	changed := strings.NewReplacer(oldNew...).Replace(text)
	if len(oldNew) > 0 && changed == text {
		x.t.Fatalf("the policy has none of %q", oldNew)
	}
	name := filepath.Join(x.t.TempDir(), "store.yaml")
	if err := os.WriteFile(name, []byte(changed), 0o600); err != nil {
		x.t.Fatal(err)
	}
	return name
}

// play lets all sources change.
func (x *site) play(round int) {
	x.t.Helper()
	if err := world.Play(x.game, uint64(round)); err != nil {
		x.t.Fatal(err)
	}
	x.ledger.copy()
}

// at has commands begin at a time that is so much later.
func (x *site) at(later time.Duration, fn func()) {
	env := x.env
	defer func() { x.env = env }()
	x.env = clockAt(env, time.Now().Add(later))
	fn()
}

// clockAt returns an environment in which commands begin at a time.
func clockAt(env []string, at time.Time) []string {
	return append(slices.Clone(env), clockVariable+"="+at.Format(time.RFC3339Nano))
}

// drill runs a drill that must end with a code, and returns its document.
func (x *site) drill(code int, args ...string) *verify.DrillDocument {
	x.t.Helper()
	d := new(verify.DrillDocument)
	x.json(d, code, append([]string{"drill", "--json", "--host", x.name}, args...)...)
	return d
}

// drillAll runs a drill of all sources, which must all come back.
func (x *site) drillAll(args ...string) *drillsDocument {
	x.t.Helper()
	d := new(drillsDocument)
	x.json(d, 0, append([]string{"drill", "--all", "--json"}, args...)...)
	var names []string
	for _, one := range d.Drills {
		names = append(names, one.Dataset)
		// A verdict is pass where the policy's probe was asked.
		if one.Compared.DifferenceCount > 0 || one.Restored.Bytes == 0 || one.Verdict != verify.Restored && one.Verdict != verify.Pass && one.Verdict != verify.Inconclusive {
			x.t.Errorf("drill --all %s of %s: %s, %+v, %q", strings.Join(args, " "), one.Dataset, one.Verdict, one.Restored, one.Reasons)
		}
	}
	if !slices.Equal(names, datasets) {
		x.t.Errorf("drill --all %s drilled %q", strings.Join(args, " "), names)
	}
	return d
}

// json runs a command that must end with a code, and reads its document.
func (x *site) json(to any, code int, args ...string) {
	x.t.Helper()
	p := x.run(args...).want(code)
	if err := json.Unmarshal(p.out.Bytes(), to); err != nil {
		x.t.Fatalf("store %s: %v in %s", strings.Join(args, " "), err, p.out.String())
	}
}

// seen holds that health tells of a state of one dataset, in text, as a document and to Nagios, with the right codes, and returns what it
// says of that dataset and the metrics.
func (x *site) seen(dataset string, state health.State, code, nagios int, says string) (*health.Source, metrics) {
	x.t.Helper()
	name := dataset + "@" + x.name
	p := x.run("health").want(code)
	saysOf(x.t, "health", p.out.String(), name, says)
	p = x.run("health", "--format", "nagios").want(nagios)
	saysOf(x.t, "health --format nagios", p.out.String(), name, says)
	if first, _, _ := strings.Cut(p.out.String(), "\n"); !strings.HasPrefix(first, "SAVEPOINT "+nagiosWord(nagios)+" - ") {
		x.t.Errorf("Nagios reads %q, want %s", first, nagiosWord(nagios))
	}
	var status health.Status
	x.json(&status, code, "health", "--json")
	i := slices.IndexFunc(status.Sources, func(s *health.Source) bool { return s.Dataset == dataset && s.Host == x.name })
	if i < 0 {
		x.t.Fatalf("health knows nothing of %s", name)
	}
	if s := status.Sources[i]; s.State != state {
		x.t.Errorf("%s is %q, want %q; %+v", name, s.State, state, status.Warnings)
	}
	if !slices.ContainsFunc(status.Warnings, func(w health.Warning) bool {
		return w.State == state && w.Dataset == dataset && w.Host == x.name && strings.Contains(w.Message, says) && len(w.Commands) > 0
	}) {
		x.t.Errorf("no warning that %s %s, with what to do: %+v", name, says, status.Warnings)
	}
	return status.Sources[i], x.export(code)
}

// saysOf fails the test unless one line of a text has both the name and what is said of it.
func saysOf(t *testing.T, what, text, name, says string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.Contains(line, name+" ") && strings.Contains(line, says) {
			return
		}
	}
	t.Errorf("%s does not say in one line that %s %s:\n%s", what, name, says, text)
}

// export renews the file of the metrics, and reads it.
func (x *site) export(code int) metrics {
	x.t.Helper()
	x.run("health", "--all-hosts", "--textfile", x.prom).want(code)
	return x.readMetrics()
}

// of returns a series of a dataset.
func (x *site) of(m metrics, name, dataset string, labels ...string) float64 {
	x.t.Helper()
	return m.value(x.t, name, append([]string{"dataset=" + dataset, "host=" + x.name}, labels...)...)
}

// metrics are the series of a file.
type metrics map[string]float64

func (x *site) readMetrics() metrics {
	x.t.Helper()
	b, err := os.ReadFile(x.prom)
	if err != nil {
		x.t.Fatal(err)
	}
	return parseMetrics(x.t, b)
}

func parseMetrics(t *testing.T, b []byte) metrics {
	t.Helper()
	m := metrics{}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		i := strings.LastIndexByte(s.Text(), ' ')
		v, err := strconv.ParseFloat(s.Text()[i+1:], 64)
		if err != nil {
			t.Fatal(err)
		}
		m[s.Text()[:i]] = v
	}
	return m
}

// value returns the one series with a name and labels, each NAME=VALUE.
func (m metrics) value(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	found, out := 0, 0.0
	for series, v := range m {
		of, rest, _ := strings.Cut(series, "{")
		if of == name && !slices.ContainsFunc(labels, func(l string) bool {
			key, value, _ := strings.Cut(l, "=")
			return !strings.Contains(","+rest, ","+key+"="+strconv.Quote(value))
		}) {
			found, out = found+1, v
		}
	}
	if found != 1 {
		t.Errorf("%d series %s with %q, want 1", found, name, labels)
	}
	return out
}

// ruleText returns the group that a pattern matches in the expression of a rule of docs/operations.md, or what it matches when it has none.
func ruleText(t *testing.T, rule, pattern string) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	expr := regexp.MustCompile(`- alert: ` + rule + `\n +expr: (.*)\n`).FindSubmatch(b)
	if expr == nil {
		t.Fatalf("docs/operations.md has no rule %s", rule)
	}
	found := regexp.MustCompile(pattern).FindSubmatch(expr[1])
	if found == nil {
		t.Fatalf("the rule %s has no %s: %s", rule, pattern, expr[1])
	}
	return string(found[len(found)-1])
}

// ruleLimit is ruleText for a number.
func ruleLimit(t *testing.T, rule, pattern string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(ruleText(t, rule, pattern), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// packs returns the packs of data in the repository.
func (x *site) packs() []string {
	x.t.Helper()
	var names []string
	for o := range x.server.Client(x.t).ListObjects(x.t.Context(), x.bucket, minio.ListObjectsOptions{Prefix: "repo/data/", Recursive: true}) {
		if o.Err != nil {
			x.t.Fatal(o.Err)
		}
		names = append(names, o.Key)
	}
	return names
}

// fresh backs up one dataset, to which a file of random bytes was added, and returns the pack with these bytes, which no other dataset needs.
func (x *site) fresh(dataset, file string, seed uint64) (pack string) {
	x.t.Helper()
	before := x.packs()
	x.file(file, seed, 200_000)
	x.run("backup", "--dataset", dataset, "-q").want(0)
	var fresh []string
	for _, name := range x.packs() {
		if !slices.Contains(before, name) {
			fresh = append(fresh, name)
		}
	}
	if len(fresh) != 1 {
		x.t.Fatalf("the backup of %s wrote the packs %q, want 1", dataset, fresh)
	}
	return fresh[0]
}
