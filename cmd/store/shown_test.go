package main

import (
	"strings"
	"testing"
	"time"

	"savepoint/internal/policy"
	"savepoint/verify"
)

// TestSampleText shows sizes as people read them, whatever a report has.
func TestSampleText(t *testing.T) {
	for text, want := range map[string]string{"6291456B": "6 MiB", "6MiB": "6 MiB", "500B": "500 B", "6291457B": "6.0 MiB", "2kB": "2 kB", "5%": "5%", "a\x1b": `"a\x1b"`} {
		if got := sampleText(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
	if got := secondsText(new(float64)); got != "0.0s" {
		t.Errorf("nothing is shown as %q", got)
	}
	for s, want := range map[float64]string{0.001: "1ms", 0.0001: "under 1ms", 0.42: "420ms", 4.25: "4.2s"} {
		if got := secondsText(&s); got != want {
			t.Errorf("%v s are shown as %q, want %q", s, got, want)
		}
	}
	for r, want := range map[float64]string{0: "0%", 0.001: "under 1%", 0.999: "99%", 1: "100%"} {
		if got := shareText(r); got != want {
			t.Errorf("%v is shown as %q, want %q", r, got, want)
		}
	}
}

// TestShownTimes holds that a drill and a list show the end of one window alike, an incident not before it, and that a drill in which nothing came back
// has no times.
func TestShownTimes(t *testing.T) {
	end := time.Date(2026, 11, 20, 12, 0, 5, 310_000_000, time.UTC)
	var out strings.Builder
	a := &app{out: &out, zone: time.UTC, config: &policy.File{}}
	bytes := uint64(3 << 20)
	d := &verify.CheckDocument{Hit: []verify.Hit{{Snapshot: "aaaaaaaa", WindowEnd: end, FileCount: 317, All: true, Bytes: &bytes}, {Snapshot: "bbbbbbbb", WindowEnd: end, FileCount: 3, AtLeast: true},
		{Snapshot: "cccccccc", All: true, AtLeast: true}}, HitCount: 3}
	a.writeHits(&out, d)
	all := &drillsDocument{Drills: []*verify.DrillDocument{{Verdict: verify.Damage, Dataset: "world", Snapshot: "a", WindowEnd: end, Recovered: verify.No}}}
	if err := a.printDrills(all, nil); err != nil {
		t.Fatal(err)
	}
	one := &verify.DrillDocument{Verdict: verify.Damage, Snapshot: "aaaaaaaa", WindowStart: end, WindowEnd: end, Incident: end, Recovered: verify.No}
	if err := a.printDrill(one, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2026-11-20 12:00:05 UTC  source unknown: all of it (317 files, 3.0 MiB)\n", "source unknown: at least 3 files\n", "source unknown: all of it, an unknown number of files\n",
		"2026-11-20 12:00:05 UTC  none  none", "read from 2026-11-20 12:00:05 UTC; incident at 2026-11-20 12:00:06 UTC\n", "damage of 2026-11-20 12:00:05 UTC, ; nothing that will do was recovered, so no RTO and no RPO\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
