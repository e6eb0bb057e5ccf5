package drill

import (
	"time"

	"golang.org/x/sys/unix"

	"savepoint/verify"
)

// phases are the parts of a recovery, in the order in which they begin.
var phases = [...]string{"open", "select", "index", "plan", "transfer", "metadata", "start", "validate"}

// restorePhases is how many of them every recovery has. The others are those of a probe.
const restorePhases = 6

// stopwatch divides time, and what was asked of the storage, among phases. It is used by one goroutine at a time.
type stopwatch struct {
	now   func() time.Time
	count func() Count // nil: nobody counts
	order time.Time
	at    time.Time
	seen  Count
	wait  time.Duration // before the order: other restores
	parts [len(phases)]verify.Phase
	spent [len(phases)]time.Duration

	probed bool // a probe ran: its phases are shown
}

// asleep returns how long this machine slept since it was started, to some microseconds.
func asleep() time.Duration {
	var with, without unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &with) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &without) != nil {
		return 0
	}
	return time.Duration(with.Nano() - without.Nano())
}

func newStopwatch(now func() time.Time, asleep func() time.Duration) *stopwatch {
	// The monotonic clock stands still while a machine sleeps; who waits for the data does not.
	slept := asleep()
	w := &stopwatch{now: func() time.Time { return now().Add((asleep() - slept).Truncate(100 * time.Millisecond)) }}
	w.order = w.now()
	w.at = w.order
	return w
}

// lap gives what has passed since the last lap to a phase; a phase may have several. A name that is none gets nothing.
func (w *stopwatch) lap(name string) {
	now, count := w.now(), Count{}
	if w.count != nil {
		count = w.count()
	}
	for i, p := range phases {
		if p == name {
			w.spent[i] += now.Sub(w.at)
			w.parts[i].Requests += count.Requests - w.seen.Requests
			w.parts[i].Retries += count.Retries - w.seen.Retries
			w.parts[i].Received += count.Received - w.seen.Received
		}
	}
	w.at, w.seen = now, count
}

// add gives time to a phase that somebody else measured. No lap may count it as well.
func (w *stopwatch) add(name string, d time.Duration) {
	w.probed = true
	for i, p := range phases {
		if p == name {
			w.spent[i] += d
		}
	}
}

// forget takes time off a phase that is no part of a recovery.
func (w *stopwatch) forget(name string, d time.Duration) {
	for i, p := range phases {
		if p == name {
			w.spent[i] = max(0, w.spent[i]-d)
		}
	}
}

// since returns the time since the order.
func (w *stopwatch) since() time.Duration { return w.now().Sub(w.order) }

// fill writes the phases, and what they add up to.
func (w *stopwatch) fill(r *verify.Recovery) {
	total := w.wait
	shown := phases[:]
	if !w.probed {
		shown = phases[:restorePhases]
	}
	r.Phases = make([]verify.Phase, len(shown))
	for i, name := range shown {
		r.Phases[i] = w.parts[i]
		r.Phases[i].Name, r.Phases[i].Seconds = name, w.spent[i].Seconds()
		total += w.spent[i]
	}
	if w.wait > 0 {
		r.Phases = append([]verify.Phase{{Name: "wait", Seconds: w.wait.Seconds()}}, r.Phases...)
	}
	r.Seconds = total.Seconds()
}
