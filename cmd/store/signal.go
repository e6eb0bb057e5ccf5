package main

import (
	"context"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// endingPatience is how long a run may take to end after a signal before that is said where nobody is expected to watch.
const endingPatience = 1500 * time.Millisecond

// notifyContext returns a context that the first SIGINT, SIGTERM or SIGHUP cancels: what is being stored is made durable. A
// second signal exits at once; the repository stays consistent then too, and the next run finds less.
func (a *app) notifyContext(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case _, came := <-signals:
			if !came { // closed: all is done
				return
			}
		case <-ctx.Done():
			return
		}
		const ending = "interrupted: ending in order; a second signal ends at once"
		if a.talks() {
			a.infof(ending)
		} else {
			slow := time.AfterFunc(endingPatience, func() { a.notef(ending) })
			defer slow.Stop()
		}
		cancel(errInterrupted)
		if _, again := <-signals; again {
			a.err.restoreTerminal()
			os.Exit(exitInterrupted)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
		close(signals)
		<-done
	}
}
