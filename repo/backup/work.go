package backup

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

// replacedTries is how often a name is examined again that stands for another object each time it is opened.
const replacedTries = 3

// worker reads files, one at a time.
type worker struct {
	*run
	data, meta *repo.Stream
	list       *tree.ListBuilder
	buf        []byte                   // shared by the readers; nil until something is read
	head       [source.HeadSize]byte    // of the file that is read
	readers    map[uint32]*chunk.Reader // by the splitter of an entry
	done       Progress                 // not yet told
	passed     uint64                   // bytes of the file being read
	told       uint64                   // of them
	probe      probe
}

func (b *run) newWorker() *worker {
	w := &worker{run: b, data: b.s.NewStream(repo.Data), meta: b.s.NewStream(repo.Meta), readers: map[uint32]*chunk.Reader{}}
	w.probe.crew = b.readers
	w.dropList()
	return w
}

func (b *run) work(ctx context.Context, jobs <-chan *batch) error {
	w := b.newWorker()
	for {
		p := b.gate.pause.Load()
		b.readers.Idle()
		select {
		case j, ok := <-jobs:
			if !ok { // and stays idle
				if err := w.flush(ctx); err != nil {
					return err
				}
				b.gate.leave()
				return nil
			}
			b.readers.Busy()
			err := w.batch(ctx, j)
			close(j.done)
			if cerr := j.release(); err == nil {
				err = w.skip(ctx, cerr)
			}
			if err != nil {
				return err
			}
		case <-p.begun:
			b.readers.Busy()
			if err := w.rest(ctx); err != nil {
				return err
			}
		}
	}
}

// rest waits while the gate is shut. What was put is on its way by then.
func (w *worker) rest(ctx context.Context) error {
	p := w.gate.pause.Load()
	select {
	case <-p.begun:
	default:
		return nil
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	return w.gate.park(ctx, p)
}

func (w *worker) flush(ctx context.Context) error {
	return errors.Join(w.data.Flush(ctx), w.meta.Flush(ctx))
}

func (w *worker) batch(ctx context.Context, b *batch) error {
	for i := range b.items {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := w.rest(ctx); err != nil {
			return err
		}
		it := &b.items[i]
		var err error
		if b.root != nil {
			it.entry, err = w.rootEntry(ctx, b.root)
		} else {
			it.entry, err = w.entry(ctx, b, it)
		}
		if err != nil && it.entry == nil && b.root != nil {
			return err // without one of its roots a snapshot is not what was asked for
		}
		if err == nil && it.entry != nil && !it.taken() {
			err = w.valid(b, it)
		}
		if err := w.skip(ctx, err); err != nil {
			return err
		}
		if err != nil && it.entry != nil {
			it.entry.CTime = 0 // it lacks something: the next run must not take it for unchanged
		}
		it.again = err == nil && !it.taken() && b.asBefore(w.run, it)
		b.finished = i + 1
		w.tell(it.entry)
	}
	return nil
}

// asBefore reports whether a file that was read has the content that the last finished snapshot has of it.
func (b *batch) asBefore(r *run, it *item) bool {
	was := it.parent
	if b.root != nil {
		was = r.finishedRoot(b.root.Path)
	} else if !it.same {
		return false
	}
	e := it.entry
	return e != nil && was != nil && e.Type == tree.File && was.Type == tree.File && e.Size == was.Size && e.Fault == 0 && slices.Equal(e.Content, was.Content)
}

// finishedRoot returns what the last finished snapshot has at the path of a root, or nil.
func (b *run) finishedRoot(path string) *tree.Entry {
	for _, base := range b.bases {
		for i := range base.Roots {
			if base.finished && base.Roots[i].Path == path {
				return &base.Roots[i].Entry
			}
		}
	}
	return nil
}

// valid leaves out an entry that the format has no form for, as a symbolic link without a target.
func (w *worker) valid(b *batch, it *item) error {
	err := it.entry.Validate()
	if err == nil || b.root != nil {
		return err
	}
	it.entry = nil
	return &source.Error{Path: b.path(it.name), Op: "store", Kind: source.Unsupported, Err: err}
}

// entry returns the entry of a name, with its content stored. Both an entry and an error mean that the entry lacks
// something. When the name stands for another object by the time that it is opened, it starts over: programs write
// beside a file and rename.
func (w *worker) entry(ctx context.Context, b *batch, it *item) (*tree.Entry, error) {
	for try := 1; ; try++ {
		w.probe.next()
		began := w.probe.begin()
		m, err := b.dir.Stat(it.name)
		w.probe.end(began)
		if err != nil {
			return nil, err
		}
		if e, err := w.unchanged(ctx, b, it, m); e != nil || err != nil {
			return e, err
		}
		var e *tree.Entry
		switch m.Type {
		case tree.File:
			e, err = w.file(ctx, b.where, it.name, func() (*source.File, error) { return b.dir.OpenFile(it.name, m) })
		case tree.Directory: // it was something else when it was listed
			return nil, &source.Error{Path: b.path(it.name), Op: "read", Kind: source.Vanished, Err: source.ErrReplaced}
		default:
			e, err = b.dir.Entry(it.name, m)
		}
		if !errors.Is(err, source.ErrReplaced) || try == replacedTries {
			return e, err
		}
	}
}

// rootEntry is entry for a root that is no directory.
func (w *worker) rootEntry(ctx context.Context, root *source.Root) (*tree.Entry, error) {
	for try := 1; ; try++ {
		if root.Meta.Type != tree.File {
			return root.Entry, root.Incomplete
		}
		e, err := w.file(ctx, source.Context{}, filepath.Base(root.Path), root.OpenFile)
		if !errors.Is(err, source.ErrReplaced) || try == replacedTries {
			return e, err
		}
		if root, err = w.sources.OpenRoot(root.Path); err != nil {
			return nil, err
		}
		if root.Dir != nil {
			return nil, errors.Join(&source.Error{Path: root.Path, Op: "read", Kind: source.Vanished, Err: source.ErrReplaced}, root.Close())
		}
	}
}
