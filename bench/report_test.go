package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseStatus(t *testing.T) {
	got := parseStatus("Name:\tstore\nVmPeak:\t 9 kB\nVmHWM:\t  2048 kB\nVmRSS:\t 1 kB\nRssAnon:\t    1024 kB\nRssFile:\t 7 kB\n")
	if want := (memory{peak: 2 << 20, anon: 1 << 20}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := parseStatus("Name:\tstore\nState:\tZ (zombie)\n"); got != (memory{}) {
		t.Errorf("%+v of a process that has ended", got)
	}
}

func TestMeasure(t *testing.T) {
	s, err := measure(command(t.Context(), "", "sh", "-c", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Wall <= 0 || s.CPU <= 0 || s.RSS < 100<<10 || s.Anon <= 0 || s.Anon > s.RSS {
		t.Errorf("%+v", s)
	}
	if _, err := measure(command(t.Context(), "", "sh", "-c", "echo broken >&2; exit 3")); err == nil || !strings.Contains(err.Error(), "exit status 3: broken") {
		t.Errorf("error %v", err)
	}
}

func TestMedianAndSlope(t *testing.T) {
	same := func(x float64) float64 { return x }
	for _, tt := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(tt.in, same); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.in, got, tt.want)
		}
	}
	if got := slope(1, 1000, 3, 2000); got != 0.002 {
		t.Errorf("slope %v, want 0.002", got)
	}
	if got := slope(1, 1000, 3, 1000); got != 0 {
		t.Errorf("slope %v of trees of one size", got)
	}
}

// measured returns a result of the tree with round figures.
func measured() *result {
	r := &result{Corpus: "src", Before: extent{Files: 2000, Bytes: 100 << 20}, Part: extent{Files: 1000}, After: extent{Files: 2010, Bytes: 101 << 20}}
	for _, x := range []struct {
		tool, step string
		walls      []float64
	}{
		{toolStore, stepFirst, []float64{3, 1, 2}}, {toolRestic, stepFirst, []float64{4}},
		{toolStore, stepUnchanged, []float64{0.03}}, {toolRestic, stepUnchanged, []float64{1.5}},
		{toolStore, stepPart, []float64{0.01}}, {toolRestic, stepPart, []float64{1.0}},
		{toolStore, stepRestore1, []float64{5}}, {toolRestic, stepRestore1, []float64{4}},
	} {
		for _, wall := range x.walls {
			r.add(x.tool, x.step, sample{Wall: wall, CPU: 2 * wall, RSS: 90 << 20, Anon: 80 << 20})
		}
	}
	r.Sizes = []size{{toolStore, stepFirst, 30 << 20}, {toolRestic, stepFirst, 40 << 20}}
	r.Drills = []drill{{Wall: 2.4, RTO: 2, Compare: 0.2, Restore: 1.5, Read: 0.4, Remove: 0.2}}
	r.addCheck(toolStore, stepRestore1, differences{})
	r.addCheck(toolRestic, stepRestore1, differences{Rsync: []string{".d..t...... ./"}, Compare: []string{".: time 1 != 2"}})
	return r
}

func TestJudge(t *testing.T) {
	rep := &report{Results: []*result{measured()}}
	verdicts := make(map[string]bool)
	for _, x := range judge(rep) {
		verdicts[x.Name] = x.Met
	}
	want := map[string]bool{
		"src: first backup": true, "src: repository after the first backup": true, "src: each unchanged file (slope)": false,
		"src: restore before": false, "peak RssAnon of any step": true,
		"src: drill beyond its restore": true,
	}
	if diff := cmp.Diff(want, verdicts); diff != "" {
		t.Error(diff)
	}
	rep.Results[0].add(toolStore, stepChanged, sample{Anon: 256 << 20})
	all := judge(rep)
	if last := all[len(all)-1]; last.Met || !strings.Contains(last.Got, "256 MiB (src, changed)") {
		t.Errorf("%+v", last)
	}
}

