package backup_test

import (
	"testing"
	"time"

	"savepoint/repo/tree"
)

// TestFullSince makes full backups when one is due, and no more of them.
func TestFullSince(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	l := newLab(t)
	run := func(mode tree.Mode, since time.Time) tree.Mode {
		t.Helper()
		o := options(dir)
		o.Mode, o.FullSince = mode, since
		s := l.clean(t, o).Snapshot
		l.ahead.Add(int64(later))
		return s.Mode
	}
	began := l.open(t, l.st).Options().Now()
	for i, tt := range []struct {
		mode  tree.Mode
		since time.Time
		want  tree.Mode
	}{
		{tree.Incremental, time.Time{}, tree.Incremental},
		{tree.Incremental, began.Add(-time.Hour), tree.Full}, // none ever was
		{tree.Incremental, began.Add(-time.Hour), tree.Incremental},
		{tree.Incremental, began.Add(later / 2), tree.Incremental},
		{tree.Differential, began.Add(later / 2), tree.Differential},
		{tree.Incremental, began.Add(2 * later), tree.Full}, // the last one began before
		{tree.Incremental, began.Add(2 * later), tree.Incremental},
	} {
		if got := run(tt.mode, tt.since); got != tt.want {
			t.Errorf("backup %d: mode %d, want %d", i, got, tt.want)
		}
	}
}
