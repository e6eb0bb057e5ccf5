package drill_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"savepoint/verify"
	"savepoint/verify/drill"
)

// TestDiskFillsUp has the disk of the scratch folder fill up while a drill is at work: what others need is left to them.
func TestDiskFillsUp(t *testing.T) {
	const begin = 1 << 30 // bytes that are free
	for _, tt := range []struct {
		name   string
		free   uint64 // bytes, later
		inodes uint64
		write  int // bytes, by who looks at what was restored
		says   string
	}{
		{"others take as much as was to spare", 33 << 20, 100, 0, ""},
		{"others take more", 31 << 20, 100, 0, "31 MiB are free where the scratch folder "},
		{"others make files", begin, 30, 0, "can take 30 more files, and it leaves 32 to others"},
		{"others take some, the probe less", begin - 40<<20, 100, 1 << 20, ""},
		{"the probe writes and writes", begin - 40<<20, 100, 20 << 20, "has grown to 2"},
		{"where it is not known how many files there may be", begin, 0, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			var free, inodes atomic.Uint64
			free.Store(begin)
			inodes.Store(1 << 20)
			ticks := make(chan time.Time)
			o := drill.WithTicks(drill.WithDisk(w.options(), func(st *unix.Statfs_t) {
				st.Frsize, st.Bsize, st.Bavail = 1, 4096, free.Load()
				if st.Files, st.Ffree = 1<<20, inodes.Load(); st.Ffree == 0 {
					st.Files = 0
				}
			}), ticks)
			ended := false
			o.Inspect = func(ctx context.Context, folder string, _ *verify.DrillDocument) error {
				if tt.write > 0 {
					w.write(filepath.Join(folder, "grown"), tt.write)
				}
				free.Store(tt.free)
				inodes.Store(tt.inodes)
				for range 2 { // the first is looked at when the second is taken
					select {
					case ticks <- time.Time{}:
					case <-ctx.Done():
					}
				}
				ended = ctx.Err() != nil
				return ctx.Err()
			}
			verdict, exit := verify.Restored, 0
			if tt.says != "" {
				verdict, exit = verify.CouldNotRun, 1
			}
			d, err := w.run(o, verdict, exit)
			if ended != (tt.says != "") {
				t.Fatalf("ended %v: %v", ended, err)
			}
			if !ended {
				return
			}
			if !strings.Contains(err.Error(), tt.says) || !strings.Contains(d.Reasons[0], tt.says) || strings.Contains(err.Error(), "canceled") {
				t.Errorf("%v, %q", err, d.Reasons)
			}
			if rep, same := w.report(); rep == nil || rep.Exit != 1 || !cmp.Equal(d, same) {
				t.Errorf("report %+v", rep)
			}
		})
	}
}

// write writes a file that takes its size on a disk.
func (w *world) write(path string, size int) {
	w.t.Helper()
	if err := os.WriteFile(path, noise(9, size), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// TestDiskFillsUpEarly has it filled up before anything is restored: nothing is said of a context.
func TestDiskFillsUpEarly(t *testing.T) {
	w := newWorld(t)
	var full atomic.Bool
	ticks := make(chan time.Time)
	o := drill.WithTicks(drill.WithDisk(w.options(), func(st *unix.Statfs_t) {
		if full.Load() {
			st.Frsize, st.Bavail = 1, 1<<20
		}
	}), ticks)
	o.Events.Comparing = func(uint64, uint64) {
		full.Store(true)
		ticks <- time.Time{}
	}
	d, err := w.run(drill.WithStuckComparison(o), verify.CouldNotRun, 1)
	if !strings.Contains(err.Error(), "1.0 MiB are free") || d.RTO.Judged {
		t.Errorf("%v, %+v", err, d.RTO)
	}
}
