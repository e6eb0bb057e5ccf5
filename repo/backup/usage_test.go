package backup_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"savepoint/internal/usage"
	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/record"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
)

// far returns the store behind requests that take a second, which the recorder is told of.
func far(st storage.Store, u *usage.Recorder, prefix string) storage.Store {
	return fault.New(st, fault.Rule{Prefix: prefix, Count: fault.Forever, Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
		u.Calling(1)
		defer u.Calling(-1)
		<-time.After(time.Second)
		return nil
	}})
}

// measured backs up with a recorder, and returns what the run's report says.
func measured(t *testing.T, l *lab, st storage.Store, u *usage.Recorder, o backup.Options) *record.Report {
	t.Helper()
	opts := l.options()
	opts.Usage, opts.PackBuffers, opts.Sealers = u, 3, 2
	r, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: "test"}, opts)
	must(t, err)
	_, err = backup.Run(t.Context(), r, o)
	must(t, err)
	stored, bad := l.open(t, l.st).Reports(t.Context())
	if bad != nil || len(stored) != 1 || stored[0].Usage == nil {
		t.Fatalf("%d reports: %v", len(stored), bad)
	}
	return stored[0].Report
}

// TestUsageOfFarStorage has a storage whose every request takes a second, and processors that are idle.
func TestUsageOfFarStorage(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "alpha")
	inBubble(t, func(t *testing.T, l *lab) {
		u := usage.New(usage.Options{CPU: func() (time.Duration, time.Duration) { return 0, 0 }})
		got := measured(t, l, far(l.st, u, ""), u, options(dir)).Usage
		if got.Limit != usage.Storage || got.Wall < 5*time.Second || got.Waited.Storage < got.Wall*9/10 || got.Waited.Storage > got.Wall {
			t.Errorf("%+v", got)
		}
	})
}

// TestUsageOfUploads fills every buffer. The processors are said to be at work all the time, so that of the wait for the storage only that
// counts which the sealers tell of.
func TestUsageOfUploads(t *testing.T) {
	if testing.Short() {
		t.Skip("seals 200 MiB")
	}
	dir := t.TempDir()
	for i := range 25 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), noise(byte(i), 8<<20))
	}
	inBubble(t, func(t *testing.T, l *lab) {
		began := time.Now()
		u := usage.New(usage.Options{CPU: func() (time.Duration, time.Duration) { return time.Since(began), 0 }})
		got := measured(t, l, far(l.st, u, "data/"), u, options(dir)).Usage
		// Six packs, of which two or three are on their way at a time; the last of them after the source was read.
		if w := got.Waited.Storage; w < time.Second || w > 4*time.Second {
			t.Errorf("%+v", got)
		}
	})
}

// TestUsageOfSource has a clock that goes on whenever it is read, so that only what is timed takes time.
func TestUsageOfSource(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "large"), strings.Repeat("large", 1<<20))
	for i := range 300 {
		write(t, filepath.Join(dir, "many", fmt.Sprint(i)), noise(byte(i), 10))
	}
	for name, paths := range map[string][]string{"a file": {filepath.Join(dir, "large")}, "a folder": {filepath.Join(dir, "many")}} {
		t.Run(name, func(t *testing.T) { slowSource(t, options(paths...)) })
	}
}

func slowSource(t *testing.T, o backup.Options) {
	l := newLab(t)
	var ticks atomic.Int64
	u := usage.New(usage.Options{CPU: func() (time.Duration, time.Duration) { return 0, 0 },
		Now: func() time.Time { return time.Unix(0, ticks.Add(int64(time.Second))) }})
	got := measured(t, l, l.st, u, o).Usage
	if w := got.Waited; w.Source <= 0 || w.Source > got.Wall || w.Storage+w.Target+w.Limit != 0 {
		t.Errorf("%+v", got)
	}
}
