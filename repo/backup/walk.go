package backup

import (
	"context"
	"errors"
	"iter"
	"path/filepath"

	"savepoint/repo/source"
	"savepoint/repo/tree"
)

const (
	batchLen = 32  // names that a worker takes at a time
	maxAhead = 512 // batches and directories between the walk and the assembler
)

// batch is a run of neighbouring names of one directory that are no directories. A worker fills in the entries.
type batch struct {
	dir   *source.Dir
	ctx   source.Context
	trust bool // the file system's times can be believed
	root  *source.Root
	items []item
	done  chan struct{} // closed when the entries are there
}

type item struct {
	name   string
	parent *tree.Entry // of the same name in the parent snapshot, or nil
	entry  *tree.Entry // what is backed up; nil when it was left out
}

// token is what the assembler gets, in order: the beginning of a root or directory, a batch, the end.
type token struct {
	root  string      // path of a root that begins
	open  *tree.Entry // the directory that begins
	batch *batch
	close bool
}

// walker goes through the source depth first, in the order of names.
type walker struct {
	*run
	jobs    chan<- *batch
	ordered chan<- token
	trusted map[uint64]bool // file systems by device number
}

func (w *walker) walk(ctx context.Context) error {
	w.trusted = map[uint64]bool{}
	for _, path := range w.o.Paths {
		if err := w.walkRoot(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) walkRoot(ctx context.Context, path string) error {
	root, err := w.sources.OpenRoot(path)
	if err != nil {
		return err
	}
	var parent *tree.Entry
	if w.parent != nil {
		for i := range w.parent.Roots {
			if w.parent.Roots[i].Path == path {
				parent = &w.parent.Roots[i].Entry
			}
		}
	}
	if root.Dir == nil {
		b := &batch{root: root, items: []item{{parent: parent}}, done: make(chan struct{})}
		if err := w.order(ctx, token{root: path}); err != nil {
			return err
		}
		return w.send(ctx, b)
	}
	defer func() { _ = root.Close() }() // was only read
	if root.Incomplete != nil {
		w.fault(root.Incomplete)
	}
	return w.directory(ctx, root.Dir, filepath.Base(path), source.Context{}, token{root: path, open: root.Entry}, parent)
}

// directory sends the tokens of one directory and all beneath it.
func (w *walker) directory(ctx context.Context, d *source.Dir, name string, above source.Context, begin token, parent *tree.Entry) error {
	names, err := d.Names(ctx)
	if err != nil {
		if fatal(ctx, err) {
			return err
		}
		w.fault(err)
		names = new(source.Names)
	}
	if err := w.order(ctx, begin); err != nil {
		return err
	}
	w.found(names.Len())
	where := above.Enter(name, names)
	old := newJoin(ctx, w.run, parent)
	defer old.stop()
	b := w.newBatch(d, where)
	for i := range names.Len() {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := names.Name(i)
		was, err := old.find(name)
		if err != nil {
			return err
		}
		if !w.isDirectory(d, name, names.DType(i)) {
			b.items = append(b.items, item{name: name, parent: was})
			if len(b.items) == batchLen {
				if err := w.send(ctx, b); err != nil {
					return err
				}
				b = w.newBatch(d, where)
			}
			continue
		}
		if err := w.send(ctx, b); err != nil {
			return err
		}
		b = w.newBatch(d, where)
		if err := w.child(ctx, d, name, where, was); err != nil {
			return err
		}
	}
	if err := w.send(ctx, b); err != nil {
		return err
	}
	return w.order(ctx, token{close: true})
}

func (w *walker) child(ctx context.Context, d *source.Dir, name string, where source.Context, was *tree.Entry) error {
	sub, err := d.Open(name)
	if errors.Is(err, source.ErrReplaced) { // it is something else by now
		b := w.newBatch(d, where)
		b.items = append(b.items, item{name: name})
		return w.send(ctx, b)
	}
	if err != nil {
		if fatal(ctx, err) {
			return err
		}
		w.fault(err)
		return nil
	}
	defer func() { _ = sub.Close() }() // was only read
	self, err := sub.Self(name)
	if err != nil {
		w.fault(err)
	}
	return w.directory(ctx, sub, name, where, token{open: self}, was)
}

// isDirectory asks the file itself when the listing did not tell.
func (w *walker) isDirectory(d *source.Dir, name string, t tree.Type) bool {
	if t == 0 {
		if m, err := d.Stat(name); err == nil {
			t = m.Type
		}
	}
	return t == tree.Directory
}

func (w *walker) newBatch(d *source.Dir, where source.Context) *batch {
	return &batch{dir: d, ctx: where, trust: w.trusts(d), done: make(chan struct{})}
}

func (w *walker) trusts(d *source.Dir) bool {
	dev := d.Meta().Dev
	t, ok := w.trusted[dev]
	if !ok {
		t = source.TrustTimes(d)
		w.trusted[dev] = t
	}
	return t
}

// send hands a batch to the assembler and to a worker, in this order. An empty one is dropped.
func (w *walker) send(ctx context.Context, b *batch) error {
	if len(b.items) == 0 {
		return nil
	}
	if b.dir != nil {
		b.dir.Hold()
	}
	if err := w.order(ctx, token{batch: b}); err != nil {
		return errors.Join(err, b.release())
	}
	select {
	case w.jobs <- b:
		return nil
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), b.release())
	}
}

func (w *walker) order(ctx context.Context, t token) error {
	select {
	case w.ordered <- t:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *batch) release() error {
	if b.dir != nil {
		return b.dir.Close()
	}
	return b.root.Close()
}

// join finds the parent snapshot's entries while names go up.
type join struct {
	next func() (*tree.Entry, error, bool)
	stop func()
	cur  *tree.Entry
	end  bool
}

func newJoin(ctx context.Context, b *run, parent *tree.Entry) *join {
	if parent == nil || parent.Type != tree.Directory || len(parent.Content) == 0 {
		return &join{end: true, stop: func() {}}
	}
	j := new(join)
	j.next, j.stop = iter.Pull2(tree.Entries(ctx, b.trees, parent.Content, ""))
	return j
}

// find returns a copy of the entry called name, or nil. Names must go up from call to call.
func (j *join) find(name string) (*tree.Entry, error) {
	for !j.end && (j.cur == nil || j.cur.Name < name) {
		e, err, ok := j.next()
		if err != nil {
			return nil, err
		}
		if j.cur = e; !ok {
			j.cur, j.end = nil, true
		}
	}
	if j.cur == nil || j.cur.Name != name {
		return nil, nil
	}
	e := *j.cur
	return &e, nil
}
