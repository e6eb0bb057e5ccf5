package drill

import (
	"context"
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

// batchSize is how many files of one folder go to another worker together.
const batchSize = 32

// walk is a directory to compare: with in set that entry of it, else root itself, which is open.
type walk struct {
	in    *folder // held
	root  *folder // held
	entry tree.Entry
}

func (t *walk) drop() error { return errors.Join(t.in.release(), t.root.release()) }

func (t *walk) do(ctx context.Context, w *worker) (err error) {
	defer func() { err = errors.Join(err, t.drop()) }()
	if t.root == nil {
		if t.root, err = w.c.open(t.in, &t.entry); err != nil || t.root == nil {
			return err
		}
	}
	w.c.entries.Add(1)
	m := t.root.dir.Meta()
	if t.root.locked {
		m.Mode = t.root.mode
	}
	attrs, err := source.Attributes(t.root.dir.FD())
	w.c.differ(t.root, "", w.c.metadata(&t.entry, m, attrs, err))
	names, err := t.root.dir.Names(ctx)
	if err != nil {
		return w.c.unreadable(t.root, "", err)
	}
	if w.c.o.walked != nil {
		w.c.o.walked(t.root)
	}
	return (&merge{w: w, at: t.root, names: names}).all(ctx, t.entry.Content)
}

// open opens the directory that e is in a folder. It returns nil when it is none, which is noted.
func (c *comparer) open(in *folder, e *tree.Entry) (*folder, error) {
	f := &folder{up: in, name: e.Name}
	f.users.Store(1)
	var err error
	if f.dir, err = in.dir.Open(e.Name); err != nil {
		if f.mode, f.locked = c.unlock(in.dir.FD(), e.Name, err, 0o500); f.locked {
			f.dir, err = in.dir.Open(e.Name)
		}
		if err != nil {
			c.part.Store(true)
			return nil, c.other(in, e, err)
		}
	}
	// Who may list a directory may still not open what is in it.
	if m := f.dir.Meta(); !c.root && !f.locked && m.Mode&0o500 != 0o500 && m.UID == c.uid {
		f.mode, f.locked = m.Mode, unix.Fchmod(f.dir.FD(), m.Mode|0o500) == nil
	}
	return f, nil
}

// merge goes through the entries of a directory and the names on the disk, both in order.
type merge struct {
	w     *worker
	at    *folder
	names *source.Names
	next  int // name
	last  string
	files []tree.Entry
	lost  bool // some of the entries cannot be read: names may be theirs
}

func (m *merge) all(ctx context.Context, content []tree.Element) error {
	err := m.entries(ctx, content)
	if errors.Is(err, repo.ErrCorrupt) {
		m.lost = true
		m.w.c.part.Store(true)
		if path := m.at.path(""); !m.w.c.known.isDamaged(path) {
			m.w.c.note(path, fmt.Sprintf("cannot be compared in full: %v", err))
		}
		err = m.salvage(ctx, content, 0)
	}
	if err == nil {
		err = m.flush(ctx, m.w.c.work.hungry())
	}
	if err != nil {
		return err
	}
	for ; m.next < m.names.Len(); m.next++ {
		m.extra(m.names.Name(m.next))
	}
	return nil
}

// entries compares the entries behind m.last.
func (m *merge) entries(ctx context.Context, content []tree.Element) error {
	for e, err := range tree.Entries(ctx, m.w.c.src, content, m.last) {
		if err != nil {
			return err
		}
		m.last = e.Name
		if err := m.entry(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// salvage compares what can be read of a directory behind m.last, page by page.
func (m *merge) salvage(ctx context.Context, els []tree.Element, depth int) error {
	for i := range els {
		if i+1 < len(els) && els[i+1].First <= m.last {
			continue
		}
		below := els[i : i+1]
		isNode := els[i].Count > 0 && depth < tree.MaxDepth
		var err error
		if isNode {
			if below, err = m.node(ctx, &els[i]); err == nil {
				err = m.salvage(ctx, below, depth+1)
			}
		} else {
			err = m.entries(ctx, below)
		}
		if err != nil && !errors.Is(err, repo.ErrCorrupt) {
			return err
		}
	}
	return nil
}

func (m *merge) node(ctx context.Context, el *tree.Element) ([]tree.Element, error) {
	b, err := m.w.c.src.TreeChunk(ctx, el.ID)
	if err != nil {
		return nil, err
	}
	n, err := tree.DecodeNode(b)
	if err != nil {
		return nil, err
	}
	return n.Elements, nil
}

// entry meets the next entry of the snapshot.
func (m *merge) entry(ctx context.Context, e *tree.Entry) error {
	if want := m.w.c.o.Want; want != nil && e.Type == tree.File && !want(e) {
		m.w.c.part.Store(true)
		return nil
	}
	for ; m.next < m.names.Len(); m.next++ {
		name := m.names.Name(m.next)
		if name == e.Name {
			m.next++
			return m.present(ctx, e)
		}
		if name > e.Name {
			break
		}
		m.extra(name)
	}
	m.w.c.tally.add(e)
	m.w.c.missing(m.at, e)
	return nil
}

func (m *merge) extra(name string) {
	if !m.lost {
		m.w.c.note(m.at.path(name), "is there and was never backed up")
	}
}

// present compares an entry whose name is on the disk, or leaves it to who has time.
func (m *merge) present(ctx context.Context, e *tree.Entry) error {
	m.w.c.tally.add(e)
	// What is no file is never opened: a device may do something then.
	if kind := m.names.DType(m.next - 1); kind != 0 && kind != e.Type {
		return m.w.c.other(m.at, e, nil)
	}
	switch e.Type {
	case tree.Directory:
		m.w.c.work.put(&walk{in: m.at.hold(), entry: *e})
		return nil
	case tree.File:
		m.files = append(m.files, *e)
		if len(m.files) == batchSize {
			return m.flush(ctx, m.w.c.work.hungry())
		}
		return nil
	}
	return m.w.c.special(m.at, e)
}

// flush compares the files met so far, or gives them away.
func (m *merge) flush(ctx context.Context, away bool) error {
	if len(m.files) == 0 {
		return nil
	}
	t := &batch{in: m.at.hold(), files: m.files}
	if away {
		m.files = nil
		m.w.c.work.put(t)
		return nil
	}
	m.files = m.files[:0]
	return t.do(ctx, m.w)
}

// missing notes an entry that is not on the disk, with all that was in it, unless damage took it.
func (c *comparer) missing(at *folder, e *tree.Entry) {
	op := "create " + typeWord(e.Type)
	if e.Type == tree.Directory {
		c.part.Store(true)
	}
	if !c.known.isDamaged(at.path(e.Name)) {
		c.differ(at, e.Name, []reason{{op, "is missing"}})
	}
}

// batch is a number of files of one folder.
type batch struct {
	in    *folder // held
	files []tree.Entry
}

func (t *batch) drop() error { return t.in.release() }

func (t *batch) do(ctx context.Context, w *worker) error {
	for i := range t.files {
		if err := ctx.Err(); err != nil {
			return errors.Join(context.Cause(ctx), t.drop())
		}
		var err error
		if e := &t.files[i]; e.Type == tree.File {
			err = w.file(ctx, t.in, e)
		} else {
			err = w.c.special(t.in, e)
		}
		if err != nil {
			return errors.Join(err, t.drop())
		}
	}
	return t.drop()
}

// begin puts the roots on the stack. It takes top over.
func (c *comparer) begin(ctx context.Context, top *folder, landings []restore.Landing) error {
	if len(landings) == 1 && len(landings[0].At) == 0 {
		top.origin = landings[0].Origin
		c.tally.add(landings[0].Entry)
		c.work.put(&walk{root: top, entry: *landings[0].Entry})
		return nil
	}
	if err := c.between(ctx, top, landings, 0); err != nil {
		return err
	}
	return top.release()
}

// between compares a folder that was made for the roots that land in it, depth names below the target.
func (c *comparer) between(ctx context.Context, at *folder, landings []restore.Landing, depth int) error {
	names, err := at.dir.Names(ctx)
	if err != nil {
		return err
	}
	below := map[string][]restore.Landing{}
	for _, l := range landings {
		below[l.At[depth]] = append(below[l.At[depth]], l)
	}
	for i := range names.Len() {
		if name := names.Name(i); below[name] == nil {
			c.note(at.path(name), "is there and was never backed up")
		}
	}
	for name, ls := range below {
		if len(ls[0].At) == depth+1 {
			c.landing(at, ls[0], names.Has(name))
			continue
		}
		next := &folder{up: at, name: name}
		next.users.Store(1)
		if next.dir, err = at.dir.Open(name); err != nil {
			for _, l := range ls {
				c.landing(at, l, false)
			}
			continue
		}
		if err := errors.Join(c.between(ctx, next, ls, depth+1), next.release()); err != nil {
			return err
		}
	}
	return nil
}

// landing puts one root on the stack.
func (c *comparer) landing(at *folder, l restore.Landing, there bool) {
	e := *l.Entry
	e.Name = path.Base(l.Origin)
	in := &folder{dir: at.dir.Hold(), origin: path.Dir(l.Origin)}
	in.users.Store(1)
	c.tally.add(&e)
	if !there {
		c.missing(in, &e)
		_ = in.release() // it is only held once more
		return
	}
	if e.Type == tree.Directory {
		c.work.put(&walk{in: in, entry: e})
	} else {
		c.work.put(&batch{in: in, files: []tree.Entry{e}})
	}
}
