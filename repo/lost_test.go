package repo_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

// TestLostSince finds the snapshots that reports tell of and that are gone, and reads no older reports for it.
func TestLostSince(t *testing.T) {
	c := &clock{base: time.Now}
	m := mem.New(c.now)
	newRepo(t, m)
	st := fault.New(m)
	r := openIn(t, st, "")
	var snaps []*repo.Snapshot
	for i := range 4 {
		c.add(3 * time.Hour)
		s := mustSave(t, r, "world", files{"a": fmt.Sprint(i)})
		rep := record.Report{Kind: record.BackupReport, Ran: s.Window, Manifest: s.Name, Published: s.Stored.UnixNano()}
		if err := r.PutReport(t.Context(), s.Dataset, s.Host, &rep); err != nil {
			t.Fatal(err)
		}
		snaps = append(snaps, s)
	}
	// What is no name of a snapshot is none that is lost.
	for _, name := range []string{"data/00/11", "snapshots/", "config"} {
		if err := r.PutReport(t.Context(), "world", "host", &record.Report{Kind: record.BackupReport, Manifest: name}); err != nil {
			t.Fatal(err)
		}
	}
	lost := func(since time.Time) []string {
		t.Helper()
		found, err := r.LostSince(t.Context(), snapshots(t, r), since)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, s := range found {
			ids = append(ids, s.ID())
			if s.Dataset != "world" || s.Published.IsZero() {
				t.Errorf("%+v", s)
			}
		}
		survey, err := r.Survey(t.Context(), nil)
		if err != nil || since.IsZero() && len(survey.Lost) != len(found) {
			t.Errorf("a survey finds %+v, %v", survey.Lost, err)
		}
		return ids
	}
	if got := lost(time.Time{}); len(got) != 0 {
		t.Errorf("of a whole repository: %v", got)
	}
	for _, s := range []*repo.Snapshot{snaps[0], snaps[3]} {
		if err := m.Delete(t.Context(), s.Name); err != nil {
			t.Fatal(err)
		}
	}
	if got := lost(time.Time{}); len(got) != 2 {
		t.Errorf("of all time: %v", got)
	}
	if got := lost(snaps[2].Start()); len(got) != 1 || got[0] != snaps[3].ID() {
		t.Errorf("since the newest that is left: %v, want %s", got, snaps[3].ID())
	}
	found, err := r.LostSince(t.Context(), snapshots(t, r), snaps[2].Start())
	if err != nil || !found[0].Newer(snaps[2]) || found[0].Newer(snaps[3]) {
		t.Errorf("%+v, %v", found, err)
	}

	// Those of older reports are not read.
	reads := 0
	for _, i := range names(m, "reports/") {
		st.Arm(fault.Rule{Op: fault.Get, Prefix: i, Do: fault.Fail})
		if _, err := openIn(t, st, "").LostSince(t.Context(), snapshots(t, openIn(t, m, "")), snaps[2].Start()); err != nil {
			reads++
		}
	}
	st.Arm()
	if reads != 5 { // of two backups, and the three that were stored last
		t.Errorf("%d reports were read, want 5", reads)
	}

	// A tombstone explains it.
	mark(t, m, record.Mark{Kind: record.Tombstone, Objects: []string{snaps[3].Name}})
	if got := lost(snaps[2].Start()); len(got) != 0 {
		t.Errorf("forgotten: %v", got)
	}

	// A report that cannot be read is told of, and hides no other.
	report := names(m, "reports/")[0]
	m.Replace(report, object(t, m, report)[:50])
	if found, err := openIn(t, m, "").LostSince(t.Context(), snapshots(t, r), time.Time{}); !errors.Is(err, repo.ErrCorrupt) || len(found) > 1 {
		t.Errorf("%v, %v", found, err)
	}
	st.Arm(fault.Rule{Op: fault.List, Prefix: "marks/", Do: fault.Fail})
	if _, err := r.LostSince(t.Context(), nil, time.Time{}); err == nil || errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("when marks cannot be listed: %v", err)
	}
}

// TestLostMany misses more snapshots than are asked for one by one.
func TestLostMany(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	there := mustSave(t, r, "world", files{"a": "1"})
	report := func(name string) {
		t.Helper()
		if err := r.PutReport(t.Context(), "world", "host", &record.Report{Kind: record.BackupReport, Manifest: name, Published: 1}); err != nil {
			t.Fatal(err)
		}
	}
	report(there.Name)
	for i := range 70 {
		report(fmt.Sprintf("snapshots/00000000/20260301T000000Z-%032x", i))
	}
	found, err := r.LostSince(t.Context(), nil, time.Time{}) // nothing is said to be listed
	if err != nil || len(found) != 70 || found[69].ID() != fmt.Sprintf("%032x", 69) {
		t.Errorf("%d are lost, %v", len(found), err)
	}
}
