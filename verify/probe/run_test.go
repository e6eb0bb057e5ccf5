package probe_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"savepoint/verify"
	"savepoint/verify/probe"
)

var both = []probe.Isolation{probe.Full, probe.None}

func TestSaid(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		result       string
		says         string
		checked      uint64
	}{
		{"passes", "echo checked 12", verify.ProbePassed, "", 12},
		{"without an end of line", "echo a; printf 'checked 12'", verify.ProbePassed, "", 12},
		{"errors beside it", "echo checked 1; echo warning >&2", verify.ProbePassed, "", 1},
		{"an empty line behind it", "echo checked 1; echo; echo '  '", verify.ProbePassed, "", 1},
		{"silent", "true", verify.ProbeFailed, `did not say how many things it checked`, 0},
		{"on the wrong stream", "echo checked 1 >&2", verify.ProbeFailed, `did not say how many`, 0},
		{"nothing", "echo checked 0", verify.ProbeFailed, "checked nothing", 0},
		{"garbage", "echo checked all", verify.ProbeFailed, `it is "checked all"`, 0},
		{"less than nothing", "echo checked -1", verify.ProbeFailed, `it is "checked -1"`, 0},
		{"something behind it", "echo checked 1; echo bye", verify.ProbeFailed, `it is "bye"`, 0},
		{"too long a line", "printf 'checked 1%05000d' 0", verify.ProbeFailed, "did not say", 0},
		{"exit code", "echo checked 1; exit 3", verify.ProbeFailed, "exit code 3", 0},
		{"signal", "echo checked 1; kill -SEGV $$", verify.ProbeFailed, "ended by SIGSEGV", 0},
		{"asked to end", "echo checked 1; kill -TERM $$", verify.ProbeFailed, "ended by SIGTERM", 0},
		{"no input", "cat; echo checked 1", verify.ProbePassed, "", 1},
		{"in the folder", "touch here && echo checked 1", verify.ProbePassed, "", 1},
		{"temporary files", `touch "$TMPDIR/a" "$HOME/b" /dev/shm/c && echo x >/dev/null && echo checked 1`, verify.ProbePassed, "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			r := w.run(sh(tt.script))
			want(t, r, tt.result, tt.says)
			if r.Checked != tt.checked || r.Isolation != "full" || r.Left != 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestLines(t *testing.T) {
	w := newWorld(t)
	r := w.run(sh("echo canary 2026-11-20T02:00:00Z; echo started; echo canary 1763606400; echo canary soon; echo checked 2"))
	want(t, r, verify.ProbePassed, "")
	if r.Canary == nil || !r.Canary.Equal(time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)) || r.Start <= 0 || r.Validate <= 0 {
		t.Errorf("%v, %v, %v", r.Canary, r.Start, r.Validate)
	}
	if r := w.run(sh("echo checked 2")); r.Start != 0 || r.Validate <= 0 || r.Canary != nil {
		t.Errorf("%+v", r)
	}
}

func TestPlaces(t *testing.T) {
	w := newWorld(t)
	w.environ = append(w.environ, "STORE_PASSWORD=a", "AWS_SECRET_ACCESS_KEY=b", "MINIO_ROOT_PASSWORD=c", "aws_profile=d", "KEPT=e", "STORED=f")
	s := probe.Spec{Argv: []string{"sh", "-c", `pwd; echo "$@"; env; echo checked 1`, "sh", "at={target}", "{snapshot}", "{recovery_point}", "{other}"}}
	r := w.run(s)
	want(t, r, verify.ProbePassed, "")
	for _, line := range []string{w.target, "at=" + w.target + " 0123abcd 2026-11-20T02:40:59Z {other}", "SAVEPOINT_TARGET=" + w.target,
		"SAVEPOINT_SNAPSHOT=0123abcd", "SAVEPOINT_RECOVERY_POINT=2026-11-20T02:40:59Z", "KEPT=e", "STORED=f", "HOME=" + w.temp} {
		if !strings.Contains("\n"+r.Output, "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, r.Output)
		}
	}
	for _, name := range []string{"STORE_", "AWS_", "MINIO_", "aws_profile"} {
		if strings.Contains(r.Output, name) {
			t.Errorf("%s in\n%s", name, r.Output)
		}
	}
}

func TestOutputBounded(t *testing.T) {
	w := newWorld(t)
	r := w.run(sh("yes error | head -c 5000000 >&2; yes 'a line of the probe' | head -c 20000000; echo; echo checked 7"))
	want(t, r, verify.ProbePassed, "")
	if len(r.Output) > 64<<10 || len(r.Output) < 60<<10 || r.OutputBytes < 25_000_000 {
		t.Errorf("%d of %d bytes: …%q", len(r.Output), r.OutputBytes, r.Output[max(0, len(r.Output)-40):])
	}
	r = w.run(sh("yes 'a line of the probe' | head -c 20000000; echo; echo checked 7"))
	if len(r.Output) != 64<<10 || !strings.HasSuffix(r.Output, "checked 7\n") {
		t.Errorf("%d of %d bytes: …%q", len(r.Output), r.OutputBytes, r.Output[max(0, len(r.Output)-40):])
	}
	r = w.run(sh(`printf '\377\000\033[31m'; exit 1`))
	if r.Output != "\uFFFD\x00\x1b[31m" {
		t.Errorf("%q", r.Output)
	}
}

// TestCannot has probes that cannot be started: that says nothing of the data.
func TestCannot(t *testing.T) {
	w := newWorld(t)
	plain := w.file("plain", "#!/bin/sh\n", 0o644)
	lost := w.file("lost", "#!/no/such/interpreter\n", 0o755)
	noise := w.file("noise", "nothing that runs", 0o755)
	for _, tt := range []struct {
		argv  []string
		says  string
		check bool // is known before anything is restored
	}{
		{[]string{filepath.Join(w.target, "none")}, "there is no " + w.target, true},
		{[]string{"no-such-program"}, "is not on the PATH, and no built-in probe (canary, files", true},
		{[]string{plain}, "is not executable: chmod +x", true},
		{[]string{w.target}, "is a folder", true},
		{[]string{lost}, "interpreter in its first line, is not there", false},
		{[]string{noise}, "first line such as #!/bin/sh", false},
		{[]string{""}, "a probe is a program", true},
		{nil, "a probe is a program", true},
		{[]string{"sh", "a\x00b"}, "zero byte", true},
	} {
		for _, isolation := range both {
			s := probe.Spec{Argv: tt.argv, Isolation: isolation}
			needNamespaces(t, s)
			r, err := probe.Run(t.Context(), s, w.options())
			if err == nil || !strings.Contains(err.Error(), tt.says) || r.Result != verify.ProbeNotRun {
				t.Errorf("%q: %v, %+v", tt.argv, err, r)
			}
			if err := probe.Check(t.Context(), s); (err != nil) != tt.check || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("check %q: %v", tt.argv, err)
			}
		}
	}
	if err := (probe.Spec{Argv: []string{"sh"}, Isolation: "some"}).Validate(); err == nil {
		t.Error("an isolation that is none is taken")
	}
}

