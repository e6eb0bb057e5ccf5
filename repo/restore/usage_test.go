package restore_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"savepoint/internal/usage"
	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
)

// TestUsageOfStorage restores from a storage whose every request for data takes a second. The processors are said to be at work all the
// time, so that of the wait for it only that counts which the writers tell of.
func TestUsageOfStorage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	write(t, filepath.Join(dir, "a"), noise(1, 20<<20))
	synctest.Test(t, func(t *testing.T) {
		m, _, snap := saved(t, dir)
		began := time.Now()
		u := usage.New(usage.Options{CPU: func() (time.Duration, time.Duration) { return time.Since(began), 0 }})
		far := fault.New(m, fault.Rule{Op: fault.Get, Prefix: "data/", Count: fault.Forever, Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
			u.Calling(1)
			defer u.Calling(-1)
			<-time.After(time.Second)
			return nil
		}})
		took := bringMeasured(t, far, snap, u, nil)
		if got := u.Usage(); got.Waited.Storage < time.Second || got.Waited.Storage > took || got.Waited.Source != 0 {
			t.Errorf("%+v in %v", got, took)
		}
	})
}

// TestUsageOfTarget has a clock that goes on whenever it is read, so that only what is timed takes time.
func TestUsageOfTarget(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	write(t, filepath.Join(dir, "a"), noise(1, 4<<20))
	m, _, snap := saved(t, dir)
	var ticks atomic.Int64
	u := usage.New(usage.Options{CPU: func() (time.Duration, time.Duration) { return 0, 0 },
		Now: func() time.Time { return time.Unix(0, ticks.Add(int64(time.Second))) }})
	var transfer time.Duration
	bringMeasured(t, m, snap, u, func(p restore.Phase) {
		if p.Name == "transfer" {
			transfer = u.Usage().Waited.Target
		}
	})
	if got := u.Usage(); transfer <= 0 || got.Waited.Target <= transfer || got.Waited.Target > got.Wall || got.Waited.Source+got.Waited.Storage != 0 {
		t.Errorf("%+v", got)
	}
}

// bringMeasured restores with a recorder.
func bringMeasured(t *testing.T, st storage.Store, snap *repo.Snapshot, u *usage.Recorder, phase func(restore.Phase)) time.Duration {
	t.Helper()
	r, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: "test"}, repo.Options{Usage: u})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	bring(t, r, snap, restore.Selection{}, restore.Options{Events: restore.Events{Phase: phase}})
	return time.Since(began)
}
