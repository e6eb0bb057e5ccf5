package verify_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/verify"
)

func TestDocuments(t *testing.T) {
	drill := verify.DrillDocument{Verdict: verify.Damage, ExitCode: 4, Reasons: []string{"a file is lost"}, Dataset: "world", Host: "world-1",
		WindowStart: time.Date(2026, 11, 20, 2, 41, 0, 5, time.UTC), RTO: verify.Recovery{Seconds: 1.5, Phases: []verify.Phase{{Name: "open", Seconds: 0.2}}}}
	b, err := verify.Encode(&drill)
	if err != nil {
		t.Fatal(err)
	}
	back, err := verify.DecodeDrill(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&drill, back); diff != "" {
		t.Error(diff)
	}
	if _, err := verify.DecodeCheck(b); !errors.Is(err, verify.ErrDocument) {
		t.Errorf("a drill read as a verification: %v", err)
	}
	check := verify.CheckDocument{Level: "structure", Findings: []verify.Finding{{Code: "pack-missing", Harm: verify.Loss, Files: 3}}}
	if b, err = verify.Encode(&check); err != nil {
		t.Fatal(err)
	}
	got, err := verify.DecodeCheck(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&check, got); diff != "" {
		t.Error(diff)
	}
	if _, err := verify.DecodeDrill(b); !errors.Is(err, verify.ErrDocument) {
		t.Errorf("a verification read as a drill: %v", err)
	}
}

// TestUnknown leaves out of a document what is not known, and reads back what is.
func TestUnknown(t *testing.T) {
	b, err := verify.Encode(&verify.DrillDocument{Verdict: verify.CouldNotRun})
	if err != nil {
		t.Fatal(err)
	}
	for _, unknown := range []string{"snapshot", "complete", "fault_count", "window_end", "incident_at", "seconds\":0,\"judged", "alone", "throttled", "source_host", "storage_local",
		"page_cache_dropped", "machine", "key_from", "scratch", "memory_bytes", "not_independent", "0001-"} {
		if strings.Contains(string(b), `"`+unknown) {
			t.Errorf("%q is in %s", unknown, b)
		}
	}
	known := verify.DrillDocument{Verdict: verify.Restored, Complete: verify.No, Faults: new(uint64(0)), Conditions: verify.Conditions{Alone: verify.Yes, Throttled: verify.No, NotIndependent: []string{}}}
	if b, err = verify.Encode(&known); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"complete":false`, `"fault_count":0`, `"alone":true`, `"throttled":false`, `"not_independent":[]`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
	back, err := verify.DecodeDrill(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&known, back); diff != "" {
		t.Error(diff)
	}
	if back, err = verify.DecodeDrill([]byte(`{"verdict":"restored","complete":null,"conditions":{"alone":null}}`)); err != nil || back.Complete != verify.NotKnown {
		t.Errorf("null is read as %v, %v", back, err)
	}
	if _, err = verify.DecodeDrill([]byte(`{"verdict":"restored","complete":"yes"}`)); !errors.Is(err, verify.ErrDocument) {
		t.Errorf("text for an answer: %v", err)
	}
}

func TestDocumentLimits(t *testing.T) {
	long := verify.DrillDocument{Verdict: verify.Restored, Reasons: []string{strings.Repeat("a", verify.MaxDocument)}}
	if _, err := verify.Encode(&long); err == nil {
		t.Error("a document of more than MaxDocument is encoded")
	}
	if _, err := verify.DecodeDrill([]byte(`{"verdict":"` + strings.Repeat("a", verify.MaxDocument) + `"}`)); !errors.Is(err, verify.ErrDocument) {
		t.Errorf("more than MaxDocument: %v", err)
	}
	later := []byte(`{"verdict":"proved by a later program","new_field":{"a":[1]}}`)
	if d, err := verify.DecodeDrill(later); err != nil || d.Verdict != "proved by a later program" {
		t.Errorf("fields and verdicts of a later program: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"verdict":"restored","rto":{"seconds":1,"phases":[{"name":"open"}]}}`))
	f.Add([]byte(`{"level":"data","findings":[{"code":"pack-missing"}]}`))
	f.Add([]byte(`{"verdict":1e999}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := verify.DecodeDrill(b); err == nil && d.Verdict == "" || err != nil && !errors.Is(err, verify.ErrDocument) {
			t.Errorf("drill: %v", err)
		}
		if d, err := verify.DecodeCheck(b); err == nil && d.Level == "" || err != nil && !errors.Is(err, verify.ErrDocument) {
			t.Errorf("verification: %v", err)
		}
	})
}
