package main

import (
	"syscall"
	"testing"
	"time"
)

// TestSlowEnding sends this process a signal and does not end: off a terminal that is said too, after a moment.
func TestSlowEnding(t *testing.T) {
	said := newLineWatch()
	a := &app{err: newErrWriter(said)}
	ctx, stop := a.notifyContext(t.Context())
	defer stop()
	began := time.Now()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	said.mu.Lock()
	more, text := said.more, said.text.String()
	said.mu.Unlock()
	if text != "" && time.Since(began) < endingPatience {
		t.Errorf("it says at once %q", text)
	}
	if text == "" {
		select {
		case <-more:
		case <-time.After(20 * time.Second):
			t.Fatal("it says nothing")
		}
	}
	if got, want := said.String(), "interrupted: ending in order; a second signal ends at once\n"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}
