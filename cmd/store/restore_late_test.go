package main

import (
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/tree"
	"savepoint/verify/health"
)

// TestNewerTooLate says before a restore by time that a newer snapshot is there, and which command restores it.
func TestNewerTooLate(t *testing.T) {
	snap := func(id string, end time.Duration) *repo.Snapshot {
		return &repo.Snapshot{Name: "snapshots/00000000/20261120T024100Z-" + strings.Repeat(id, 8),
			Manifest: &tree.Manifest{Dataset: "world", Host: "world-1", Completeness: tree.Complete, Window: [2]int64{0, int64(end)}}}
	}
	older, late := snap("aaaa", time.Hour), snap("bbbb", 2*time.Hour)
	late.Late = true
	choice, err := repo.Select([]*repo.Snapshot{older, late}, repo.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	a := testApp()
	a.err = newErrWriter(&said)
	a.warnTooLate(choice)
	for _, want := range []string{"snapshot bbbbbbbb of world@world-1, read to ", "is newer than aaaaaaaa, and is never chosen by time", "store restore ", " bbbbbbbb\n"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q lacks %q", said.String(), want)
		}
	}
	if e := elementOf(task{choice: choice}, new(restore.Result), new(health.Known)); e.TooLate == nil || e.TooLate.ID != late.ID() || !e.TooLate.Late {
		t.Errorf("the document has %+v", e.TooLate)
	}
	said.Reset()
	choice.TooLate = nil
	if a.warnTooLate(choice); said.Len() > 0 {
		t.Errorf("without one: %s", said.String())
	}
}
