package health_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"savepoint/repo/record"
	"savepoint/verify"
	"savepoint/verify/health"
)

// nightly is a schedule at an hour of every day, in UTC.
func nightly(hour int) func(time.Time) time.Time {
	return func(t time.Time) time.Time {
		n := t.Truncate(24 * time.Hour).Add(time.Duration(hour) * time.Hour)
		if !n.After(t) {
			n = n.Add(24 * time.Hour)
		}
		return n
	}
}

// drillTook puts the report of a drill that ends now and took so long.
func (w *world) drillTook(d time.Duration, v verify.Verdict) {
	w.t.Helper()
	b, err := verify.Encode(&verify.DrillDocument{Verdict: v, Dataset: "world", Host: "world-1", Snapshot: "a", Ordered: w.clock().Add(-d), Reasons: []string{"none"}, Conditions: verify.Conditions{Full: true}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.put("world", "world-1", &record.Report{Kind: record.DrillReport, Ran: [2]int64{w.clock().Add(-d).UnixNano(), w.clock().UnixNano()}, Document: b})
}

// TestMissedDrill drills at three every night, and then once not.
func TestMissedDrill(t *testing.T) {
	w := newWorld(t)
	w.counting("world-1", usual())
	o := health.Options{Plan: func(string, string) health.Plan {
		return health.Plan{NextDrill: nightly(3), DrillInterval: 24 * time.Hour}
	}}
	w.at("26:00")
	x := source(t, w.look(o), world1)
	if x.State != health.NeverDrilled || x.DrillTurns == nil || x.DrillTurns.Missed != nil || !x.DrillTurns.Next.Equal(began.Add(15*time.Hour)) {
		t.Fatalf("%q, %+v", x.State, x.DrillTurns)
	}
	w.at("27:45") // three quarters of an hour late, and so long at work
	w.drillTook(40*time.Minute, verify.CouldNotRun)
	w.at("51:04")
	w.drillTook(4*time.Minute, verify.Restored)
	for _, tt := range []struct {
		clock  string
		missed int
		state  health.State
	}{
		{"87:54", 0, health.Good}, // 12 hours after the third night, a quarter of an hour, and the 40 minutes that one took
		{"87:56", 1, health.DrillOverdue},
		{"120:00", 2, health.DrillOverdue},
	} {
		w.at(tt.clock)
		s := w.look(o)
		x := source(t, s, world1)
		i := slices.IndexFunc(s.Warnings, func(w health.Warning) bool { return w.State == health.DrillOverdue })
		if (x.State == health.DrillOverdue) != (tt.state == health.DrillOverdue) || *x.DrillTurns.Missed != tt.missed || len(x.Figures().MissedDrills) != tt.missed || (i >= 0) != (tt.missed > 0) {
			t.Errorf("at %s: %q, %+v, %v", tt.clock, x.State, x.DrillTurns, s.Warnings)
			continue
		}
		if i < 0 {
			continue
		}
		if got := s.Warnings[i]; got.Message != "world@world-1 was not drilled at 2026-11-23 03:00 UTC, as scheduled" || got.Next != "store drill --dataset world --host world-1" || got.State.Severity() != health.Caution {
			t.Errorf("at %s: %+v", tt.clock, got)
		}
		failed := false
		for _, suite := range s.Suites()[1:] {
			for _, q := range suite.Tests {
				failed = failed || q.Name == "drilled" && q.Outcome == health.Failed && q.State == health.DrillOverdue
			}
		}
		if !failed {
			t.Errorf("at %s no question fails", tt.clock)
		}
	}
	got := samples(t, w.scrape(o))
	labels := `{class="state",dataset="world",host="world-1"`
	due := time.Date(2026, 11, 23, 15, 55, 0, 0, time.UTC)
	if got["savepoint_drill_due_timestamp_seconds"+labels+"}"] != float64(due.Unix()) || got["savepoint_drill_missed_runs"+labels+`,window="30d"}`] != 2 {
		t.Error(got)
	}
	w.drillTook(time.Minute, verify.Restored)
	if x := source(t, w.look(o), world1); x.State == health.DrillOverdue || *x.DrillTurns.Missed != 2 { // what it came nearest to is the night that begins
		t.Errorf("%q, %+v", x.State, x.DrillTurns)
	}
}

// TestMissedBackup misses one backup, which wakes nobody, and a second.
func TestMissedBackup(t *testing.T) {
	w := newWorld(t)
	hourly := func(t time.Time) time.Time { return t.Truncate(time.Hour).Add(time.Hour) }
	plan := health.Plan{Next: hourly, Interval: time.Hour}
	o := health.Options{Plan: func(string, string) health.Plan { return plan }, Expected: []health.Expected{{Dataset: "world", Class: "state", Host: "world-1"}}}
	if v, ok := samples(t, w.scrape(o))[`savepoint_backup_due_timestamp_seconds{class="state",dataset="world",host="world-1"}`]; !ok || v != 0 {
		t.Errorf("never backed up: %v, %v", v, ok)
	}
	w.counting("world-1", usual()) // 12:00, for a minute
	for _, tt := range []struct {
		clock    string
		rpo      time.Duration
		state    health.State
		severity health.Severity
	}{
		{"13:45", 0, "", health.Caution},
		{"13:47", 0, health.BackupOverdue, health.Caution},
		{"13:47", time.Hour, health.Exposed, health.Critical},
		{"14:45", 0, health.BackupOverdue, health.Caution},
		{"14:47", 0, health.Stopped, health.Critical},
	} {
		w.at(tt.clock)
		plan.RPO = tt.rpo
		s := w.look(o)
		x := source(t, s, world1)
		if tt.state != "" && x.State != tt.state || x.State == health.Stopped != (tt.state == health.Stopped) || s.Severity() != tt.severity {
			t.Errorf("at %s with an RPO of %v: %q, %q", tt.clock, tt.rpo, x.State, s.Severity())
		}
		told := slices.ContainsFunc(s.Warnings, func(w health.Warning) bool {
			return w.State == health.BackupOverdue && strings.HasPrefix(w.Message, "world@world-1 was not backed up at 2026-11-20 13:00 UTC, as scheduled") && strings.HasPrefix(w.Next, "store backup --host world-1")
		})
		if told != (tt.state == health.BackupOverdue || tt.state == health.Exposed) {
			t.Errorf("at %s: %v", tt.clock, s.Warnings)
		}
	}
	if !source(t, w.look(o), world1).BackupTurns.Due.Equal(began.Add(106 * time.Minute)) {
		t.Error(source(t, w.look(o), world1).BackupTurns.Due)
	}
}

// TestMissedMinutes backs up by a schedule of every minute, and leaves some out: each counts, once a quarter of an hour has passed in which its
// report may come.
func TestMissedMinutes(t *testing.T) {
	w := newWorld(t)
	o := health.Options{Plan: func(string, string) health.Plan {
		return health.Plan{Interval: time.Minute, Next: func(t time.Time) time.Time { return t.Truncate(time.Minute).Add(time.Minute) }}
	}}
	once := func() {
		snap := w.backup("world", "world-1", nil)
		w.put("world", "world-1", &record.Report{Kind: record.BackupReport, Ran: [2]int64{snap.Window[0], snap.Stored.UnixNano()}, Manifest: snap.Name, Published: snap.Stored.UnixNano()})
	}
	missed := func() float64 {
		t.Helper()
		return samples(t, w.scrape(o))[`savepoint_backup_missed_runs{class="state",dataset="world",host="world-1",window="30d"}`]
	}
	for i := range 30 {
		w.at("12:" + strconv.Itoa(i))
		if i < 5 || i > 8 {
			once()
		}
	}
	if n := missed(); n != 4 {
		t.Errorf("missed: %v", n)
	}
	w.wait(24 * time.Hour)
	if n := missed(); n < 4+24*60-20 || n > 4+24*60 {
		t.Errorf("missed after a day without any: %v", n)
	}
	w.wait(40 * 24 * time.Hour)
	once()
	if n := missed(); n < 30*24*60-30 || n > 30*24*60 {
		t.Errorf("missed after forty days: %v", n)
	}
}
