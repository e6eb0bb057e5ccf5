package backup_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/internal/corpus"
	"savepoint/internal/needtest"
	"savepoint/repo/backup"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

// sink is a store that forgets the bytes of data packs, so that a test's heap is the backup's, and looks at the heap each
// time that one is put.
type sink struct {
	*mem.Store
	look func()

	mu    sync.Mutex
	sizes map[string]storage.Info
}

var _ storage.Store = (*sink)(nil)

func (s *sink) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	if !strings.HasPrefix(name, "data/") {
		return s.Store.Put(ctx, name, body, size, o)
	}
	s.look()
	if err := s.Store.Put(ctx, name, strings.NewReader("-"), 1, o); err != nil {
		return err
	}
	info, err := s.Store.Stat(ctx, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	info.Size = size
	s.sizes[name] = info
	return err
}

func (s *sink) Stat(ctx context.Context, name string) (storage.Info, error) {
	s.mu.Lock()
	info, ok := s.sizes[name]
	s.mu.Unlock()
	if ok {
		return info, nil
	}
	return s.Store.Stat(ctx, name)
}

func (s *sink) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return s.Store.List(ctx, prefix, after)
}

// heapWatch finds the most that is alive on the heap.
type heapWatch struct {
	mu         sync.Mutex
	base, peak uint64
	looks      int
}

func newHeapWatch() *heapWatch { return &heapWatch{base: liveHeap()} }

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (w *heapWatch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	w.peak = max(w.peak, liveHeap())
}

// atMost fails the test if there was more than limit bytes beyond what there was before.
func (w *heapWatch) atMost(t testing.TB, limit uint64) {
	t.Helper()
	grown := w.peak - min(w.base, w.peak)
	t.Logf("%.1f MiB alive at most, in %d looks; the formula allows %.1f", float64(grown)/(1<<20), w.looks, float64(limit)/(1<<20))
	if grown > limit || w.looks == 0 {
		t.Errorf("%d bytes of heap, want at most %d", grown, limit)
	}
}

// formula is what the package comments of backup and repo say, in bytes of heap, for n chunks.
func formula(workers, n int) uint64 {
	const longest, block, decoded, slack = 1 << 20, 3 << 19, 2 << 20, 8 << 20
	sealers := runtime.GOMAXPROCS(0)
	streams := 2*workers + 1
	return uint64(workers*(2*longest+128<<10) + (streams+2*sealers)*block + 2*decoded + 2*48*n + slack)
}

// TestMemoryOfALargeFile holds the formula for one stream of 512 MiB.
func TestMemoryOfALargeFile(t *testing.T) {
	size := 512 << 20
	if testing.Short() {
		size = 128 << 20
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a/small"), "so that there is something to publish while the large one is read")
	f, err := os.Create(filepath.Join(dir, "large"))
	must(t, err)
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{7}), int64(size))
	must(t, err)
	must(t, f.Close())

	l := newLab(t)
	for _, workers := range []int{1, 4, -4} {
		w := newHeapWatch()
		s := &sink{Store: l.st.Clone(), look: w.look, sizes: map[string]storage.Info{}}
		o := options(dir)
		if workers < 0 { // with pauses all the time
			workers, o.Checkpoint = -workers, 10*time.Millisecond
		}
		o.Workers = workers
		res, err := runIn(t, l.open(t, s), o)
		must(t, err)
		if st := res.Snapshot.Stats; st.ReadBytes>>20 != uint64(size>>20) || st.NewBytes != st.ReadBytes {
			t.Errorf("%+v", st)
		}
		w.atMost(t, formula(workers, int(res.Totals.DataChunks)))
	}
}

