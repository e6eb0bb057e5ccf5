package retry

import (
	"cmp"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Defaults of Options.
const (
	defaultFirst      = 250 * time.Millisecond
	defaultMax        = 30 * time.Second
	defaultMaxElapsed = 15 * time.Minute
)

// Options of New. The zero value is fine.
type Options struct {
	// First is the longest wait before the second attempt; 0 means 250 ms.
	First time.Duration
	// Max is the longest wait before any attempt; 0 means 30 s.
	Max time.Duration
	// MaxElapsed is how long a call goes on after its first failure, or its first wait for a storage that
	// asked for fewer requests; 0 means 15 min.
	MaxElapsed time.Duration
	// Logger gets a warning when an outage begins (at most one in 30 s) and a line when a call that had
	// failed succeeds again; nil drops both.
	Logger *slog.Logger
	// OnRetry, when it is not nil, is called before each repeated attempt with the name of the operation: put,
	// get, stat, list or delete. It may be called by several goroutines at a time.
	OnRetry func(op string)
	// Rand returns a number in [0, 1) for each wait; nil is that of math/rand/v2. It may be called by several
	// goroutines at a time.
	Rand func() float64
}

func (o Options) withDefaults() Options {
	o.First = cmp.Or(o.First, defaultFirst)
	o.Max = max(cmp.Or(o.Max, defaultMax), o.First)
	o.MaxElapsed = cmp.Or(o.MaxElapsed, defaultMaxElapsed)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if o.OnRetry == nil {
		o.OnRetry = func(string) {}
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return o
}
