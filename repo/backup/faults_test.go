package backup_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"savepoint/internal/needtest"
	"savepoint/repo/backup"
	"savepoint/repo/tree"
)

// asUser runs fn without the rights of root, and gives it what lies beneath dir.
func asUser(t *testing.T, dir string, fn func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		fn()
		return
	}
	const nobody = 65534
	must(t, os.Chmod(filepath.Dir(dir), 0o755)) // t.TempDir lies in a folder of root's
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, nobody, nobody))
	}))
	if err := syscall.Setresuid(-1, nobody, -1); err != nil { // of all threads
		needtest.Without(t, "root", "cannot become another user: "+err.Error())
	}
	defer func() { must(t, syscall.Setresuid(-1, 0, -1)) }()
	fn()
}

// TestUnreadable: what may not be read is left out and listed, and is there again when it may.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"readable", "secret", "closed/inside", "listed only/inside", "z/last"} {
		write(t, filepath.Join(dir, n), n)
	}
	closed := map[string]os.FileMode{"secret": 0, "closed": 0, "listed only": 0o444}
	unlock := func() {
		for n := range closed {
			must(t, os.Chmod(filepath.Join(dir, n), 0o755))
		}
	}
	t.Cleanup(unlock)
	l := newLab(t)
	var res *backup.Result
	var told int
	var open atomic.Int64 // entries found and not done
	asUser(t, dir, func() {
		for n, mode := range closed {
			must(t, os.Chmod(filepath.Join(dir, n), mode))
		}
		o := options(dir)
		o.Workers = 1
		o.Events.Fault = func(tree.Fault) { told++ }
		o.Events.Progress = func(p backup.Progress) { open.Add(int64(p.FoundEntries) - int64(p.Entries)) }
		res = l.run(t, o)
	})
	want := map[string]tree.FaultCode{dir + "/secret": tree.Unreadable, dir + "/closed": tree.Unreadable, dir + "/listed only/inside": tree.Unreadable}
	if diff := cmp.Diff(want, faultsByPath(res.Snapshot)); diff != "" || told != 3 {
		t.Errorf("%d faults told; %s", told, diff)
	}
	if open.Load() != 0 {
		t.Errorf("%d entries more were found than done", open.Load())
	}
	if s := res.Snapshot; !res.Faulty() || s.Completeness != tree.WithFaults || s.FaultCount != 3 {
		t.Errorf("completeness %d, %d faults", s.Completeness, s.FaultCount)
	}
	got := readBack(t, l.open(t, l.st), res.Snapshot)
	if got[dir+"/readable"].data != "readable" || got[dir+"/z/last"].data != "z/last" || got[dir+"/listed only"].Entry == nil || len(got) != 5 {
		t.Errorf("snapshot holds %v", got)
	}
	unlock()
	sameAsSource(t, readBack(t, l.open(t, l.st), l.clean(t, options(dir)).Snapshot), dir)
}

// TestSourceChangesDuringTheWalk changes a directory after it was listed and before anything in it is examined.
func TestSourceChangesDuringTheWalk(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, "d", name) }
	for _, n := range []string{"file to nothing", "file to file", "file to dir", "file to fifo", "stays"} {
		write(t, in(n), "old")
	}
	for _, n := range []string{"dir to nothing", "dir to file", "dir to link"} {
		write(t, in(n+"/inside"), "old")
	}
	l := newLab(t)
	o := options(dir)
	lists := 0
	o.Events.Progress = func(p backup.Progress) {
		if p.FoundEntries == 0 {
			return
		}
		if lists++; lists != 3 { // the root, its list, and then that of d
			return
		}
		for _, n := range []string{"file to nothing", "file to dir", "file to fifo", "dir to nothing", "dir to file", "dir to link"} {
			must(t, os.RemoveAll(in(n)))
		}
		write(t, in("file to dir/inside"), "new")
		must(t, unix.Mkfifo(in("file to fifo"), 0o600))
		write(t, in("dir to file"), "new")
		must(t, os.Symlink("nowhere", in("dir to link")))
		write(t, in("file to file.new"), "new")
		must(t, os.Rename(in("file to file.new"), in("file to file")))
	}
	res := l.run(t, o)
	want := map[string]tree.FaultCode{in("file to nothing"): tree.Vanished, in("file to dir"): tree.Vanished, in("dir to nothing"): tree.Vanished}
	if diff := cmp.Diff(want, faultsByPath(res.Snapshot)); diff != "" {
		t.Error(diff)
	}
	got := readBack(t, l.open(t, l.st), res.Snapshot)
	if got[in("dir to file")].data != "new" || got[in("file to file")].data != "new" || got[in("stays")].data != "old" ||
		got[in("dir to link")].Target != "nowhere" || got[in("file to fifo")].Entry == nil || got[in("file to fifo")].Type != tree.Fifo || len(got) != 7 {
		t.Errorf("snapshot holds %v", got)
	}
	sameAsSource(t, readBack(t, l.open(t, l.st), l.clean(t, options(dir)).Snapshot), dir)
}

