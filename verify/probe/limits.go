package probe

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxTasks is how many processes and threads a probe may have.
	maxTasks = 4096
	// spareShare is one part in so many of the memory and of the disk, and spareDisk the most of the disk, that a probe leaves to others.
	spareShare = 20
	spareDisk  = 10 << 30
	// heldShare is one part in so many of all memory that a probe must hold before it is blamed that little is left.
	heldShare = 8
	// looksEvery is how often it is looked at.
	looksEvery = 100 * time.Millisecond
)

// limits ends a probe that takes from the host what others need: nobody but root may set limits for a group of processes, and rlimits are of
// single ones, or of all that a user has. So one goroutine looks, and kills.
type limits struct {
	full  bool
	pid   int
	disks []disk
	began time.Time              // by the clock of file systems
	over  atomic.Pointer[string] // what the probe had too much of
}

// disk is a file system that a probe can write to.
type disk struct {
	path          string
	blocks, files uint64 // that must stay free
	had, hadFiles uint64 // that were free when the probe was started
}

// expendable makes this process, and all that it starts, what the kernel kills first when memory is short, and not a neighbour.
func expendable() {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // some hosts do not let it; the limits hold all the same
}

// newLimits is called before a probe is started in its folders.
func newLimits(full bool, folders ...string) *limits {
	l := &limits{full: full, began: fileClock()}
	for _, path := range folders {
		if st, err := statfs(path); err == nil && st.Blocks > 0 {
			spare := min(st.Blocks/spareShare, spareDisk/uint64(max(st.Frsize, 1)))
			l.disks = append(l.disks, disk{path, min(spare, st.Bavail/2), min(st.Files/spareShare, st.Ffree/2), st.Bavail, st.Ffree})
		}
	}
	return l
}

func statfs(path string) (st unix.Statfs_t, err error) {
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Statfs(path, &st)
	}
	return st, err
}

// hold looks at the probe pid, and at all that it started, until it has ended; and kills them when they have too much of something.
func (l *limits) hold(pid int, ended <-chan struct{}) {
	l.pid = pid
	tick := time.NewTicker(looksEvery)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		own := l.own()
		if l.over.Load() == nil {
			if why := l.look(own); why != "" {
				l.over.Store(&why)
			}
		}
		if l.over.Load() != nil {
			l.kill(own)
		}
	}
}

// why returns what the probe had too much of, "" when it kept within its limits.
func (l *limits) why() string {
	if s := l.over.Load(); s != nil {
		return *s
	}
	return ""
}

// own returns the processes of the probe.
func (l *limits) own() map[int]process {
	all, me := processes(), os.Getpid()
	out := map[int]process{}
	for pid, p := range all {
		if pid != me && (l.full || descends(all, pid, me)) {
			out[pid] = p
		}
	}
	return out
}

// kill kills them. As the first of its namespace this process kills all others at once, so that none can fork meanwhile.
func (l *limits) kill(own map[int]process) {
	if l.full {
		_ = unix.Kill(-1, unix.SIGKILL) // what has ended
		return
	}
	for pid := range own { // those that stand still do not fork, and have their children counted next time
		_ = unix.Kill(pid, unix.SIGSTOP)
	}
	for pid := range own {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	_ = unix.Kill(-l.pid, unix.SIGKILL)
}

func (l *limits) look(own map[int]process) string {
	tasks := 0
	for _, p := range own {
		tasks += max(1, p.threads)
	}
	if tasks > maxTasks {
		return fmt.Sprintf("it had more than %d processes and threads, and was killed", maxTasks)
	}
	total, left := memory()
	if why := short(total, left, func() uint64 { return held(own) }); why != "" {
		return why
	}
	for i := range l.disks {
		if why := l.lookAt(&l.disks[i], own); why != "" {
			return why
		}
	}
	return ""
}

// short judges a host that has so much memory, of which so much is left; has is called when it is little.
func short(total, left uint64, has func() uint64) string {
	if left >= total/spareShare {
		return ""
	}
	if n := has(); n > total/heldShare {
		return fmt.Sprintf("it held %d MiB of memory when %d MiB were left to all, and was killed", n>>20, left>>20)
	}
	return ""
}

// memory returns how much of it the host has, and how much of that can be had, in bytes; 0: not known.
func memory() (total, left uint64) {
	values := kilobytes("/proc/meminfo", "MemTotal", "MemAvailable")
	return values[0], values[1]
}

// held returns how many bytes of memory processes have that nobody else has. What they share counts once.
func held(own map[int]process) uint64 {
	var sum, shared uint64
	for pid := range own {
		values := kilobytes("/proc/"+strconv.Itoa(pid)+"/status", "RssAnon", "RssShmem")
		sum += values[0]
		shared = max(shared, values[1])
	}
	return sum + shared
}

// kilobytes returns, in bytes, what some lines of a file of the kernel's say in kB; 0 for a line that is not there.
func kilobytes(file string, names ...string) []uint64 {
	out := make([]uint64, len(names))
	b, err := os.ReadFile(file)
	if err != nil {
		return out // it has ended
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		for i := range names {
			if f := strings.Fields(value); name == names[i] && len(f) > 0 {
				n, _ := strconv.ParseUint(f[0], 10, 54) // the kernel wrote it
				out[i] = n << 10
			}
		}
	}
	return out
}
