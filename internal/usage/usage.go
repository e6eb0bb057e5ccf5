package usage

import "time"

// Usage is what a run took. It is a plain value.
type Usage struct {
	Wall         time.Duration // that was measured, without pauses
	User, System time.Duration // CPU time of the process in the meantime
	Cores        int           // that it may use at a time
	// PeakMemory is the highest resident memory in bytes, over all of the life of the process: a run in a process that did more
	// before may have needed less. 0: not known.
	PeakMemory uint64
	Waited     Waits
	Requests   []Requests // to the storage, by operation; those of which there was none are left out
	Limit      Resource   // what held the run up
}

// Waits is how long a run waited for what. A disk's are means over those who use it.
type Waits struct {
	Storage time.Duration
	Source  time.Duration // reading what is backed up
	Target  time.Duration // writing, and in drills reading again, what is restored
	Limit   time.Duration // held back by a limit of bytes a second
}

// Requests counts requests of one operation, each attempt on its own, and says how long they took.
type Requests struct {
	Op            string // put, get, stat, list or delete
	Count         uint64
	Retries       uint64 // that repeat one that failed
	P50, P99, Max time.Duration
}

// CPU returns the share of all cores' time that was used.
func (u *Usage) CPU() float64 {
	return ratio(u.User+u.System, time.Duration(max(1, u.Cores))*u.Wall)
}

// ratio returns what share of the whole a part is, 0 to 1.
func ratio(part, whole time.Duration) float64 {
	if whole <= 0 {
		return 0
	}
	return min(1, max(0, float64(part)/float64(whole)))
}
