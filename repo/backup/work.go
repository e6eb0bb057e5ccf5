package backup

import (
	"context"
	"errors"
	"io"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

// worker reads files, one at a time.
type worker struct {
	*run
	out     streams
	list    *tree.ListBuilder
	buf     []byte                   // shared by the readers
	readers map[uint32]*chunk.Reader // by the splitter of an entry
	done    Progress                 // not yet told
}

func (b *run) work(ctx context.Context, jobs <-chan *batch) error {
	w := &worker{run: b, out: b.streams(), readers: map[uint32]*chunk.Reader{}}
	w.list = tree.NewListBuilder(w.out.tree, b.r.Cutter())
	w.buf = make([]byte, 2*int(b.r.Params().Max))
	for j := range jobs {
		err := w.batch(ctx, j)
		close(j.done)
		if cerr := j.release(); err == nil && cerr != nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	return w.out.flush(ctx)
}

func (w *worker) batch(ctx context.Context, b *batch) error {
	for i := range b.items {
		if err := ctx.Err(); err != nil {
			return err
		}
		it := &b.items[i]
		var err error
		if b.root != nil {
			it.entry, err = w.rootEntry(ctx, b, it)
		} else {
			it.entry, err = w.entry(ctx, b, it)
		}
		if err != nil {
			if fatal(ctx, err) {
				return err
			}
			w.fault(err)
		}
		w.tell(it.entry)
	}
	return nil
}

// entry returns the entry of a name, with its content stored. Both an entry and an error mean that the entry lacks
// something.
func (w *worker) entry(ctx context.Context, b *batch, it *item) (*tree.Entry, error) {
	m, err := b.dir.Stat(it.name)
	if err != nil {
		return nil, err
	}
	if ok, err := w.unchanged(ctx, b, it, m); ok || err != nil {
		return it.parent, err
	}
	if m.Type == tree.Directory { // it was something else when it was listed
		return nil, &source.Error{Path: b.dir.Path() + "/" + it.name, Op: "read", Kind: source.Vanished, Err: source.ErrReplaced}
	}
	if m.Type != tree.File {
		return b.dir.Entry(it.name, m)
	}
	open := func() (*source.File, error) { return b.dir.OpenFile(it.name, m) }
	e, err := w.file(ctx, b.ctx, it.name, open)
	if errors.Is(err, source.ErrReplaced) { // by another file, most likely: programs write beside and rename
		if m, err = b.dir.Stat(it.name); err == nil && m.Type == tree.File {
			e, err = w.file(ctx, b.ctx, it.name, open)
		}
	}
	return e, err
}

func (w *worker) rootEntry(ctx context.Context, b *batch, it *item) (*tree.Entry, error) {
	if b.root.Meta.Type != tree.File {
		return b.root.Entry, b.root.Incomplete
	}
	return w.file(ctx, b.ctx, "", b.root.OpenFile)
}

// unchanged reports whether the parent's entry may be taken over, and brings it up to date. Of the unchanged, some are read all
// the same: for them it reports false, or true with the content found different counted.
func (w *worker) unchanged(ctx context.Context, b *batch, it *item, m source.Meta) (bool, error) {
	p := it.parent
	if p == nil || p.Type == tree.Directory || !b.trust || m.Dev != b.dir.Meta().Dev || b.ctx.InPlace() || p.Splitter != 0 {
		return false, nil
	}
	if !source.Unchanged(p, m, w.since) || source.Recognise(b.ctx, it.name, nil, m.Size) != 0 {
		return false, nil
	}
	if p.Type == tree.File {
		if ok, err := w.present(ctx, p); !ok || err != nil {
			return false, err
		}
		if err := w.spotCheck(ctx, b, it, m); err != nil {
			return false, err
		}
		w.stats.unchanged.Add(1)
		w.done.Unchanged++
	}
	it.parent.Link = w.sources.Devices.Link(m)
	return true, nil
}

// present reports whether the content of an unchanged file is still stored. Where it must be looked up, nodes of its list are
// stored again if need be.
func (w *worker) present(ctx context.Context, p *tree.Entry) (bool, error) {
	if w.unlooked {
		return true, nil
	}
	nodes := false
	for i := range p.Content {
		nodes = nodes || p.Content[i].Count > 0
	}
	for x, err := range tree.Elements(ctx, w.trees, p.Content, 0) {
		if err != nil {
			return false, err
		}
		if !x.Hole {
			if ok, err := w.s.Has(ctx, repo.Data, x.ID); !ok || err != nil {
				return false, err
			}
		}
	}
	if !nodes {
		return true, nil
	}
	for x, err := range tree.Elements(ctx, w.trees, p.Content, 0) {
		if err == nil {
			err = w.list.Add(ctx, x.Element)
		}
		if err != nil {
			return false, err
		}
	}
	_, err := w.list.Finish(ctx)
	return true, err
}

// spotCheck reads one unchanged file in a hundred and compares. What it finds different is taken as it is now.
func (w *worker) spotCheck(ctx context.Context, b *batch, it *item, m source.Meta) error {
	if m.Size == 0 || !source.SpotCheck(w.r.SpotKey(), b.dir.Path()+"/"+it.name, w.seq) || !w.spot.take(m.Size) {
		return nil
	}
	e, err := w.file(ctx, b.ctx, it.name, func() (*source.File, error) { return b.dir.OpenFile(it.name, m) })
	if err != nil || e.Fault != 0 || e.CTime != m.CTime || e.MTime != m.MTime {
		if err != nil && fatal(ctx, err) {
			return err
		}
		return nil // it changed just now, or cannot be read: no evidence
	}
	w.stats.reread.Add(1)
	if !sameContent(e.Content, it.parent.Content) {
		w.stats.different.Add(1)
		w.r.Options().Logger.Warn("a file differs from its last backup though its times and size say it does not",
			"path", b.dir.Path()+"/"+it.name)
		it.parent = e
	}
	return nil
}

func sameContent(a, b []tree.Element) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// file stores the content of a file. One that was rewritten meanwhile is read once more; then it is torn.
func (w *worker) file(ctx context.Context, where source.Context, name string, open func() (*source.File, error)) (*tree.Entry, error) {
	for try := 0; ; try++ {
		f, err := open()
		if err != nil {
			return nil, err
		}
		e, torn, err := w.read(ctx, where, name, f)
		if cerr := f.Close(); err == nil && cerr != nil {
			err = cerr
		}
		if e == nil || err != nil && fatal(ctx, err) {
			return nil, err
		}
		if !torn {
			w.stats.changed.Add(1)
			return e, err
		}
		if try == 1 {
			e.Fault = tree.FaultTorn
			w.stats.changed.Add(1)
			return e, &source.Error{Path: f.Path(), Op: "read", Kind: source.Torn, Err: errTorn}
		}
	}
}

var errTorn = errors.New("it was changed while it was read, twice; what is stored may be a mixture")

// read stores the content of an open file and returns its entry.
func (w *worker) read(ctx context.Context, where source.Context, name string, f *source.File) (*tree.Entry, bool, error) {
	m := f.Meta()
	head := make([]byte, min(source.HeadSize, m.Size))
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	fixed := source.Recognise(where, name, head[:n], m.Size)
	f.SetSplitter(fixed)
	size := uint64(0)
	for {
		seg, err := f.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			w.dropList(ctx)
			return nil, false, err
		}
		stored := uint64(seg.Length)
		if seg.Hole {
			err = w.list.Add(ctx, tree.Element{Length: stored, Hole: true})
		} else {
			stored, err = w.chunks(ctx, f, fixed)
		}
		if err != nil {
			w.dropList(ctx)
			return nil, false, err
		}
		size += stored
	}
	content, err := w.list.Finish(ctx)
	if err != nil {
		return nil, false, err
	}
	torn, err := f.Changed()
	if err != nil {
		return nil, false, err
	}
	e, err := f.Entry(name)
	e.Content, e.Size = content, size
	return e, torn, err
}

// dropList makes the list builder ready for the next file after this one could not be read to its end.
func (w *worker) dropList(context.Context) {
	w.list = tree.NewListBuilder(w.out.tree, w.r.Cutter())
}

// chunks cuts one segment of data, stores the chunks and returns how many bytes there were.
func (w *worker) chunks(ctx context.Context, f *source.File, fixed uint32) (uint64, error) {
	rd := w.reader(fixed)
	rd.Reset(f)
	size := uint64(0)
	for {
		b, err := rd.Next()
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
		st, err := w.out.data.Put(ctx, b)
		if err != nil {
			return size, err
		}
		if err := w.list.Add(ctx, tree.Element{ID: st.ID, Length: uint64(len(b))}); err != nil {
			return size, err
		}
		size += uint64(len(b))
		w.stats.read.Add(uint64(len(b)))
	}
}

// reader returns the chunk reader for an entry's splitter; all share one buffer, since one file is read at a time.
func (w *worker) reader(fixed uint32) *chunk.Reader {
	rd := w.readers[fixed]
	if rd == nil {
		p := w.r.Params()
		if fixed != 0 {
			p = chunk.Params{Kind: chunk.Fixed, Size: fixed}
		}
		rd = chunk.NewReader(nil, p, w.buf)
		w.readers[fixed] = rd
	}
	return rd
}
