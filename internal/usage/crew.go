package usage

import (
	"sync/atomic"
	"time"
)

// Disk is what a crew's calls of the file system go to.
type Disk int

// The disks. The source's has two, for who walks it goes ahead of those who read: the one who waits longer counts.
const (
	sourceDisk Disk = iota
	sourceWalk
	targetDisk
	disks
)

// Crew are goroutines that call a file system. A nil one does nothing.
type Crew struct {
	r      *Recorder
	disk   Disk
	n      int
	part   section
	idle   int           // members that have nothing to do
	since  time.Duration // the time up to which free is accounted for
	free   time.Duration // of all members together, in which they had nothing to do
	inside atomic.Int64  // nanoseconds of all members in the file system
}

// Readers returns a crew of n goroutines that read the source.
func (r *Recorder) Readers(n int) *Crew { return r.crew(sourceDisk, n) }

// Walker returns the crew of the one goroutine that lists the source.
func (r *Recorder) Walker() *Crew { return r.crew(sourceWalk, 1) }

// Writers returns a crew of n goroutines that write to the target, or read it.
func (r *Recorder) Writers(n int) *Crew { return r.crew(targetDisk, n) }

// Writing says that nothing but writing to the target, or reading it, goes on until what it returns is called.
func (r *Recorder) Writing() (end func()) {
	c := r.Writers(1)
	began := c.Clock()
	return func() {
		c.Spent(c.Clock() - began)
		c.End()
	}
}

func (r *Recorder) crew(disk Disk, n int) *Crew {
	if r == nil {
		return nil
	}
	c := &Crew{r: r, disk: disk, n: n}
	c.part.begin(r)
	c.since = c.part.from
	return c
}

// Idle says that a member has nothing to do; Busy that it has again. A member that ends is idle.
func (c *Crew) Idle() { c.change(1) }

// Busy ends what Idle began.
func (c *Crew) Busy() { c.change(-1) }

func (c *Crew) change(more int) {
	if c == nil {
		return
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.tick()
	c.idle += more
}

// tick accounts for the time until now. The caller holds the recorder's lock.
func (c *Crew) tick() {
	now := c.r.clock()
	c.free += time.Duration(c.idle) * (now - c.since)
	c.since = now
}

// Clock returns a moment for Spent.
func (c *Crew) Clock() time.Duration {
	if c == nil {
		return 0
	}
	return c.r.clock()
}

// Spent adds that a member spent so long in the file system.
func (c *Crew) Spent(d time.Duration) {
	if c != nil {
		c.inside.Add(int64(d))
	}
}

// End ends the crew. Nothing may be said of it any more.
func (c *Crew) End() {
	if c == nil {
		return
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.tick()
	c.part.end(c.r)
	working := time.Duration(c.n)*c.part.wall - c.free
	waited := min(time.Duration(c.inside.Load()), working-c.part.cpu)
	c.r.disks[c.disk] += time.Duration(ratio(waited, working) * float64(c.part.wall))
}
