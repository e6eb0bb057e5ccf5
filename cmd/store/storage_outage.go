package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// outagePatience is how long a storage may fail before a word is said of it: most failures pass by themselves.
const outagePatience = 5 * time.Second

// outageLog is the slog.Handler for what repeats calls: warnings that they fail and, with a lower level, that they succeed
// again. Of an outage it says that it began, when it lasts, and that it is over. With verbose everything goes through.
type outageLog struct {
	inner   slog.Handler
	place   string // the endpoints
	within  time.Duration
	verbose bool

	mu    sync.Mutex
	timer *time.Timer // of the outage under way; nil: there is none
	shown bool        // a word was said of it
}

// Enabled implements slog.Handler.
func (o *outageLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (o *outageLog) Handle(ctx context.Context, r slog.Record) error {
	if o.verbose {
		return o.inner.Handle(ctx, r)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case r.Level < slog.LevelWarn:
		return o.over(ctx, r)
	case o.timer == nil:
		text := o.text(r)
		o.timer = time.AfterFunc(outagePatience, func() { o.show(text) })
	}
	return nil
}

// text says what fails, and what is done about it.
func (o *outageLog) text(r slog.Record) string {
	facts := map[string]string{}
	r.Attrs(func(at slog.Attr) bool {
		facts[at.Key] = at.Value.String()
		return true
	})
	return fmt.Sprintf("requests to %s fail; they are repeated for up to %s each (%s %s: %s)", o.place, o.within, facts["op"], facts["name"], facts["err"])
}

// show says that there is an outage, unless it has ended meanwhile.
func (o *outageLog) show(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.timer == nil {
		return
	}
	o.shown = true
	_ = o.inner.Handle(context.Background(), slog.NewRecord(time.Now(), slog.LevelWarn, text, 0)) // stderr is gone
}

// over notes the end of an outage. The caller holds the lock.
func (o *outageLog) over(ctx context.Context, r slog.Record) error {
	if o.timer != nil {
		o.timer.Stop()
	}
	shown := o.shown
	o.timer, o.shown = nil, false
	if !shown {
		return nil
	}
	return o.inner.Handle(ctx, r)
}

// WithAttrs implements slog.Handler. Nobody gives this logger attributes.
func (o *outageLog) WithAttrs([]slog.Attr) slog.Handler { return o }

// WithGroup implements slog.Handler. Nobody gives this logger groups.
func (o *outageLog) WithGroup(string) slog.Handler { return o }
