package health_test

import (
	"testing"
	"time"

	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/health"
)

// TestPointMetrics holds the series of points and drills to what reports and snapshots say, and that what forget removes takes nothing off a counter.
func TestPointMetrics(t *testing.T) {
	w := newWorld(t)
	first := w.counting("world-1", usual())
	w.wait(time.Hour)
	read := w.clock()
	w.check(verify.CheckDocument{Level: "data", Complete: true, Structure: verify.Structure{Packs: 4, Segments: 3, Snapshots: 1, Chunks: 70, TreeChunks: 9},
		ReadBack: verify.ReadBack{Bytes: 500, Oldest: &read, PackBytes: 1000, Days: []verify.ReadDay{{At: w.clock().Truncate(24 * time.Hour), Bytes: 250}}}})
	w.wait(time.Hour)
	w.drilled(first, 60, func(d *verify.DrillDocument) {
		d.Leaks, d.RTO.Phases[1].Seconds, d.Restored.Bytes = 2, 50, 5000
		d.Verdict, d.Probe = verify.Pass, &verify.Probe{Result: verify.ProbePassed, Checked: 3}
	})
	w.counting("world-1", tree.Stats{Files: 100, ChangedFiles: 25, FileBytes: 1000})
	const of = `{class="state",dataset="world",host="world-1"`
	want := map[string]float64{
		"savepoint_drill_sandbox_leaks" + of + "}":                               2,
		"savepoint_drill_probe_success" + of + "}":                               1,
		"savepoint_drill_requests" + of + "}":                                    1000,
		"savepoint_drill_throughput_bytes_per_second" + of + "}":                 100,
		"savepoint_drill_point_age_seconds" + of + "}":                           2*3600 + 60,
		"savepoint_backup_changed_ratio" + of + "}":                              0.25,
		"savepoint_recovery_points" + of + `,trust="committed"}`:                 2,
		"savepoint_recovery_points" + of + `,trust="verified"}`:                  1,
		"savepoint_recovery_points" + of + `,trust="restored"}`:                  1,
		"savepoint_recovery_points" + of + `,trust="drilled"}`:                   1,
		"savepoint_recovery_point_timestamp_seconds" + of + `,trust="verified"}`: float64(first.Start().Unix()),
		"savepoint_verify_read_bytes_total{}":                                    500,
		"savepoint_verify_coverage_ratio" + `{window="30d"}`:                     0.25,
		"savepoint_damaged_snapshots{}":                                          0,
		"savepoint_repo_objects" + `{kind="segment"}`:                            3,
		"savepoint_repo_chunks" + `{kind="tree"}`:                                9,
		"savepoint_repo_capacity_bytes{}":                                        5000,
	}
	hold := func() {
		t.Helper()
		got := samples(t, w.scrape(health.Options{Quota: 5000}))
		for name, value := range want {
			if is, ok := got[name]; !ok || is != value {
				t.Errorf("%s is %v, %v, want %v", name, is, ok, value)
			}
		}
	}
	hold()
	if err := w.store.Delete(t.Context(), first.Name); err != nil { // forgotten
		t.Fatal(err)
	}
	for _, trust := range []string{"verified", "restored", "drilled"} {
		want["savepoint_recovery_points"+of+`,trust="`+trust+`"}`] = 0
	}
	want["savepoint_recovery_points"+of+`,trust="committed"}`] = 1
	want["savepoint_recovery_point_timestamp_seconds"+of+`,trust="verified"}`] = 0
	hold() // of points, what is there; of all else, nothing was taken off
	w.check(verify.CheckDocument{Level: "data", ExitCode: 4, Structure: verify.Structure{Packs: 4}, ReadBack: verify.ReadBack{Bytes: 50},
		Findings: []verify.Finding{{Harm: verify.Loss}}, FindingCnt: 1, Hit: []verify.Hit{{Snapshot: "a"}, {Snapshot: "b"}}})
	got := samples(t, w.scrape(health.Options{}))
	if got["savepoint_damaged_snapshots{}"] != 2 || got["savepoint_verify_read_bytes_total{}"] != 550 {
		t.Errorf("%v snapshots, %v bytes", got["savepoint_damaged_snapshots{}"], got["savepoint_verify_read_bytes_total{}"])
	}
	if _, told := got["savepoint_verify_coverage_ratio"+`{window="30d"}`]; told {
		t.Error("a verification that tells no bytes makes a share of bytes")
	}
}
