package restore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"savepoint/internal/corpus"
	"savepoint/repo"
	"savepoint/repo/restore"
)

func TestIdentity(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		dir := filepath.Join(t.TempDir(), "source")
		if err := corpus.Tree(dir, corpus.TreeOptions{Seed: seed, LongPath: true}); err != nil {
			t.Fatal(err)
		}
		_, r, snap := saved(t, dir)
		for _, workers := range []int{1, 4} {
			t.Run(fmt.Sprintf("seed %d workers %d", seed, workers), func(t *testing.T) {
				var w watch
				got, res := bring(t, r, snap, restore.Selection{}, restore.Options{Workers: workers, Events: w.events()})
				same(t, dir, got)
				w.agree(t, snap, res)
			})
		}
	}
}

// watch keeps what a restore says of itself.
type watch struct {
	plan restore.Plan

	parts []restore.Phase

	mu   sync.Mutex
	last restore.Progress
}

func (w *watch) events() restore.Events {
	return restore.Events{
		Planned: func(p restore.Plan) { w.plan = p },
		Phase:   func(p restore.Phase) { w.parts = append(w.parts, p) },
		Progress: func(p restore.Progress) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.last = restore.Progress{Bytes: max(w.last.Bytes, p.Bytes), FetchedBytes: max(w.last.FetchedBytes, p.FetchedBytes)}
		},
	}
}

// agree fails the test unless plan, progress, result and snapshot say the same.
func (w *watch) agree(t *testing.T, snap *repo.Snapshot, res *restore.Result) {
	t.Helper()
	st := snap.Stats
	if res.Files+res.Directories+res.Others+res.HardLinks != st.Files+st.Directories+st.Others {
		t.Errorf("restored %+v of %+v", res, st)
	}
	done := restore.Plan{Files: res.Files, Directories: res.Directories, Others: res.Others, HardLinks: res.HardLinks, Bytes: res.Bytes, Holes: res.Holes,
		Chunks: w.plan.Chunks, Packs: w.plan.Packs, Requests: res.Requests, FetchBytes: res.FetchedBytes}
	if diff := cmp.Diff(w.plan, done); diff != "" {
		t.Errorf("planned (-) and done (+):\n%s", diff)
	}
	if w.last.Bytes != res.Bytes || w.last.FetchedBytes != res.FetchedBytes {
		t.Errorf("progress ended with %+v, result %+v", w.last, res)
	}
	var order, names []string
	for _, part := range w.parts {
		order = append(order, part.Name)
	}
	if diff := cmp.Diff([]string{"index", "plan", "index", "plan", "transfer", "metadata"}, order); diff != "" {
		t.Error(diff)
	}
	for _, p := range res.Phases {
		names = append(names, p.Name)
		for _, part := range w.parts {
			if part.Name == p.Name {
				p.Duration -= part.Duration
			}
		}
		if p.Duration != 0 {
			t.Errorf("the parts of phase %s are off by %v", p.Name, p.Duration)
		}
	}
	if diff := cmp.Diff([]string{"index", "plan", "transfer", "metadata"}, names); diff != "" {
		t.Error(diff)
	}
}

// TestNotApproved is refused when the plan is known: nothing but folders is there, and nothing was fetched.
func TestNotApproved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	write(t, filepath.Join(dir, "a", "b"), noise(1, 1000))
	_, r, snap := saved(t, dir)
	no := errors.New("no room")
	target := filepath.Join(t.TempDir(), "restored")
	var asked restore.Plan
	res, err := restore.Run(t.Context(), r, snap, restore.Selection{}, restore.Options{Target: target, Approve: func(p restore.Plan) error {
		asked = p
		return no
	}})
	if !errors.Is(err, no) || res == nil || res.Files != 0 || res.FetchedBytes != 0 || asked.Bytes != 1000 {
		t.Errorf("%v, %+v, asked about %+v", err, res, asked)
	}
	if _, err := os.Lstat(filepath.Join(target, "a", "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
}

// TestManyLargeFiles has more files of several chunks at a time than stay open.
func TestManyLargeFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	for i := range 300 {
		write(t, filepath.Join(dir, fmt.Sprintf("d%d/f%d", i%150, i)), append(noise(uint64(i), 200_000), noise(9999, 2_000_000)[:300_000]...))
	}
	_, r, snap := saved(t, dir)
	got, _ := bring(t, r, snap, restore.Selection{}, restore.Options{Workers: 3})
	same(t, dir, got)
}

func TestDuplicatesAreReadOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	data := noise(1, 50_000)
	for i := range 100 {
		write(t, filepath.Join(dir, fmt.Sprintf("f%d", i)), data)
	}
	big := bytes.Repeat(noise(2, 1<<20), 4) // the same chunks again and again, nearly
	write(t, filepath.Join(dir, "big"), big)
	_, r, snap := saved(t, dir)
	got, res := bring(t, r, snap, restore.Selection{}, restore.Options{})
	same(t, dir, got)
	if want := uint64(100*len(data) + len(big)); res.Bytes != want {
		t.Errorf("wrote %d bytes, want %d", res.Bytes, want)
	}
	if res.FetchedBytes > 4<<20 {
		t.Errorf("fetched %d bytes for 2 MiB of different ones", res.FetchedBytes)
	}
}

func TestSparseTerabyte(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	path := filepath.Join(dir, "image")
	write(t, path, nil)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 40); err != nil {
		cannot(t, fmt.Sprintf("the file system has no sparse file of 1 TiB: %v", err))
	}
	for _, off := range []int64{0, 1 << 30, 1<<40 - 65536} {
		if _, err := f.WriteAt(noise(uint64(off), 65536), off); err != nil {
			t.Fatal(err)
		}
	}
	_, r, snap := saved(t, dir)
	got, res := bring(t, r, snap, restore.Selection{}, restore.Options{})
	same(t, dir, got)
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(got, "image"), &st); err != nil {
		t.Fatal(err)
	}
	if st.Blocks > 1024 || res.Holes != 1<<40-3*65536 {
		t.Errorf("%d blocks, %d bytes of holes", st.Blocks, res.Holes)
	}
}

func TestHardLinksAcrossRoots(t *testing.T) {
	top := t.TempDir()
	a, b := filepath.Join(top, "a"), filepath.Join(top, "b")
	write(t, filepath.Join(a, "one"), noise(1, 300_000))
	write(t, filepath.Join(b, "other"), []byte("x"))
	for _, to := range []string{a + "/two", b + "/three"} {
		if err := os.Link(a+"/one", to); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", a+"/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(a+"/link", b+"/link"); err != nil {
		t.Fatal(err)
	}
	_, r, snap := saved(t, a, b)
	got, res := bring(t, r, snap, restore.Selection{}, restore.Options{})
	same(t, a, got+"/a")
	same(t, b, got+"/b")
	for _, pair := range [][2]string{{"a/one", "a/two"}, {"a/one", "b/three"}, {"a/link", "b/link"}} {
		x, err := os.Lstat(filepath.Join(got, pair[0]))
		if err != nil {
			t.Fatal(err)
		}
		y, err := os.Lstat(filepath.Join(got, pair[1]))
		if err != nil {
			t.Fatal(err)
		}
		if !os.SameFile(x, y) {
			t.Errorf("%v are two files", pair)
		}
	}
	if res.HardLinks != 3 {
		t.Errorf("%d hard links, want 3", res.HardLinks)
	}
	// One root alone has its own copy.
	got, _ = bring(t, r, snap, restore.Selection{Root: b}, restore.Options{})
	data, err := os.ReadFile(filepath.Join(got, "three"))
	if err != nil || !bytes.Equal(data, noise(1, 300_000)) {
		t.Errorf("three: %v", err)
	}
}

// TestTimeOfTheTarget sees that nothing changes the time of the root, nor of a directory, after it was set.
func TestTimeOfTheTarget(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	write(t, filepath.Join(dir, "sub/f"), noise(1, 300_000))
	when := time.Unix(1_000_000_000, 123_456_789)
	for _, p := range []string{dir + "/sub", dir} {
		if err := os.Chtimes(p, when, when); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, os.ModeSetgid|os.ModeSticky|0o751); err != nil {
		t.Fatal(err)
	}
	_, r, snap := saved(t, dir)
	target := filepath.Join(t.TempDir(), "was there")
	if err := os.Mkdir(target, 0o777); err != nil {
		t.Fatal(err)
	}
	got, _ := bring(t, r, snap, restore.Selection{}, restore.Options{Target: target})
	same(t, dir, got)
}
