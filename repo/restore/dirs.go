package restore

import (
	"container/list"
	"sync"

	"golang.org/x/sys/unix"
)

// maxOpenDirs is how many descriptors of directories are kept when nobody uses them.
const maxOpenDirs = 128

// dirs are the open directories of the target. Each is opened from the one above it, one name at a time, and must be no
// symbolic link, and the same directory whenever it is opened.
type dirs struct {
	p *plan

	mu   sync.Mutex
	open map[uint32]*openDir
	used *list.List // of *openDir, the one used last first; without the root
}

// openDir is an open directory. Its descriptor stays open until the last user has released it.
type openDir struct {
	node  uint32
	fd    int
	users int
	el    *list.Element
}

// newDirs takes the descriptor of the target, and closes it in close.
func newDirs(p *plan, root int) *dirs {
	return &dirs{p: p, open: map[uint32]*openDir{0: {fd: root}}, used: list.New()}
}

// hold opens a directory. The caller releases it.
func (d *dirs) hold(i uint32) (*openDir, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var below []uint32 // directories to open, the wanted one first
	at := i
	for d.open[at] == nil {
		below = append(below, at)
		at = d.p.nodes.at(at).parent
	}
	o := d.open[at]
	d.use(o)
	for k := len(below) - 1; k >= 0; k-- {
		o.users--
		fd, err := d.openAt(o.fd, below[k])
		if err != nil {
			return nil, err
		}
		o = &openDir{node: below[k], fd: fd}
		d.open[o.node] = o
		o.el = d.used.PushFront(o)
		d.use(o)
		d.shrink()
	}
	return o, nil
}

func (d *dirs) use(o *openDir) {
	o.users++
	if o.el != nil {
		d.used.MoveToFront(o.el)
	}
}

// openAt opens the directory of node i beneath an open one.
func (d *dirs) openAt(parent int, i uint32) (int, error) {
	n := d.p.nodes.at(i)
	fd, err := openat(parent, d.p.names.get(n.name), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, d.p.fault("open directory", i, swapped(err))
	}
	var st unix.Stat_t
	if err = retry(func() error { return unix.Fstat(fd, &st) }); err == nil && n.size != 0 && n.size != st.Ino {
		err = ErrSwapped
	}
	if err != nil {
		_ = unix.Close(fd) // nothing was written through it
		return -1, d.p.fault("open directory", i, err)
	}
	n.size = st.Ino
	return fd, nil
}

// shrink closes what nobody uses and was used longest ago.
func (d *dirs) shrink() {
	for el := d.used.Back(); el != nil && d.used.Len() > maxOpenDirs; {
		o := el.Value.(*openDir)
		el = el.Prev()
		if o.users == 0 {
			d.forget(o)
		}
	}
}

func (d *dirs) forget(o *openDir) {
	d.used.Remove(o.el)
	delete(d.open, o.node)
	_ = unix.Close(o.fd) // a directory: no data can be lost
}

func (d *dirs) release(o *openDir) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o.users--
}

// done releases a directory that nobody will hold again, and closes it.
func (d *dirs) done(o *openDir) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o.users--; o.users == 0 && o.el != nil {
		d.forget(o)
	}
}

// close closes all but the root, also what is held.
func (d *dirs) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for el := d.used.Front(); el != nil; el = d.used.Front() {
		d.forget(el.Value.(*openDir))
	}
}
