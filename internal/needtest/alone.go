package needtest

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// alone is the variable that names the test for which a process was started.
const alone = "SAVEPOINT_TEST_ALONE"

// Alone reports whether a test has a process of its own. If not, it runs the test in one, which fails this one when it fails, and
// returns false: the caller returns. It is for what a test does to its whole process, such as a limit to the size of files, which the log that
// `go test` has tests write would meet as well.
func Alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(alone) == t.Name() {
		return true
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v")
	cmd.Env = append(os.Environ(), alone+"="+t.Name())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") {
		t.Errorf("in a process of its own: %v\n%s", err, out)
	}
	return false
}
