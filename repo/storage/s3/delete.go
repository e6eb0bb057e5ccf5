package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/minio/minio-go/v7"

	"savepoint/repo/storage"
)

// deleteBatch is how many objects a request deletes; S3 takes no more.
const deleteBatch = 1000

// Delete implements storage.Store. In a bucket with versions the current one of each
// object is hidden, and none is removed.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := storage.CheckName(name); err != nil {
			return &storage.OpError{Op: "delete", Name: name, Err: err}
		}
	}
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return nil
	}
	var errs []error
	for batch := range slices.Chunk(names, deleteBatch) {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, &storage.OpError{Op: "delete", Name: batch[0], Err: err})...)
		}
		if len(batch) == 1 {
			errs = append(errs, s.deleteOne(ctx, batch[0]))
		} else {
			errs = append(errs, s.deleteBatch(ctx, batch)...)
		}
	}
	return errors.Join(errs...)
}

func (s *Store) deleteOne(ctx context.Context, name string) error {
	return s.do(ctx, call{op: "delete", name: name, repeat: true}, func(ctx context.Context, core *minio.Core) error {
		err := core.RemoveObject(ctx, s.config.Bucket, s.key(name), minio.RemoveObjectOptions{})
		if e, ok := errors.AsType[minio.ErrorResponse](err); ok && e.Code == minio.NoSuchKey && document(e) {
			return nil
		}
		return err
	})
}

// deleteBatch deletes several objects with one request. A request that fails as a
// whole is one error.
func (s *Store) deleteBatch(ctx context.Context, names []string) []error {
	var errs []error
	whole := s.do(ctx, call{op: "delete", name: names[0], repeat: true}, func(ctx context.Context, core *minio.Core) error {
		left, failed, err := s.multiDelete(ctx, core, names)
		if err != nil {
			return err
		}
		errs = errs[:0]
		for _, name := range left {
			_, x := at(ctx)
			c := call{op: "delete", name: name}
			v := s.judge(ctx, c, x, failed[name])
			errs = append(errs, &storage.OpError{Op: c.op, Name: c.name, Temporary: v.temporary, Err: v.err})
		}
		return nil
	})
	switch {
	case errors.Is(whole, storage.ErrUnsupported): // some servers delete one at a time only
		for _, name := range names {
			errs = append(errs, s.deleteOne(ctx, name))
		}
	case whole != nil:
		return []error{whole}
	}
	return errs
}

// errUnsaid is a name that the answer to a deletion does not mention.
var errUnsaid = errors.New("the server does not say whether it deleted the object")

// multiDelete makes one request. It returns the names that are not known to be gone,
// in order, and why; or the error of all.
func (s *Store) multiDelete(ctx context.Context, core *minio.Core, names []string) (left []string, failed map[string]error, err error) {
	gone := make(map[string]bool, len(names))
	failed = make(map[string]error)
	objects := func(yield func(minio.ObjectInfo) bool) {
		for _, name := range names {
			if !yield(minio.ObjectInfo{Key: s.key(name)}) {
				return
			}
		}
	}
	results, err := core.RemoveObjectsWithIter(ctx, s.config.Bucket, objects, minio.RemoveObjectsOptions{})
	if err != nil {
		return nil, nil, err
	}
	for r := range results {
		if e, ok := errors.AsType[minio.ErrorResponse](r.Err); r.Err != nil && (!ok || e.StatusCode != 0) {
			return nil, nil, r.Err // of the request, not of an object
		}
		name, ok := s.nameOf(r.ObjectName)
		switch code := minio.ToErrorResponse(r.Err).Code; {
		case !ok:
			return nil, nil, &decided{err: fmt.Errorf("the server answers for an object that was not named")}
		case r.Err == nil || code == minio.NoSuchKey:
			gone[name] = true
		default:
			failed[name] = r.Err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if !gone[name] {
			left = append(left, name)
			if failed[name] == nil {
				failed[name] = &decided{err: errUnsaid}
			}
		}
	}
	return left, failed, nil
}
