package probe

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/verify"
)

// ErrIsolation is returned when the kernel does not let this user isolate a probe.
var ErrIsolation = errors.New("the probe cannot be isolated on this host")

// patience is how long a helper may take to end beyond the time that it gives the probe for that.
const patience = 10 * time.Second

// Options say what a probe is shown. Target and Temp are needed.
type Options struct {
	Target string // folder that was restored, absolute; the probe may change it
	Temp   string // empty folder for temporary files, absolute, not in Target
	// Snapshot is its ID, RecoveryPoint when its data is from: the start of its read window.
	Snapshot      string
	RecoveryPoint time.Time
	// Environ is the environment; what leads to the repository is taken out. Nil is that of this process.
	Environ []string
	// Grace is how long a probe that was asked to end may take for it. 0 is 2 seconds.
	Grace time.Duration
	// Now is the clock of durations. Nil is time.Now.
	Now func() time.Time
}

// Result is what a probe came to, and when.
type Result struct {
	verify.Probe
	// Start is how long it took until the probe said "started", and 0 when it did not; Validate what it took after that. Both end with
	// the probe, before what it left behind is killed.
	Start, Validate time.Duration
}

// Check says why a probe could not be run here, before anybody waits for what it is to look at: a program that is missing, namespaces that
// are forbidden. The second wraps ErrIsolation. It takes some milliseconds.
func Check(ctx context.Context, s Spec) error {
	s = s.withDefaults()
	if err := s.Validate(); err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	if s.Isolation != Full {
		return nil
	}
	dir, err := os.MkdirTemp("", "savepoint-probe-")
	if err != nil {
		return fmt.Errorf("try to isolate the probe: %w", err)
	}
	defer os.Remove(dir)
	_, err = s.help(ctx, order{Target: dir, Temp: dir, Full: true}, stream{of: &output{now: time.Now}}, stream{of: &output{now: time.Now}})
	return err
}

// prepare finds out whether what is to be started is there.
func (s Spec) prepare() error {
	if name := s.Builtin(); name != "" {
		b, err := builtinOf(name)(s.Argv[1:])
		if err != nil {
			return err
		}
		return b.ready()
	}
	_, err := program(s.Argv[0])
	return err
}

