package file

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/needtest"
	"savepoint/repo/storage"
)

// TestDurableOrder watches the system calls: what is synced before what gets a
// name, and that each directory is synced after its entries changed.
func TestDurableOrder(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		runtime.LockOSThread() // the trace has one file for each thread
		writeUnderTrace(t, filepath.Join(dir, "new", "repo"))
		return
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	got := trace(t, child(t, t.Name(), dir), dir)
	want := []string{
		// Create
		"mkdir new", "sync .", "mkdir new/repo", "sync new",
		// Put data/0f/o
		"mkdir R/.tmp", "sync R/.tmp/T",
		"mkdir R/data", "sync R", "mkdir R/data/0f", "sync R/data",
		"rename R/.tmp/T R/data/0f/o", "sync R/data/0f",
		// Put data/0f/p, if absent
		"sync R/.tmp/T", "rename R/.tmp/T R/data/0f/p", "sync R/data/0f",
		// Put by a Store that does not know who made the directories
		"sync R/.tmp/T", "sync R", "sync R/data", "rename R/.tmp/T R/data/0f/o", "sync R/data/0f",
		// Delete of both
		"unlink R/data/0f/o", "unlink R/data/0f/p", "sync R/data/0f", "unlink R/data/0f", "unlink R/data",
	}
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], "R", "new/repo")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("system calls (-want +got):\n%s", diff)
	}
}

func writeUnderTrace(t *testing.T, dir string) {
	s, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "data/0f/o")
	if err := s.Put(t.Context(), "data/0f/p", strings.NewReader("x"), 1, storage.PutOptions{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, again, "data/0f/o")
	if err := again.Delete(t.Context(), "data/0f/o", "data/0f/p"); err != nil {
		t.Fatal(err)
	}
}

var (
	tracedCall = regexp.MustCompile(`^(\w+?)(?:at2?)?\((.*)\) += 0$`)
	tracedPath = regexp.MustCompile(`(?:\d+|AT_FDCWD)<([^>]*)>(?:, "([^"]*)")?`)
	tempName   = regexp.MustCompile(`\.tmp/[A-Z2-7]{26}`)
)

// trace runs cmd under strace and returns its changes beneath dir, with paths
// relative to it.
func trace(t *testing.T, cmd *exec.Cmd, dir string) (calls []string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "trace")
	args := []string{
		"-ff", "-qq", "-y", "-s", "4096", "-o", out, "-e", "signal=none",
		"-e", "trace=fsync,fdatasync,?rename,?renameat,renameat2,?link,linkat,?mkdir,mkdirat,?unlink,unlinkat",
	}
	strace := exec.CommandContext(t.Context(), "strace", append(args, cmd.Args...)...)
	strace.Env = cmd.Env
	if err := exec.Command("strace", "-qq", "-o", out, "true").Run(); err != nil {
		needtest.Without(t, "strace", "strace does not work here: "+err.Error())
	}
	if text, err := strace.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	files, err := filepath.Glob(out + ".*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if call := parseCall(strings.TrimSpace(line), dir); call != "" {
				calls = append(calls, call)
			}
		}
	}
	return calls
}

// parseCall turns a line of the trace into "verb path…", or "" when the call failed or
// lies elsewhere.
func parseCall(line, dir string) string {
	m := tracedCall.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	words := []string{strings.TrimPrefix(m[1], "f")}
	for _, p := range tracedPath.FindAllStringSubmatch(m[2], -1) {
		path := filepath.Join(p[1], p[2])
		if filepath.IsAbs(p[2]) {
			path = p[2]
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || strings.HasPrefix(rel, "..") {
			return ""
		}
		words = append(words, tempName.ReplaceAllString(rel, ".tmp/T"))
	}
	return strings.Join(words, " ")
}
