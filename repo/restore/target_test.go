package restore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/source"
	"savepoint/repo/storage/fault"
)

func TestMarkerIsTheOneBackupsRefuse(t *testing.T) {
	if restore.IncompleteMarker != source.IncompleteMarker {
		t.Errorf("%s is not %s", restore.IncompleteMarker, source.IncompleteMarker)
	}
}

func TestNotEmpty(t *testing.T) {
	dir, _ := hoard(t)
	_, r, snap := saved(t, dir)
	for name, want := range map[string]string{
		"save.db":                "\"save.db\"",
		"a\nb":                   `"a\nb"`,
		restore.IncompleteMarker: "earlier restore",
	} {
		target := t.TempDir()
		write(t, filepath.Join(target, name), []byte("keep"))
		_, err := restore.Run(t.Context(), r, snap, restore.Selection{}, restore.Options{Target: target})
		if !errors.Is(err, restore.ErrNotEmpty) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
		if len(names(t, target)) != 1 {
			t.Errorf("%q: the target holds %q", name, names(t, target))
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, []byte("keep"))
	for _, target := range []string{file, file + "/below", "relative", ""} {
		if _, err := restore.Run(t.Context(), r, snap, restore.Selection{}, restore.Options{Target: target}); err == nil {
			t.Errorf("%q: no error", target)
		}
	}
}

func TestCancel(t *testing.T) {
	dir, _ := hoard(t)
	_, r, snap := saved(t, dir)
	for name, events := range map[string]func(context.CancelFunc) restore.Events{
		"planned": func(stop context.CancelFunc) restore.Events {
			return restore.Events{Planned: func(restore.Plan) { stop() }}
		},
		"transfer": func(stop context.CancelFunc) restore.Events {
			return restore.Events{Progress: func(restore.Progress) { stop() }}
		},
	} {
		ctx, stop := context.WithCancel(t.Context())
		target := filepath.Join(t.TempDir(), "t")
		_, err := restore.Run(ctx, r, snap, restore.Selection{}, restore.Options{Target: target, Events: events(stop), Workers: 1})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(filepath.Join(target, restore.IncompleteMarker)); err != nil {
			t.Errorf("%s: no marker: %v", name, err)
		}
		if got := names(t, target); len(got) > 7 {
			t.Errorf("%s: the target holds %q", name, got)
		}
	}
}

// TestStoreErrors fails each operation of the store in turn.
func TestStoreErrors(t *testing.T) {
	dir, _ := hoard(t)
	st, _, snap := saved(t, dir)
	secret := repo.Secret{Passphrase: "test"}
	for i := 0; ; i++ {
		failing := fault.New(st)
		r, err := repo.Open(t.Context(), failing, secret, repo.Options{})
		if err != nil {
			t.Fatal(err)
		}
		failing.Arm(fault.Rule{At: i})
		target := filepath.Join(t.TempDir(), "t")
		_, err = restore.Run(t.Context(), r, snap, restore.Selection{}, restore.Options{Target: target})
		if failing.Ops() <= i {
			if err != nil {
				t.Fatal(err)
			}
			same(t, dir, target)
			if i < 8 {
				t.Errorf("a restore takes %d operations only", i)
			}
			return
		}
		if err == nil || errors.Is(err, repo.ErrCorrupt) {
			t.Errorf("operation %d: %v", i, err)
		}
		if _, err := os.Lstat(target); err == nil {
			if _, err := os.Lstat(filepath.Join(target, restore.IncompleteMarker)); err != nil {
				t.Errorf("operation %d left no marker: %v", i, err)
			}
		}
	}
}

// again runs the same test in another process. In that it returns true.
func again(t *testing.T, attr *syscall.SysProcAttr) bool {
	t.Helper()
	const mark = "SAVEPOINT_TEST_CHILD"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"="+t.Name())
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EINVAL) {
		cannot(t, fmt.Sprintf("no namespace of our own: %v", err))
	}
	if err != nil || !strings.Contains(string(out), ": "+t.Name()+" (") {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		cannot(t, string(out))
	}
	return false
}

func TestFullDisk(t *testing.T) {
	ids := func(id int) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
	}
	if !again(t, &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: ids(os.Getuid()), GidMappings: ids(os.Getgid()),
	}) {
		return
	}
	dir, _ := hoard(t)
	_, r, snap := saved(t, dir)
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	defer unix.Unmount(small, unix.MNT_DETACH)
	target := filepath.Join(small, "t")
	_, err := restore.Run(t.Context(), r, snap, restore.Selection{}, restore.Options{Target: target})
	var te *restore.TargetError
	if !errors.As(err, &te) || !errors.Is(err, unix.ENOSPC) || te.Op != "write" || !strings.HasPrefix(te.Path, target+"/") {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"the repository is unharmed", "the target is incomplete", restore.IncompleteMarker, "run the restore again", target} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if _, err := os.Lstat(filepath.Join(target, restore.IncompleteMarker)); err != nil {
		t.Errorf("no marker: %v", err)
	}
}

// TestNotRoot restores what belongs to others as a user who may not give files away.
func TestNotRoot(t *testing.T) {
	if os.Getuid() == 0 && !again(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}) {
		return
	}
	dir := filepath.Join(t.TempDir(), "source")
	write(t, dir+"/run", noise(1, 1000))
	write(t, dir+"/shut", noise(2, 200_000))
	if err := os.Chmod(dir+"/shut", 0o400); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"-2", noise(3, 1000))
	_, r, snap := saved(t, dir, dir+"-2")
	got, res := bring(t, r, snap, restore.Selection{Root: dir}, restore.Options{})
	same(t, dir, got)
	if res.OwnersSkipped != 0 {
		t.Errorf("%d owners were skipped", res.OwnersSkipped)
	}
	e := &snap.Roots[1].Entry // the file dir-2 as if it were somebody else's
	e.UID, e.Mode = 12345, 0o6755
	got, res = bring(t, r, snap, restore.Selection{Root: dir + "-2"}, restore.Options{})
	st, err := os.Stat(got + "/source-2")
	if err != nil || st.Mode() != 0o755|os.ModeSetgid || res.OwnersSkipped != 1 {
		t.Errorf("mode %v, %v; %d owners were skipped", st.Mode(), err, res.OwnersSkipped)
	}
}
