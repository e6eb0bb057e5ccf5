package usage

import (
	"runtime"
	"sync"
	"time"
)

// Options of a Recorder. The zero value measures this process.
type Options struct {
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// CPU returns the CPU time of the process so far; nil asks the system.
	CPU func() (user, system time.Duration)
	// Requests returns what is known of requests to the storage; nil: nobody counts them.
	Requests func() []Requests
}

// Recorder measures from New on. It is safe for concurrent use, and may be nil.
type Recorder struct {
	o            Options
	passed       func() time.Duration // since New
	user, system time.Duration        // of CPU when it began

	mu      sync.Mutex
	since   time.Duration // the time up to which waits are accounted for
	paused  time.Duration // pauses that are over
	pauses  int           // that are not
	calls   int           // of the storage, under way
	held    int           // of them by a limit
	members int           // of pipelines
	idle    int           // of these
	stalled stall         // while there were members
	alone   stall         // while there were none
	lone    section       // the time without members
	disks   [disks]time.Duration
}

// stall is time in which nobody could go on.
type stall struct{ storage, limit time.Duration }

// section is the time that passed, and that the processors worked, in some parts of a run.
type section struct {
	wall, cpu   time.Duration
	from, spent time.Duration // the clock, and the CPU time, when this part began
}

// New returns a recorder.
func New(o Options) *Recorder {
	if o.CPU == nil {
		o.CPU = processCPU
	}
	r := &Recorder{o: o}
	if o.Now == nil {
		began := time.Now()
		r.passed = func() time.Duration { return time.Since(began) } // which does not ask for the time of the day
	} else {
		began := o.Now()
		r.passed = func() time.Duration { return o.Now().Sub(began) }
	}
	r.user, r.system = o.CPU()
	return r
}

// clock returns the time since New, or 0.
func (r *Recorder) clock() time.Duration {
	if r == nil {
		return 0
	}
	return r.passed()
}

// cpu returns the CPU time since New.
func (r *Recorder) cpu() time.Duration {
	user, system := r.o.CPU()
	return user + system - r.user - r.system
}

// change accounts for the time until now and changes what holds from now on.
func (r *Recorder) change(fn func()) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tick()
	fn()
}

// tick accounts for the time until now. The caller holds the lock.
func (r *Recorder) tick() {
	now := r.clock()
	took := now - r.since
	r.since = now
	if r.pauses > 0 {
		r.paused += took
		return
	}
	if r.calls == 0 || r.idle < r.members {
		return
	}
	to := &r.stalled
	if r.members == 0 {
		to = &r.alone
	}
	if r.held > 0 {
		to.limit += took
	} else {
		to.storage += took
	}
}

// Calling says that so many more calls of the storage are under way: 1 when one begins, -1 when it ends.
func (r *Recorder) Calling(more int) { r.change(func() { r.calls += more }) }

// Held says that a limit holds back so many more calls.
func (r *Recorder) Held(more int) { r.change(func() { r.held += more }) }

// Join says that n goroutines have begun without which the run does not go on. While all that there are are idle and the storage has
// something to do, the run waits for the storage. They must leave.
func (r *Recorder) Join(n int) {
	r.change(func() {
		if r.members == 0 && n > 0 {
			r.lone.end(r)
		}
		r.members += n
	})
}

// Leave ends what Join began.
func (r *Recorder) Leave(n int) {
	r.change(func() {
		if r.members -= n; r.members == 0 && n > 0 {
			r.lone.begin(r)
		}
	})
}

// Idle says that one of those who joined has nothing to do, or no room for what it did; Busy that it goes on.
func (r *Recorder) Idle() { r.change(func() { r.idle++ }) }

// Busy ends what Idle began.
func (r *Recorder) Busy() { r.change(func() { r.idle-- }) }

// Pause stops the clock, as while a person types a password, until what it returns is called.
func (r *Recorder) Pause() (resume func()) {
	r.change(func() { r.pauses++ })
	return func() { r.change(func() { r.pauses-- }) }
}

// Usage returns what the run took so far.
func (r *Recorder) Usage() Usage {
	if r == nil {
		return Usage{Limit: Unclear}
	}
	var u Usage
	if r.o.Requests != nil {
		u.Requests = r.o.Requests()
	}
	u.Cores, u.PeakMemory = runtime.GOMAXPROCS(0), peakMemory()
	user, system := r.o.CPU()
	u.User, u.System = user-r.user, system-r.system
	r.mu.Lock()
	r.tick()
	u.Wall = max(0, r.since-r.paused)
	lone := r.lone
	if r.members == 0 {
		lone.end(r)
	}
	alone := r.alone.within(lone.wall - r.paused - lone.cpu)
	u.Waited = Waits{Storage: r.stalled.storage + alone.storage, Limit: r.stalled.limit + alone.limit,
		Source: max(r.disks[sourceDisk], r.disks[sourceWalk]), Target: r.disks[targetDisk]}
	r.mu.Unlock()
	u.Limit = limitOf(&u)
	return u
}

// within returns a stall that is no longer than most, with its shares as they are.
func (s stall) within(most time.Duration) stall {
	sum := s.storage + s.limit
	if most = max(0, most); sum <= most {
		return s
	}
	part := float64(most) / float64(sum)
	return stall{time.Duration(part * float64(s.storage)), time.Duration(part * float64(s.limit))}
}

// begin begins a part of the section.
func (s *section) begin(r *Recorder) { s.from, s.spent = r.clock(), r.cpu() }

// end ends a part.
func (s *section) end(r *Recorder) {
	s.wall += r.clock() - s.from
	s.cpu += r.cpu() - s.spent
}
