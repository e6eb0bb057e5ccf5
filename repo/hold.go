package repo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/repo/record"
)

// LockSource makes sure that one process of this host at a time backs up a source. It returns ErrHeld, saying since when, while
// another does. Without a cache folder that can be written there is no lock: two runs are wasteful, not unsafe. The kernel frees the lock
// when the process ends, however it ends.
func (r *Repo) LockSource(dataset, host string) (release func(), err error) {
	path := r.cacheFile(r.id, "lock-"+r.SourceTag(dataset, host))
	if path == "" {
		return func() {}, nil
	}
	err = os.MkdirAll(filepath.Dir(path), 0o700)
	var f *os.File
	if err == nil {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err != nil {
		r.o.Logger.Warn("the cache folder cannot be used, so a second backup of this source would not be told apart", "err", err)
		return func() {}, nil
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		b, _ := os.ReadFile(path) // only words for the message
		_ = f.Close()
		if err == unix.EWOULDBLOCK {
			since := strings.TrimSpace(string(b))
			if since == "" { // the other one has the lock, and has not written yet
				return nil, fmt.Errorf("%w: a backup of %s@%s runs now", ErrHeld, dataset, host)
			}
			return nil, fmt.Errorf("%w: a backup of %s@%s runs since %s", ErrHeld, dataset, host, since)
		}
		r.o.Logger.Warn("the cache folder has no locks, so a second backup of this source would not be told apart", "err", err)
		return func() {}, nil
	}
	text := fmt.Sprintf("%s (process %d)\n", r.o.Now().UTC().Format(time.RFC3339), os.Getpid())
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(text), 0)
	}
	if err != nil {
		r.o.Logger.Debug("lock file could not be written", "err", err)
	}
	return func() { _ = f.Close() }, nil
}

// Read runs fn while a reader's lease is held, which prune respects. When the lease cannot be written, as with a credential that may
// only read, it says so in the log and goes on: prune's grace of three days stands in.
func (r *Repo) Read(ctx context.Context, dataset string, fn func(context.Context) error) error {
	l, err := r.newLease(ctx, record.Reader, dataset, nil)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		r.o.Logger.Warn("no lease could be written; a prune in the next days may take what is being read", "err", err)
		return fn(ctx)
	}
	return r.reading(ctx, l, fn)
}

// Hold is Read for who must have the lease: an error says that it could not be written, and fn was not called. It tells fn
// the storage time at which the lease began.
func (r *Repo) Hold(ctx context.Context, dataset string, fn func(ctx context.Context, began time.Time) error) error {
	l, err := r.newLease(ctx, record.Reader, dataset, nil)
	if err != nil {
		return fmt.Errorf("write a reader's lease: %w", err)
	}
	return r.reading(ctx, l, func(ctx context.Context) error { return fn(ctx, l.began) })
}

// reading runs fn under a lease, and ends that.
func (r *Repo) reading(ctx context.Context, l *lease, fn func(context.Context) error) error {
	l.start(ctx)
	err := fn(ctx)
	if endErr := l.end(context.WithoutCancel(ctx)); endErr != nil {
		r.o.Logger.Warn("lease could not be ended; it lapses by itself", "err", endErr)
	}
	return err
}
