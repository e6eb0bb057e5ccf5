package repo_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

// TestSurvey reads old manifests once, and the newest two of each source every time: damage in those is seen, whatever the cache holds.
func TestSurvey(t *testing.T) {
	c := &clock{base: time.Now}
	m := mem.New(c.now)
	newRepo(t, m)
	st := fault.New(m)
	dir := t.TempDir()
	r := openIn(t, st, dir)
	var saved []*repo.Snapshot
	for range 3 {
		c.add(2 * time.Second) // names tell whole seconds
		saved = append(saved, mustSave(t, r, "world", files{"a": "a"}))
	}
	mustSave(t, r, "other", files{"a": "a"})
	if err := r.PutReport(t.Context(), "world", "host", &record.Report{Kind: record.DrillReport}); err != nil {
		t.Fatal(err)
	}
	survey := func() *repo.Survey {
		t.Helper()
		s, err := openIn(t, st, dir).Survey(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := survey()
	if len(s.Snapshots) != 4 || len(s.Reports) != 1 || s.BadSnapshots != nil || s.BadReports != nil || s.Damaged != nil {
		t.Fatalf("the first look sees %+v", s)
	}
	cached := filepath.Join(dir, r.ID().String(), "manifests-all")
	before, err := os.Stat(cached)
	if err != nil {
		t.Fatal(err)
	}
	oldest := saved[0].Name
	st.Arm(fault.Rule{Op: fault.Get, Prefix: oldest, Do: fault.Fail})
	if s = survey(); len(s.Snapshots) != 4 || s.BadSnapshots != nil {
		t.Errorf("an old manifest that was read before is read again: %v", s.BadSnapshots)
	}
	if after, err := os.Stat(cached); err != nil || !os.SameFile(before, after) {
		t.Errorf("the cache is written again with nothing new in it: %v", err)
	}
	st.Arm()
	newest := saved[2].Name
	m.Replace(newest, flip(object(t, m, newest), 70))
	if s = survey(); len(s.Snapshots) != 3 || !errors.Is(s.BadSnapshots, repo.ErrCorrupt) || !strings.Contains(s.BadSnapshots.Error(), newest) {
		t.Errorf("with the newest damaged: %d snapshots, %v", len(s.Snapshots), s.BadSnapshots)
	}
	report := s.Reports[0].Name
	m.Replace(report, object(t, m, report)[:60])
	if s = survey(); len(s.Reports) != 0 || !strings.Contains(s.BadReports.Error(), report) {
		t.Errorf("with a report cut: %d, %v", len(s.Reports), s.BadReports)
	}
	for _, rule := range []fault.Rule{{Op: fault.List, Prefix: "snapshots/"}, {Op: fault.List, Prefix: "reports/"}, {Op: fault.List, Prefix: "marks/"},
		{Op: fault.Get, Prefix: "snapshots/"}, {Op: fault.Get, Prefix: "reports/"}} {
		st.Arm(rule)
		if _, err := openIn(t, st, dir).Survey(t.Context(), nil); err == nil || errors.Is(err, repo.ErrCorrupt) {
			t.Errorf("%s of %s fails: %v", rule.Op, rule.Prefix, err)
		}
	}
}

// TestSurveyTake hands over every report once, and keeps what is left of it; what is kept of manifests is no list.
func TestSurveyTake(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	mustSave(t, r, "world", files{"a": "a"})
	for range 40 {
		if err := r.PutReport(t.Context(), "world", "host", &record.Report{Kind: record.DrillReport, Document: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	var taken atomic.Int32
	s, err := r.Survey(t.Context(), func(rep *repo.StoredReport) {
		if string(rep.Document) == "{}" {
			taken.Add(1)
		}
		rep.Document = nil
	})
	if err != nil || taken.Load() != 40 || len(s.Reports) != 40 || s.Reports[7].Document != nil {
		t.Fatalf("%d of %d reports, %v", taken.Load(), len(s.Reports), err)
	}
	if s.Snapshots[0].Roots != nil || s.Snapshots[0].Dataset != "world" {
		t.Errorf("kept of a manifest: %+v", s.Snapshots[0].Manifest)
	}
	again, err := r.Report(t.Context(), s.Reports[7].Name)
	if err != nil || string(again.Document) != "{}" || again.Seq != s.Reports[7].Seq {
		t.Errorf("read again: %+v, %v", again, err)
	}
	if _, err := r.Report(t.Context(), "reports/"+strings.Repeat("0", 32)); !errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("one that is gone: %v", err)
	}
	mark := "marks/" + strings.Repeat("0", 32)
	if err := m.Put(t.Context(), mark, strings.NewReader("no mark"), 7, storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if s, err = r.Survey(t.Context(), nil); err != nil || len(s.BadRecords) != 1 || s.BadRecords[0] != mark {
		t.Errorf("with a damaged mark: %+v, %v", s.BadRecords, err)
	}
}

// TestSurveyMarks names the packs that are marked as damaged.
func TestSurveyMarks(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	mustSave(t, r, "world", files{"a": "a"})
	name := one(t, m, "data/")
	m.Replace(name, flip(object(t, m, name), 100))
	if marked, err := r.MarkDamaged(t.Context(), &repo.CorruptError{Object: name, Err: errors.New("flipped")}); err != nil || marked != name {
		t.Fatalf("marked %q, %v", marked, err)
	}
	s, err := r.Survey(t.Context(), nil)
	if err != nil || len(s.Damaged) != 1 || s.Damaged[0].Name != name || s.Damaged[0].Marked.IsZero() {
		t.Errorf("%+v, %v", s, err)
	}
}