// Run runs a probe on restored data. The result is never nil; beside an error the probe was not run to its end: it could not be started, or
// ctx ended. That it failed is no error. Nothing that it started is left when Run returns, but for what the result says.
func Run(ctx context.Context, s Spec, o Options) (*Result, error) {
	s = s.withDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Grace == 0 {
		o.Grace = 2 * time.Second
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	at := place{target: o.Target, snapshot: o.Snapshot, point: o.RecoveryPoint.UTC().Format(time.RFC3339Nano), temp: o.Temp}
	r := &Result{Probe: verify.Probe{Argv: s.Argv, Builtin: s.Builtin(), Result: verify.ProbeNotRun, Isolation: string(s.Isolation)}}
	if err := s.Validate(); err != nil {
		return r, err
	}
	ord := order{Argv: at.expand(s.Argv), Env: at.environment(o.Environ), Target: o.Target, Temp: o.Temp, Full: s.Isolation == Full, Grace: o.Grace}
	if err := s.prepare(); err != nil {
		return r, err
	}
	if r.Builtin != "" {
		ord.Path, ord.Argv = self, append([]string{helperName}, ord.Argv...)
	} else {
		path, err := program(s.Argv[0])
		if err != nil {
			return r, err
		}
		ord.Path = path
	}
	out := &output{now: o.Now, began: o.Now()}
	limited, cancel := context.WithTimeoutCause(ctx, s.Timeout, errTimeout)
	defer cancel()
	a, err := s.help(limited, ord, stream{of: out, speaks: true}, stream{of: out})
	took := o.Now().Sub(out.began)
	r.Output, r.OutputBytes, r.Seconds = out.end(), out.all, took.Seconds()
	r.Start = min(out.started, took)
	r.Validate = took - r.Start
	switch {
	case ctx.Err() != nil:
		return r, context.Cause(ctx)
	case err != nil && !errors.Is(err, errTimeout):
		return r, err
	}
	return r, r.conclude(s, a, out, errors.Is(err, errTimeout))
}

var errTimeout = errors.New("it took too long")

// self is this program, whatever became of its file.
const self = "/proc/self/exe"

// conclude decides what a probe came to. The error is why it says nothing.
func (r *Result) conclude(s Spec, a answer, out *output, late bool) error {
	r.Exit, r.Signal, r.Left = a.Exit, a.Signal, uint64(a.Left)
	if !out.canary.IsZero() {
		r.Canary = &out.canary
	}
	n, why := out.checked()
	switch {
	case r.Builtin != "" && !late && a.Signal == "" && a.Limit == "" && a.Exit == exitCannot:
		return fmt.Errorf("probe %s: %s", r.Builtin, out.last)
	case late:
		why = fmt.Sprintf("it did not end within %s, and was killed", s.Timeout)
	case a.Limit != "":
		why = a.Limit
	case a.Signal != "":
		why = "it was ended by " + a.Signal
	case a.Exit != 0 && r.Builtin != "" && out.last != "":
		why = out.last
	case a.Exit != 0:
		why = fmt.Sprintf("it ended with exit code %d", a.Exit)
	}
	r.Result = verify.ProbeFailed
	if why == "" {
		r.Result, r.Checked = verify.ProbePassed, n
	}
	r.Message = why
	if a.Remaining > 0 {
		return fmt.Errorf("the probe left %d processes that this user may not end", a.Remaining)
	}
	return nil
}

// help has a helper carry out an order until ctx ends. It returns the cause of that as its error then.
func (s Spec) help(ctx context.Context, o order, stdout, stderr stream) (answer, error) {
	orders, tell, err := os.Pipe()
	if err != nil {
		return answer{}, fmt.Errorf("run the probe: %w", err)
	}
	defer tell.Close()
	answers, give, err := os.Pipe()
	if err != nil {
		return answer{}, errors.Join(fmt.Errorf("run the probe: %w", err), orders.Close())
	}
	defer answers.Close()
	if o.Full {
		if o.Cover, err = sockets(o.Target, o.Temp); err != nil {
			return answer{}, errors.Join(err, orders.Close(), give.Close())
		}
	}
	cmd := &exec.Cmd{Path: self, Args: []string{helperName}, Env: []string{}, Dir: "/", Stdout: stdout, Stderr: stderr, ExtraFiles: []*os.File{orders, give},
		SysProcAttr: attributes(o.Full), WaitDelay: patience}
	err = cmd.Start()
	_, _ = orders.Close(), give.Close() // they are the helper's now
	if err != nil {
		return answer{}, cannotIsolate(o.Full, err)
	}
	heard := make(chan answer, 1)
	go func() {
		var a answer
		if gob.NewDecoder(answers).Decode(&a) != nil {
			a.Cannot = "the helper that runs the probe ended without an answer"
		}
		heard <- a
	}()
	told := gob.NewEncoder(tell).Encode(o)
	watched := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = tell.Close() // the helper ends the probe
		kill := time.AfterFunc(o.Grace+patience, func() { _ = cmd.Process.Kill() })
		<-watched
		kill.Stop()
	})
	a := <-heard
	waitErr := cmd.Wait()
	close(watched)
	stop()
	switch {
	case ctx.Err() != nil:
		return a, context.Cause(ctx)
	case a.Isolation:
		return a, cannotIsolate(true, errors.New(a.Cannot))
	case a.Cannot != "":
		return a, errors.New(a.Cannot)
	case told != nil, waitErr != nil:
		return a, fmt.Errorf("run the probe: %w", errors.Join(told, waitErr))
	}
	return a, nil
}

// attributes returns what the helper is started with.
func attributes(full bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true}
	if !full {
		return a
	}
	a.Cloneflags = unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 {
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP}
	}
	return a
}

func cannotIsolate(full bool, err error) error {
	if !full {
		return fmt.Errorf("run the probe: %w", err)
	}
	return fmt.Errorf("%w: %w; allow namespaces to this user (in a container CAP_SYS_ADMIN; else sysctl user.max_user_namespaces and user.max_net_namespaces above 0, "+
		"kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0), drill as root, or give up isolation: --isolation none", ErrIsolation, err)
}

// sockets returns the paths that processes of this network listen on, but for those in folders of the drill.
func sockets(own ...string) ([]string, error) {
	b, err := os.ReadFile("/proc/self/net/unix")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // a kernel without such sockets
	}
	if err != nil {
		return nil, fmt.Errorf("list the sockets of other services: %w", err)
	}
	var out []string
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		at := strings.Index(line, " /") // of the eighth field: none before it holds a slash
		if at < 0 {
			continue
		}
		path := strings.TrimSuffix(line[at+1:], "\n")
		inside := false
		for _, dir := range own {
			inside = inside || strings.HasPrefix(path, dir+"/")
		}
		if !seen[path] && !inside {
			seen[path] = true
			out = append(out, path)
		}
	}
	return out, nil
}
