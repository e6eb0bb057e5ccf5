package usage

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// processCPU returns the CPU time of this process so far, of all its threads and without its children.
func processCPU() (user, system time.Duration) {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return 0, 0
	}
	return time.Duration(ru.Utime.Nano()), time.Duration(ru.Stime.Nano())
}

// peakMemory returns the highest resident memory of this process, in bytes; 0 if that is not known. ru_maxrss would be that of the program
// that started this one where that had more: execve(2) keeps it.
func peakMemory() uint64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	return highWater(b)
}

// highWater reads VmHWM from what /proc/self/status says, in bytes.
func highWater(status []byte) uint64 {
	for line := range bytes.Lines(status) {
		rest, is := bytes.CutPrefix(line, []byte("VmHWM:"))
		if !is {
			continue
		}
		kib, err := strconv.ParseUint(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 53)
		if err != nil {
			return 0
		}
		return kib << 10
	}
	return 0
}
