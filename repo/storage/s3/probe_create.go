package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"savepoint/repo/storage"
)

const (
	probeTries = 8
	probePause = 50 * time.Millisecond // before the second attempt, and twice as long before each further one
)

// patiently makes a request again while it fails with an error that passes, for about
// six seconds.
func patiently(ctx context.Context, request func() error) error {
	pause := probePause
	for range probeTries - 1 {
		if err := request(); !passes(err) {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		pause *= 2
	}
	return request()
}

// passes reports whether an error is temporary.
func passes(err error) bool {
	op, ok := errors.AsType[*storage.OpError](err)
	return ok && op.Temporary
}

// conditional creates one name twice, and another at the same time from all sides.
func (p *prober) conditional(ctx context.Context) error {
	name := p.name("created")
	switch _, err := p.create(ctx, name, "first"); {
	case errors.Is(err, storage.ErrUnsupported):
		p.f.ConditionalCreate = Finding{No, err.Error()}
		return nil
	case err != nil && !errors.Is(err, storage.ErrExists): // it exists when an answer was lost
		return err
	}
	switch _, err := p.create(ctx, name, "second"); {
	case err == nil:
		p.f.ConditionalCreate = Finding{No, "a second creation of one name succeeds: If-None-Match is not heeded"}
		return nil
	case !errors.Is(err, storage.ErrExists):
		return err
	}
	return p.race(ctx, p.name("raced"))
}

// create creates an object, and reports whether an attempt failed in a way that leaves
// open what came of it.
func (p *prober) create(ctx context.Context, name, body string) (unsure bool, err error) {
	err = patiently(ctx, func() error {
		err := p.s.Put(ctx, name, bytes.NewReader([]byte(body)), int64(len(body)), storage.PutOptions{IfAbsent: true})
		unsure = unsure || passes(err)
		return err
	})
	return unsure, err
}

// race creates one name from several sides at the same time.
func (p *prober) race(ctx context.Context, name string) error {
	const racers = 4
	var wg sync.WaitGroup
	bodies, errs, unsure := make([]string, racers), make([]error, racers), make([]bool, racers)
	for i := range racers {
		bodies[i] = fmt.Sprint("racer ", i)
		wg.Go(func() { unsure[i], errs[i] = p.create(ctx, name, bodies[i]) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, storage.ErrExists):
			p.f.ConditionalCreate = Finding{Unknown, err.Error()}
			return ctx.Err()
		}
	}
	if won == 0 && slices.Contains(unsure, true) { // whoever won was not told
		var got []byte
		err := patiently(ctx, func() (err error) {
			got, err = p.s.Get(ctx, name, 0, -1, nil)
			return err
		})
		if err != nil {
			return err
		}
		if i := slices.Index(bodies, string(got)); i >= 0 && unsure[i] {
			won = 1
		}
	}
	p.f.ConditionalCreate = Finding{Answer: Yes}
	if won != 1 {
		p.f.ConditionalCreate = Finding{No, fmt.Sprintf("%d creations of one name at the same time succeed", won)}
	}
	return ctx.Err()
}
