package retry

import (
	"context"
	"errors"

	"savepoint/repo/storage"
)

// Delete implements storage.Store. What fails for good is not repeated and does not keep the rest from being.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	c := s.begin("delete", "")
	var final []error
	for left := names; ; {
		if len(left) > 0 {
			c.name = left[0]
		}
		if err := c.next(ctx); err != nil {
			return join(append(final, err))
		}
		err := s.inner.Delete(ctx, left...)
		if err == nil {
			c.succeeded()
			return join(final)
		}
		v := triage(err, left)
		final = append(final, v.final...)
		if len(v.passing) == 0 || len(v.again) == 0 {
			final = append(final, v.passing...)
			return join(final)
		}
		left = v.again
		if !c.again(ctx, gravest(v.passing)) {
			return join(append(final, c.explainEach(ctx, v.passing)...))
		}
	}
}

// verdict is what the errors of one attempt mean.
type verdict struct {
	again   []string // names to try again
	passing []error  // temporary
	final   []error  // not
}

// triage sorts the errors of a Delete of names. Which names a temporary error speaks of cannot be told: one that
// names an object may stand for all that went in the same request. So all are tried again but those that failed
// for good; for what is gone already that is harmless.
func triage(err error, names []string) verdict {
	var v verdict
	over := make(map[string]bool)
	for _, part := range parts(err) {
		if temporary(part) {
			v.passing = append(v.passing, part)
			continue
		}
		v.final = append(v.final, part)
		if oe, ok := errors.AsType[*storage.OpError](part); ok {
			over[oe.Name] = true
		}
	}
	for _, name := range names {
		if !over[name] {
			v.again = append(v.again, name)
		}
	}
	return v
}

// gravest picks, of several temporary errors, the one that decides how long to wait.
func gravest(errs []error) error {
	for _, err := range errs {
		if errors.Is(err, storage.ErrSlowDown) {
			return err
		}
	}
	return errs[0]
}

// parts takes joined errors apart.
func parts(err error) []error {
	j, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var found []error
	for _, e := range j.Unwrap() {
		found = append(found, parts(e)...)
	}
	return found
}

// explainEach is explain for each of several errors, under the names that these have. The context's error
// stands for all.
func (c *call) explainEach(ctx context.Context, errs []error) []error {
	if ctx.Err() != nil {
		return []error{c.explain(ctx, errs[0])}
	}
	explained := make([]error, len(errs))
	for i, err := range errs {
		each := *c
		if oe, ok := errors.AsType[*storage.OpError](err); ok {
			each.name = oe.Name
		}
		explained[i] = each.gaveUp(err)
	}
	return explained
}

// join is errors.Join that leaves a single error as it is.
func join(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
