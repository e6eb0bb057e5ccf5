package drill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"savepoint/internal/corpus"
	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/source"
	"savepoint/repo/storage/fault"
	"savepoint/verify"
)

// TestCompareAgrees changes a restored tree at random: what differs is what differs from the source.
func TestCompareAgrees(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := corpus.TreeOptions{
			Seed: rapid.Uint64().Draw(rt, "seed"), Files: rapid.IntRange(1, 40).Draw(rt, "files"), Depth: rapid.IntRange(1, 5).Draw(rt, "depth"),
			MaxSize: rapid.SampledFrom([]int64{100, 100_000, 3 << 20}).Draw(rt, "most"), Boundaries: []int64{1, 1 << 20}, Skip: corpus.HardLinks,
		}
		top := memoryDir(t)
		defer os.RemoveAll(top)
		dir := filepath.Join(top, "source")
		must(t, corpus.Tree(dir, o))
		b := bringTo(t, filepath.Join(top, "restored"), dir)
		how := compareOptions{Workers: rapid.IntRange(1, 5).Draw(rt, "workers"), buffered: rapid.Bool().Draw(rt, "buffered")}
		b.same(t, how)
		o.Seed++
		must(t, corpus.Mutate(b.dir, o))
		texts, err := corpus.Compare(dir, b.dir)
		must(t, err)
		c, _ := b.compare(t, how)
		for _, d := range c.Differences {
			rel := strings.TrimPrefix(strings.TrimPrefix(d.Path, dir), "/")
			if rel == "" {
				rel = "."
			}
			if quoted := fmt.Sprintf("%q", rel); quoted != `"`+rel+`"` {
				rel = quoted
			}
			n := len(texts)
			texts = slices.DeleteFunc(texts, func(s string) bool { return strings.HasPrefix(s, rel+": ") })
			if len(texts) == n {
				rt.Errorf("%q %q, and does not differ", d.Path, d.What)
			}
		}
		if len(texts) > 0 && c.DifferenceCount <= verify.MaxListed {
			rt.Errorf("differences not found: %q", texts)
		}
	})
}

// memoryDir returns a new folder in memory where there is such a file system: syncing it takes no time. The caller removes it.
func memoryDir(t testing.TB) string {
	t.Helper()
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "compare")
	must(t, err)
	return dir
}

// TestCompareReadsFromDisk looks at every file's pages after they were dropped, and before it is read.
func TestCompareReadsFromDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	for i := range 50 {
		write(t, filepath.Join(dir, fmt.Sprint("small", i)), noise(uint64(i), 1+i*1000))
	}
	write(t, filepath.Join(dir, "big"), noise(99, 5<<20))
	b := bring(t, dir)
	warm(t, b.dir)
	isCached := func(name string) bool {
		f, err := os.Open(filepath.Join(b.dir, name))
		must(t, err)
		defer f.Close()
		is, err := source.Cached(int(f.Fd()), 0, 1)
		must(t, err)
		return is
	}
	if !isCached("small7") || !isCached("big") {
		t.Fatal("the page cache does not hold what was just read")
	}
	var dropped, left atomic.Int32
	o := compareOptions{buffered: true, dropped: func(fd int) {
		dropped.Add(1)
		if is, err := source.Cached(fd, 0, 5<<20); is || err != nil {
			left.Add(1)
		}
	}}
	if c, ok := b.compare(t, o); !ok || c.DifferenceCount > 0 || dropped.Load() != 51 || left.Load() > 0 {
		t.Errorf("dropped %d files, %d of them in part; %v %v", dropped.Load(), left.Load(), ok, c.Differences)
	}
	if isCached("big") {
		t.Error("the page cache holds a large file that nobody will read again")
	}
	// Past the page cache, what is not there does not get there.
	if c, ok := b.compare(t, compareOptions{}); !ok || c.DifferenceCount > 0 || isCached("big") {
		t.Errorf("read past the page cache: %v, %v", ok, c.Differences)
	}
}

// TestCompareFromMemory compares in a file system that has nothing but memory.
func TestCompareFromMemory(t *testing.T) {
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err != nil || st.Type != unix.TMPFS_MAGIC {
		t.Skip("no tmpfs")
	}
	dir := filepath.Join(t.TempDir(), "source")
	write(t, filepath.Join(dir, "small"), noise(1, 1000))
	write(t, filepath.Join(dir, "big"), noise(2, 5<<20))
	b := bring(t, dir)
	var err error
	b.dir, err = os.MkdirTemp("/dev/shm", "compare")
	must(t, err)
	defer os.RemoveAll(b.dir)
	b.res, err = restore.Run(t.Context(), b.r, b.snap, restore.Selection{}, restore.Options{Target: b.dir})
	must(t, err)
	if c, dropped := b.compare(t, compareOptions{}); dropped || c.DifferenceCount > 0 {
		t.Errorf("dropped %v, %v", dropped, c.Differences)
	}
}

