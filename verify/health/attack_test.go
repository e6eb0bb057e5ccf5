package health_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/health"
)

// TestHostileDocuments puts documents that a key holder can write and no run writes: each counts as none, and is said.
func TestHostileDocuments(t *testing.T) {
	w := newWorld(t)
	snap := w.reported("world", "a", nil)
	for name, document := range map[string]string{
		"another dataset's":   `{"verdict":"restored","dataset":"other","host":"a","snapshot":"%s"}`,
		"another host's":      `{"verdict":"restored","dataset":"world","host":"b","snapshot":"%s"}`,
		"of no source":        `{"verdict":"restored","snapshot":"%s"}`,
		"negative RTO":        `{"verdict":"restored","dataset":"world","host":"a","snapshot":"%s","rto":{"seconds":-1}}`,
		"huge RPO":            `{"verdict":"restored","dataset":"world","host":"a","snapshot":"%s","rpo":{"seconds":1e308}}`,
		"huge phases":         `{"verdict":"restored","dataset":"world","host":"a","snapshot":"%s","rto":{"phases":[{"name":"open","seconds":1e308},{"name":"open","seconds":1e308}]}}`,
		"no number":           `{"verdict":"restored","dataset":"world","host":"a","snapshot":"%s","rto":{"seconds":NaN}}`,
		"restored and lost":   `{"verdict":"restored","dataset":"world","host":"a","snapshot":"%s","damaged_count":1}`,
		"restored and other":  `{"verdict":"restored","dataset":"world","host":"a","snapshot":"%s","compared":{"difference_count":1}}`,
		"restored nothing":    `{"verdict":"restored","dataset":"world","host":"a"}`,
		"a year that is none": `{"verdict":"restored","dataset":"world","host":"a","snapshot":"%s","ordered_at":"99999-01-01T00:00:00Z"}`,
	} {
		w.put("world", "a", &record.Report{Kind: record.DrillReport, Document: []byte(strings.ReplaceAll(document, "%s", snap.ID()))})
		s := w.look(health.Options{})
		if x := source(t, s, "world@a"); x.LastDrill != nil || x.LastProven != nil || x.Restored != nil || s.Unreadable[len(s.Unreadable)-1].Kind != health.KindDocument {
			t.Errorf("%s: %+v", name, x.LastDrill)
		}
	}
	w.put("", "here", &record.Report{Kind: record.VerifyReport, Document: []byte(`{"level":"data","structure":{"packs":18446744073709551615}}`)})
	if s := w.look(health.Options{}); len(s.Unreadable) != 12 || s.Verify.Data.Last != nil || s.ExitCode != 0 {
		t.Errorf("%d documents, %+v", len(s.Unreadable), s.Verify)
	}
	samples(t, w.scrape(health.Options{}))

	// What can be, but is not so: times beyond the report's own, and words of any length.
	future := w.clock().Add(1000 * time.Hour)
	w.check(verify.CheckDocument{Level: "data", Structure: verify.Structure{Packs: 1}, ReadBack: verify.ReadBack{Oldest: &future}},
		record.ReadBack{PackRef: record.PackRef{Kind: pack.Data, ID: pack.ID{1}}, Time: future.UnixNano()})
	long := strings.Repeat("x\n\x1b", 1<<18)
	d := verify.DrillDocument{Verdict: verify.Verdict(long), Dataset: "world", Host: "a", Reasons: []string{long}, Snapshot: long}
	b, err := verify.Encode(&d)
	if err != nil {
		t.Fatal(err)
	}
	w.put("world", "a", &record.Report{Kind: record.DrillReport, Document: b, Ran: [2]int64{0, future.UnixNano()}})
	s := w.look(health.Options{})
	x := source(t, s, "world@a")
	if x.LastDrill.At.After(w.clock()) || s.Verify.Oldest.After(w.clock()) || len(x.LastDrill.Verdict) > 100 {
		t.Errorf("%v, %v, a verdict of %d bytes", x.LastDrill.At, s.Verify.Oldest, len(x.LastDrill.Verdict))
	}
	for _, warning := range s.Warnings {
		if len(warning.Message) > 1500 || strings.ContainsAny(warning.Message, "\n\x1b") {
			t.Errorf("a warning of %d bytes: %.100q", len(warning.Message), warning.Message)
		}
	}
	if !bytes.Equal(x.LastDrill.Document, b) {
		t.Error("a document that is too long to keep is not read again")
	}
}

