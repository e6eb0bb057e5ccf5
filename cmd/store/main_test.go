package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"savepoint/internal/needtest"
	"savepoint/repo/seal"
	"savepoint/verify/probe"
)

func TestMain(m *testing.M) {
	if probe.IsHelper(os.Args) {
		os.Exit(probe.Help(os.Args))
	}
	testscript.Main(m, map[string]func(){"store": runImpatient, "nobody": runAsNobody})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Files: scripts(t, false), Setup: setup, Cmds: commands(), Condition: condition})
}

// scripts returns the scripts that need a bucket, which is said by the prefix s3_ of their names, or the others.
func scripts(t *testing.T, s3 bool) []string {
	all, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(all) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	return slices.DeleteFunc(all, func(path string) bool { return strings.HasPrefix(filepath.Base(path), "s3_") != s3 })
}

// commands are those that scripts have beside testscript's own.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"code":     cmdCode,
		"runlast":  cmdRunLast,
		"runshown": cmdRunShown,
		"setglob":  cmdSetGlob,
		"setline":  cmdSetLine,
		"setmatch": cmdSetMatch,
		"flip":     cmdFlip,
		"cut":      cmdCut,
		"head":     cmdHead,

		"nextcommand": cmdNextCommand,
	}
}

// condition knows [root], [mounts], this user can mount a file system in a namespace of its own, and [disk], the scripts' folders are on a disk
// and not in memory. STORE_REQUIRE=all makes it a failure when one of the last two does not hold.
func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Getuid() == 0, nil
	case "mounts":
	case "disk":
		return onDisk()
	default:
		return false, errors.New("unknown condition")
	}
	err := exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt").Run()
	if err != nil && os.Getenv("STORE_REQUIRE") == "all" {
		return false, fmt.Errorf("mount in a namespace: %w", err)
	}
	return err == nil, nil
}

// onDisk is [disk].
func onDisk() (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(os.TempDir(), &st); err != nil {
		return false, fmt.Errorf("file system of %s: %w", os.TempDir(), err)
	}
	memory := int64(st.Type) == unix.TMPFS_MAGIC || int64(st.Type) == unix.RAMFS_MAGIC
	if memory && os.Getenv("STORE_REQUIRE") == "all" {
		return false, fmt.Errorf("%s is in memory, where no drill runs: set TMPDIR", os.TempDir())
	}
	return !memory, nil
}

// needDisk ends a test where its folders are in memory.
func needDisk(t testing.TB) {
	t.Helper()
	if ok, err := onDisk(); err != nil || !ok {
		needtest.Without(t, "disk", fmt.Sprintf("drills need a disk: %v", err))
	}
}

// setup gives a script a cache of its own and lets other users through to its folder.
func setup(e *testscript.Env) error {
	e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, "cache"))
	e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "config"))
	e.Setenv("TZ", "Europe/Berlin")
	for dir := e.WorkDir; len(dir) > len(filepath.Clean(os.TempDir())); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// runAsNobody runs the program under a user without rights, when this one has any to give up.
func runAsNobody() {
	const nobody = 65534
	if os.Getuid() == 0 {
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
			panic(err)
		}
	}
	os.Args = os.Args[1:] // nobody store backup: the rest is a command line of its own
	main()
}

// cmdCode runs a command and checks its exit code: code 3 store backup x.
func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command [arguments]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	checkCode(ts, want, ts.Exec(args[1], args[2:]...))
}

func checkCode(ts *testscript.TestScript, want int, err error) {
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// cmdRunLast has a shell run the last line that was printed to stderr: runlast N.
func cmdRunLast(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: runlast CODE")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stderr")), "\n")
	checkCode(ts, want, ts.Exec("sh", "-c", lines[len(lines)-1]))
}

// cmdRunShown has a shell run a command that was shown: runshown CODE FILE PATTERN, where FILE is stdout, stderr or a file, and the group of
// PATTERN is the command.
func cmdRunShown(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: runshown CODE FILE PATTERN")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	command := group(ts, args[1], args[2])
	ts.Logf("+ %s", command)
	checkCode(ts, want, ts.Exec("sh", "-c", command))
}

