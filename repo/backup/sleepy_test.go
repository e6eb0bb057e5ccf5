package backup_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

// newSleepyLab returns a lab and a function that wraps its store: before the first segment is put, all clocks go forward and
// fn is called.
func newSleepyLab(t *testing.T) (*lab, func(time.Duration, func()) storage.Store) {
	t.Helper()
	var slept atomic.Int64
	l := &lab{st: mem.New(func() time.Time { return time.Now().Add(time.Duration(slept.Load())) })}
	l.ahead.Store(int64(later))
	l.init(t, l.st)
	return l, func(d time.Duration, fn func()) storage.Store {
		return fault.New(l.st, fault.Rule{Op: fault.Put, Prefix: "index/", Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
			slept.Add(int64(d))
			l.ahead.Add(int64(d))
			fn()
			return nil
		}})
	}
}
