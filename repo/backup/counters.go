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

// counters count while the pipeline runs. The first group is the assembler's own.
type counters struct {
	files, dirs, others, bytes uint64

	changed, unchanged, read, reread, different atomic.Uint64
}

func (c *counters) entry(e *tree.Entry) {
	switch e.Type {
	case tree.File:
		c.files++
		c.bytes += e.Size
	case tree.Directory:
		c.dirs++
	default:
		c.others++
	}
}

func (c *counters) stats(t repo.Totals) tree.Stats {
	return tree.Stats{
		Files: c.files, Directories: c.dirs, Others: c.others, FileBytes: c.bytes,
		ChangedFiles: c.files - min(c.files, c.unchanged.Load()), UnchangedFiles: c.unchanged.Load(), ReadBytes: c.read.Load(),
		NewChunks: t.DataChunks, NewBytes: t.DataBytes, NewPackBytes: t.DataPackBytes,
		NewTreeBytes: t.TreeBytes, NewTreePack: t.MetaPackBytes,
		RereadFiles: c.reread.Load(), RereadDifferent: c.different.Load(),
	}
}

// faults collects what is not in the snapshot as it should be.
type faults struct {
	mu    sync.Mutex
	kept  []tree.Fault
	count uint64
}

// fault notes an error of the source.
func (b *run) fault(err error) {
	f := tree.Fault{Code: tree.Unreadable, Message: err.Error()}
	if e := (*source.Error)(nil); errors.As(err, &e) {
		f.Path, f.Code, f.Message = e.Path, tree.FaultCode(e.Kind), e.Op+": "+e.Err.Error()
	}
	b.faults.mu.Lock()
	b.faults.count++
	if len(b.faults.kept) < tree.MaxFaults {
		b.faults.kept = append(b.faults.kept, f)
	}
	b.faults.mu.Unlock()
	if b.o.Events.Fault != nil {
		b.o.Events.Fault(f)
	}
}

func (f *faults) list() ([]tree.Fault, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	slices.SortFunc(f.kept, func(a, b tree.Fault) int { return strings.Compare(a.Path, b.Path) })
	return f.kept, f.count
}

// fatal reports whether an error ends the run: everything but what the source alone is to blame for.
func fatal(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return true
	}
	e := (*source.Error)(nil)
	return !errors.As(err, &e) || e.Kind == source.Failed
}

// spotBudget bounds the bytes that are read only to see that unchanged files are unchanged.
type spotBudget struct {
	mu   sync.Mutex
	left uint64
}

func (s *spotBudget) take(n uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.left {
		return false
	}
	s.left -= n
	return true
}

// found tells that the walk met n entries more.
func (b *run) found(n int) {
	if b.o.Events.Progress != nil && n > 0 {
		b.o.Events.Progress(Progress{FoundEntries: uint64(n)})
	}
}

// tell tells that an entry is done.
func (w *worker) tell(e *tree.Entry) {
	if w.o.Events.Progress == nil {
		return
	}
	w.done.Entries++
	if e != nil {
		w.done.Bytes += e.Size
	}
	w.o.Events.Progress(w.done)
	w.done = Progress{}
}
