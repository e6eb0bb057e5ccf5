package s3

import (
	"context"

	"github.com/minio/minio-go/v7"

	"savepoint/repo/storage"
)

// maxTries bounds the attempts of one call that makes a little progress each time.
const maxTries = 64

// call describes one call of a method to do.
type call struct {
	op, name string
	// repeat says that the call may be made again at another endpoint when no answer
	// came, since having it done twice is harmless.
	repeat bool
	// moved, when it is not nil, counts what attempts have reached so far. After one
	// that broke off the next goes on from there, if there was any progress.
	moved func() int64
}

// do makes a call at an endpoint, and at others if that is allowed. f returns the
// errors of minio-go as they are; do returns an *storage.OpError.
func (s *Store) do(ctx context.Context, c call, f func(context.Context, *minio.Core) error) error {
	var tried []*door
	var reached int64
	var failed error
	for range maxTries {
		if err := ctx.Err(); err != nil {
			return &storage.OpError{Op: c.op, Name: c.name, Err: err}
		}
		d := s.doors.pick(tried)
		attempt, x := at(ctx)
		err := f(attempt, d.core)
		v := s.judge(ctx, c, x, err)
		if v.err == nil {
			s.doors.answered(d)
			return nil
		}
		failed = &storage.OpError{Op: c.op, Name: c.name, Temporary: v.temporary, Err: v.err}
		if !v.silent {
			if v.answered {
				s.doors.answered(d)
			}
			break
		}
		s.doors.silent(d, v.err)
		if !c.repeat {
			break
		}
		if c.moved != nil && c.moved() > reached {
			reached, tried = c.moved(), nil
			continue
		}
		if tried = append(tried, d); !s.doors.wellBeside(tried) {
			break
		}
	}
	return failed
}