// TestCompareAfterDamage restores from repositories in which one object is damaged: nothing that damage took differs, and all else is
// compared.
func TestCompareAfterDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	for i := range 40 {
		write(t, filepath.Join(dir, fmt.Sprintf("d%d/%s%03d", i%3, strings.Repeat("n", 200), i)), noise(uint64(i), 1000*i))
	}
	for i := range 4000 {
		write(t, filepath.Join(dir, fmt.Sprintf("wide/%s%04d", strings.Repeat("w", 240), i)), []byte{byte(i), byte(i >> 8)})
	}
	must(t, os.Link(filepath.Join(dir, "d1", strings.Repeat("n", 200)+"031"), filepath.Join(dir, "link")))
	write(t, filepath.Join(dir, "big"), noise(77, 6<<20))
	b := bring(t, dir)
	hit := 0
	top := memoryDir(t)
	defer os.RemoveAll(top)
	for _, name := range b.st.Objects() {
		if !strings.HasPrefix(name, "data/") && !strings.HasPrefix(name, "meta/") {
			continue
		}
		for part := range 8 {
			st := b.st.Clone()
			data, err := st.Get(t.Context(), name, 0, -1, nil)
			must(t, err)
			data[len(data)*part/8] ^= 1
			st.Replace(name, data)
			h := *b
			h.r, err = repo.Open(t.Context(), st, repo.Secret{Passphrase: "test"}, repo.Options{})
			must(t, err)
			h.dir = filepath.Join(top, "restored")
			must(t, os.RemoveAll(h.dir))
			h.res, err = restore.Run(t.Context(), h.r, h.snap, restore.Selection{}, restore.Options{Target: h.dir})
			if err == nil || h.res == nil || len(h.res.Damaged) == 0 {
				continue
			}
			hit++
			c, _ := h.compare(t, compareOptions{})
			if c.DifferenceCount > 0 {
				t.Errorf("%s, part %d: %d damaged; %q", name, part, len(h.res.Damaged), c.Differences)
			}
			if n := h.res.Files + h.res.Directories + h.res.Others + h.res.HardLinks; c.Entries != n {
				t.Errorf("%s, part %d: compared %d entries of %d that are there", name, part, c.Entries, n)
			}
			// Without the list all of it differs.
			if c, _ = h.compare(t, compareOptions{Restored: &restore.Result{}}); c.DifferenceCount == 0 {
				t.Errorf("%s, part %d: %d damaged, and nothing differs", name, part, len(h.res.Damaged))
			}
		}
	}
	if hit < 8 {
		t.Errorf("damage was met %d times", hit)
	}
}

// TestCompareKnown has a restore that could not do everything, and says so.
func TestCompareKnown(t *testing.T) {
	src := changeSource(t)
	b := bring(t, src)
	chmodAll := func(mode os.FileMode) {
		must(t, os.Chmod(b.dir+"/small", mode))
		must(t, os.Chmod(b.dir+"/middle", mode))
	}
	chmodAll(0o600)
	in("", func(t *testing.T, dir string) { must(t, os.Remove(dir+"/fifo")) })(t, b.dir)
	known := &restore.Result{ProblemCount: 2, Problems: []restore.Problem{
		{Path: src + "/small", Op: "set mode"}, {Path: src + "/fifo", Op: "create fifo", Missing: true}}}
	c, _ := b.compare(t, compareOptions{Restored: known})
	if c.DifferenceCount != 1 || c.Differences[0].Path != src+"/middle" || len(c.NotCompared) > 0 && os.Geteuid() == 0 {
		t.Errorf("%q %q", c.Differences, c.NotCompared)
	}
	known.ProblemCount = 3 // more than are listed
	if c, _ = b.compare(t, compareOptions{Restored: known}); c.DifferenceCount != 0 || len(c.NotCompared) < 2 {
		t.Errorf("%q %q", c.Differences, c.NotCompared)
	}
	// What is known is that alone.
	poke("small", 1)(t, b.dir)
	if c, _ = b.compare(t, compareOptions{Restored: known}); c.DifferenceCount != 1 || c.Differences[0].What != "has other bytes" {
		t.Errorf("%q", c.Differences)
	}
}

