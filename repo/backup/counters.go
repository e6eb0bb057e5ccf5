package backup

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"savepoint/repo"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

// counters count while the pipeline runs.
type counters struct {
	tally tally // the assembler's own

	read, reread, different atomic.Uint64
}

// tally counts what is in the pages.
type tally struct {
	files, dirs, others, bytes uint64

	unchanged uint64 // files that the last finished snapshot has as they are
	fresh     uint64 // entries that were taken over from no snapshot
	again     uint64 // files that were read and have the content that they have in the last finished snapshot
}

func (t *tally) entry(e *tree.Entry) {
	switch e.Type {
	case tree.File:
		t.files++
		t.bytes += e.Size
	case tree.Directory:
		t.dirs++
	default:
		t.others++
	}
}

// item counts what a worker is done with.
func (t *tally) item(it *item) {
	switch {
	case it.entry == nil:
		return
	case !it.taken():
		t.fresh++
	case it.same && it.entry.Type == tree.File:
		t.unchanged++
	}
	if it.again {
		t.again++
	}
	t.entry(it.entry)
}

func (c *counters) stats(n tally, t repo.Totals) tree.Stats {
	return tree.Stats{
		Files: n.files, Directories: n.dirs, Others: n.others, FileBytes: n.bytes,
		ChangedFiles: n.files - n.unchanged, UnchangedFiles: n.unchanged, ReadBytes: c.read.Load(),
		NewChunks: t.DataChunks, NewBytes: t.DataBytes, NewPackBytes: t.DataPackBytes,
		NewTreeBytes: t.TreeBytes, NewTreePack: t.MetaPackBytes,
		RereadFiles: c.reread.Load(), RereadDifferent: c.different.Load(),
	}
}

// faults collects what is not in the snapshot as it should be.
type faults struct {
	mu    sync.Mutex
	kept  []tree.Fault
	bytes int // of kept
	count uint64

	tolerated uint64 // of count
}

// maxFaultBytes bounds the paths and messages of faults that are kept: a manifest may have 64 MiB, and a path any length.
const maxFaultBytes = 16 << 20

// fault notes an error of the source.
func (b *run) fault(err error) {
	f := tree.Fault{Code: tree.Unreadable}
	if e := (*source.Error)(nil); errors.As(err, &e) {
		f.Path, f.Code, f.Message = e.Path, tree.FaultCode(e.Kind), e.Op+": "+e.Err.Error()
	} else {
		f.Message = err.Error()
	}
	tolerated := b.o.Tolerate != nil && b.o.Tolerate(f)
	b.faults.mu.Lock()
	b.faults.count++
	if tolerated {
		b.faults.tolerated++
	}
	size := len(f.Path) + len(f.Message)
	if len(b.faults.kept) < tree.MaxFaults && b.faults.bytes+size <= maxFaultBytes {
		b.faults.kept = append(b.faults.kept, f)
		b.faults.bytes += size
	}
	b.faults.mu.Unlock()
	if b.o.Events.Fault != nil {
		b.o.Events.Fault(f)
	}
}

// list returns a copy in order of path.
func (f *faults) list() ([]tree.Fault, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	slices.SortFunc(f.kept, func(a, b tree.Fault) int { return strings.Compare(a.Path, b.Path) })
	return slices.Clone(f.kept), f.count
}

// forgiven returns how many faults Options.Tolerate took.
func (f *faults) forgiven() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tolerated
}

// fatal reports whether an error ends the run: everything but what the source alone is to blame for.
func fatal(err error) bool {
	e := (*source.Error)(nil)
	return !errors.As(err, &e) || e.Kind == source.Failed
}

// skip notes an error that the source alone is to blame for, and returns nil. Any other it returns: it ends the run.
func (b *run) skip(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case fatal(err):
		return err
	}
	b.fault(err)
	return nil
}

// found tells that the walk met n entries more.
func (b *run) found(n int) {
	if b.o.Events.Progress != nil && n > 0 {
		b.o.Events.Progress(Progress{FoundEntries: uint64(n)})
	}
}

// passed tells that a directory is done, or was left out.
func (b *run) passed() {
	if b.o.Events.Progress != nil {
		b.o.Events.Progress(Progress{Entries: 1})
	}
}

// tellBytes is how much of a large file is read before that is told.
const tellBytes = 8 << 20

// tellRead tells from time to time how much of a file is read. What is read once more counts once.
func (w *worker) tellRead(n int) {
	w.passed += uint64(n)
	if w.o.Events.Progress != nil && w.passed >= w.told+tellBytes {
		w.o.Events.Progress(Progress{Bytes: w.passed - w.told})
		w.told = w.passed
	}
}

// tell tells that an entry is done.
func (w *worker) tell(e *tree.Entry) {
	told := w.told
	w.passed, w.told = 0, 0
	if w.o.Events.Progress == nil {
		return
	}
	w.done.Entries++
	if e != nil && e.Size > told {
		w.done.Bytes += e.Size - told
	}
	w.o.Events.Progress(w.done)
	w.done = Progress{}
}
