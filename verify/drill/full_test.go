package drill_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/internal/needtest"
	"savepoint/verify"
	"savepoint/verify/drill"
)

// TestDiskFull has a scratch folder that had room when it was looked at, and is full in the middle: that says nothing of the backup.
func TestDiskFull(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(w.base, 0o700); err != nil {
		t.Fatal(err)
	}
	mount(t, "none", w.base, "tmpfs", 0, "size=2m")
	o := drill.WithDisk(w.options(), func(st *unix.Statfs_t) { st.Bavail, st.Files = 1<<30, 0 })
	d, err := w.run(o, verify.CouldNotRun, 1)
	if !errors.Is(err, unix.ENOSPC) || d.Compared.DifferenceCount > 0 || d.DamagedCnt > 0 {
		t.Errorf("%v, %+v", err, d)
	}
	if rep, _ := w.report(); rep == nil || rep.Exit != 1 {
		t.Errorf("report %+v", rep)
	}
}

func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		needtest.Without(t, "root", fmt.Sprintf("only root can mount: %v", err))
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, 0); err != nil && err != unix.EINVAL && err != unix.ENOENT { // unmounted by now
			t.Error(err)
		}
	})
}

// TestMountedInScratch has somebody mount a folder of the same file system in the scratch folder: what is in it stays, the drill says
// that the folder is still there, and the next one removes it.
func TestMountedInScratch(t *testing.T) {
	w := newWorld(t)
	precious := t.TempDir()
	if err := os.WriteFile(filepath.Join(precious, "world"), []byte("the live one"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := w.options()
	at := ""
	o.Inspect = func(_ context.Context, folder string, _ *verify.DrillDocument) error {
		at = filepath.Join(folder, "players")
		mount(t, precious, at, "", unix.MS_BIND, "")
		return nil
	}
	d, err := drill.Run(t.Context(), o)
	if d == nil || err == nil || d.Verdict != verify.Restored || d.ExitCode != 1 || len(d.Reasons) != 1 || !strings.Contains(d.Reasons[0], "mounted there") {
		t.Errorf("%v, %+v", err, d)
	}
	if rep, _ := w.report(); rep == nil || rep.Exit != 1 {
		t.Errorf("report %+v", rep)
	}
	if b, err := os.ReadFile(filepath.Join(precious, "world")); err != nil || string(b) != "the live one" {
		t.Fatalf("%q, %v", b, err)
	}
	if err := unix.Unmount(at, 0); err != nil {
		t.Fatal(err)
	}
	w.run(w.options(), verify.Restored, 0)
}
