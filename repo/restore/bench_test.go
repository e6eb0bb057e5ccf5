package restore_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/repo/restore"
	"savepoint/repo/storage/mem"
)

// BenchmarkSmallFiles restores 20,000 files of about 1 KB in 200 directories, from memory into memory where there is such a
// file system.
func BenchmarkSmallFiles(b *testing.B) {
	const n = 20_000
	dir := filepath.Join(b.TempDir(), "source")
	for i := range n {
		write(b, filepath.Join(dir, fmt.Sprintf("d%03d/player-%05d.json", i/100, i)), noise(uint64(i), 500+i%1000))
	}
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = b.TempDir()
	}
	restoreInto(b, base, dir)
}

// BenchmarkSourceTree restores Go's source tree onto the disk that holds temporary files.
func BenchmarkSourceTree(b *testing.B) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Skipf("where is the source tree? %v", err)
	}
	restoreInto(b, b.TempDir(), filepath.Join(strings.TrimSpace(string(out)), "src"))
}

// restoreInto restores dir again and again into new directories below base.
func restoreInto(b *testing.B, base, dir string) {
	st := mem.New(nil)
	r := newRepo(b, st)
	snap := save(b, r, dir)
	for _, workers := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			phases := map[string]float64{}
			for b.Loop() {
				b.StopTimer()
				target, err := os.MkdirTemp(base, "restore")
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(snap.Stats.FileBytes))
				b.StartTimer()
				_, res := bring(b, r, snap, restore.Selection{}, restore.Options{Target: target, Workers: workers})
				b.StopTimer()
				for _, p := range res.Phases {
					phases[p.Name] += p.Duration.Seconds()
				}
				if err := os.RemoveAll(target); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(int(snap.Stats.Files)*b.N)/b.Elapsed().Seconds(), "files/s")
			for name, sum := range phases {
				b.ReportMetric(1000*sum/float64(b.N), name+"-ms")
			}
		})
	}
}
