package repo

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"savepoint/internal/usage"
	"savepoint/repo/pack"
)

// buffers are the memory of a session's packs, and which of it is whose. Whoever fills packs waits here while all of it is on its
// way to the store.
type buffers struct {
	mu     sync.Mutex
	change *sync.Cond  // a buffer is free, a pack is open, or the context is done
	still  func() bool // nothing is done any more at the end of the context
	free   [][]byte    // that may be used; nil ones are not mapped yet
	usage  *usage.Recorder
}

// slot is one open pack. Its open is the buffers' to change, but where nobody else is at work.
type slot struct {
	kind  pack.Kind
	other *slot // of the same kind; nil: none
	open  *openPack
}

type openPack struct {
	*pack.Builder
	slot *slot
	buf  []byte
}

// init makes n buffers. Until they are unmapped the end of ctx wakes those who wait.
func (b *buffers) init(ctx context.Context, n int) {
	b.free = make([][]byte, n)
	b.change = sync.NewCond(&b.mu)
	b.still = context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.change.Broadcast()
	})
}

// open returns the slot's open pack, or opens one when a buffer is free. When none is, uploads are what everybody waits for, and the
// other slot's pack does as well: two half full ones would keep a buffer from the uploads.
func (b *buffers) open(ctx context.Context, s *slot, newPack func(pack.Kind, []byte) (*pack.Builder, error)) (*openPack, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		switch {
		case s.open != nil:
			return s.open, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case len(b.free) > 0:
			return b.fill(s, newPack)
		case s.other != nil && s.other.open != nil:
			return s.other.open, nil
		}
		b.usage.Idle()
		b.change.Wait()
		b.usage.Busy()
	}
}

// fill opens a pack in a free buffer. The caller holds the lock.
func (b *buffers) fill(s *slot, newPack func(pack.Kind, []byte) (*pack.Builder, error)) (*openPack, error) {
	last := len(b.free) - 1
	buf := b.free[last]
	if buf == nil {
		var err error
		buf, err = unix.Mmap(-1, 0, pack.BufferLen, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			return nil, fmt.Errorf("memory for a pack: %w", err)
		}
		b.free[last] = buf
	}
	builder, err := newPack(s.kind, buf)
	if err != nil {
		return nil, err
	}
	b.free = b.free[:last]
	s.open = &openPack{builder, s, buf}
	b.change.Broadcast()
	return s.open, nil
}

// close takes a pack out of its slot. It reports false when somebody did already.
func (b *buffers) close(o *openPack) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.slot.open != o {
		return false
	}
	o.slot.open = nil
	return true
}

// closeSlot takes the open pack out of its slot, and returns nil when there is none.
func (b *buffers) closeSlot(s *slot) *openPack {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := s.open
	s.open = nil
	return o
}

// give returns a buffer that nobody uses any more.
func (b *buffers) give(buf []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = append(b.free, buf)
	b.change.Broadcast()
}

// unmap gives the memory of the free buffers back.
func (b *buffers) unmap() {
	b.still()
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, buf := range b.free {
		if buf != nil {
			_ = unix.Munmap(buf) // fails only for what was not mapped
			b.free[i] = nil
		}
	}
}
