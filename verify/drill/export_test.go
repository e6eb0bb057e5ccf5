package drill

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/repo"
	"savepoint/verify"
)

// WithDisk returns options for tests that may run where only memory is: the scratch folder seems to lie on a disk, of which change may say
// more.
func WithDisk(o Options, change func(*unix.Statfs_t)) Options {
	o.statfs = func(path string) (unix.Statfs_t, error) {
		st, err := statfs(path)
		st.Type = unix.EXT4_SUPER_MAGIC
		if change != nil {
			change(&st)
		}
		return st, err
	}
	return o
}

// WithTicks returns options for a drill that looks at its disk when it is told to, and may write little beside what it restores.
func WithTicks(o Options, ticks <-chan time.Time) Options {
	o.probeRoom = 1 << 20
	o.ticks = func() (<-chan time.Time, func()) { return ticks, func() {} }
	return o
}

// WithComparison returns options for a drill whose comparison ends with an error.
func WithComparison(o Options, err error) Options {
	o.compare = func(context.Context, *repo.Repo, *repo.Snapshot, string, compareOptions) (verify.Comparison, bool, error) {
		return verify.Comparison{}, false, err
	}
	return o
}

// WithStuckComparison returns options for a drill whose comparison does not end by itself.
func WithStuckComparison(o Options) Options {
	o.compare = func(ctx context.Context, _ *repo.Repo, _ *repo.Snapshot, _ string, _ compareOptions) (verify.Comparison, bool, error) {
		<-ctx.Done()
		return verify.Comparison{}, false, ctx.Err()
	}
	return o
}

// WithRandom returns options for a drill that draws this number.
func WithRandom(o Options, draw float64) Options {
	o.random = func() float64 { return draw }
	return o
}

// HoldScratch makes the folder of a drill that is at work until the function that it returns is called.
func HoldScratch(t testing.TB, path string) (stop func()) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { _ = lock.Close() }
}