// TestHugeDirectory backs up one directory of very many files twice: what is alive does not grow with them, but for their
// names. On disk, where they are unchanged the second time, there are fewer: making them takes the time.
func TestHugeDirectory(t *testing.T) {
	for _, c := range []struct {
		name      string
		dir       string
		files     int
		unchanged bool
	}{{"in memory", memoryDir(t), 200_000, false}, {"on disk", t.TempDir(), 20_000, true}} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() {
				c.files /= 8
			}
			manyFiles(t, c.dir, c.files)
			l := newLab(t)
			for run := range 2 {
				w := newHeapWatch()
				o := options(c.dir)
				o.Workers = 2
				o.Events = w.everyEighth(c.files)
				res := l.clean(t, o)
				st := res.Snapshot.Stats
				if want := uint64(c.files * run); st.Files != uint64(c.files) || c.unchanged && st.UnchangedFiles != want {
					t.Errorf("%+v", st)
				}
				const nameCost, entryCost, ahead = 2 * (20 + 6), 1 << 10, maxAheadEntries
				w.atMost(t, formula(2, c.files/10)+uint64(c.files*nameCost)+ahead*entryCost+st.NewTreePack)
			}
		})
	}
}

// maxAheadEntries is how many entries are between the walk and the assembler at most.
const maxAheadEntries = 512 * 32

// everyEighth looks at the heap when each eighth of n entries is done.
func (w *heapWatch) everyEighth(n int) backup.Events {
	var done atomic.Int64
	return backup.Events{Progress: func(p backup.Progress) {
		if p.Entries > 0 && done.Add(int64(p.Entries))%int64(n/8) == 0 {
			w.look()
		}
	}}
}

// manyFiles makes empty files with names of 20 bytes.
func manyFiles(t testing.TB, dir string, n int) {
	t.Helper()
	for i := range n {
		fd, err := unix.Open(fmt.Sprintf("%s/player-%07d.save", dir, i), unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
		must(t, err)
		must(t, unix.Close(fd))
	}
}

// TestSparseFile: a file of 1 TiB with a little data is a little work.
func TestSparseFile(t *testing.T) {
	const size = 1 << 40
	dir := t.TempDir()
	path := filepath.Join(dir, "sparse")
	f, err := os.Create(path)
	must(t, err)
	must(t, f.Truncate(size))
	data := noise(3, 64<<10)
	for _, off := range []int64{0, size / 2, size - 64<<10} {
		_, err = f.WriteAt([]byte(data), off)
		must(t, err)
	}
	must(t, f.Close())
	var st unix.Stat_t
	must(t, unix.Stat(path, &st))
	if st.Blocks*512 > 1<<20 {
		needtest.Without(t, "holes", "no holes in the folder for tests")
	}
	l := newLab(t)
	res := l.clean(t, options(dir))
	s := res.Snapshot.Stats
	if s.FileBytes != size || s.ReadBytes > 1<<20 || s.NewBytes != uint64(len(data)) || s.NewPackBytes+s.NewTreePack > 128<<10 {
		t.Errorf("%+v", s)
	}
	trees, err := l.open(t, l.st).Trees(t.Context())
	must(t, err)
	defer trees.Close()
	e, err := tree.Lookup(t.Context(), trees, &res.Snapshot.Roots[0].Entry, "sparse")
	must(t, err)
	if len(e.Content) != 5 || !e.Content[1].Hole || !e.Content[3].Hole || e.Content[1].Length != size/2-64<<10 {
		t.Errorf("content %v", e.Content)
	}
}

// TestLongPaths goes deeper than a path can say.
func TestLongPaths(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tree")
	must(t, corpus.Tree(dir, corpus.TreeOptions{Files: 1, Depth: 1, LongPath: true, Skip: ^corpus.Kind(0)}))
	l := newLab(t)
	for run := range 2 {
		res := l.clean(t, options(dir))
		longest := ""
		for path, n := range readBack(t, l.open(t, l.st), res.Snapshot) {
			if n.Type == tree.File && len(path) > len(longest) {
				longest = path
			}
		}
		if len(longest) <= unix.PathMax || filepath.Base(longest) != "file" {
			t.Errorf("run %d: longest path %d bytes", run, len(longest))
		}
	}
}