func TestMarkdown(t *testing.T) {
	rep := &report{Results: []*result{measured()}, Runs: 3}
	rep.Targets = judge(rep)
	text := rep.markdown()
	for _, line := range []string{
		"2000 files, 100 MiB; after the change 2010 files, 101 MiB.",
		"| first backup | 3 | 2.00 | 50 | 4.00 | 90 | 80 | 4.00 | 8.00 | 90 | 80 | 0.50 |",
		"| repository after the first backup, MiB | 30.0 | 40.0 | 0.75 |",
		"| each unchanged file, µs (slope) | 20.0 | 500.0 | 0.04 |",
		"| each unchanged file, µs of CPU (slope) | 40.0 | 1000.0 | 0.04 |",
		"Restored and compared: store 1 trees, 0 lines of rsync, 0 differences by Compare. restic 1 trees, 1 lines of rsync, 1 differences by Compare (such as `.d..t...... ./`).",
		"Drill: RTO 2.00 s, comparison 0.20 s; beyond its own RTO 20%, beyond a restore alone 60%. Without comparing anything, reading such a tree from disk took 0.40 s and `rm -rf` 0.20 s: 30% of that RTO.",
		"| src: drill beyond its restore | < 25% | 20% (beyond a restore alone 60%) | met |",
		"| src: restore before | at least as fast as restic | 0.80× (5.00 s, restic 4.00 s) | missed |",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestAlone renders a corpus that only store takes part in.
func TestAlone(t *testing.T) {
	r := &result{Corpus: "million", Before: extent{Files: 10}}
	r.add(toolStore, stepUnchanged, sample{Wall: 1, CPU: 1})
	var b strings.Builder
	r.table(&b)
	if want := "| unchanged | 1 | 1.00 |  | 1.00 | 0 | 0 | | | | | |\n"; !strings.Contains(b.String(), want) {
		t.Errorf("no line %s in\n%s", want, b.String())
	}
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, "NaN") || strings.Contains(line, "Inf") {
			t.Errorf("line %s", line)
		}
	}
}

func TestDifferences(t *testing.T) {
	rep := &report{Results: []*result{measured()}}
	if n := rep.differences(); n != 0 {
		t.Errorf("%d, but only restic's tree differs", n)
	}
	rep.Results[0].addCheck(toolStore, stepRestore2, differences{Compare: []string{"a: content differs"}})
	if n := rep.differences(); n != 1 {
		t.Errorf("%d, want 1", n)
	}
}

func TestSplice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.md")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	other := beginMinIO + "\nother\n" + endMark + "\n"
	write(other + "# Head\n\n" + beginMark + "\nold\n" + endMark + "\n\ntail\n" + other)
	for range 2 {
		if err := splice(path, beginMark, "new\n"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(other+"# Head\n\n"+beginMark+"\n\nnew\n\n"+endMark+"\n\ntail\n"+other, string(got)); diff != "" {
			t.Error(diff)
		}
	}
	for _, text := range []string{"", "# Head\n", beginMark + "\n", endMark + "\n" + beginMark + "\n", other} {
		write(text)
		if err := splice(path, beginMark, "new\n"); err == nil {
			t.Errorf("no error for %q", text)
		}
	}
	for _, o := range []options{{}, {minio: true}} {
		if _, _, err := cutMarked("../docs/benchmarks.md", o.beginMark()); err != nil {
			t.Error(err)
		}
	}
}

func TestParse(t *testing.T) {
	for _, args := range [][]string{{"-corpus", "src,nothing"}, {"-runs", "0"}, {"extra"}, {"-image", "-keep"}, {"-md", "/nowhere/a.md"}, {"-pg-scale", "many"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("no error for %q", args)
		}
	}
	o, err := parse([]string{"-quick", "-corpus", "db", "-pg-scale", "7", "-big-mib", "5"})
	if err != nil {
		t.Fatal(err)
	}
	if o.sizes.pgScale != 7 || o.sizes.bigBytes != 5<<20 || o.sizes.profiles != quickSizes().profiles || o.runs != 3 {
		t.Errorf("%+v", o)
	}
}
