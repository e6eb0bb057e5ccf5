package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"savepoint/internal/usage"
	"savepoint/repo"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/file"
	"savepoint/repo/storage/limit"
	"savepoint/repo/storage/meter"
	"savepoint/repo/storage/retry"
	"savepoint/repo/storage/s3"
)

// bucketConnections is how many calls to a bucket are under way at most.
const bucketConnections = 16

// openStore opens a folder or a bucket, and puts around it what counts, limits and repeats. A place that is missing is no
// repository; with create, a missing bucket is made. It waits for a server that does not answer as long as --retry-for says.
func (a *app) openStore(ctx context.Context, l location, create bool) (storage.Store, error) {
	l.create = create
	a.place = l
	if l.bucket == nil {
		st, err := file.Open(l.path)
		if errors.Is(err, storage.ErrNotExist) {
			return nil, fmt.Errorf("%w at %s: there is no such folder", repo.ErrNoRepository, printable(l.path))
		}
		if err != nil {
			return nil, err
		}
		measured, err := a.measured(st, 0)
		return a.awaited(measured), err
	}
	open := func(ctx context.Context) (*s3.Store, error) { return a.openBucket(ctx, *l.bucket, create) }
	if len(l.bucket.Endpoints) <= 1 { // else another endpoint may come back
		open = boundNames(open)
	}
	late := &lateStore{open: open}
	measured, err := a.measured(late, 1) // it reads a body once for its checksum
	if err != nil {
		return nil, err
	}
	st, err := a.patient(ctx, measured)
	if err != nil {
		return nil, err
	}
	st = a.awaited(st)
	_, err = st.Stat(ctx, seal.ConfigName)
	if late.bucket() == nil {
		return nil, notOpened(l, err)
	}
	if err != nil && !errors.Is(err, storage.ErrNotExist) {
		return nil, fmt.Errorf("repository %s: %w", l, err)
	}
	a.bucket = late.bucket()
	return st, nil
}

// notOpened says why a bucket could not be opened.
func notOpened(l location, err error) error {
	var op *storage.OpError
	switch {
	case errors.Is(err, storage.ErrNotExist):
		return hinted(fmt.Errorf("%w at %s: there is no bucket %s", repo.ErrNoRepository, l, l.bucket.Bucket),
			"Check the bucket's name and the endpoint. `store init --create-bucket` makes the bucket and a repository in it.")
	case errors.As(err, &op):
		doing := "open"
		if op.Op == "create" {
			doing = op.Op
		}
		return &storage.OpError{Op: doing, Name: l.String(), Temporary: op.Temporary, Err: op.Err}
	}
	return fmt.Errorf("open %s: %w", l, err)
}

func (a *app) openBucket(ctx context.Context, c s3.Config, create bool) (*s3.Store, error) {
	c.Connections, c.Logger, c.Idle = bucketConnections, a.log, a.idle
	st, err := s3.Open(ctx, c)
	if !create || !errors.Is(err, storage.ErrNotExist) {
		return st, err
	}
	if err := s3.CreateBucket(ctx, c); err != nil {
		return nil, err
	}
	return s3.Open(ctx, c)
}

// measured counts and limits what goes through a store, which reads each body so many times before it sends it.
func (a *app) measured(st storage.Store, hashing int) (storage.Store, error) {
	up, down, err := a.limits()
	if err != nil {
		return nil, err
	}
	a.meter = meter.New(st)
	a.usage = usage.New(usage.Options{Requests: latencies(a.meter)})
	if up == 0 && down == 0 {
		return a.meter, nil
	}
	return limit.New(a.meter, limit.Options{Upload: up, Download: down, Hashing: hashing, Waiting: a.usage.Held}), nil
}

// patient repeats what fails for a while, until a signal ends ctx: then what fails has failed.
func (a *app) patient(ctx context.Context, st storage.Store) (storage.Store, error) {
	within, err := a.retryFor()
	if err != nil || within == 0 {
		return st, err
	}
	w := &waiver{interrupt: ctx}
	log := slog.New(&outageLog{inner: a.log.Handler(), place: a.endpoints(), within: within, verbose: a.g.verbose > 0})
	st = retry.New(w.attempts(st), retry.Options{MaxElapsed: within, Logger: log, OnRetry: a.meter.Retried})
	return w.calls(st), nil
}