// TestCompareListsSome has more differences than are listed, in one large directory.
func TestCompareListsSome(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	const n = verify.MaxListed + 200
	for i := range n {
		write(t, filepath.Join(dir, fmt.Sprintf("f%05d", i)), []byte{byte(i)})
	}
	b := bring(t, dir)
	b.same(t, compareOptions{})
	for i := range n {
		poke(fmt.Sprintf("f%05d", i), 0)(t, b.dir)
	}
	c, _ := b.compare(t, compareOptions{})
	if c.DifferenceCount != n || len(c.Differences) != verify.MaxListed || c.Bytes != 0 || c.Files != n {
		t.Errorf("%d differences, %d listed, %d bytes in %d files", c.DifferenceCount, len(c.Differences), c.Bytes, c.Files)
	}
}

// TestCompareStorageFails lets each operation of the storage fail in turn: that is no difference.
func TestCompareStorageFails(t *testing.T) {
	b := bring(t, changeSource(t))
	st := fault.New(b.st)
	var err error
	b.r, err = repo.Open(t.Context(), st, repo.Secret{Passphrase: "test"}, repo.Options{})
	must(t, err)
	open := descriptors(t)
	for i := 0; ; i++ {
		st.Arm(fault.Rule{At: i})
		c, _, err := compare(t.Context(), b.r, b.snap, b.dir, compareOptions{Workers: 2})
		if st.Ops() <= i {
			if err != nil || c.DifferenceCount > 0 || i < 3 {
				t.Errorf("at the end, after %d operations: %v %v", i, err, c.Differences)
			}
			break
		}
		if !errors.Is(err, fault.ErrInjected) {
			t.Errorf("operation %d failed: %v", i, err)
		}
	}
	if n := descriptors(t); n != open {
		t.Errorf("%d descriptors are open, %d were", n, open)
	}
}

// TestCompareEnds ends the context after each folder in turn.
func TestCompareEnds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	must(t, corpus.Tree(dir, corpus.TreeOptions{Seed: 3, Files: 60, Depth: 10}))
	b := bring(t, dir)
	open := descriptors(t)
	for i := int32(0); ; i++ {
		ctx, cancel := context.WithCancel(t.Context())
		var seen atomic.Int32
		_, _, err := compare(ctx, b.r, b.snap, b.dir, compareOptions{Workers: 1 + int(i)%4, walked: func(*folder) {
			if seen.Add(1) == i+1 {
				cancel()
			}
		}})
		cancel()
		if seen.Load() <= i {
			must(t, err)
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("ended after %d folders: %v", i, err)
		}
		i += i / 4
	}
	if n := descriptors(t); n != open {
		t.Errorf("%d descriptors are open, %d were", n, open)
	}
}

// TestCompareWhatChanges compares a folder that is changed all the time: it ends, and says that something differs.
func TestCompareWhatChanges(t *testing.T) {
	b := bring(t, changeSource(t))
	open := descriptors(t)
	for i := range 20 {
		b.again(t)
		var once sync.Once
		done := make(chan struct{})
		o := compareOptions{Restored: b.res, Workers: 1 + i%4, buffered: i%2 == 0, walked: func(*folder) {
			once.Do(func() {
				go disturb(b.dir, done)
				<-done
			})
		}}
		c, _, err := compare(t.Context(), b.r, b.snap, b.dir, o)
		if err != nil || c.DifferenceCount == 0 {
			t.Errorf("%v %v", err, c.Differences)
		}
	}
	if n := descriptors(t); n != open {
		t.Errorf("%d descriptors are open, %d were", n, open)
	}
}

// disturb changes what lies in a folder whose names were listed, and says when it has done so.
func disturb(dir string, done chan struct{}) {
	defer close(done)
	_ = os.Truncate(dir+"/big", 2<<20)
	_ = os.Truncate(dir+"/sparse", 1<<40)
	_ = os.Remove(dir + "/small")
	_ = unix.Mkfifo(dir+"/small", 0o600)
	_ = os.Remove(dir + "/middle")
	_ = os.Symlink("/dev/zero", dir+"/middle")
	_ = os.Rename(dir+"/sub", dir+"/moved")
	_ = os.Symlink("moved", dir+"/sub")
	_ = os.Remove(dir + "/empty")
	_ = os.Mkdir(dir+"/empty", 0o700)
	_ = os.Remove(dir + "/fifo")
}
