package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/policy"
)

// TestLines writes datasets that snapshots carried as a file, and reads that.
func TestLines(t *testing.T) {
	hard := `timezone: America/St_Johns
quota: 500GB
datasets:
  0.9:
    class: user
    hosts: ["yes", "a:b#c", 'it''s', "-"]
    paths: ["/srv/a b/#1: x", "/srv/ü\t\"q\"", "/srv/[x]{y}"]
    schedule: "*/5 * * * *"
    objectives: {rpo: none}
    tolerate: ["/srv/**", torn]
    drill: {probe: [sh, -c, "echo \"$x\" | grep -c '{target}' # : {}"]}
  "null": {class: log, paths: [/n], recovery: {detect: 0s}, drill: {probe: {canary: {match: ["*"], max_age: 1h}}}}
`
	for name, text := range map[string]string{"everything": everything, "hard": hard} {
		want := load(t, text)
		var lines []string
		for _, dataset := range []string{"user-data", "ledger", "0.9", "null"} {
			e := want.Datasets[dataset]
			if e == nil {
				continue
			}
			stored, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if e, err = policy.Decode(dataset, stored); err != nil {
				t.Fatal(err)
			}
			if lines == nil {
				lines = append(e.SharedLines("s3://b/p?endpoint=h:1"), "datasets:")
			}
			lines = append(lines, e.Lines()...)
		}
		written := strings.Join(lines, "\n") + "\n"
		got, err := policy.Load(write(t, written, 0o600))
		if err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, written)
		}
		if got.Repository != "s3://b/p?endpoint=h:1" || got.Quota != want.Quota || len(got.Datasets) != len(want.Datasets) {
			t.Errorf("%s: %+v", name, got)
		}
		for dataset, e := range want.Datasets {
			var was, is []string
			for _, v := range e.Values() {
				if v.Key != "drill.scratch" { // of a host
					was = append(was, v.Key+": "+v.Text+" "+string(v.Origin.From))
				}
			}
			for _, v := range got.Datasets[dataset].Values() {
				if v.Key != "drill.scratch" {
					is = append(is, v.Key+": "+v.Text+" "+string(v.Origin.From))
				}
			}
			if diff := cmp.Diff(was, is); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s\n%s", name, dataset, diff, written)
			}
		}
	}
}

// TestLoadNamesItsFileOnce reads what can be opened and not read.
func TestLoadNamesItsFileOnce(t *testing.T) {
	_, err := policy.Load("/proc/self/mem")
	if err == nil || strings.Count(err.Error(), "/proc/self/mem") != 1 {
		t.Error(err)
	}
}
