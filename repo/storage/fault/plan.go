package fault

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math"

	"savepoint/repo/storage"
)

// plan is what happens to one operation.
type plan struct {
	store *Store
	op    Op
	name  string
	rules []Rule // those that fire
	stops bool   // this operation is the one that stops the store
}

// before waits where it must and returns the error of an operation that is not to
// be done.
func (p *plan) before(ctx context.Context) error {
	if err := p.wait(ctx); err != nil {
		return err
	}
	return p.find(Fail, Stop)
}

// after returns the error of an operation that was done and whose answer is lost.
func (p *plan) after() error { return p.find(FailDone, StopDone) }

// failure returns the error of before or of after, without waiting.
func (p *plan) failure() error { return p.find(Fail, Stop, FailDone, StopDone) }

// wait also notices a stop that came while it waited.
func (p *plan) wait(ctx context.Context) error {
	waited := false
	for _, r := range p.rules {
		var err error
		switch {
		case r.Do == Delay && r.Wait != nil:
			err = r.Wait(ctx, p.op, p.name)
		case r.Do == Freeze && r.Gate != nil:
			err = r.Gate.pass(ctx)
		default:
			continue
		}
		if err != nil {
			return p.error(err, false)
		}
		waited = true
	}
	if !waited {
		return nil
	}
	return p.overtaken()
}

// overtaken returns an error when the store was stopped by another operation since
// this one began.
func (p *plan) overtaken() error {
	if !p.stops && p.store.Stopped() {
		return p.error(ErrStopped, false)
	}
	return nil
}

func (p *plan) freezes() bool {
	for _, r := range p.rules {
		if r.Do == Freeze {
			return true
		}
	}
	return false
}

// entries is how many entries a List yields before it fails.
func (p *plan) entries() int64 {
	for _, r := range p.rules {
		switch r.Do {
		case Fail:
			return r.N
		case Stop:
			return 0
		}
	}
	return math.MaxInt64
}

// find returns the error of the first rule with one of the actions.
func (p *plan) find(actions ...Action) error {
	for _, r := range p.rules {
		for _, a := range actions {
			switch {
			case r.Do != a:
			case a == Stop || a == StopDone:
				return p.error(ErrStopped, false)
			default:
				return p.error(cmp.Or(r.Err, ErrInjected), r.Temporary)
			}
		}
	}
	return nil
}

// damage changes what Get appended after the first start bytes.
func (p *plan) damage(out []byte, start int) []byte {
	for _, r := range p.rules {
		got := int64(len(out) - start)
		switch {
		case r.Do == Truncate:
			out = out[:int64(len(out))-min(max(r.N, 0), got)]
		case r.Do == Flip && got > 0:
			bit := (r.N%(8*got) + 8*got) % (8 * got)
			out[int64(start)+bit/8] ^= 1 << (bit % 8)
		}
	}
	return out
}

func (p *plan) error(err error, temporary bool) error {
	return &storage.OpError{Op: string(p.op), Name: p.name, Temporary: temporary, Err: err}
}

// readAll takes the body before a freeze, as the process on the other side of a
// network would have.
func readAll(body io.ReaderAt, size int64) (io.ReaderAt, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.NewSectionReader(body, 0, size))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if n < size {
		return nil, fmt.Errorf("body ends after %d of %d bytes: %w", n, size, io.ErrUnexpectedEOF)
	}
	return bytes.NewReader(b.Bytes()), nil
}
