package drill

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/verify"
)

// fine is a drill that met an RTO of 10 s and an RPO of 100 s, both just so.
func fine() verify.DrillDocument {
	since := time.Unix(1000, 0)
	return verify.DrillDocument{
		Snapshot: "00", Complete: verify.Yes,
		RTO:        verify.Recovery{Seconds: 10, Objective: 10},
		RPO:        verify.Exposure{Seconds: 100, Objective: 100, Since: &since},
		Conditions: verify.Conditions{Scenario: Cold, Full: true, IndexCold: true, Alone: verify.Yes, CacheDropped: verify.Yes},
	}
}

func TestJudge(t *testing.T) {
	type doc = verify.DrillDocument
	lose := func(d *doc) { d.DamagedCnt, d.Damaged = 2, []verify.Lost{{Path: "/a", Object: "data/1"}, {}} }
	differ := func(d *doc) {
		d.Compared.DifferenceCount, d.Compared.Differences = 1, []verify.Difference{{Path: "/b", What: "is missing"}}
	}
	slow := func(d *doc) { d.RTO.Seconds = 10.5 }
	old := func(d *doc) { d.RPO.Seconds = 160 }
	throttled := func(d *doc) { d.Conditions.Throttled = verify.Yes }
	beside := func(d *doc) { d.Conditions.Alone = verify.No }
	noObjectives := func(d *doc) { d.RTO.Objective, d.RPO.Objective = 0, 0 }
	faulty := func(d *doc) { d.Complete, d.Faults = verify.No, new(uint64(3)) }
	only := func(d *doc) { faulty(d); d.RPO.Since = nil }
	probe := func(result string) func(*doc) {
		return func(d *doc) {
			d.Probe = &verify.Probe{Argv: []string{"/usr/bin/check", "a"}, Result: result, Message: "it ended with exit code 3"}
		}
	}
	pass, fail, notRun := probe(verify.ProbePassed), probe(verify.ProbeFailed), probe(verify.ProbeNotRun)
	stop := errors.New("the disk is full")
	all := func(fns ...func(*doc)) []func(*doc) { return fns }
	for _, tt := range []struct {
		name    string
		change  []func(*doc)
		cannot  error
		verdict verify.Verdict
		exit    int
		judged  string // RTO and RPO: - not judged, y met, n judged and not met
		says    []string
	}{
		{"just within both", nil, nil, verify.Restored, 0, "yy", nil},
		{"no objectives", all(noObjectives, slow, old), nil, verify.Restored, 0, "nn", nil},
		{"no objectives, throttled", all(noObjectives, throttled), nil, verify.Restored, 0, "-n", nil},
		{"too slow", all(slow), nil, verify.ObjectiveMissed, 5, "ny", []string{"The RTO of 10s was missed by 500 ms: the restore took 10.5 s."}},
		{"too old", all(old), nil, verify.ObjectiveMissed, 5, "yn",
			[]string{"The RPO of 1m40s was missed by 1 min: the newest complete snapshot began to be read 2 min 40 s before the incident."}},
		{"both missed", all(slow, old), nil, verify.ObjectiveMissed, 5, "nn", []string{"The RTO", "The RPO"}},
		{"a hair too slow", all(func(d *doc) { d.RTO.Seconds += 1e-9 }), nil, verify.ObjectiveMissed, 5, "ny", []string{"missed by 1 ms"}},
		{"throttled", all(throttled), nil, verify.Inconclusive, 1, "-y", []string{"The RTO could not be judged: --limit-download"}},
		{"throttled, too slow", all(throttled, slow), nil, verify.Inconclusive, 1, "-y", []string{"could not be judged"}},
		{"throttled, too old", all(throttled, old), nil, verify.ObjectiveMissed, 5, "-n", []string{"The RPO", "The RTO could not be judged"}},
		{"throttled, only an RPO", all(throttled, func(d *doc) { d.RTO.Objective = 0 }), nil, verify.Restored, 0, "-y", nil},
		{"a part only", all(func(d *doc) { d.Conditions.Full = false }), nil, verify.Restored, 0, "-y", []string{"only a part"}},
		{"warm", all(func(d *doc) { d.Conditions.Scenario, d.Conditions.IndexCold = "warm", false }), nil, verify.Restored, 0, "-y", []string{"has nothing"}},
		{"warm, too slow", all(slow, func(d *doc) { d.Conditions.Scenario = "warm" }), nil, verify.Restored, 0, "-y", []string{"has nothing"}},
		{"a part only, throttled", all(throttled, func(d *doc) { d.Conditions.Full = false }), nil, verify.Inconclusive, 1, "-y", []string{"only a part", "--limit-download"}},
		{"an index", all(func(d *doc) { d.Conditions.IndexCold = false }), nil, verify.Inconclusive, 1, "-y", []string{"an index"}},
		{"beside another, in time", all(beside), nil, verify.Restored, 0, "yy", nil},
		{"beside another, too slow", all(beside, slow), nil, verify.Inconclusive, 1, "-y", []string{"another drill"}},
		{"page cache not dropped", all(func(d *doc) { d.Conditions.CacheDropped = verify.No }), nil, verify.Restored, 0, "yy", nil},
		{"faults", all(faulty), nil, verify.Restored, 0, "yy", []string{"The snapshot is not complete: the backup could not read 3 entries"}},
		{"suspect", all(func(d *doc) { d.Complete = verify.No }), nil, verify.Restored, 0, "yy", []string{"The snapshot is suspect"}},
		{"nothing complete", all(only), nil, verify.ObjectiveMissed, 5, "yn", []string{"The RPO of 1m40s was missed: there is no complete", "not complete"}},
		{"nothing complete, no objective", all(only, noObjectives), nil, verify.Restored, 0, "nn", []string{"not complete"}},
		{"lost", all(lose, slow), nil, verify.Damage, 4, "--", []string{"Damage in the repository took 2 entries; the first is /a."}},
		{"different", all(differ, old), nil, verify.Damage, 4, "--", []string{"After the restore 1 entry is not as backed up; the first is /b: it is missing."}},
		{"lost, and an older one whole", all(lose, func(d *doc) {
			d.Older = []verify.Older{{}, {Snapshot: "0123456789abcdef", Good: true}}
			d.Instead = "0123456789abcdef"
		}), nil, verify.Damage, 4, "--",
			[]string{"Damage", "Snapshot 01234567, read to 0001-01-01 00:00:00Z, came back whole; the RTO counts all 3 tries."}},
		{"lost, and all older ones too", all(lose, func(d *doc) { d.Older = make([]verify.Older, 2) }), nil, verify.Damage, 4, "--",
			[]string{"Damage", "None of 2 older snapshots that were tried will do either."}},
		{"lost and stopped", all(lose), stop, verify.Damage, 4, "--", []string{"Damage", "the disk is full"}},
		{"probed", all(pass), nil, verify.Pass, 0, "yy", nil},
		{"probed, no objectives", all(pass, noObjectives), nil, verify.Pass, 0, "nn", nil},
		{"probed, faults", all(pass, faulty), nil, verify.Pass, 0, "yy", []string{"The snapshot is not complete"}},
		{"probed, too slow", all(pass, slow), nil, verify.ObjectiveMissed, 5, "ny", []string{"The RTO"}},
		{"probed, throttled", all(pass, throttled), nil, verify.Inconclusive, 1, "-y", []string{"could not be judged"}},
		{"probed, different", all(pass, differ), nil, verify.Damage, 4, "--", []string{"After the restore"}},
		{"probe failed", all(fail, slow), nil, verify.Damage, 4, "--", []string{"The probe check failed: it ended with exit code 3."}},
		{"probe failed and stopped", all(fail), stop, verify.Damage, 4, "--", []string{"The probe", "the disk is full"}},
		{"probe not run", all(notRun), stop, verify.CouldNotRun, 1, "--", []string{"the disk is full"}},
		{"probe not run, different", all(notRun, differ), nil, verify.Damage, 4, "--", []string{"After the restore"}},
		{"a newer one is late", all(func(d *doc) { d.TooLate = &verify.LostPoint{Snapshot: "0123456789abcdef"} }), nil, verify.Restored, 0, "yy",
			[]string{"Snapshot 01234567 is newer, and is never chosen by time"}},
		{"stopped", all(slow, old, throttled), stop, verify.CouldNotRun, 1, "--", []string{"the disk is full"}},
		{"never begun", all(func(d *doc) { *d = doc{} }), stop, verify.CouldNotRun, 1, "--", []string{"the disk is full"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := fine()
			for _, change := range tt.change {
				change(&d)
			}
			j := judge(d, tt.cannot)
			mark := func(judged, met bool) string {
				switch {
				case met && judged:
					return "y"
				case met:
					return "met but not judged"
				case judged:
					return "n"
				}
				return "-"
			}
			if got := mark(j.rtoJudged, j.rtoMet) + mark(j.rpoJudged, j.rpoMet); j.verdict != tt.verdict || j.exit != tt.exit || got != tt.judged {
				t.Errorf("%s (%d), %s; want %s (%d), %s: %q", j.verdict, j.exit, got, tt.verdict, tt.exit, tt.judged, j.reasons)
			}
			if len(j.reasons) != len(tt.says) {
				t.Fatalf("reasons %q, want %q", j.reasons, tt.says)
			}
			for i, s := range tt.says {
				if !strings.Contains(j.reasons[i], s) {
					t.Errorf("reason %q, want %q", j.reasons[i], s)
				}
			}
		})
	}
}

