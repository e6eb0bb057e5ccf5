package miniotest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"savepoint/internal/miniotest"
)

// inner is the variable that has this test binary, run again, do TestInner.
const inner = "MINIOTEST_INNER"

// again returns a command that runs TestInner in a process of its own.
func again(t *testing.T, args []string, env ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), exe, append([]string{"-test.run=^TestInner$", "-test.v"}, args...)...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "STORE_REQUIRE=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, append(env, inner+"=1", "TMPDIR="+t.TempDir())...)
	return cmd
}

// TestInner starts a server, says its process id and dies without any cleanup. It runs in a process of its own alone.
func TestInner(t *testing.T) {
	if os.Getenv(inner) == "" {
		return
	}
	fmt.Println("pid", miniotest.MinIO(t).Pid())
	os.Exit(7)
}

func TestMissingProgram(t *testing.T) {
	empty := "STORE_TOOLS=" + t.TempDir()
	short := []string{"-test.short"}
	for _, tt := range []struct {
		name string
		args []string
		env  []string
		want string
	}{
		{"a full run fails", nil, []string{empty}, "--- FAIL"},
		{"a short run skips", short, []string{empty}, "--- SKIP"},
		{"all are required", short, []string{empty, "STORE_REQUIRE=all"}, "--- FAIL"},
		{"this is required", short, []string{empty, "STORE_REQUIRE=rsync,minio"}, "--- FAIL"},
		{"another is required", short, []string{empty, "STORE_REQUIRE=rsync"}, "--- SKIP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := again(t, tt.args, tt.env...).CombinedOutput()
			if !bytes.Contains(out, []byte(tt.want)) || (err != nil) != (tt.want == "--- FAIL") {
				t.Errorf("want %s: %v\n%s", tt.want, err, out)
			}
			if !bytes.Contains(out, []byte("run `make servers`")) {
				t.Errorf("it does not say what to do:\n%s", out)
			}
		})
	}
}

// TestServerDiesWithTest kills nothing: the test process ends without cleanup, and the kernel ends the server.
func TestServerDiesWithTest(t *testing.T) {
	out, err := again(t, nil).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		if bytes.Contains(out, []byte("is not installed")) && testing.Short() {
			t.Skip("MinIO is not installed")
		}
		t.Fatalf("%v\n%s", err, out)
	}
	_, text, _ := strings.Cut(string(out), "pid ")
	pid, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(text, "\n", 2)[0]))
	must(t, err)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		// One that its new parent has not waited for yet has ended too.
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if errors.Is(err, fs.ErrNotExist) || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		<-tick.C
	}
	t.Errorf("the server, process %d, runs on after its test has died", pid)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
}
