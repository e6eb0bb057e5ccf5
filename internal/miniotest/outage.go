package miniotest

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Stop kills the server as a power cut does. Its port refuses connections until Start.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.Pid() == 0 {
		t.Fatalf("stop %s: it is not running", s.Name)
	}
	s.kill()
}

// Start runs the server again after Stop, on the same port and data, and waits until it serves.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatalf("start %s: %v\n%s", s.Name, err, s.logTail())
	}
}

// Pause freezes the server: the kernel goes on accepting connections and bytes for it, and nothing answers.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for pid := s.Pid(); !frozen(pid); <-tick.C {
		if t.Context().Err() != nil {
			t.Fatalf("pause %s: %v", s.Name, t.Context().Err())
		}
	}
}

// frozen reports whether all threads of a process stand still. The signal alone does not say so: a thread stops when it
// next leaves the kernel.
func frozen(pid int) bool {
	stats, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
	for _, path := range stats {
		if f := statFields(path); len(f) > 0 && f[0] != "T" {
			return false
		}
	}
	return true
}

// Resume lets a frozen server go on where it was.
func (s *Server) Resume(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		t.Fatalf("send %v to %s: it is not running", sig, s.Name)
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("send %v to %s: %v", sig, s.Name, err)
	}
}

// Pid returns the id of the server's process, 0 when it is stopped.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// CPU returns the time that the server has spent so far, in user and system mode, over all its starts. The kernel
// counts in hundredths of a second.
func (s *Server) CPU() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return s.spent
	}
	return s.spent + processTime(s.cmd.Process.Pid)
}

// processTime reads a running process's time. One that has just ended has none.
func processTime(pid int) time.Duration {
	f := statFields("/proc/" + strconv.Itoa(pid) + "/stat")
	if len(f) < 13 {
		return 0
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	user, _ := strconv.Atoi(f[11])     // utime, field 14
	system, _ := strconv.Atoi(f[12])   // stime, field 15
	return time.Duration(user+system) * tick
}

// statFields returns what a file stat of /proc says from the third field, the state, on. The second is the name of the
// program in parentheses, which may hold anything. It is empty for a process or thread that has ended.
func statFields(path string) []string {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	text := string(data)
	return strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
}
