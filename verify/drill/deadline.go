package drill

import (
	"context"
	"errors"
	"fmt"
)

var errTooLong = errors.New("the drill took longer than it may")

// deadline returns a context that ends when the drill has taken as long as it may.
func (x *run) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if x.o.MaxDuration == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, max(0, x.o.MaxDuration-x.watch.since()), errTooLong)
}

// tooLong says how far a drill came that was ended.
func (x *run) tooLong() error {
	at := "before anything was restored"
	switch r := x.doc.Restored; {
	case x.res != nil && len(x.doc.Older) > 0:
		at = "while older snapshots were tried"
	case x.res != nil && r.Bytes > 0:
		at = "when " + sizeText(r.Bytes) + " had come back"
	}
	return fmt.Errorf("%w: it was ended after %s, %s", errTooLong, AgeText(x.o.MaxDuration), at)
}
