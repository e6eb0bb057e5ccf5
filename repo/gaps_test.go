package repo_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/storage/mem"
)

// TestGapInASource: a manifest that was taken away is missed by the one after it, unless a tombstone explains it.
func TestGapInASource(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	first := mustSave(t, r, "world", files{"a": "1"})
	mustSave(t, r, "world", files{"a": "2"})
	said := func() string {
		var log bytes.Buffer
		r, err := repo.Open(t.Context(), st, secret, repo.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		snapshots(t, r)
		return log.String()
	}
	if s := said(); s != "" {
		t.Errorf("said of a whole source: %s", s)
	}
	if err := st.Delete(t.Context(), first.Name); err != nil {
		t.Fatal(err)
	}
	if s := said(); !strings.Contains(s, first.Name) {
		t.Errorf("said of a gap: %q, want it to name %s", s, first.Name)
	}
	mark(t, st, record.Mark{Kind: record.Tombstone, Objects: []string{first.Name}})
	if s := said(); s != "" {
		t.Errorf("said of a snapshot that was forgotten: %s", s)
	}
}
