package retry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"savepoint/repo/storage"
)

// call is one call of a method: attempts, and the waits between them.
type call struct {
	s        *Store
	op, name string
	began    time.Time
	deadline time.Time // zero: nothing went wrong yet
	attempts int
	turn     uint64 // of the gate, when the last attempt began
	last     error  // of the last attempt, when that is to be repeated
}

func (s *Store) begin(op, name string) *call {
	return &call{s: s, op: op, name: name, began: s.now()}
}

// next waits until the next attempt may begin. Its error is what the call ends with.
func (c *call) next(ctx context.Context) error {
	// The gate alone times what the storage answered with ErrSlowDown.
	if c.last != nil && !errors.Is(c.last, storage.ErrSlowDown) {
		wait := min(c.backoff(), c.deadline.Sub(c.s.now()))
		if err := sleep(ctx, wait); err != nil {
			return c.cancelled(err)
		}
	}
	if err := c.pass(ctx); err != nil {
		return err
	}
	if c.last != nil {
		c.s.o.OnRetry(c.op)
	}
	c.attempts++
	return nil
}

// pass waits for the gate.
func (c *call) pass(ctx context.Context) error {
	for {
		now := c.s.now()
		shut, spread, turn := c.s.gate.wait(now)
		if shut <= 0 {
			c.turn = turn
			return nil
		}
		c.worry(now)
		if now.Add(shut).After(c.deadline) {
			if c.last == nil {
				c.last = storage.ErrSlowDown
			}
			return c.gaveUp(c.last)
		}
		if err := sleep(ctx, min(shut+spread, c.deadline.Sub(now))); err != nil {
			return c.cancelled(err)
		}
	}
}

// worry sets the deadline when this is the first trouble of the call.
func (c *call) worry(now time.Time) {
	if c.deadline.IsZero() {
		c.deadline = now.Add(c.s.o.MaxElapsed)
	}
}

// backoff draws the time before the next attempt.
func (c *call) backoff() time.Duration {
	limit := c.s.o.First
	for i := 1; i < c.attempts && limit < c.s.o.Max; i++ {
		limit *= 2
	}
	return time.Duration(c.s.o.Rand() * float64(min(limit, c.s.o.Max)))
}

// again judges an attempt that failed, and reports whether another one follows.
func (c *call) again(ctx context.Context, err error) bool {
	now := c.s.now()
	if errors.Is(err, storage.ErrSlowDown) {
		c.s.gate.shut(c.turn, now)
	}
	if !temporary(err) {
		if answers(err) {
			c.succeeded()
		}
		return false
	}
	if ctx.Err() != nil {
		return false
	}
	c.worry(now)
	c.last = err
	c.s.outage.failed(now, c, err)
	return now.Before(c.deadline)
}

// succeeded notes that the storage answers.
func (c *call) succeeded() {
	c.s.gate.calm(c.turn)
	if c.last != nil {
		c.s.outage.ended(c.s.now())
	}
}

// restart makes the attempt that was just made the first one: it got somewhere.
func (c *call) restart() {
	if c.last != nil {
		c.s.outage.ended(c.s.now())
	}
	c.began, c.deadline, c.attempts, c.last = c.s.now(), time.Time{}, 1, nil
}

// explain returns what the call ends with after an attempt that again has judged.
func (c *call) explain(ctx context.Context, err error) error {
	if !temporary(err) {
		return err
	}
	if ctx.Err() != nil {
		c.last = err
		return c.cancelled(ctx.Err())
	}
	return c.gaveUp(err)
}

func (c *call) gaveUp(err error) error {
	return &storage.OpError{Op: c.op, Name: c.name, Temporary: true, Err: fmt.Errorf("%s: %w", c.effort(), cause(err))}
}

// cancelled is the context's error; the failure before it is only told.
func (c *call) cancelled(err error) error {
	if c.last != nil {
		err = fmt.Errorf("%s: %w (before: %v)", c.effort(), err, cause(c.last))
	} else {
		err = fmt.Errorf("waiting for the storage: %w", err)
	}
	return &storage.OpError{Op: c.op, Name: c.name, Err: err}
}

// effort is what was tried, in words: "after 7 attempts in 3m20s".
func (c *call) effort() string {
	d := c.s.now().Sub(c.began)
	if d < time.Second {
		d = d.Round(time.Millisecond)
	} else {
		d = d.Round(time.Second)
	}
	switch c.attempts {
	case 0:
		return fmt.Sprintf("after %s without an attempt", d)
	case 1:
		return fmt.Sprintf("after 1 attempt in %s", d)
	}
	return fmt.Sprintf("after %d attempts in %s", c.attempts, d)
}

// cause is what an OpError wraps, since another one goes around it.
func cause(err error) error {
	if oe, ok := err.(*storage.OpError); ok {
		return oe.Err
	}
	return err
}

// temporary reports whether repeating may help: what the first OpError says, and of several errors all.
func temporary(err error) bool {
	switch e := err.(type) {
	case *storage.OpError:
		return e.Temporary
	case interface{ Unwrap() []error }:
		parts := e.Unwrap()
		for _, part := range parts {
			if !temporary(part) {
				return false
			}
		}
		return len(parts) > 0
	case interface{ Unwrap() error }:
		return temporary(e.Unwrap())
	}
	return false
}

// answers reports whether an error is an answer of a storage that works.
func answers(err error) bool {
	return errors.Is(err, storage.ErrNotExist) || errors.Is(err, storage.ErrExists) || errors.Is(err, storage.ErrRange)
}

// sleep returns the context's error as soon as that is done.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}