// TestHangs has probes that do not end by themselves: each ends within the timeout and the grace, and nothing of it is left.
func TestHangs(t *testing.T) {
	for _, tt := range []struct{ name, script string }{
		{"sleeps", "sleep 1000"},
		{"ignores what it is asked", "trap '' TERM HUP INT; while :; do sleep 1000; done"},
		{"closed its output", "exec >&- 2>&-; sleep 1000"},
		{"fills its output", "trap '' TERM; exec yes"},
		{"claims to have passed", "echo checked 5; sleep 1000"},
		{"hangs in another session", "setsid sleep 1000; sleep 1000"},
	} {
		for _, isolation := range both {
			t.Run(tt.name+", "+string(isolation), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				marker := "PROBE_MARKER=" + filepath.Base(w.temp) + filepath.Base(filepath.Dir(w.temp))
				w.environ = append(w.environ, marker)
				s := sh(tt.script)
				s.Isolation, s.Timeout = isolation, 300*time.Millisecond
				r := w.run(s)
				want(t, r, verify.ProbeFailed, "did not end within 300ms, and was killed")
				if left := marked(t, marker); len(left) > 0 {
					t.Errorf("left: %q", left)
				}
			})
		}
	}
}

// TestForks has probes that end and leave processes behind.
func TestForks(t *testing.T) {
	const daemons = `sleep 1001 &
setsid sleep 1002 &
(setsid sh -c 'trap "" TERM HUP; sleep 1003 & sleep 1004' >/dev/null 2>&1 </dev/null &)
(cd /; (setsid sh -c '(sleep 1005 &)' &) )
sleep 0.1
echo checked 3`
	for _, isolation := range both {
		t.Run(string(isolation), func(t *testing.T) {
			w := newWorld(t)
			marker := "PROBE_MARKER=" + filepath.Base(w.temp) + filepath.Base(filepath.Dir(w.temp))
			w.environ = append(w.environ, marker)
			s := sh(daemons)
			s.Isolation = isolation
			r := w.run(s)
			want(t, r, verify.ProbePassed, "")
			if r.Left < 5 {
				t.Errorf("%d processes were killed", r.Left)
			}
			if left := marked(t, marker); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// TestCancelled ends the drill while the probe runs.
func TestCancelled(t *testing.T) {
	stop := errors.New("stopped")
	for _, isolation := range both {
		w := newWorld(t)
		fifo := filepath.Join(w.target, "fifo")
		if err := exec.Command("mkfifo", fifo).Run(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			if f, err := os.OpenFile(fifo, os.O_RDONLY, 0); err == nil { // waits for the probe
				_ = f.Close()
			}
			cancel(stop)
		}()
		s := sh("echo >fifo; exec sleep 1000")
		s.Isolation = isolation
		needNamespaces(t, s)
		r, err := probe.Run(ctx, s, w.options())
		if !errors.Is(err, stop) || r.Result != verify.ProbeNotRun {
			t.Errorf("%v, %+v", err, r)
		}
	}
}

// TestKilled kills the process that runs a probe: the probe ends all the same.
func TestKilled(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, isolation := range both {
		w := newWorld(t)
		needNamespaces(t, probe.Spec{Isolation: isolation})
		marker := "PROBE_MARKER=" + filepath.Base(w.temp) + filepath.Base(filepath.Dir(w.temp))
		cmd := exec.Command(exe, "run", w.target, string(isolation), "sh", "-c", "setsid sleep 1000 & trap '' TERM; touch here; sleep 1000; sleep 1000")
		cmd.Env = append(os.Environ(), "PROBE_ACT=1", marker)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		until := func(what string, holds func() bool) {
			deadline := time.After(20 * time.Second)
			for !holds() {
				select {
				case <-tick.C:
				case <-deadline:
					t.Fatalf("%s, %s: %q", isolation, what, marked(t, marker))
				}
			}
		}
		until("the probe does not begin", func() bool { _, err := os.Stat(filepath.Join(w.target, "here")); return err == nil })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		until("processes are left", func() bool { return len(marked(t, marker)) == 0 })
	}
}

// TestForbidden has the kernel refuse namespaces.
func TestForbidden(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	for isolation, says := range map[probe.Isolation]string{
		probe.Full: "the probe cannot be isolated on this host", probe.None: "checked 1",
	} {
		cmd := unshare(t, `echo 0 >/proc/sys/user/max_net_namespaces && exec "$@"`, exe, "run", w.target, string(isolation), "sh", "-c", "echo checked 1")
		cmd.Env = append(os.Environ(), "PROBE_ACT=1")
		out, err := cmd.CombinedOutput()
		if (err != nil) != (isolation == probe.Full) || !strings.Contains(string(out), says) {
			t.Errorf("%s: %v\n%s", isolation, err, out)
		}
		if isolation == probe.Full && !strings.Contains(fmt.Sprint(string(out)), "--isolation none") {
			t.Errorf("what to do is not said: %s", out)
		}
	}
}
