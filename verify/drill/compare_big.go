package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

// pieceSize is how many bytes of a large file are read at a time, unless one chunk has more.
const pieceSize = 4<<20 - 2*maxAlign

// bigFile is a file that is read in pieces. The last of its users notes what it differs in.
type bigFile struct {
	*smallFile
	c     *comparer
	users atomic.Int32
	align atomic.Int64 // of what is read past the page cache; 0: nothing is

	mu sync.Mutex
	score
}

// piece is a stretch of chunks of a large file.
type piece struct {
	f      *bigFile // held
	off    uint64
	n      int
	chunks []tree.Element
}

func (p *piece) drop() error { return p.f.release() }

// release notes, with the last user, what the file differs in.
func (f *bigFile) release() error {
	if f.users.Add(-1) > 0 {
		return nil
	}
	f.c.bytes.Add(f.good)
	f.c.differ(f.in, f.entry.Name, append(f.reasons, f.words(&f.entry, f.blocks)...))
	if f.align.Load() == 0 {
		_ = unix.Fadvise(f.fd, 0, 0, unix.FADV_DONTNEED) // nobody reads it again
	}
	return f.close()
}

// big reads a large file: it goes through its chunks and reads as many of the pieces itself as others do not.
func (w *worker) big(ctx context.Context, small *smallFile) (err error) {
	f := &bigFile{smallFile: small, c: w.c}
	f.users.Store(1)
	defer func() { err = errors.Join(err, f.release()) }()
	if !w.c.o.buffered {
		f.align.Store(direct(f.fd))
	}
	if f.align.Load() == 0 {
		w.c.drop(f.fd, f.size)
	}
	cut := &pieces{w: w, f: f}
	damage, err := w.c.parts(ctx, &f.entry, func(x *tree.Extent) bool {
		cut.err = cut.add(ctx, x)
		return cut.err == nil
	})
	if cut.err == nil && err == nil {
		cut.err = cut.flush(ctx)
	}
	f.mu.Lock()
	f.damage = damage
	f.mu.Unlock()
	if cut.err != nil && !errors.Is(cut.err, errPast) {
		return errors.Join(err, cut.err)
	}
	return err
}

// errPast says that what lies behind the end of a file that is too short need not be read.
var errPast = errors.New("behind the end of the file")

// pieces cuts a file.
type pieces struct {
	w    *worker
	f    *bigFile
	next piece
	err  error
}

// add takes the next chunk or hole.
func (c *pieces) add(ctx context.Context, x *tree.Extent) error {
	size := uint64(c.f.size)
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if x.Offset >= size || !x.Hole && x.Offset+x.Length > size {
		return cmp.Or(c.flush(ctx), errPast)
	}
	if x.Hole {
		if err := c.flush(ctx); err != nil {
			return err
		}
		return c.w.hole(ctx, c.f, x.Offset, min(x.Offset+x.Length, size))
	}
	p := &c.next
	if p.n > 0 && (p.off+uint64(p.n) != x.Offset || p.n+int(x.Length) > pieceSize) {
		if err := c.flush(ctx); err != nil {
			return err
		}
	}
	if p.n == 0 {
		p.off = x.Offset
	}
	p.n += int(x.Length) // chunk.MaxSize at most, which the tree's decoder sees to
	p.chunks = append(p.chunks, x.Element)
	return nil
}

// flush gives the piece away if somebody has time for it, or reads it.
func (c *pieces) flush(ctx context.Context) error {
	if c.next.n == 0 {
		return nil
	}
	p := c.next
	p.f = c.f
	c.next = piece{}
	c.f.users.Add(1)
	if c.w.c.work.hungry() {
		c.w.c.work.put(&p)
		return nil
	}
	return p.do(ctx, c.w)
}

// mark notes that bytes at off are other ones.
func (f *bigFile) mark(off uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail(off)
}

// say notes a difference of the whole file.
func (f *bigFile) say(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reasons = append(f.reasons, reason{"", fmt.Sprintf(format, args...)})
}

// do reads a piece and compares its chunks.
func (p *piece) do(_ context.Context, w *worker) error {
	f := p.f
	data, err := f.read(w, p.off, p.n)
	if err != nil {
		f.say("cannot be read at %s: %v", sizeWord(p.off+uint64(len(data))), err)
	} else if len(data) < p.n {
		f.say("ends at %s while it is read", sizeWord(p.off+uint64(len(data))))
	}
	var s score
	at := 0
	for i := range p.chunks {
		el := &p.chunks[i]
		end := at + int(el.Length)
		if end > len(data) {
			break
		}
		s.part(w.c, el, p.off+uint64(at), data[at:end])
		at = end
	}
	f.mu.Lock()
	f.good += s.good
	if s.isBad {
		f.fail(s.bad)
	}
	f.mu.Unlock()
	return f.release()
}

// hole sees that there are zeros from off to end. What is a hole on the disk is not read.
func (w *worker) hole(ctx context.Context, f *bigFile, off, end uint64) error {
	f.mu.Lock()
	f.score.hole(end - off)
	f.mu.Unlock()
	for off < end {
		start, stop := stretchOfData(f.fd, off, end)
		for ; start < stop; start += smallSize {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			data, err := f.read(w, start, int(min(smallSize, stop-start)))
			if err != nil {
				f.say("cannot be read at %s: %v", sizeWord(start), err)
				return nil
			}
			if i := nonzero(data); i >= 0 {
				f.mark(start + uint64(i))
				return nil
			}
		}
		off = stop
	}
	return nil
}

// stretchOfData returns the first bytes from off to end that are no hole; none but end if all are.
func stretchOfData(fd int, off, end uint64) (start, stop uint64) {
	at, err := unix.Seek(fd, int64(off), unix.SEEK_DATA)
	switch {
	case err == unix.ENXIO: // nothing but a hole
		return end, end
	case err != nil: // it cannot be told
		return off, end
	case uint64(at) >= end:
		return end, end
	}
	start = max(uint64(at), off)
	if at, err = unix.Seek(fd, int64(start), unix.SEEK_HOLE); err != nil || uint64(at) <= start {
		return start, end
	}
	return start, min(uint64(at), end)
}
