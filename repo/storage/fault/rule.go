package fault

import "context"

// Op is a method of storage.Store.
type Op string

// The operations; Any in a rule matches all of them.
const (
	Any    Op = ""
	Put    Op = "put"
	Get    Op = "get"
	Stat   Op = "stat"
	List   Op = "list"
	Delete Op = "delete"
)

// Action is what a rule does to the operations for which it fires.
type Action int

const (
	// Fail returns an error instead of doing the operation. A List yields Rule.N
	// entries first.
	Fail Action = iota
	// FailDone does the operation and returns an error all the same: the answer is
	// lost. An error of the operation itself goes first.
	FailDone
	// Stop is a crash: the operation fails without being done, and so do all that
	// begin after it, with ErrStopped. Those that had begun before it go on.
	Stop
	// StopDone is a crash with the operation done: a Put has published.
	StopDone
	// Truncate makes a Get return its range without its last Rule.N bytes, and no
	// error.
	Truncate
	// Flip makes a Get return its range with bit Rule.N flipped, counted from the
	// lowest bit of its first byte and modulo its length.
	Flip
	// Delay calls Rule.Wait before the operation, which fails if that fails.
	Delay
	// Freeze stops the operation at Rule.Gate. A Put has read its body by then and has
	// published nothing; it is stamped when it is released.
	Freeze
)

// Forever as Rule.Count lets a rule fire for ever.
const Forever = -1

// Rule says what happens to which operations. The zero value fails the first one.
type Rule struct {
	Op     Op     // matches this operation; Any matches all
	Prefix string // matches names (prefixes, for List) that begin so; empty matches all
	At     int    // fires first at this matching operation, counted from 0
	Count  int    // fires for so many matching operations in a row; 0 means 1
	Do     Action

	Err       error // of Fail and FailDone; nil means ErrInjected
	Temporary bool  // marks Err as worth a retry
	N         int64 // of Truncate and Flip; of Fail for a List
	Wait      func(ctx context.Context, op Op, name string) error
	Gate      *Gate
}

func (r Rule) fires(n int) bool {
	return n >= r.At && (r.Count < 0 || n < r.At+max(r.Count, 1))
}

// Gate is where a Freeze waits: each operation sends to Reached, and then receives
// from Release. A cancelled context ends both, with its error. Closing Release
// lets all of them pass.
type Gate struct {
	Reached chan struct{}
	Release chan struct{}
}

// NewGate returns a gate with unbuffered channels.
func NewGate() *Gate {
	return &Gate{Reached: make(chan struct{}), Release: make(chan struct{})}
}

func (g *Gate) pass(ctx context.Context) error {
	select {
	case g.Reached <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-g.Release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
