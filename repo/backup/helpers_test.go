package backup_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/chunk"
	"savepoint/internal/needtest"
	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/pack"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

// later is how far the host's clock is ahead in most tests: every file is then older than a minute.
const later = 2 * time.Hour

// lab is a repository in memory and the clock of the host that backs up into it.
type lab struct {
	st    *mem.Store
	ahead atomic.Int64 // of the host's clock, nanoseconds
}

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{st: mem.New(nil)}
	l.ahead.Store(int64(later))
	l.init(t, l.st)
	return l
}

// init makes the repository; its key slot costs little.
func (l *lab) init(t testing.TB, st storage.Store) {
	t.Helper()
	slot := repo.NewSlot{Kind: repo.SlotPassphrase, Label: "test", Passphrase: "test", WorkFactor: 4}
	if _, err := repo.Init(t.Context(), st, []repo.NewSlot{slot}, l.options()); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) options() repo.Options {
	return repo.Options{Now: func() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }}
}

// open opens the repository in st, as each run of the program does.
func (l *lab) open(t testing.TB, st storage.Store) *repo.Repo {
	t.Helper()
	r, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: "test"}, l.options())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func options(paths ...string) backup.Options {
	return backup.Options{Dataset: "world", Host: "host", Paths: paths}
}

// run backs up into the lab's own store, without an error.
func (l *lab) run(t testing.TB, o backup.Options) *backup.Result {
	t.Helper()
	res, err := backup.Run(t.Context(), l.open(t, l.st), o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// clean is run for a source that must not have a fault.
func (l *lab) clean(t testing.TB, o backup.Options) *backup.Result {
	t.Helper()
	res := l.run(t, o)
	if res.Faulty() {
		t.Fatalf("faults: %+v, suspect %v, %d files re-read were different", res.Snapshot.Faults, res.Snapshot.Suspect, res.Snapshot.Stats.RereadDifferent)
	}
	return res
}

// node is an entry with what was read back of its content.
type node struct {
	*tree.Entry
	data string
}

// readBack reads everything in a snapshot and returns it by absolute path.
func readBack(t testing.TB, r *repo.Repo, snap *repo.Snapshot) map[string]node {
	t.Helper()
	b := reader{t: t, r: r, at: map[chunk.ID][]place{}, found: map[string]node{}, open: map[block]*repo.Opened{}}
	var err error
	if b.trees, err = r.Trees(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer b.trees.Close()
	if err := r.Locate(t.Context(), func(p *repo.Packed, e pack.Entry) { b.at[e.Chunk] = append(b.at[e.Chunk], place{p, e}) }); err != nil {
		t.Fatal(err)
	}
	for i := range snap.Roots {
		b.entry(snap.Roots[i].Path, &snap.Roots[i].Entry)
	}
	return b.found
}

type place struct {
	*repo.Packed
	pack.Entry
}

type reader struct {
	t     testing.TB
	r     *repo.Repo
	trees *repo.TreeReader
	at    map[chunk.ID][]place
	found map[string]node
	open  map[block]*repo.Opened
}

type block struct {
	id pack.ID
	n  uint32
}

// chunk reads a chunk from wherever it can be had.
func (b *reader) chunk(id chunk.ID) (data []byte, err error) {
	err = errors.New("chunk is in no segment")
	for _, p := range b.at[id] {
		var o *repo.Opened
		if o, err = b.opened(p); err == nil {
			data, err = o.Chunk(p.Entry)
		}
		if err == nil {
			return data, nil
		}
	}
	return nil, err
}

// opened reads a block, once.
func (b *reader) opened(p place) (*repo.Opened, error) {
	k := block{p.ID, p.Block}
	if b.open[k] != nil {
		return b.open[k], nil
	}
	var f repo.Fetch // the block's bytes live on
	err := b.r.ReadBlocks(b.t.Context(), p.Packed, int(p.Block), int(p.Block), &f, func(_ int, o *repo.Opened) error {
		b.open[k] = o
		return nil
	})
	return b.open[k], err
}

func (b *reader) entry(path string, e *tree.Entry) {
	b.t.Helper()
	n := node{Entry: e}
	switch e.Type {
	case tree.File:
		n.data = b.content(path, e)
	case tree.Directory:
		for child, err := range tree.Entries(b.t.Context(), b.trees, e.Content, "") {
			if err != nil {
				b.t.Fatalf("read %s: %v", path, err)
			}
			c := *child
			b.entry(strings.TrimSuffix(path, "/")+"/"+c.Name, &c)
		}
	}
	b.found[path] = n
}

func (b *reader) content(path string, e *tree.Entry) string {
	b.t.Helper()
	var data bytes.Buffer
	for x, err := range tree.Elements(b.t.Context(), b.trees, e.Content, 0) {
		if err != nil {
			b.t.Fatalf("read %s: %v", path, err)
		}
		if x.Hole {
			data.Write(make([]byte, x.Length))
			continue
		}
		c, err := b.chunk(x.ID)
		if err != nil {
			b.t.Fatalf("read %s: %v", path, err)
		}
		data.Write(c)
	}
	if uint64(data.Len()) != e.Size {
		b.t.Errorf("%s: %d bytes, size %d", path, data.Len(), e.Size)
	}
	return data.String()
}

// snapshots returns what is listed, oldest first.
func (l *lab) snapshots(t testing.TB, r *repo.Repo) []*repo.Snapshot {
	t.Helper()
	snaps, err := r.Snapshots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snaps
}

// faultsByPath returns the codes of a snapshot's faults.
func faultsByPath(s *repo.Snapshot) map[string]tree.FaultCode {
	found := map[string]tree.FaultCode{}
	for _, f := range s.Faults {
		found[f.Path] = f.Code
	}
	return found
}

// write makes a file, and the directories above it.
func write(t testing.TB, path string, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// noise returns n bytes that cannot be compressed.
func noise(seed byte, n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return string(b)
}

// seeds returns how many seeds a test goes through: n, or a few of them when it must be quick.
func seeds(n uint64) uint64 {
	if testing.Short() {
		return (n + 5) / 6
	}
	return n
}

// must fails the test for an error of its own preparations.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// memoryDir returns a folder on tmpfs, whose times say nothing.
func memoryDir(t testing.TB) string {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err != nil || st.Type != unix.TMPFS_MAGIC {
		needtest.Without(t, "tmpfs", "/dev/shm is no tmpfs")
	}
	dir, err := os.MkdirTemp("/dev/shm", "savepoint-test-")
	if err != nil {
		needtest.Without(t, "tmpfs", err.Error())
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

// descriptors returns how many files this process has open.
func descriptors(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(names)
}

// after returns progress events that call fn once, when n entries of files are done. With one worker nothing is read meanwhile.
func after(n int64, fn func()) backup.Events {
	var seen atomic.Int64
	return backup.Events{Progress: func(p backup.Progress) {
		if p.Entries > 0 && seen.Add(int64(p.Entries)) == n {
			fn()
		}
	}}
}

// cancellable returns a context that ends when the function is called.
func cancellable(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}
