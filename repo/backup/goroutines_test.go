package backup_test

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// running is how many goroutines there were.
type running int

func runningNow() running { return running(runtime.NumGoroutine()) }

// gone fails the test if there are more goroutines than before. One that has been waited for may still be on its last
// instruction, so it is given the processor for a while first.
func (before running) gone(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if runtime.NumGoroutine() <= int(before) {
			return
		}
		runtime.Gosched()
	}
	buf := make([]byte, 1<<20)
	stacks := string(buf[:runtime.Stack(buf, true)])
	t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, strings.TrimSpace(stacks))
}