func TestTexts(t *testing.T) {
	got := map[time.Duration][2]string{}
	want := map[time.Duration][2]string{
		0:                                 {"0 ms", "0s"},
		420 * time.Millisecond:            {"420 ms", "420ms"},
		4299 * time.Millisecond:           {"4.2 s", "4.299s"},
		90 * time.Second:                  {"1 min 30 s", "1m30s"},
		38 * time.Minute:                  {"38 min", "38m"},
		4 * time.Hour:                     {"4 h", "4h"},
		4*time.Hour + 10*time.Second:      {"4 h", "4h0m10s"},
		25 * time.Hour:                    {"1 d 1 h", "1d1h"},
		84 * time.Hour:                    {"3 d 12 h", "3d12h"},
		48*time.Hour + 30*time.Minute + 1: {"2 d", "2d30m0.000000001s"},
	}
	for d := range want {
		got[d] = [2]string{SpanText(d), AgeText(d)}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLine(t *testing.T) {
	d := fine()
	d.Dataset, d.Host, d.WindowEnd = "world", "world-1", time.Date(2026, 11, 20, 2, 40, 59, 5, time.UTC)
	line := func() string {
		j := judge(d, nil)
		d.Verdict, d.RTO.Judged, d.RTO.Met, d.RPO.Judged, d.RPO.Met = j.verdict, j.rtoJudged, j.rtoMet, j.rpoJudged, j.rpoMet
		return Line(&d, time.UTC)
	}
	for _, tt := range []struct {
		change func()
		want   string
	}{
		{func() {}, "restored: world@world-1 of 2026-11-20 02:40:59 UTC, RTO 10.0 s (objective 10s), RPO 1 min 40 s (objective 1m40s)"},
		{func() { d.RTO.Seconds = 12 }, "objective missed: world@world-1 of 2026-11-20 02:40:59 UTC, RTO 12.0 s (objective 10s, missed), RPO 1 min 40 s (objective 1m40s)"},
		{func() { d.Conditions.Throttled = verify.Yes }, "inconclusive: world@world-1 of 2026-11-20 02:40:59 UTC, RTO 12.0 s (objective 10s, not judged), RPO 1 min 40 s (objective 1m40s)"},
		{func() { d.RTO.Objective, d.RPO.Objective, d.RPO.Since = 0, 0, nil }, "restored: world@world-1 of 2026-11-20 02:40:59 UTC, RTO 12.0 s, RPO at least 1 min 40 s"},
		{func() { d.Dataset, d.Host, d.DamagedCnt, d.Damaged = "/a\nb", "", 1, []verify.Lost{{}} },
			`damage: "/a\nb" of 2026-11-20 02:40:59 UTC, 1 lost in the repository, RTO 12.0 s, RPO at least 1 min 40 s`},
	} {
		tt.change()
		if diff := cmp.Diff(tt.want, line()); diff != "" {
			t.Error(diff)
		}
	}
	d.DamagedCnt, d.Damaged, d.Probe = 0, nil, &verify.Probe{Result: verify.ProbeFailed}
	if got, want := line(), `probe failed: "/a\nb" of 2026-11-20 02:40:59 UTC, all came back as it was backed up, RTO`; !strings.HasPrefix(got, want) {
		t.Error(got)
	}
	d.Compared.DifferenceCount = 1
	if got, want := line(), `damage: "/a\nb" of 2026-11-20 02:40:59 UTC, 1 not as backed up, the probe failed`; !strings.HasPrefix(got, want) {
		t.Error(got)
	}
	d = verify.DrillDocument{Verdict: verify.CouldNotRun, Reasons: []string{"no disk"}}
	if got := Line(&d, time.UTC); got != "could not run: no disk" {
		t.Error(got)
	}
}
