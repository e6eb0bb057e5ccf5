package backup_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"savepoint/repo/tree"
)

const benchFewer, benchMore = 5_000, 20_000

// profiles makes a tree of small files, 100 in a directory.
func profiles(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	for i := range n {
		write(b, filepath.Join(dir, fmt.Sprintf("%03d/player-%07d.json", i/100, i)), fmt.Sprintf("{%q: %d, %q: %q}\n", "gold", i*7919, "note", noise(byte(i), 300)))
	}
	return dir
}

// slope reports what one file more costs: the difference of two trees' times by the difference of their files.
func slope(b *testing.B, fewer, more time.Duration, runs int) {
	b.Helper()
	b.ReportMetric(float64((more-fewer).Nanoseconds())/1e3/float64(runs)/(benchMore-benchFewer), "µs/file")
	b.ReportMetric(more.Seconds()/float64(runs), "s/20000files")
}

// BenchmarkFirst backs trees up for the first time.
func BenchmarkFirst(b *testing.B) {
	few, many := profiles(b, benchFewer), profiles(b, benchMore)
	l := newLab(b)
	var took [2]time.Duration
	runs := 0
	for b.Loop() {
		runs++
		for i, dir := range []string{few, many} {
			r := l.open(b, l.st.Clone())
			start := time.Now()
			res, err := runIn(b, r, options(dir))
			must(b, err)
			took[i] += time.Since(start)
			if res.Totals.DataChunks == 0 {
				b.Fatal("nothing was stored")
			}
		}
	}
	slope(b, took[0], took[1], runs)
}

// BenchmarkUnchanged backs trees up in which nothing has changed.
func BenchmarkUnchanged(b *testing.B) {
	dirs := []string{profiles(b, benchFewer), profiles(b, benchMore)}
	labs := []*lab{newLab(b), newLab(b)}
	for i, l := range labs {
		l.clean(b, options(dirs[i]))
	}
	var took [2]time.Duration
	var memory [2]uint64
	runs := 0
	for b.Loop() {
		runs++
		for i, l := range labs {
			r := l.open(b, l.st.Clone())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			res, err := runIn(b, r, options(dirs[i]))
			must(b, err)
			took[i] += time.Since(start)
			runtime.ReadMemStats(&after)
			memory[i] += after.TotalAlloc - before.TotalAlloc
			if s := res.Snapshot.Stats; s.ChangedFiles != 0 {
				b.Fatalf("%+v", s)
			}
		}
	}
	slope(b, took[0], took[1], runs)
	b.ReportMetric(float64(memory[1]-memory[0])/float64(runs)/(benchMore-benchFewer), "B/file")
}

// BenchmarkMillionEntries backs one directory of 1,000,000 files up, for the first time, unchanged, and reading all, and
// tells the most memory that was alive. Skipped when -short.
func BenchmarkMillionEntries(b *testing.B) {
	if testing.Short() {
		b.Skip("makes a million files")
	}
	const files = 1_000_000
	dir := b.TempDir()
	manyFiles(b, dir, files)
	l := newLab(b)
	first := true
	for b.Loop() {
		for _, c := range []struct {
			name string
			mode tree.Mode
		}{{"first", tree.Incremental}, {"unchanged", tree.Incremental}, {"full", tree.Full}} {
			if c.name == "first" && !first {
				continue
			}
			first = false
			w := newHeapWatch()
			o := options(dir)
			o.Mode = c.mode
			o.Events = w.everyEighth(files)
			start := time.Now()
			l.clean(b, o)
			b.ReportMetric(time.Since(start).Seconds(), "s/"+c.name)
			b.ReportMetric(float64(w.peak-min(w.base, w.peak))/(1<<20), "MiB/"+c.name)
		}
	}
	var usage syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	b.ReportMetric(float64(usage.Maxrss)/1024, "MiB/maxrss")
}
