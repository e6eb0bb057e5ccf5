package index_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/index"
	"savepoint/repo/record"
)

// importDir and the others say to a child process what to import, and where to.
const (
	importDir     = "INDEX_TEST_IMPORT"
	importDecoded = "INDEX_TEST_DECODED"
	importProfile = "INDEX_TEST_PROFILE"
)

// imported is what a child process found.
type imported struct {
	Entries int64
	Seconds float64
	RSSAnon int64 // the peak, in bytes
	Disk    int64
}

// TestMain lets the test binary be the child process of a test.
func TestMain(m *testing.M) {
	child := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if dir := os.Getenv(importDir); dir != "" {
		child(importChild(dir))
	}
	if dir := os.Getenv(workerDir); dir != "" {
		steps, err := strconv.Atoi(os.Getenv(workerSteps))
		child(errors.Join(err, work(dir, steps)))
	}
	os.Exit(m.Run())
}

// writeSegments writes n segments of so many packs and chunks, and returns how many entries they have.
func writeSegments(t testing.TB, dir string, n, packs, chunks int) int64 {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), randomSegment(t, r, packs, chunks), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return int64(n) * int64(packs) * int64(chunks)
}

// importInChild imports the segments of dir into a new index in a process of its own.
func importInChild(t testing.TB, dir string, env ...string) imported {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), importDir+"="+dir), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("child process: %v", err)
	}
	var res imported
	if err := json.Unmarshal(out, &res); err != nil {
		t.Fatalf("child process says %q: %v", out, err)
	}
	return res
}

func importChild(dir string) error {
	to, err := os.MkdirTemp(filepath.Dir(dir), "index-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(to)
	x, err := index.Open(to, index.Options{})
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var listed []index.Listed
	for i, e := range entries {
		fi, err := e.Info()
		if err != nil {
			return err
		}
		listed = append(listed, index.Listed{ID: segmentID(uint64(i)), Size: fi.Size()})
	}
	read, err := segmentReader(dir, entries)
	if err != nil {
		return err
	}
	if path := os.Getenv(importProfile); path != "" {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	peak := watchRSS()
	start := time.Now()
	if err := x.Sync(context.Background(), listed, read); err != nil {
		return err
	}
	res := imported{Seconds: time.Since(start).Seconds(), RSSAnon: peak()}
	st := x.Stats()
	res.Entries, res.Disk = st.Base, st.Bytes
	if err := json.NewEncoder(os.Stdout).Encode(res); err != nil {
		return err
	}
	return x.Close()
}

// segmentReader returns a Reader of files. With importDecoded they are mapped and decoded before.
func segmentReader(dir string, entries []os.DirEntry) (index.Reader, error) {
	files, decoded := map[record.ID]string{}, map[record.ID]*record.Segment{}
	for i, e := range entries {
		id := segmentID(uint64(i))
		files[id] = filepath.Join(dir, e.Name())
		if os.Getenv(importDecoded) == "" {
			continue
		}
		b, err := mapFile(files[id])
		if err != nil {
			return nil, err
		}
		if decoded[id], err = record.DecodeSegment(b); err != nil {
			return nil, err
		}
	}
	return func(_ context.Context, id record.ID) (*record.Segment, error) {
		if s := decoded[id]; s != nil {
			return s, nil
		}
		b, err := os.ReadFile(files[id])
		if err != nil {
			return nil, err
		}
		return record.DecodeSegment(b)
	}, nil
}

func mapFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return unix.Mmap(int(f.Fd()), 0, int(fi.Size()), unix.PROT_READ, unix.MAP_SHARED)
}

// watchRSS watches the anonymous memory of this process until the function it returns is called, which says the peak.
func watchRSS() func() int64 {
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		most := int64(0)
		for {
			select {
			case <-tick.C:
				most = max(most, rssAnon())
			case <-stop:
				peak <- max(most, rssAnon())
				return
			}
		}
	}()
	return func() int64 { close(stop); return <-peak }
}

func rssAnon() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

// BenchmarkImport reads 10 million entries in 1,000 segments into a new index, with and without reading and decoding
// them, in a process of its own.
func BenchmarkImport(b *testing.B) {
	dir := b.TempDir()
	n := writeSegments(b, dir, 1000, 4, 2500)
	for _, c := range []struct {
		name string
		env  []string
	}{{"read", nil}, {"decoded", []string{importDecoded + "=1"}}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				res := importInChild(b, dir, c.env...)
				if res.Entries != n {
					b.Fatalf("%d entries, not %d", res.Entries, n)
				}
				b.ReportMetric(float64(n)/res.Seconds, "entries/s")
				if c.env == nil { // else the decoded segments are in memory, too
					b.ReportMetric(float64(res.RSSAnon)/(1<<20), "MiB-anon")
				}
				b.ReportMetric(float64(res.Disk)/float64(n), "B/entry")
			}
		})
	}
}

// TestImport imports a million entries in a process of its own and holds generous bounds of time and memory; the
// benchmark says what they are on a machine that does nothing else.
func TestImport(t *testing.T) {
	if testing.Short() {
		t.Skip("imports a million entries")
	}
	const perSecond, memory = 100_000, 96 << 20
	dir := t.TempDir()
	n := writeSegments(t, dir, 100, 4, 2500)
	res := importInChild(t, dir)
	t.Logf("%.0f entries/s, %d MiB of anonymous memory, %d bytes on disk for each", float64(n)/res.Seconds, res.RSSAnon>>20, res.Disk/n)
	if res.Entries != n || float64(n)/res.Seconds < perSecond || res.RSSAnon > memory {
		t.Errorf("%+v: want %d entries, %d a second, %d bytes of memory", res, n, perSecond, memory)
	}
}
