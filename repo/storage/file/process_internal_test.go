package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/internal/needtest"
	"savepoint/repo/storage"
)

// childDir, in the environment, tells a test that it runs in a process of its own
// and in which directory.
const childDir = "STORE_TEST_CHILD_DIR"

// child prepares a run of one test of this binary in another process.
func child(t *testing.T, test, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	return cmd
}

// inNamespaces runs the test again with a user namespace, in which it has uid, and
// more namespaces. It reports whether this is that run already.
func inNamespaces(t *testing.T, uid int, more uintptr) (dir string, inside bool) {
	t.Helper()
	if dir := os.Getenv(childDir); dir != "" {
		return dir, true
	}
	cmd := child(t, t.Name(), t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | more,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getgid(), Size: 1}},
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		needtest.Without(t, "namespaces", "user namespaces are not to be had here: "+err.Error())
	}
	err := cmd.Wait()
	t.Logf("in namespaces:\n%s", out.Bytes())
	if err != nil || !strings.Contains(out.String(), "--- PASS: "+t.Name()) {
		t.Errorf("the run in namespaces fails: %v", err)
	}
	return "", false
}

// failedPut puts size bytes and checks everything about the failure.
func failedPut(t *testing.T, s *Store, want unix.Errno, text string, size int) {
	t.Helper()
	err := s.Put(t.Context(), "data/0f/new", bytes.NewReader(make([]byte, size)), int64(size), storage.PutOptions{})
	oe, ok := errors.AsType[*storage.OpError](err)
	if !ok || !errors.Is(err, want) {
		t.Fatalf("Put = %v, want %v", err, want)
	}
	t.Log(err)
	if !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), s.path) || oe.Name != "data/0f/new" || oe.Temporary {
		t.Errorf("error %q does not say %q, where and for which object", err, text)
	}
	if _, err := s.Stat(t.Context(), "data/0f/new"); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Stat after a failed Put = %v", err)
	}
}

func TestFullDisk(t *testing.T) {
	dir, inside := inNamespaces(t, 0, unix.CLONE_NEWNS)
	if !inside {
		return
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	s, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "config")
	failedPut(t, s, unix.ENOSPC, "the file system is full", 2<<20)
	if got := temps(t, dir); len(got) != 0 {
		t.Errorf("a failed Put leaves %q", got)
	}
	put(t, s, "data/0f/small") // its space was given back
	stat(t, s, "config")

	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	failedPut(t, s, unix.EROFS, "the file system is read-only", 10)
	if err := s.Delete(t.Context(), "config"); !errors.Is(err, unix.EROFS) {
		t.Errorf("Delete = %v", err)
	}
	stat(t, s, "config")
	if _, err := Open(dir); err != nil {
		t.Errorf("Open to read: %v", err)
	}
}

func TestFullOfInodes(t *testing.T) {
	dir, inside := inNamespaces(t, 0, unix.CLONE_NEWNS)
	if !inside {
		return
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "nr_inodes=6"); err != nil {
		t.Fatal(err)
	}
	s, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a")
	put(t, s, "b")
	failedPut(t, s, unix.ENOSPC, "the file system is full", 1)
	if got := temps(t, dir); len(got) != 0 {
		t.Errorf("a failed Put leaves %q", got)
	}
}

// TestForbidden runs as a user without any capability.
func TestForbidden(t *testing.T) {
	dir, inside := inNamespaces(t, 1000, 0)
	if !inside {
		return
	}
	s, err := Create(filepath.Join(dir, "repo"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "data/0f/old")
	for _, place := range []string{tempDir, "data/0f"} {
		path := filepath.Join(s.path, place)
		if err := os.Chmod(path, 0o500); err != nil {
			t.Fatal(err)
		}
		failedPut(t, s, unix.EACCES, "this user may not do that", 10)
		stat(t, s, "data/0f/old")
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if got := temps(t, s.path); len(got) != 0 {
			t.Errorf("a failed Put leaves %q", got)
		}
	}
	if err := os.Chmod(filepath.Join(s.path, "data"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(s.path, "data"), 0o700)
	_, statErr := s.Stat(t.Context(), "data/0f/old")
	_, getErr := s.Get(t.Context(), "data/0f/old", 0, -1, nil)
	var listErr error
	for _, err := range s.List(t.Context(), "", "") {
		listErr = err
	}
	for _, err := range []error{statErr, getErr, listErr, s.Delete(t.Context(), "data/0f/old")} {
		// What cannot be read is not what does not exist.
		if !errors.Is(err, unix.EACCES) || errors.Is(err, storage.ErrNotExist) {
			t.Errorf("in a directory without permission: %v", err)
		}
	}
	if err := os.Chmod(s.path, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(s.path, 0o700)
	if _, err := Open(s.path); !errors.Is(err, unix.EACCES) {
		t.Errorf("Open = %v", err)
	}
}

// TestKilledWriter kills a process between the synced body and its publication.
func TestKilledWriter(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		s, err := Create(dir)
		if err != nil {
			t.Fatal(err)
		}
		s.atPublish = func() {
			fmt.Println("at publication")
			select {} // until it is killed
		}
		put(t, s, "data/0f/o")
		return
	}
	dir := t.TempDir()
	cmd := child(t, t.Name(), dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reached := false
	for lines := bufio.NewScanner(out); !reached && lines.Scan(); {
		reached = lines.Text() == "at publication"
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil || !reached {
		t.Fatalf("the writer was to be killed at publication: reached %t, %v", reached, err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := temps(t, dir); len(got) != 1 {
		t.Fatalf("the killed writer leaves %q in .tmp, want one file", got)
	}
	for info, err := range s.List(t.Context(), "", "") {
		t.Errorf("List yields %+v, %v", info, err)
	}
	if _, err := s.Stat(t.Context(), "data/0f/o"); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Stat = %v", err)
	}
	put(t, s, "data/0f/o")
	stat(t, s, "data/0f/o")
}
