package backup

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"savepoint/repo/source"
	"savepoint/repo/tree"
)

const (
	batchLen = 32  // names that a worker takes at a time
	maxAhead = 512 // batches and directories between the walk and the assembler
)

// batch is a run of neighbouring names of one directory that are no directories. A worker fills in the entries.
type batch struct {
	dir    *source.Dir
	where  source.Context
	trust  bool         // the file system's times can be believed
	root   *source.Root // which is no directory, in place of dir
	items  []item
	prefix string        // of the items' paths; empty until it is needed
	done   chan struct{} // closed when the entries are there

	finished int // items whose entries are there; the worker's until done, or the next pause
}

type item struct {
	name   string
	parent *tree.Entry // of the same name in the base from, or nil
	entry  *tree.Entry // what is backed up; nil when it was left out
	from   *base
	same   bool // the finished base has it as parent does
	again  bool // it was read, and its content is what the finished base has
}

// taken reports whether the entry was taken over.
func (it *item) taken() bool { return it.entry != nil && it.entry == it.parent }

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
	w.found(1)
	if root.Dir == nil {
		w.sources.Devices.Index(root.Meta.Dev)
		if err := w.order(ctx, token{root: path}); err != nil {
			return err
		}
		return w.send(ctx, &batch{root: root, items: make([]item, 1), done: make(chan struct{})})
	}
	defer func() { _ = root.Close() }() // was only read
	if err := w.skip(ctx, root.Incomplete); err != nil {
		return err
	}
	was := make([]*tree.Entry, len(w.bases))
	for i, b := range w.bases {
		if j := slices.IndexFunc(b.Roots, func(r tree.Root) bool { return r.Path == path }); j >= 0 {
			was[i] = &b.Roots[j].Entry
		}
	}
	return w.directory(ctx, root.Dir, source.Context{}, filepath.Base(path), token{root: path, open: root.Entry}, was)
}

// directory sends the tokens of one directory, called name in a directory whose context is above, and of all beneath it. parents are
// the entries of that name in the bases.
func (w *walker) directory(ctx context.Context, d *source.Dir, above source.Context, name string, begin token, parents []*tree.Entry) error {
	// Numbered by the walk, file systems have the same numbers whichever worker meets them first. (A file system that has only a
	// single file mounted over another is numbered when that is met.)
	w.sources.Devices.Index(d.Meta().Dev)
	began := w.lister.Clock()
	names, err := d.Names(ctx)
	w.lister.Spent(w.lister.Clock() - began)
	if err != nil {
		if err := w.skip(ctx, err); err != nil {
			return err
		}
		names = new(source.Names)
	}
	if err := w.order(ctx, begin); err != nil {
		return err
	}
	w.found(names.Len())
	old := newJoins(ctx, w.run, parents)
	defer old.stop()
	b := w.newBatch(d, above.Enter(name, names))
	for i := range names.Len() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name := names.Name(i)
		was, err := old.find(name)
		if err != nil {
			return err
		}
		isDir := w.isDirectory(d, name, names.DType(i))
		if !isDir {
			b.items = append(b.items, w.pick(name, was))
		}
		if isDir || len(b.items) == batchLen {
			if b, err = w.next(ctx, b); err != nil {
				return err
			}
		}
		if isDir {
			if err := w.child(ctx, b, name, was); err != nil {
				return err
			}
		}
	}
	if err := w.send(ctx, b); err != nil {
		return err
	}
	w.passed()
	return w.order(ctx, token{close: true})
}

// child goes through a directory in that of the batch b, which is empty.
func (w *walker) child(ctx context.Context, b *batch, name string, was []*tree.Entry) error {
	began := w.lister.Clock()
	sub, err := b.dir.Open(name)
	w.lister.Spent(w.lister.Clock() - began)
	if errors.Is(err, source.ErrReplaced) { // it is something else by now
		again := w.newBatch(b.dir, b.where)
		again.items = []item{{name: name}}
		return w.send(ctx, again)
	}
	if err != nil {
		w.passed()
		return w.skip(ctx, err)
	}
	defer func() { _ = sub.Close() }() // was only read
	self, err := sub.Self(name)
	if err := w.skip(ctx, err); err != nil {
		return err
	}
	return w.directory(ctx, sub, b.where, name, token{open: self}, was)
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
	return &batch{dir: d, where: where, trust: w.trusts(d), items: make([]item, 0, batchLen), done: make(chan struct{})}
}

// next sends b, unless it is empty, and returns an empty batch of the same directory.
func (w *walker) next(ctx context.Context, b *batch) (*batch, error) {
	if len(b.items) == 0 {
		return b, nil
	}
	if err := w.send(ctx, b); err != nil {
		return nil, err
	}
	return w.newBatch(b.dir, b.where), nil
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

// path returns the absolute path of an item. It is for the worker that has the batch.
func (b *batch) path(name string) string {
	if b.prefix == "" {
		b.prefix = strings.TrimSuffix(b.dir.Path(), "/") + "/"
	}
	return b.prefix + name
}

// release lets go of what the batch keeps open.
func (b *batch) release() error {
	if b.dir != nil {
		return b.dir.Close()
	}
	return b.root.Close()
}
