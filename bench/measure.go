package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// samplePeriod is how often the memory of a measured program is looked at.
const samplePeriod = 20 * time.Millisecond

// A sample is one measured run of a program.
type sample struct {
	Wall float64 `json:"wall_s"` // seconds
	CPU  float64 `json:"cpu_s"`  // seconds of user and system time, children included
	Sync float64 `json:"sync_s"` // seconds that sync(2) took afterwards: what the program left to the kernel
	RSS  int64   `json:"rss"`    // bytes; the kernel's own peak (VmHWM), as last seen
	Anon int64   `json:"anon"`   // bytes; highest RssAnon seen
	Load float64 `json:"load"`   // load average of the last minute at the start
}

// measure runs cmd, after a sync(2) so that it does not pay for what others wrote. An exit code but 0 is an error.
//
// Peaks of memory are sampled from /proc every 20 ms, since the peak in a child's rusage begins with what this process
// had when it forked.
func measure(cmd *exec.Cmd) (sample, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	unix.Sync()
	s := sample{Load: loadAverage()}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return s, err
	}
	done := make(chan struct{})
	peak := make(chan memory)
	go func() { peak <- watch(cmd.Process.Pid, done) }()
	err := cmd.Wait()
	s.Wall = time.Since(start).Seconds()
	close(done)
	m := <-peak
	if err != nil {
		return s, commandError(cmd, stderr.Bytes(), err)
	}
	s.RSS, s.Anon = m.peak, m.anon
	s.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	start = time.Now()
	unix.Sync()
	s.Sync = time.Since(start).Seconds()
	return s, nil
}

// watch returns the highest figures of a process until done is closed.
func watch(pid int, done <-chan struct{}) memory {
	tick := time.NewTicker(samplePeriod)
	defer tick.Stop()
	path := fmt.Sprintf("/proc/%d/status", pid)
	var top memory
	for {
		if text, err := os.ReadFile(path); err == nil {
			m := parseStatus(string(text))
			top.peak, top.anon = max(top.peak, m.peak), max(top.anon, m.anon)
		}
		select {
		case <-done:
			return top
		case <-tick.C:
		}
	}
}

// memory is what /proc/PID/status says, in bytes.
type memory struct {
	peak int64 // VmHWM
	anon int64 // RssAnon
}

// parseStatus reads the two lines it needs; a process that has ended has neither.
func parseStatus(text string) memory {
	var m memory
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "VmHWM":
			m.peak = kibibytes(value)
		case "RssAnon":
			m.anon = kibibytes(value)
		}
	}
	return m
}

func kibibytes(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "kB")), 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// loadAverage returns the load of the last minute, 0 if it cannot be read.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}
