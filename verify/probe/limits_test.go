package probe_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"savepoint/internal/needtest"
	"savepoint/verify"
)

// TestTooMany has probes with too many threads, and processes, that do not end: all of them are killed, long before the probe's time is over.
func TestTooMany(t *testing.T) {
	for _, isolation := range both {
		t.Run(string(isolation), func(t *testing.T) {
			w := newWorld(t)
			marker := "PROBE_MARKER=" + filepath.Base(w.temp) + filepath.Base(filepath.Dir(w.temp))
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			w.environ = append(w.environ, marker, "PROBE_ACT=1")
			s := sh(`echo checked 1; trap '' TERM; for i in 1 2 3 4 5; do setsid "` + exe + `" threads 1000 & done; wait`)
			s.Isolation, s.Timeout = isolation, time.Minute
			want(t, w.run(s), verify.ProbeFailed, "it had more than 4096 processes and threads, and was killed")
			if left := marked(t, marker); len(left) > 0 {
				t.Errorf("%d are left", len(left))
			}
		})
	}
}

// TestFillsDisk has a probe that writes until there is no room.
func TestFillsDisk(t *testing.T) {
	for _, isolation := range both {
		t.Run(string(isolation), func(t *testing.T) {
			w := newWorld(t)
			if err := syscall.Mount("tmpfs", w.temp, "tmpfs", 0, "size=8m"); err != nil {
				needtest.Without(t, "mounts", err.Error())
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(w.temp, 0); err != nil {
					t.Error(err)
				}
			})
			s := sh(`head -c 1000000 /dev/zero >"$TMPDIR/some" && rm "$TMPDIR/some" && sleep 0.2 && echo checked 1`)
			s.Isolation = isolation
			want(t, w.run(s), verify.ProbePassed, "")
			s.Argv = []string{"sh", "-c", `head -c 10000000 /dev/zero >"$TMPDIR/all"; echo checked 1; sleep 1000`}
			want(t, w.run(s), verify.ProbeFailed, "on the disk of "+w.temp+", and was killed")
			_ = os.Remove(filepath.Join(w.temp, "all")) // goes with the disk as well
		})
	}
}

// TestOthersFillDisk has a neighbour fill the disk while a probe is at work: the probe is not to blame.
func TestOthersFillDisk(t *testing.T) {
	for _, isolation := range both {
		t.Run(string(isolation), func(t *testing.T) {
			w := newWorld(t)
			disk := w.temp
			if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8m"); err != nil {
				needtest.Without(t, "mounts", err.Error())
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(disk, 0); err != nil {
					t.Error(err)
				}
			})
			w.temp = filepath.Join(disk, "temp")
			if err := os.Mkdir(w.temp, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"begin", "go"} {
				if err := syscall.Mkfifo(filepath.Join(w.temp, name), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			filled := make(chan error, 1)
			go func() {
				_, err := os.ReadFile(filepath.Join(w.temp, "begin")) // until the probe is there
				if err == nil {
					err = os.WriteFile(filepath.Join(disk, "others"), make([]byte, 8<<20-200<<10), 0o600)
				}
				filled <- errors.Join(err, os.WriteFile(filepath.Join(w.temp, "go"), nil, 0o600))
			}()
			s := sh(`: >"$TMPDIR/begin"; cat "$TMPDIR/go"; head -c 50000 /dev/zero >"$TMPDIR/some"; sleep 0.5; echo checked 1`)
			s.Isolation = isolation
			got := w.run(s)
			if err := <-filled; err != nil {
				t.Fatal(err)
			}
			want(t, got, verify.ProbePassed, "")
		})
	}
}

// TestKilledFirst has a probe say that the kernel would take it before its neighbours.
func TestKilledFirst(t *testing.T) {
	for _, isolation := range both {
		w := newWorld(t)
		s := sh("test $(cat /proc/self/oom_score_adj) = 1000 && echo checked 1")
		s.Isolation = isolation
		want(t, w.run(s), verify.ProbePassed, "")
	}
	b, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil || string(b) == "1000\n" {
		t.Errorf("who runs a probe is killed first as well: %q, %v", b, err)
	}
}
