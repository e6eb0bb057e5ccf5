package drill

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkCompare compares many small files and a large one with their snapshot, after they were read into the page cache. "of-disk" is
// the time that reading their bytes would take as one file past the page cache, in the same run, over the time that it took; "of-restore"
// is the time over that of the restore.
func BenchmarkCompare(b *testing.B) {
	for _, bench := range []struct {
		name string
		make func(testing.TB, string)
	}{
		{"files=84000", func(b testing.TB, dir string) {
			for i := range 84_000 {
				write(b, filepath.Join(dir, fmt.Sprintf("d%03d/player-%05d.json", i/100, i)), noise(uint64(i), 500+i*7919%8000))
			}
		}},
		{"bytes=2GiB", func(b testing.TB, dir string) {
			f, err := os.Create(filepath.Join(dir, "world"))
			must(b, err)
			defer f.Close()
			for i := range 2 << 30 / (8 << 20) {
				if _, err := f.Write(noise(uint64(i), 8<<20)); err != nil {
					b.Fatal(err)
				}
			}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "source")
			must(b, os.Mkdir(dir, 0o755))
			bench.make(b, dir)
			began := time.Now()
			t := bring(b, dir)
			restore := time.Duration(0)
			for _, p := range t.res.Phases {
				restore += p.Duration
			}
			b.Logf("backup and restore %v, restore %v", time.Since(began), restore)
			b.SetBytes(int64(t.snap.Stats.FileBytes))
			disk := diskSpeed(b, b.TempDir())
			cpu := time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				warm(b, t.dir)
				before := cpuTime(b)
				b.StartTimer()
				if c, dropped := t.compare(b, compareOptions{}); c.DifferenceCount > 0 || !dropped {
					b.Fatalf("dropped: %v; %v", dropped, c.Differences)
				}
				cpu += cpuTime(b) - before
			}
			took := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(float64(t.snap.Stats.FileBytes)/disk/took, "of-disk")
			b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms")
			b.ReportMetric(took/restore.Seconds(), "of-restore")
		})
	}
}

// cpuTime returns how long the process has computed, the kernel's part included.
func cpuTime(t testing.TB) time.Duration {
	var use unix.Rusage
	must(t, unix.Getrusage(unix.RUSAGE_SELF, &use))
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// warm reads all files into the page cache.
func warm(t testing.TB, dir string) {
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		_, err = os.ReadFile(path)
		return err
	}))
}

// diskSpeed returns how many bytes the disk reads in a second, one request at a time into huge pages.
func diskSpeed(t testing.TB, dir string) float64 {
	t.Helper()
	const size = 1 << 30
	f, err := os.Create(filepath.Join(dir, "disk"))
	must(t, err)
	defer os.Remove(f.Name())
	defer f.Close()
	block := noise(1, 4<<20)
	for range size / len(block) {
		if _, err := f.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	must(t, f.Sync())
	if direct(int(f.Fd())) == 0 {
		t.Skip("the file system of temporary files reads through the page cache")
	}
	var buf buffer
	defer buf.free()
	room, err := buf.room(len(block))
	must(t, err)
	began := time.Now()
	for off := int64(0); off < size; off += int64(len(block)) {
		if n, err := unix.Pread(int(f.Fd()), room, off); n != len(block) || err != nil {
			t.Fatal(n, err)
		}
	}
	return size / time.Since(began).Seconds()
}
