package source_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/chunk"
	"savepoint/internal/needtest"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

func TestUnchanged(t *testing.T) {
	ref := time.Unix(1_700_000_000, 0)
	limit := ref.Add(-60 * time.Second).UnixNano()
	for _, c := range []struct {
		name   string
		change func(p *tree.Entry, m *source.Meta)
		ref    time.Time
		want   bool
	}{
		{"nothing", func(*tree.Entry, *source.Meta) {}, ref, true},
		{"type", func(_ *tree.Entry, m *source.Meta) { m.Type = tree.Fifo }, ref, false},
		{"size", func(_ *tree.Entry, m *source.Meta) { m.Size++ }, ref, false},
		{"inode", func(_ *tree.Entry, m *source.Meta) { m.Inode++ }, ref, false},
		{"mtime", func(_ *tree.Entry, m *source.Meta) { m.MTime-- }, ref, false},
		{"ctime, as after mtime was reset", func(_ *tree.Entry, m *source.Meta) { m.CTime-- }, ref, false},
		{"mode", func(_ *tree.Entry, m *source.Meta) { m.Mode = 0o600 }, ref, false},
		{"owner", func(_ *tree.Entry, m *source.Meta) { m.UID++ }, ref, false},
		{"group", func(_ *tree.Entry, m *source.Meta) { m.GID++ }, ref, false},
		{"torn before", func(p *tree.Entry, _ *source.Meta) { p.Fault = tree.FaultTorn }, ref, false},
		{"mtime 60 s before the parent", func(p *tree.Entry, m *source.Meta) { p.MTime, m.MTime = limit, limit }, ref, false},
		{"mtime a moment earlier", func(p *tree.Entry, m *source.Meta) { p.MTime, m.MTime = limit-1, limit-1 }, ref, true},
		{"ctime 60 s before the parent", func(p *tree.Entry, m *source.Meta) { p.CTime, m.CTime = limit, limit }, ref, false},
		{"ctime a moment earlier", func(p *tree.Entry, m *source.Meta) { p.CTime, m.CTime = limit-1, limit-1 }, ref, true},
		{"mtime in the future", func(p *tree.Entry, m *source.Meta) { p.MTime, m.MTime = 1<<62, 1<<62 }, ref, false},
		{"mtime before 1970", func(p *tree.Entry, m *source.Meta) { p.MTime, m.MTime = -5, -5 }, ref, true},
		{"clock set back", func(*tree.Entry, *source.Meta) {}, source.Reference(ref, ref.Add(-time.Second)), false},
		{"clock went on", func(*tree.Entry, *source.Meta) {}, source.Reference(ref, ref.Add(time.Second)), true},
	} {
		p := tree.Entry{Type: tree.File, Mode: 0o644, UID: 1, GID: 2, Size: 3, Inode: 4, MTime: 5, CTime: 6}
		m := source.Meta{Type: tree.File, Mode: 0o644, UID: 1, GID: 2, Size: 3, Inode: 4, MTime: 5, CTime: 6, Dev: 7, Nlink: 8}
		c.change(&p, &m)
		if got := source.Unchanged(&p, m, c.ref); got != c.want {
			t.Errorf("%s: unchanged %v, want %v", c.name, got, c.want)
		}
	}
}

// TestStoreThroughMmap shows why the rule wants 60 seconds of quiet: of two stores into one page only the first, which
// makes the page dirty, moves mtime, so the second changes content under equal times. Only the distance to the parent's
// start tells that the file may not be trusted.
func TestStoreThroughMmap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mapped")
	write(t, path, make([]byte, 4096))
	age(t, path)
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	page, err := unix.Mmap(int(w.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	d := openRoot(t, filepath.Dir(path)).Dir
	start := time.Now()
	page[0] = 1
	first := openFile(t, path)
	_, data := readAll(t, first)
	if data[0] != 1 {
		t.Fatal("the first store was not read")
	}
	parent, err := first.Entry("mapped")
	if err != nil {
		t.Fatal(err)
	}
	page[1] = 2
	m := stat(t, d, "mapped")
	t.Logf("times equal after the second store: %v", m.MTime == parent.MTime && m.CTime == parent.CTime)
	if source.Unchanged(parent, m, start) {
		t.Error("a file that changed a moment before the parent's start passes for unchanged")
	}
}

func TestTrustTimesOfTmpfs(t *testing.T) {
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err != nil || st.Type != unix.TMPFS_MAGIC {
		needtest.Without(t, "tmpfs", "/dev/shm is no tmpfs")
	}
	if source.TrustTimes(openRoot(t, "/dev/shm").Dir) {
		t.Error("tmpfs is trusted")
	}
}

func TestSpotCheck(t *testing.T) {
	key := chunk.NewKey([32]byte{1})
	const files, runs = 20_000, 10
	ever := map[string]bool{}
	total := 0
	for seq := range uint64(runs) {
		for i := range files {
			path := fmt.Sprintf("/srv/game/users/%d", i)
			if source.SpotCheck(key, path, seq) {
				total++
				ever[path] = true
				if !source.SpotCheck(key, path, seq) {
					t.Fatal("the choice is not stable")
				}
			}
		}
	}
	if want := files * runs / 100; total < want*9/10 || total > want*11/10 {
		t.Errorf("%d of %d chosen, want about %d", total, files*runs, want)
	}
	if len(ever) < total*9/10 {
		t.Errorf("%d runs chose only %d different files in %d choices", runs, len(ever), total)
	}
	other := chunk.NewKey([32]byte{2})
	same := 0
	for path := range ever {
		if source.SpotCheck(other, path, 0) && source.SpotCheck(key, path, 0) {
			same++
		}
	}
	if same > len(ever)/100 {
		t.Errorf("another key chooses %d of the same files", same)
	}
}
