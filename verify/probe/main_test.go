package probe_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"savepoint/internal/needtest"
	"savepoint/verify"
	"savepoint/verify/probe"
)

func TestMain(m *testing.M) {
	switch {
	case probe.IsHelper(os.Args):
		os.Exit(probe.Help(os.Args))
	case os.Getenv("PROBE_ACT") != "":
		os.Exit(act(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// act is what this program does as a probe: it tries something and says "checked 1" when it could do it.
func act(args []string) int {
	if err := try(args[0], args[1:]); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("checked 1")
	return 0
}

func try(what string, args []string) error {
	switch what {
	case "dial":
		c, err := net.DialTimeout(args[0], args[1], time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	case "append":
		f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		return f.Close()
	case "create":
		return os.WriteFile(args[0], nil, 0o600)
	case "remount":
		return syscall.Mount("", "/", "", syscall.MS_REMOUNT|syscall.MS_BIND, "")
	case "signal":
		pid, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return syscall.Kill(pid, 0)
	case "listen": // on the loopback, and reach it
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		return try("dial", []string{"tcp", l.Addr().String()})
	case "threads": // so many, for good
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		for range n {
			go func() {
				runtime.LockOSThread()
				_ = syscall.Pause()
			}()
		}
		return syscall.Pause()
	case "run": // a probe of a drill that is killed
		_, err := probe.Run(context.Background(), probe.Spec{Argv: args[2:], Isolation: probe.Isolation(args[1])}, probe.Options{Target: args[0], Temp: args[0]})
		return err
	}
	return fmt.Errorf("no act %s", what)
}

// world is a restored folder, and what a probe must not reach.
type world struct {
	t            *testing.T
	target, temp string
	environ      []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, target: filepath.Join(t.TempDir(), "restored"), temp: t.TempDir(), environ: []string{"PATH=" + os.Getenv("PATH")}}
	if err := os.Mkdir(w.target, 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) file(name, content string, mode os.FileMode) string {
	w.t.Helper()
	path := filepath.Join(w.target, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) options() probe.Options {
	return probe.Options{Target: w.target, Temp: w.temp, Snapshot: "0123abcd", RecoveryPoint: time.Date(2026, 11, 20, 2, 40, 59, 0, time.UTC),
		Environ: w.environ, Grace: 200 * time.Millisecond}
}

// run runs a probe to its end.
func (w *world) run(s probe.Spec) *probe.Result {
	w.t.Helper()
	needNamespaces(w.t, s)
	r, err := probe.Run(w.t.Context(), s, w.options())
	if err != nil {
		w.t.Fatalf("%v: %+v", err, r)
	}
	return r
}

// sh is a probe that is a script.
func sh(script string) probe.Spec { return probe.Spec{Argv: []string{"sh", "-c", script}} }

// acting is a probe that tries something.
func (w *world) acting(isolation probe.Isolation, args ...string) *probe.Result {
	w.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	w.environ = append(w.environ, "PROBE_ACT=1")
	return w.run(probe.Spec{Argv: append([]string{exe}, args...), Isolation: isolation})
}

func needNamespaces(t *testing.T, s probe.Spec) {
	t.Helper()
	if s.Isolation == probe.None {
		return
	}
	if err := probe.Check(t.Context(), probe.Spec{Argv: []string{"sh"}}); err != nil {
		needtest.Without(t, "namespaces", err.Error())
	}
}

func want(t *testing.T, r *probe.Result, result string, says string) {
	t.Helper()
	if r.Result != result || !strings.Contains(r.Message, says) {
		t.Errorf("%s: %q, want %s: %q\n%s", r.Result, r.Message, result, says, r.Output)
	}
	if (r.Result == verify.ProbePassed) != (r.Checked > 0) {
		t.Errorf("%s, checked %d", r.Result, r.Checked)
	}
}

// marked returns the processes that have a variable in their environment.
func marked(t *testing.T, variable string) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		b, _ := os.ReadFile(name) // it may have ended, or belong to another
		if strings.Contains("\x00"+string(b)+"\x00", "\x00"+variable+"\x00") {
			pids = append(pids, filepath.Base(filepath.Dir(name)))
		}
	}
	return pids
}

// unshare returns a script that runs as root of a user namespace of its own, or ends the test.
func unshare(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	if err := exec.Command("unshare", "-r", "true").Run(); err != nil {
		needtest.Without(t, "namespaces", fmt.Sprintf("unshare: %v", err))
	}
	return exec.CommandContext(t.Context(), "unshare", append([]string{"-r", "sh", "-c", script, "sh"}, args...)...)
}
