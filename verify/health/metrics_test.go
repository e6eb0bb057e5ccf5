package health_test

import (
	"bytes"
	"flag"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"savepoint/verify"
	"savepoint/verify/health"
)

var update = flag.Bool("update", false, "write testdata/scrape.prom")

// scrape returns what is exported of everything.
func (w *world) scrape(o health.Options) string {
	w.t.Helper()
	var b bytes.Buffer
	if err := health.WriteMetrics(&b, w.look(o), health.MetricsOptions{Repository: true, Version: "v1.2.3", Written: w.clock()}); err != nil {
		w.t.Fatal(err)
	}
	return b.String()
}

// twoHosts is a dataset of two hosts, one of which stopped before it was ever drilled, and a dataset that was never backed up.
func twoHosts(t testing.TB) (*world, health.Options) {
	w := newWorld(t)
	w.reported("world", "world-2", faulty)
	w.at("13:00")
	snap := w.reported("world", "world-1", nil)
	w.at("14:00")
	w.drill("world", "world-1", snap, verify.Restored)
	w.at("15:00")
	w.drill("world", "world-1", nil, verify.CouldNotRun)
	w.at("16:00")
	w.check(verify.CheckDocument{Level: "structure", Structure: verify.Structure{Packs: 4}, ReadBack: verify.ReadBack{Never: 4}, FindingCnt: 1, Findings: []verify.Finding{{Harm: verify.Note}}})
	w.at("17:00")
	return w, health.Options{Expected: []health.Expected{{Dataset: "users", Class: "user", Host: "world-1"}}}
}

// TestScrape compares a scrape line by line with the one that is kept.
func TestScrape(t *testing.T) {
	w, o := twoHosts(t)
	got := strings.ReplaceAll(w.scrape(o), runtime.Version(), "go1.2.3")
	const golden = "testdata/scrape.prom"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	lines, want := strings.Split(got, "\n"), strings.Split(string(b), "\n")
	for i := range max(len(lines), len(want)) {
		switch {
		case i >= len(lines):
			t.Fatalf("line %d is missing: %s", i+1, want[i])
		case i >= len(want):
			t.Fatalf("line %d is too many: %s", i+1, lines[i])
		case lines[i] != want[i]:
			t.Errorf("line %d:\n got %s\nwant %s", i+1, lines[i], want[i])
		}
	}
}

// TestLint holds the metrics to what promtool checks.
func TestLint(t *testing.T) {
	w, o := twoHosts(t)
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(health.NewCollector(w.look(o), health.MetricsOptions{Repository: true}))
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestLabels reads back the names of datasets, which are paths and hold anything.
func TestLabels(t *testing.T) {
	names := []string{`/srv/a "b"`, `/srv/back\slash`, "/srv/länge 世界", `/srv/{x="1"} 2`, `/srv/\n`, "/srv/a\nb", "/srv/\r\t\x00\x1b[2J", "a@b", " "}
	w := newWorld(t)
	for _, n := range names {
		w.backup(n, "höst", nil)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(w.scrape(health.Options{})))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range families["savepoint_backup_last_files"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "dataset" {
				got = append(got, l.GetValue())
			}
		}
		if m.TimestampMs != nil {
			t.Error("a sample with a timestamp: node_exporter refuses the file")
		}
	}
	slices.Sort(names)
	slices.Sort(got)
	if !slices.Equal(names, got) {
		t.Errorf("got %q, want %q", got, names)
	}
}

// TestHeldBack exports no time of a drill that may not be held against an objective, and leaves that of the one before as it was.
func TestHeldBack(t *testing.T) {
	w := newWorld(t)
	snap := w.reported("world", "a", nil)
	w.drill("world", "a", snap, verify.Inconclusive)
	for _, unknown := range []string{"rta", "rpa", "phase", "restored_bytes"} {
		if text := w.scrape(health.Options{}); strings.Contains(text, "\nsavepoint_drill_"+unknown) {
			t.Errorf("a drill that was held back has a sample of %s", unknown)
		}
	}
	if x := source(t, w.look(health.Options{}), "world@a"); x.LastDrill.RTO != nil || x.LastDrill.RPO == nil || x.LastMeasured() != nil {
		t.Errorf("%+v", x.LastDrill)
	}
	w.at("13:00")
	w.drill("world", "a", snap, verify.Restored)
	w.at("14:00")
	w.drill("world", "a", snap, verify.Inconclusive)
	if x := source(t, w.look(health.Options{}), "world@a"); x.LastMeasured() == nil || x.LastMeasured().Verdict != verify.Restored {
		t.Errorf("%+v", x.LastMeasured())
	}
}

// TestAlerts holds that `time() - x > limit` fires for what never happened, and that what is not known has no sample.
func TestAlerts(t *testing.T) {
	w := newWorld(t)
	o := health.Options{Expected: []health.Expected{{Dataset: "users", Host: "a"}}}
	text := w.scrape(o)
	for name, value := range samples(t, text) {
		if strings.Contains(name, "_timestamp_seconds") && !strings.HasPrefix(name, "savepoint_metrics_written") && value != 0 {
			t.Errorf("%s is %v in a repository in which nothing happened", name, value)
		}
	}
	for _, wanted := range []string{"savepoint_backup_last_success_", "savepoint_recovery_point_", "savepoint_drill_last_success_", "savepoint_drill_last_run_",
		"savepoint_verify_last_success_", "savepoint_verify_oldest_unverified_"} {
		if !strings.Contains(text, "\n"+wanted) {
			t.Errorf("%s… has no sample: no rule fires for never", wanted)
		}
	}
	for _, unknown := range []string{"savepoint_backup_last_files", "savepoint_drill_rta_seconds", "savepoint_drill_phase_seconds", "savepoint_verify_coverage_ratio",
		"savepoint_verify_never_read_packs"} {
		if strings.Contains(text, "\n"+unknown) {
			t.Errorf("%s has a sample, and nobody knows it", unknown)
		}
	}
	w.reported("users", "a", nil)
	one := slices.Sorted(slices.Values(w.store.Objects()))
	for _, name := range one {
		if strings.HasPrefix(name, "reports/") {
			flip(t, w, name)
		}
	}
	if text = w.scrape(o); strings.Contains(text, "\nsavepoint_backup_runs_total") || strings.Contains(text, "\nsavepoint_drill_runs_total") {
		t.Error("counters go down when a report cannot be read")
	}
	if samples(t, text)[`savepoint_unreadable_objects{kind="report"}`] != 1 {
		t.Error("the unreadable report is not exported")
	}
}

// samples returns the samples of a scrape by their text.
func samples(t *testing.T, text string) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+`="`+l.GetValue()+`"`)
			}
			v := m.GetGauge().GetValue() + m.GetCounter().GetValue()
			if math.IsNaN(v) {
				t.Errorf("%s is no number", name)
			}
			out[name+"{"+strings.Join(labels, ",")+"}"] = v
		}
	}
	return out
}
