package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/health"
)

// history makes a repository on a clock of its own.
type history struct {
	t    *testing.T
	now  time.Time
	repo *repo.Repo

	store storage.Store
}

func newHistory(t *testing.T) *history {
	t.Helper()
	h := &history{t: t, now: time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return h.now }
	slot := repo.NewSlot{Kind: repo.SlotPassphrase, Label: "test", Passphrase: "p", WorkFactor: 1}
	var err error
	h.store = mem.New(clock)
	if h.repo, err = repo.Init(t.Context(), h.store, []repo.NewSlot{slot}, repo.Options{Now: clock, Sealers: 1}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *history) backup(dataset, host string, bytes, faults uint64) *repo.Snapshot {
	h.t.Helper()
	m := &tree.Manifest{Mode: tree.Full, Completeness: tree.Complete, FaultCount: faults, Stats: tree.Stats{Files: 3, FileBytes: bytes},
		Roots: []tree.Root{{Path: "/srv", Entry: tree.Entry{Type: tree.Directory}}}}
	if faults > 0 {
		m.Completeness = tree.WithFaults
	}
	var snap *repo.Snapshot
	err := h.repo.Write(h.t.Context(), dataset, host, func(ctx context.Context, s *repo.Session) (err error) {
		snap, err = s.Commit(ctx, m)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return snap
}

func (h *history) report(kind record.ReportKind, dataset, host string, document []byte, err error) {
	h.t.Helper()
	if err == nil {
		err = h.repo.PutReport(h.t.Context(), dataset, host, &record.Report{Kind: kind, Document: document})
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) drill(s *repo.Snapshot, v verify.Verdict, rto, rpo float64) {
	h.t.Helper()
	d := verify.DrillDocument{Verdict: v, Dataset: s.Dataset, Host: s.Host, Snapshot: s.ID(), Incident: h.now, RTO: verify.Recovery{Seconds: rto, Judged: v != verify.Inconclusive}, RPO: verify.Exposure{Seconds: rpo}, Reasons: []string{"the data is too old."},
		Conditions: verify.Conditions{Full: true}}
	b, err := verify.Encode(&d)
	h.report(record.DrillReport, s.Dataset, s.Host, b, err)
}

func (h *history) check(d verify.CheckDocument) {
	h.t.Helper()
	b, err := verify.Encode(&d)
	h.report(record.VerifyReport, "", "backup-1", b, err)
}

// TestHealthText shows an auditor when each restore was last proven and how long it took, what is worst first.
func TestHealthText(t *testing.T) {
	h := newHistory(t)
	oldest := h.now.Add(-12 * 24 * time.Hour)
	h.drill(h.backup("/srv/a/rather/long/path/to/the/game/users", "world-1", 3<<30, 0), verify.Restored, 312, 1860)
	h.check(verify.CheckDocument{Level: "data", Structure: verify.Structure{Packs: 40}, ReadBack: verify.ReadBack{Oldest: &oldest}})
	h.now = h.now.Add(90 * time.Minute)
	h.drill(h.backup("world", "world-1", 1<<20, 0), verify.Restored, 4.25, 1800)
	h.drill(h.backup("world", "world-2", 1<<20, 0), verify.ObjectiveMissed, 62, 7200)
	h.now = h.now.Add(24 * time.Hour)
	h.backup("world", "world-2", 2<<20, 1234)
	h.backup("world", "world-3", 2<<20, 1)
	h.check(verify.CheckDocument{Level: "structure", Structure: verify.Structure{Packs: 40}, ReadBack: verify.ReadBack{Oldest: &oldest}})
	h.now = h.now.Add(12 * time.Minute)
	got := h.text()
	want := `2 of 4 sources need attention; a restore was last proven 2026-11-20 03:30:00 UTC (1d ago): world@world-1 in 4.2s

SOURCE                        LAST BACKUP        EXPOSED     SIZE  LAST DRILL      PROVEN                  RTO  RPO
world@world-3                 12m, 1 fault           all  2.0 MiB  never           never
world@world-2                 12m, 1,234 faults     1d1h  2.0 MiB  1d, missed      never                 1m02s   2h
/srv/a/ra…game/users@world-1  1d1h                  1d2h  3.0 GiB  1d1h, restored  2026-11-20 02:00 UTC  5m12s  31m
world@world-1                 1d                    1d1h  1.0 MiB  1d, restored    2026-11-20 03:30 UTC   4.2s  30m

verify: structure whole 12m ago; data whole 1d1h ago; 0 of 40 packs read back within 30 days; the oldest 13d ago
recovery kit: never proven; store drill --keys-from KIT does that
exposure within 30 days: at worst everything, of world@world-3
going back to any moment of 30 days loses everything of world@world-3
restore coverage within 30 days: 0% of the live bytes restored, 0% probed

world@world-3 has no snapshot that is complete, on time, not suspect and not damaged; on world-3: store backup --host world-3 --dataset world
world@world-2 has faults in its last backup, files that are missing or torn: 1234; when they can be read, on world-2: store backup --host world-2 --dataset world
world@world-3 has faults in its last backup, files that are missing or torn: 1; when they can be read, on world-3: store backup --host world-3 --dataset world
world@world-2 missed an objective in the drill of 2026-11-20 03:30 UTC: the data is too old: store drill --dataset world --host world-2
`
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Error(diff)
	}
	for i, line := range strings.Split(got, "\n") {
		if i < 8 && utf8.RuneCountInString(line) > 120 {
			t.Errorf("a line of %d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
}

// TestHealthTextInconclusive shows a drill that was held back: it is no warning, and has no time.
func TestHealthTextInconclusive(t *testing.T) {
	h := newHistory(t)
	snap := h.backup("world", "world-1", 1<<20, 0)
	h.drill(snap, verify.Restored, 4.25, 1800)
	h.check(verify.CheckDocument{Level: "data", Structure: verify.Structure{Packs: 40}})
	h.now = h.now.Add(time.Hour)
	h.drill(snap, verify.Inconclusive, 3600, 3600)
	got := h.text()
	if !strings.HasPrefix(got, "ok; a restore was last proven 2026-11-20 02:00:00 UTC (1h ago): world@world-1 in 4.2s\n") ||
		!strings.Contains(got, "0s, inconclusive  2026-11-20 02:00 UTC  4.2s  30m\n") || strings.Contains(got, "objective") {
		t.Error(got)
	}
}

// TestHealthTextMany shows many sources, of which some have names that are equal when they are cut, or that no terminal should get.
func TestHealthTextMany(t *testing.T) {
	h := newHistory(t)
	for i := range 56 {
		h.backup(fmt.Sprintf("/srv/game/region-%02d/persistent/state/users", i), "world-1.game.example.com", 1<<40, 1<<10)
	}
	for _, name := range []string{"a\nb", "\x1b[2Jgone", "back\\slash", "世界/世界/世界/世界/世界/世界/世界/世界/世界/世界"} {
		h.drill(h.backup(name, "world-1", 1, 0), verify.Verdict("proved\n\x1btwice by a later program"), 1e9, 1e9)
	}
	h.now = h.now.Add(5000 * time.Hour)
	lines := strings.Split(h.text(), "\n")
	rows := map[string]bool{}
	for i, line := range lines {
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("a line has what no terminal should get: %q", line)
		}
		if i < 63 && utf8.RuneCountInString(line) > 140 {
			t.Errorf("a line of %d columns: %s", utf8.RuneCountInString(line), line)
		}
		if i > 2 && i < 63 {
			name, _, _ := strings.Cut(line, "  ")
			rows[name] = true
		}
	}
	if len(rows) != 60 || len(lines) > 94 {
		t.Errorf("%d names of 60 sources, %d lines", len(rows), len(lines))
	}
}

// text returns what health prints of the history now.
func (h *history) text() string {
	h.t.Helper()
	var out bytes.Buffer
	a := newApp([]string{"store"}, nil, &out, &bytes.Buffer{}, func(string) string { return "" })
	a.zone = time.UTC
	s, err := health.Look(h.t.Context(), h.repo, health.Options{})
	if err == nil {
		err = a.printHealth(s)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return out.String()
}

// TestExitCodesDocumented holds docs/operations.md and README.md to the exit codes that the help lists.
func TestExitCodesDocumented(t *testing.T) {
	for _, page := range []string{"../../docs/operations.md", "../../README.md"} {
		t.Run(filepath.Base(page), func(t *testing.T) { exitCodesIn(t, page) })
	}
}

func exitCodesIn(t *testing.T, page string) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for row := range strings.Lines(exitTable()) {
		code, text, _ := strings.Cut(strings.TrimSpace(row), "  ")
		want = append(want, code+" | "+text)
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+ \| .*) \|$`).FindAllStringSubmatch(string(b), -1) {
		got = append(got, m[1])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