// cmdSetMatch sets a variable to what the group of a pattern matches first: setmatch NAME FILE PATTERN, FILE as for runshown.
func cmdSetMatch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: setmatch NAME FILE PATTERN")
	}
	ts.Setenv(args[0], group(ts, args[1], args[2]))
}

// group returns what the one group of a pattern matches first in a file.
func group(ts *testscript.TestScript, file, pattern string) string {
	re, err := regexp.Compile("(?m)" + pattern)
	ts.Check(err)
	found := re.FindStringSubmatch(ts.ReadFile(file))
	if len(found) != 2 {
		ts.Fatalf("%s has no match of %s, or this not one group", file, pattern)
	}
	return found[1]
}

// cmdSetGlob sets a variable to the one path that a pattern matches: setglob NAME PATTERN.
func cmdSetGlob(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: setglob NAME PATTERN")
	}
	found, err := filepath.Glob(ts.MkAbs(args[1]))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%s matches %d paths", args[1], len(found))
	}
	ts.Setenv(args[0], found[0])
}

// cmdSetLine sets a variable to a column of a line of stdout: setline NAME LINE COLUMN, both from 1.
func cmdSetLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: setline NAME LINE COLUMN")
	}
	line, err := strconv.Atoi(args[1])
	ts.Check(err)
	column, err := strconv.Atoi(args[2])
	ts.Check(err)
	lines := strings.Split(ts.ReadFile("stdout"), "\n")
	if line > len(lines) || column > len(strings.Fields(lines[line-1])) {
		ts.Fatalf("no line %d with a column %d", line, column)
	}
	ts.Setenv(args[0], strings.Fields(lines[line-1])[column-1])
}

// edit rewrites every file that a pattern matches.
func edit(ts *testscript.TestScript, pattern string, change func([]byte) []byte) {
	found, err := filepath.Glob(ts.MkAbs(pattern))
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("%s matches nothing", pattern)
	}
	for _, name := range found {
		b, err := os.ReadFile(name)
		ts.Check(err)
		ts.Check(os.WriteFile(name, change(b), 0o600))
	}
}

// cmdFlip flips a bit in the middle of files, or one in every byte of the first half behind a pack's header: flip PATTERN
// [body].
func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: flip PATTERN [body]")
	}
	edit(ts, args[0], func(b []byte) []byte {
		from := len(b) / 2
		if len(args) == 2 {
			from = seal.HeaderLen
		}
		for i := from; i <= len(b)/2; i++ {
			b[i] ^= 0x10
		}
		return b
	})
}

// cmdCut cuts files to half their length: cut PATTERN.
func cmdCut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cut PATTERN")
	}
	edit(ts, args[0], func(b []byte) []byte { return b[:len(b)/2] })
}

// cmdHead changes the head of a config: head version FILE, head refuse FILE, head readonly FILE.
func cmdHead(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: head version|refuse|readonly FILE")
	}
	edit(ts, args[1], func(b []byte) []byte {
		n := binary.BigEndian.Uint32(b)
		head, rest := bytes.Clone(b[4:4+n]), b[4+n:]
		switch args[0] {
		case "version": // key 2 follows the magic text
			i := bytes.Index(head, []byte("savepoint repository")) + len("savepoint repository")
			if head[i] != 2 {
				ts.Fatalf("no version in the head of config")
			}
			head[i+1] = 23
		case "refuse":
			head = append(head, 6, 0x81, 0x65, 'f', 'l', 'o', 'a', 't')
			head[0]++
		case "readonly":
			head = append(head, 5, 0x81, 0x65, 'f', 'l', 'o', 'a', 't')
			head[0]++
		default:
			ts.Fatalf("head %s: unknown", args[0])
		}
		return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(head))), head...), rest...)
	})
}