// TestNoKey does what somebody can who has the repository and no key: reports that are copied to another name, exchanged, taken from another
// repository or changed are none.
func TestNoKey(t *testing.T) {
	w := newWorld(t)
	snap := w.reported("world", "a", nil)
	w.drill("world", "a", snap, damage)
	bad := reportsOf(w)[0]
	if b := reportsOf(w)[1]; source(t, w.look(health.Options{}), "world@a").UnhealedDamage.Object == b {
		bad = b
	}
	other := newWorld(t)
	other.drill("world", "a", other.reported("world", "a", nil), restored)
	for _, name := range reportsOf(other) {
		copied(t, other, w, name, "reports/"+strings.Repeat("0", 31)+"1")
		s := w.look(health.Options{})
		if x := source(t, s, "world@a"); s.ExitCode != 4 || x.LastProven != nil || x.UnhealedDamage == nil || len(s.Unreadable) != 1 {
			t.Errorf("another repository's report counts: %+v", x)
		}
	}
	if err := w.store.Delete(t.Context(), "reports/"+strings.Repeat("0", 31)+"1"); err != nil {
		t.Fatal(err)
	}

	// What says that there is damage can be deleted; that it is gone shows when its writer has written another.
	w.at("13:00")
	w.drill("world", "a", snap, restored)
	if err := w.store.Delete(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	w.at("14:00")
	if s := w.look(health.Options{}); s.Missing != 1 {
		t.Errorf("%d reports are missing, want 1", s.Missing)
	}
	if samples(t, w.scrape(health.Options{}))["savepoint_missing_reports{}"] != 1 {
		t.Error("it is not exported")
	}
	for _, name := range reportsOf(w) {
		if err := w.store.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	w.backup("world", "a", func(m *tree.Manifest) { m.Chains = []tree.Chain{{Writer: [16]byte{1}, Seq: 7}} })
	if s := w.look(health.Options{}); s.Missing != 7 {
		t.Errorf("%d reports are missing that a manifest names, want 7", s.Missing)
	}
}

func reportsOf(w *world) []string {
	return slices.DeleteFunc(w.store.Objects(), func(n string) bool { return !strings.HasPrefix(n, "reports/") })
}

// put puts or replaces an object.
func put(t *testing.T, w *world, name string, b []byte) {
	t.Helper()
	if err := w.store.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Put(t.Context(), name, bytes.NewReader(b), int64(len(b)), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func copied(t *testing.T, from, to *world, name, as string) {
	t.Helper()
	b, err := from.store.Get(t.Context(), name, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, to, as, b)
}

// TestFork clones a host together with its chain of reports: both count, and nothing is missing.
func TestFork(t *testing.T) {
	w := newWorld(t)
	snap := w.reported("world", "a", nil)
	clone := t.TempDir()
	copyTree(t, w.cache, clone)
	w.drill("world", "a", snap, damage)
	w.cache = clone
	w.reopen()
	w.at("13:00")
	w.drill("world", "a", snap, restored)
	w.at("14:00")
	s := w.look(health.Options{})
	if x := source(t, s, "world@a"); s.Missing != 0 || x.Drills[1].Runs != 1 || x.Drills[2].Runs != 1 || x.UnhealedDamage != nil {
		t.Errorf("%d missing, %+v", s.Missing, x)
	}
}

// TestClocks has the storage's clock jump ahead for one backup: what came then looks fresh for years, and is not called well.
func TestClocks(t *testing.T) {
	w := newWorld(t)
	host := w.clock()
	w.drill("world", "good", w.reported("world", "good", nil), restored)
	w.wait(20 * 365 * 24 * time.Hour)
	w.drill("world", "ahead", w.reported("world", "ahead", nil), restored)
	s := w.look(health.Options{Now: func() time.Time { return host.Add(time.Hour) }})
	if x := source(t, s, "world@ahead"); x.State != health.Faulty || source(t, s, "world@good").State != health.Good {
		t.Errorf("ahead: %q; good: %q", x.State, source(t, s, "world@good").State)
	}
	if !slices.ContainsFunc(s.Warnings, func(x health.Warning) bool { return strings.Contains(x.Message, "2046-") }) {
		t.Errorf("%+v", s.Warnings)
	}
	if got := samples(t, w.scrape(health.Options{Now: func() time.Time { return host }}))["savepoint_storage_newest_timestamp_seconds{}"]; got < float64(w.clock().Unix()-10) {
		t.Errorf("the newest time is %v", got)
	}
	s = w.look(health.Options{Now: func() time.Time { return w.clock().Add(time.Hour) }})
	if x := source(t, s, "world@good"); x.State != health.Good || s.ClockBehind != 0 { // old, which is for the rules to say
		t.Errorf("later: %+v", x)
	}
}

// TestBadMark says that a mark cannot be read, which might be about any pack.
func TestBadMark(t *testing.T) {
	w := newWorld(t)
	w.reported("world", "a", nil)
	mark := "marks/" + strings.Repeat("0", 32)
	put(t, w, mark, []byte("no mark"))
	s := w.look(health.Options{})
	if s.ExitCode != 4 || !mentions(s.Unreadable, health.KindRecord, mark) {
		t.Errorf("exit %d, %+v", s.ExitCode, s.Unreadable)
	}
}

// TestMemory looks at reports whose documents are far more than may be kept.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes 160 MB")
	}
	w := newWorld(t)
	w.store = mem.New(w.clock)
	w.init(w.store)
	w.reported("world", "a", nil)
	hits := make([]verify.Hit, 400)
	for i := range hits {
		hits[i] = verify.Hit{Snapshot: fmt.Sprintf("%032x", i), Dataset: "world", Host: "a", Paths: []string{strings.Repeat("p", 10<<10)}}
	}
	const reports = 40
	for range reports {
		w.check(verify.CheckDocument{Level: "structure", ExitCode: 4, Findings: []verify.Finding{{Code: "pack-missing", Harm: verify.Loss}}, FindingCnt: 1, Hit: hits, HitCount: 400})
	}
	st := &weighed{Store: w.store, last: reports}
	r, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: password}, repo.Options{Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	s, err := health.Look(t.Context(), r, health.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if during := st.heap.Load() - before; during > 130<<20 {
		t.Errorf("%d MiB are in use when the last of %d reports is read", during>>20, reports)
	}
	if kept := heap() - before; kept > 30<<20 {
		t.Errorf("%d MiB are kept of 160 MiB of documents", kept>>20)
	}
	if s.ExitCode != 4 || len(s.Verify.Unhealed.Document) < 4e6 || !json.Valid(s.Verify.Unhealed.Document) {
		t.Errorf("exit %d, a document of %d bytes", s.ExitCode, len(s.Verify.Unhealed.Document))
	}
	runtime.KeepAlive(s)
}

// weighed is a store that measures the memory in use when the last report is read.
type weighed struct {
	storage.Store
	read, last int32
	heap       atomic.Int64
}

func (s *weighed) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	if strings.HasPrefix(name, "reports/") && atomic.AddInt32(&s.read, 1) == s.last {
		s.heap.Store(heap())
	}
	return s.Store.Get(ctx, name, off, n, dst)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
