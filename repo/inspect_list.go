package repo

import (
	"context"
	"errors"
	"regexp"
	"sync"

	"golang.org/x/sync/errgroup"

	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// NotOurs returns the names that are no objects of a repository, in no order. Leases, reports and key slots bring theirs when they are
// looked at.
func (x *Inspection) NotOurs() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.strays
}

func (x *Inspection) stray(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.strays = append(x.strays, name)
}

var (
	condemnedName = regexp.MustCompile(`^condemned/[0-9a-f]{32}(-gone)?$`)
	markName      = regexp.MustCompile(`^marks/[0-9a-f]{32}$`)
	reportName    = regexp.MustCompile(`^reports/[0-9a-f]{32}$`)
	leaseName     = regexp.MustCompile(`^leases/[0-9a-f]{32}/([0-9]+|end)$`)
	segmentName   = regexp.MustCompile(`^index/00000000/(data|meta)/[0-9a-f]{32}$`)
)

// ours lists a prefix and notes the names there that are not like those of the repository's objects.
func (x *Inspection) ours(ctx context.Context, prefix string, like *regexp.Regexp) ([]storage.Info, error) {
	infos, err := x.r.list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	kept := infos[:0]
	for _, i := range infos {
		if like.MatchString(i.Name) {
			kept = append(kept, i)
		} else {
			x.stray(i.Name)
		}
	}
	return kept, nil
}

// reading returns what reads and decodes sealed objects of a kind.
func reading[T any](r *Repo, kind seal.Kind, decode func([]byte) (*T, error)) func(context.Context, storage.Info) (*T, error) {
	return func(ctx context.Context, i storage.Info) (*T, error) { return readRecord(ctx, r, kind, i, decode) }
}

// inspectEach reads objects, several at once, and calls each for all that are still there, one call at a time, in no order.
func inspectEach[T any](ctx context.Context, r *Repo, infos []storage.Info, read func(context.Context, storage.Info) (*T, error),
	each func(Inspected[T]) error) error {
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, i := range infos {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			v, err := readTwice(ctx, r, i, read)
			if gone(err) {
				return nil
			}
			o, err := inspected(i, err)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			return each(Inspected[T]{o, v})
		})
	}
	return g.Wait()
}

// inspected returns an object with what err says is wrong with it. An error that says nothing of the object is returned.
func inspected(i storage.Info, err error) (Object, error) {
	o := Object{Name: i.Name, Stored: i.Time, Size: i.Size}
	switch {
	case err == nil:
	case unreadable(err):
		o.Damage = err
	case Unread(err):
		o.Unread = err
	default:
		return o, err
	}
	return o, nil
}

// readTwice reads an object, and once more when it seems damaged or is not there: a read that went wrong is no damage, nor is an object that
// somebody deletes. The error is storage.ErrNotExist when the store does not show it any more.
func readTwice[T any](ctx context.Context, r *Repo, i storage.Info, read func(context.Context, storage.Info) (*T, error)) (*T, error) {
	v, err := read(ctx, i)
	if err == nil || !unreadable(err) && !gone(err) {
		return v, err
	}
	now, err := r.st.Stat(ctx, i.Name)
	if err != nil {
		return nil, err
	}
	if v, err = read(ctx, now); err == nil || !gone(err) {
		return v, err
	}
	if _, statErr := r.st.Stat(ctx, i.Name); statErr != nil {
		return nil, statErr
	}
	return nil, corrupt(i.Name, errors.New("it is listed, but cannot be read"))
}