// TestSpecialFiles: none is opened, so none makes the backup wait.
func TestSpecialFiles(t *testing.T) {
	dir := t.TempDir()
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "link")))
	socket := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", socket)
	must(t, err)
	defer ln.Close()
	others := uint64(3)
	if os.Geteuid() == 0 {
		for name, kind := range map[string]uint32{"char": unix.S_IFCHR, "block": unix.S_IFBLK} {
			if err := unix.Mknod(filepath.Join(dir, name), kind|0o600, int(unix.Mkdev(7, 300))); err != nil {
				needtest.Without(t, "root", err.Error())
			}
			others++
		}
	}
	l := newLab(t)
	for range 2 {
		res := l.clean(t, options(dir))
		sameAsSource(t, readBack(t, l.open(t, l.st), res.Snapshot), dir)
		if s := res.Snapshot.Stats; s.Others != others || s.Files != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestOutOfDescriptors: what this process lacks is no fault of the source, and nothing is published.
func TestOutOfDescriptors(t *testing.T) {
	dir := t.TempDir()
	deep := dir
	for i := range 80 {
		deep = filepath.Join(deep, fmt.Sprint(i))
	}
	write(t, filepath.Join(deep, "file"), "deep")
	l := newLab(t)
	r := l.open(t, l.st)
	var old unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	low := old
	low.Cur = uint64(descriptors(t) + 40)
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	res, err := runIn(t, r, options(dir))
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &old))
	if !errors.Is(err, unix.EMFILE) || res != nil {
		t.Errorf("result %v, error %v", res, err)
	}
	if n := len(l.snapshots(t, r)); n != 0 {
		t.Errorf("%d snapshots", n)
	}
	l.clean(t, options(dir))
}

// TestIncompleteEntryIsReadAgain: an entry without all of its attributes is a fault, and must not pass for unchanged in the
// next run, which would not know of the fault.
func TestIncompleteEntryIsReadAgain(t *testing.T) {
	dir := memoryDir(t) // keeps more attributes than an entry may hold
	write(t, filepath.Join(dir, "file"), "content")
	for i := range 12 {
		if err := unix.Setxattr(filepath.Join(dir, "file"), fmt.Sprint("user.", i), make([]byte, 60_000), 0); err != nil {
			needtest.Without(t, "xattr", "tmpfs keeps no large attributes: "+err.Error())
		}
	}
	l := newLab(t)
	res := l.run(t, options(dir))
	e := readBack(t, l.open(t, l.st), res.Snapshot)[dir+"/file"]
	if e.data != "content" || len(e.Xattrs) == 0 || e.CTime != 0 {
		t.Errorf("%d attributes, ctime %d", len(e.Xattrs), e.CTime)
	}
	if len(res.Snapshot.Faults) != 1 || res.Snapshot.Faults[0].Path != dir+"/file" || !res.Faulty() {
		t.Errorf("faults %v", res.Snapshot.Faults)
	}

	for name, edit := range map[string]func(*tree.Entry){
		"incomplete": func(e *tree.Entry) { e.CTime = 0 },
		"torn":       func(e *tree.Entry) { e.Fault = tree.FaultTorn },
	} {
		l := newLab(t)
		dir := t.TempDir() // where times are trusted
		write(t, filepath.Join(dir, "file"), "content")
		like := l.rewrite(t, l.clean(t, options(dir)).Snapshot, edit)
		if res := l.clean(t, options(dir)); res.Parent.Name != like.Name || res.Snapshot.Stats.UnchangedFiles != 0 {
			t.Errorf("%s: taken over: %+v", name, res.Snapshot.Stats)
		}
	}
}

// TestProgressAddsUp: in the end as many entries are done as were found.
func TestProgressAddsUp(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	must(t, os.MkdirAll(filepath.Join(dir, "empty/emptier"), 0o755))
	l := newLab(t)
	for run := range 2 {
		var sum backup.Progress
		o := options(dir)
		lock := make(chan struct{}, 1)
		o.Events.Progress = func(p backup.Progress) {
			lock <- struct{}{}
			sum.Entries += p.Entries
			sum.FoundEntries += p.FoundEntries
			sum.Unchanged += p.Unchanged
			sum.Bytes += p.Bytes
			<-lock
		}
		s := l.clean(t, o).Snapshot.Stats
		if n := s.Files + s.Directories + s.Others; sum.Entries != n || sum.FoundEntries != n || sum.Bytes != s.FileBytes || sum.Unchanged != uint64(3*run) {
			t.Errorf("run %d: %+v, %d entries", run, sum, n)
		}
	}
}
