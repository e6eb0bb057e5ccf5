package probe

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// helperName is what this program is called by when it is a helper.
const helperName = "savepoint-probe"

// The descriptors of a helper beside the standard ones.
const (
	orderFD  = 3 // an order, and then nothing: its end is when the probe must end
	answerFD = 4
)

// order is what a helper has to do.
type order struct {
	Path         string // of the program
	Argv, Env    []string
	Target, Temp string
	Full         bool
	Cover        []string // sockets that must not be reached
	Grace        time.Duration
}

// answer is what came of it.
type answer struct {
	Cannot    string // why the probe was not started
	Isolation bool   // that it could not be isolated is why
	Exit      int
	Signal    string
	Left      int    // processes that were there when the probe had ended, and were killed
	Remaining int    // of these that could not be
	Limit     string // why it was killed; empty: it kept within its limits
}

// IsHelper reports whether a program was called as a helper: then its main function must do nothing but exit with what Help returns.
func IsHelper(args []string) bool { return len(args) > 0 && args[0] == helperName }

// Help does what a helper does, and returns the exit code.
func Help(args []string) int {
	if len(args) > 1 {
		return runBuiltin(args[1], args[2:])
	}
	// What is given up below is given up by one thread; the probe is forked from it.
	runtime.LockOSThread()
	// Nothing that whoever started the drill had open is for the probe.
	if err := unix.CloseRange(orderFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		unix.CloseOnExec(orderFD)
		unix.CloseOnExec(answerFD)
	}
	orders, answers := os.NewFile(orderFD, "order"), os.NewFile(answerFD, "answer")
	var o order
	a := answer{}
	if err := gob.NewDecoder(orders).Decode(&o); err != nil {
		a.Cannot = fmt.Sprintf("read the order: %v", err)
	} else {
		a = o.obey(orders)
	}
	if gob.NewEncoder(answers).Encode(a) != nil {
		return 1 // nobody listens any more
	}
	return 0
}

// obey isolates this process, if that is ordered, and runs the probe.
func (o order) obey(orders *os.File) answer {
	// When the probe ends is the drill's to say. These are caught and not ignored, which the probe would inherit.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	expendable()
	var err error
	if o.Full {
		err = o.isolate()
	} else {
		err = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	if err != nil {
		return answer{Cannot: err.Error(), Isolation: o.Full}
	}
	if o.Path == "" { // it was asked whether it can be done
		return answer{}
	}
	l := newLimits(o.Full, o.Target, o.Temp)
	p, err := o.start()
	if err != nil {
		return answer{Cannot: startError(o.Argv[0], err)}
	}
	ended := make(chan struct{})
	go o.endWith(orders, p.Pid, ended)
	held := make(chan struct{})
	go func() { defer close(held); l.hold(p.Pid, ended) }()
	status, err := await(p.Pid)
	close(ended)
	<-held
	if err != nil {
		return answer{Cannot: fmt.Sprintf("wait for the probe: %v", err)}
	}
	a := answer{Exit: status.ExitStatus(), Limit: l.why()}
	if status.Signaled() {
		a.Signal = unix.SignalName(status.Signal())
	}
	if o.Full { // this process is the first of its namespace: the kernel kills the others when it ends
		a.Left = alive()
		return a
	}
	a.Left, a.Remaining = killChildren()
	return a
}

func (o order) start() (*os.Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	return os.StartProcess(o.Path, o.Argv, &os.ProcAttr{Dir: o.Target, Env: o.Env, Files: []*os.File{null, os.Stdout, os.Stderr},
		Sys: &syscall.SysProcAttr{Setsid: true}})
}

// startError says why a program that is there did not start.
func startError(name string, err error) string {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Sprintf("the probe cannot be started: %s, or the interpreter in its first line, is not there", name)
	case errors.Is(err, unix.EACCES):
		return fmt.Sprintf("the probe cannot be started: %s, or the interpreter in its first line, is not executable for this user", name)
	case errors.Is(err, unix.ENOEXEC):
		return fmt.Sprintf("the probe cannot be started: %s is no program of this machine; a script needs a first line such as #!/bin/sh", name)
	}
	return fmt.Sprintf("the probe cannot be started: %v", err)
}

// endWith ends the probe when orders does: it is asked first, and not asked again.
func (o order) endWith(orders *os.File, pid int, ended <-chan struct{}) {
	_, _ = io.Copy(io.Discard, orders) // until the other end is closed, or its process gone
	_ = unix.Kill(-pid, unix.SIGTERM)  // the group may be empty by now
	select {
	case <-ended:
	case <-time.After(o.Grace):
		_ = unix.Kill(-pid, unix.SIGKILL)
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// await waits for one child, and reaps those that others left to this process.
func await(pid int) (status unix.WaitStatus, err error) {
	for {
		got, err := unix.Wait4(-1, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || got == pid {
			return status, err
		}
	}
}
