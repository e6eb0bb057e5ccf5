package drill

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/repo"
	"savepoint/repo/restore"
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

// WithComparison returns options for a drill whose comparison ends with an error.
func WithComparison(o Options, err error) Options {
	o.compare = func(context.Context, *repo.Repo, *repo.Snapshot, string, *restore.Result) (verify.Comparison, bool, error) {
		return verify.Comparison{}, false, err
	}
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
