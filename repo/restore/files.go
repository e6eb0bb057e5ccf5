package restore

import (
	"container/list"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// maxOpenFiles is how many files of several chunks stay open when nobody writes to them.
const maxOpenFiles = 128

// files are the open files of several chunks.
type files struct {
	mu   sync.Mutex
	open map[uint32]*openFile
	used *list.List        // of *openFile, the one used last first
	made map[uint32]uint64 // inode numbers of files that were made and closed again
}

// openFile is an open file of several chunks.
type openFile struct {
	node  uint32
	users int
	el    *list.Element
	ino   uint64 // 0: to be made

	once sync.Once
	fd   int // -1: not open, or left out
	err  error
}

func newFiles() *files {
	return &files{open: map[uint32]*openFile{}, used: list.New(), made: map[uint32]uint64{}}
}

// hold opens or makes the file. The caller releases it, also after an error.
func (w *writer) hold(i uint32) (*openFile, error) {
	fs := w.files
	fs.mu.Lock()
	f := fs.open[i]
	if f == nil {
		f = &openFile{node: i, fd: -1, ino: fs.made[i]}
		f.el = fs.used.PushFront(f)
		fs.open[i] = f
	} else {
		fs.used.MoveToFront(f.el)
	}
	f.users++
	idle := fs.idle()
	fs.mu.Unlock()
	f.once.Do(func() { f.fd, f.err = w.openParts(i, f.ino) })
	for _, old := range idle {
		if err := w.close(old); err != nil && f.err == nil {
			return f, err
		}
	}
	return f, f.err
}

// idle takes what nobody uses and was used longest ago off the table, which notes their inode numbers.
func (fs *files) idle() []*openFile {
	var out []*openFile
	for el := fs.used.Back(); el != nil && fs.used.Len() > maxOpenFiles; {
		f := el.Value.(*openFile)
		el = el.Prev()
		if f.users > 0 || f.fd < 0 {
			continue
		}
		var st unix.Stat_t
		if retry(func() error { return unix.Fstat(f.fd, &st) }) != nil {
			continue // stays open, then
		}
		fs.made[f.node] = st.Ino
		fs.remove(f)
		out = append(out, f)
	}
	return out
}

func (fs *files) remove(f *openFile) {
	fs.used.Remove(f.el)
	delete(fs.open, f.node)
	f.el = nil
}

// openParts makes a file of several chunks, as long as it will be, or opens it again, when it must be the one with this inode number.
func (w *writer) openParts(i uint32, ino uint64) (int, error) {
	n := w.p.nodes.at(i)
	d, err := w.dirs.hold(n.parent)
	if err != nil {
		return -1, err
	}
	defer w.dirs.release(d)
	if ino == 0 {
		return w.create(d, i, n, 0o600, true)
	}
	fd, err := openat(d.fd, w.p.names.get(n.name), unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, w.p.fault("open", i, swapped(err))
	}
	var st unix.Stat_t
	err = retry(func() error { return unix.Fstat(fd, &st) })
	if err == nil && (st.Ino != ino || st.Mode&unix.S_IFMT != unix.S_IFREG) {
		err = ErrSwapped
	}
	if err != nil {
		_ = unix.Close(fd) // nothing was written through it
		return -1, w.p.fault("open", i, err)
	}
	return fd, nil
}

// release says that the caller is done. When the file is complete it leaves the table, and the last user closes it.
func (w *writer) release(f *openFile) error {
	fs := w.files
	fs.mu.Lock()
	f.users--
	complete := f.err == nil && atomic.LoadInt32(&w.p.nodes.at(f.node).left) == 0
	last := complete && f.users == 0 && f.el != nil
	if last {
		fs.remove(f)
	}
	fs.mu.Unlock()
	if !last {
		return nil
	}
	return w.close(f)
}

// close closes a file that is off the table.
func (w *writer) close(f *openFile) error {
	if f.fd < 0 {
		return nil
	}
	if err := closeFile(f.fd); err != nil {
		return w.p.fault("close", f.node, err)
	}
	return nil
}

// closeAll closes what is open; nobody may use it any more. It returns the first error.
func (w *writer) closeAll() error {
	fs := w.files
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var first error
	for _, f := range fs.open {
		if err := w.close(f); err != nil && first == nil {
			first = err
		}
	}
	clear(fs.open)
	fs.used.Init()
	return first
}
