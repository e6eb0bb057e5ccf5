package main

import (
	"bytes"
	"context"
	"html/template"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/policy"
	"savepoint/internal/usage"
	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/health"
	"savepoint/verify/measure"
)

// night backs up with a report, and drills what was backed up on a machine that takes so many seconds.
func (h *history) night(host string, seconds float64) {
	h.t.Helper()
	stats := tree.Stats{Files: 100, FileBytes: 1 << 30, ChangedFiles: 1, NewBytes: 4 << 20, NewPackBytes: 1 << 20}
	var snap *repo.Snapshot
	err := h.repo.Write(h.t.Context(), "world", host, func(ctx context.Context, s *repo.Session) (err error) {
		snap, err = s.Commit(ctx, &tree.Manifest{Mode: tree.Incremental, Completeness: tree.Complete, Stats: stats, Roots: []tree.Root{{Path: "/srv", Entry: tree.Entry{Type: tree.Directory}}}})
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := tree.EncodeStats(&stats)
	if err != nil {
		h.t.Fatal(err)
	}
	h.put("world", host, &record.Report{Kind: record.BackupReport, Ran: [2]int64{snap.Window[0], snap.Stored.UnixNano()}, Manifest: snap.Name, Published: snap.Stored.UnixNano(), Stats: b,
		Usage: &usage.Usage{Requests: []usage.Requests{{Op: "put", Count: 9, P99: time.Duration(seconds) * time.Millisecond, Max: time.Second}}}})
	d := &verify.DrillDocument{Verdict: verify.Restored, Dataset: "world", Host: host, Snapshot: snap.ID(), Incident: h.now, WindowStart: snap.Start(), WindowEnd: snap.End(), Complete: verify.Yes,
		RTO: verify.Recovery{Seconds: seconds, Judged: true, Phases: []verify.Phase{{Name: "transfer", Seconds: seconds, Requests: 1000, Received: 4e9}}}, RPO: verify.Exposure{Seconds: 0.001},
		Restored: verify.Restore{Files: 100, Bytes: 1 << 30}, Compared: verify.Comparison{Bytes: 1 << 30},
		Conditions: verify.Conditions{KeySlot: "keys/passphrase-default-0123456789abcdef0123456789abcdef", Full: true, Alone: verify.Yes, Throttled: verify.No, CPUs: 2}}
	if b, err = verify.Encode(d); err != nil {
		h.t.Fatal(err)
	}
	h.put("world", host, &record.Report{Kind: record.DrillReport, Ran: [2]int64{h.now.UnixNano(), h.now.UnixNano()}, Document: b})
	check := &verify.CheckDocument{Level: "structure", Complete: true, Structure: verify.Structure{Packs: 1, PackBytes: uint64(h.now.Sub(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)).Hours()) << 26}}
	if b, err = verify.Encode(check); err != nil {
		h.t.Fatal(err)
	}
	h.put("", host, &record.Report{Kind: record.VerifyReport, Ran: [2]int64{h.now.UnixNano(), h.now.UnixNano()}, Document: b})
}

func (h *history) put(dataset, host string, rep *record.Report) {
	h.t.Helper()
	if err := h.repo.PutReport(h.t.Context(), dataset, host, rep); err != nil {
		h.t.Fatal(err)
	}
}

// TestFigureLines compares all lines of figures over time with what they should say.
func TestFigureLines(t *testing.T) {
	h := newHistory(t)
	plan := func(string, string) health.Plan {
		return health.Plan{Keep: []measure.Rule{{Shortest: 24 * time.Hour, Longest: 24 * time.Hour, Count: 12}}, Interval: 24 * time.Hour, RPO: 30 * time.Hour, Next: func(t time.Time) time.Time { return t.Truncate(24 * time.Hour).Add(26 * time.Hour) }}
	}
	prices := (&app{config: &policy.File{Prices: &policy.Prices{GBOut: 0.09, Per1000Requests: 0.005}}}).prices()
	var status *health.Status
	lines := func() []string {
		t.Helper()
		s, err := health.Look(t.Context(), h.repo, health.Options{Now: func() time.Time { return h.now }, Plan: plan, Quota: 100 << 30, Prices: prices})
		if err != nil {
			t.Fatal(err)
		}
		status = s
		a := &app{zone: time.UTC}
		var text bytes.Buffer
		a.out = &text
		if err := a.printHealth(s); err != nil {
			t.Fatal(err)
		}
		got := a.figureLines(s)
		if !strings.Contains(text.String(), strings.Join(got, "\n")) {
			t.Errorf("they are not in the text:\n%s", text.String())
		}
		return got
	}
	h.night("world-1", 60)
	if got := lines(); len(got) != 4 || got[2] != "restore coverage within 30 days: 100% of the live bytes restored, 0% probed" ||
		got[3] != "packs: 29 GiB of the quota of 100GiB (29%); how they grow is not known before seven days have a verification" {
		t.Errorf("after one night: %q", got)
	}
	for i := range 9 {
		h.now = h.now.Add(24 * time.Hour)
		if i != 5 {
			h.night("world-1", 60+float64(i))
		}
	}
	h.night("world-2\x1b", 60)
	want := []string{
		"exposure within 30 days: at worst 2d, of world@world-1 at 2026-11-27 02:00:00 UTC; over its objective 1 time, for 18h in all",
		"expected backups that did not come within 30 days: 1 of world@world-1, the last at 2026-11-26 02:00:00 UTC",
		"going back to any moment of 30 days loses at most 2d1h, of world@world-1, as far as its snapshots go; its keep would leave 2d back to 10d",
		`predicted RTO, not measured: 1m03s for world@world-1, between 57s and 1m08s by 10 drills`,
		"storage: 99% of the put requests of the last backup of world@world-1 took at most 68ms",
		"cost of a drill: 0.3650 at most, of world@world-1, by the prices of the configuration",
		"restore coverage within 30 days: 100% of the live bytes restored, 0% probed",
		"packs: 42 GiB of the quota of 100GiB (42%), growing by 1.5 GiB a day (1.5 GiB to 1.5 GiB); predicted to be full in 38 days, on 2027-01-06 (38 days to 38 days)",
	}
	got := lines()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	page, err := (&app{zone: time.UTC, getenv: func(string) string { return "" }, config: &policy.File{}}).healthPage(status, pageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range want {
		if !strings.Contains(string(page), template.HTMLEscapeString(line)) {
			t.Errorf("%q is not on the page", line)
		}
	}
	if !strings.Contains(string(page), `data-label="RPO">1ms<`) {
		t.Error("an RPO of a millisecond is not shown as one")
	}
	d := status.Sources[0].Document
	for _, x := range status.Sources {
		if x.Host == "world-1" {
			d = x.Document
		}
	}
	if d.RTO == nil || *d.RTO != 68 || d.RPO == nil || *d.RPO != 0.001 || d.Predicted == nil || d.Predicted.Drills != 10 || d.Cost != "0.3650" || d.Coverage == nil || d.Coverage.Live != 1<<30 ||
		len(d.Latencies) != 1 || d.Latencies[0].P99 != 0.068 || d.RPOObjective != 108000 {
		t.Errorf("%+v", d)
	}
	if len(d.Exposures) != 2 || d.Exposures[0].Trust != health.Committed || *d.Exposures[0].Worst != 172800 || d.Exposures[0].Breached != 64800 || *d.Exposures[0].P99 != 172800 {
		t.Errorf("%+v", d.Exposures)
	}
	if o := status.Document; o.Coverage.Live != 2<<30 || o.Coverage.Ratio == nil {
		t.Errorf("%+v", o)
	}
	snaps, err := h.repo.Snapshots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range snaps { // gone, and nobody forgot them
		if x.Host != "world-1" {
			continue
		}
		if err := h.store.Delete(t.Context(), x.Name); err != nil {
			t.Fatal(err)
		}
	}
	got = lines()
	for _, line := range []string{"exposure within 30 days: at worst everything, of world@world-1", "going back to any moment of 30 days loses everything of world@world-1",
		"restore coverage within 30 days: 50% of the live bytes restored, 0% probed"} {
		if !slices.Contains(got, line) {
			t.Errorf("no line %q: %q", line, got)
		}
	}
}
