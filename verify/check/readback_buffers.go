package check

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"savepoint/repo/pack"
)

// readBuffers are the memory that packs are read into. It lies outside the Go heap, which would keep as much again for its garbage. Each
// is as long as the longest pack, and takes as much memory as the longest pack that was read into it.
type readBuffers struct {
	mu   sync.Mutex
	free [][]byte
	all  [][]byte
}

// get returns a buffer without content.
func (b *readBuffers) get() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if last := len(b.free) - 1; last >= 0 {
		buf := b.free[last]
		b.free = b.free[:last]
		return buf, nil
	}
	buf, err := unix.Mmap(-1, 0, pack.MaxSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("memory for a pack: %w", err)
	}
	b.all = append(b.all, buf)
	return buf[:0], nil
}

// put takes back a buffer that nobody uses any more.
func (b *readBuffers) put(buf []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = append(b.free, buf[:0])
}

// unmap gives all memory back. Nobody may use a buffer any more.
func (b *readBuffers) unmap() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, buf := range b.all {
		_ = unix.Munmap(buf) // fails only for what was not mapped
	}
	b.all, b.free = nil, nil
}
