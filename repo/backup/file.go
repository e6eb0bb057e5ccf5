package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"savepoint/chunk"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

var errTorn = errors.New("it was changed while it was read, and what is stored may be a mixture")

// file stores the content of a file. One that was rewritten meanwhile is read once more; if that is no better, or
// cannot be done, it is torn: the entry comes with an error.
func (w *worker) file(ctx context.Context, where source.Context, name string, open func() (*source.File, error)) (*tree.Entry, error) {
	var torn *tree.Entry
	var path string
	for {
		began := w.probe.begin()
		f, err := open()
		w.probe.end(began)
		var e *tree.Entry
		var again bool
		if err == nil {
			path = f.Path()
			e, again, err = w.read(ctx, where, name, f)
			if cerr := f.Close(); err == nil {
				err = cerr
			}
		}
		switch {
		case err != nil && fatal(err):
			return nil, err
		case e == nil && torn == nil:
			return nil, err
		case e == nil:
			return torn, &source.Error{Path: path, Op: "read", Kind: source.Torn, Err: fmt.Errorf("%w; then: %w", errTorn, err)}
		case !again:
			return e, err
		}
		e.Fault = tree.FaultTorn
		if torn != nil {
			return e, &source.Error{Path: path, Op: "read", Kind: source.Torn, Err: errTorn}
		}
		torn = e
	}
}

// read stores the content of an open file and returns its entry, and whether it changed meanwhile. Without an entry
// nothing is; with one and an error the entry lacks what the error says.
func (w *worker) read(ctx context.Context, where source.Context, name string, f *source.File) (e *tree.Entry, torn bool, err error) {
	m := f.Meta()
	w.passed = 0
	w.probe.file(m.Size)
	began := w.probe.begin()
	n, err := f.ReadAt(w.head[:min(source.HeadSize, m.Size)], 0)
	w.probe.end(began)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	fixed := source.Recognise(where, name, w.head[:n], m.Size)
	f.SetSplitter(fixed)
	size, err := w.segments(ctx, f, fixed)
	if err != nil {
		w.dropList()
		return nil, false, err
	}
	content, err := w.list.Finish(ctx)
	if err != nil {
		return nil, false, err
	}
	if torn, err = f.Changed(); err == nil && !torn {
		torn, err = w.rewritten(ctx, f, fixed, content)
	}
	if err != nil {
		return nil, false, err
	}
	e, err = f.Entry(name)
	e.Content, e.Size = content, size
	return e, torn, err
}

// rewritten reports whether a file that grew while it was read was changed in what was read too. Nothing but reading that
// again tells: what is as it was costs no space.
func (w *worker) rewritten(ctx context.Context, f *source.File, fixed uint32, content []tree.Element) (bool, error) {
	if grown, err := f.Grown(); !grown || err != nil {
		return false, err
	}
	f.Rewind()
	w.passed = 0
	_, err := w.segments(ctx, f, fixed)
	if err != nil {
		w.dropList()
		return false, err
	}
	again, err := w.list.Finish(ctx)
	if err != nil || !slices.Equal(again, content) {
		return true, err
	}
	return f.Changed()
}

// dropList makes the list builder ready for the next file after one that was not read to its end.
func (w *worker) dropList() { w.list = tree.NewListBuilder(w.meta, w.r.Cutter()) }

// segments stores the data of a file, lists it and its holes, and returns how many bytes they are.
func (w *worker) segments(ctx context.Context, f *source.File, fixed uint32) (uint64, error) {
	size := uint64(0)
	for {
		seg, err := f.Next()
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
		stored := uint64(seg.Length)
		if seg.Hole {
			err = w.list.Add(ctx, tree.Element{Length: stored, Hole: true})
		} else {
			stored, err = w.chunks(ctx, f, fixed)
		}
		if err != nil {
			return size, err
		}
		size += stored
	}
}

// chunks cuts one segment of data, stores the chunks and returns how many bytes there were.
func (w *worker) chunks(ctx context.Context, f *source.File, fixed uint32) (uint64, error) {
	rd := w.reader(fixed)
	w.probe.r = f
	rd.Reset(&w.probe)
	size := uint64(0)
	for {
		if ctx.Err() != nil {
			return size, context.Cause(ctx)
		}
		if err := w.rest(ctx); err != nil {
			return size, err
		}
		b, err := rd.Next()
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
		st, err := w.data.Put(ctx, b)
		if err != nil {
			return size, err
		}
		if err := w.list.Add(ctx, tree.Element{ID: st.ID, Length: uint64(len(b))}); err != nil {
			return size, err
		}
		size += uint64(len(b))
		w.stats.read.Add(uint64(len(b)))
		w.tellRead(len(b))
	}
}

// reader returns the chunk reader for an entry's splitter; all share one buffer, since one file is read at a time.
func (w *worker) reader(fixed uint32) *chunk.Reader {
	if w.buf == nil {
		w.buf = make([]byte, 2*int(w.r.Params().Max))
	}
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
