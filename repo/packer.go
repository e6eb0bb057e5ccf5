package repo

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"savepoint/repo/pack"
	"savepoint/repo/record"
)

const (
	dataSlots = 2
	uploaders = 2
)

// packer turns blocks into stored packs: sealers compress blocks and put them into the open packs, uploaders finish, check
// and store full packs. It never holds more than PackBuffers pack buffers.
type packer struct {
	r        *Repo
	lease    func() record.ID                                       // under which a pack is put
	uploaded func(context.Context, *pack.Finished, record.ID) error // called for each durable pack, by several goroutines
	slots    [dataSlots + 1]*slot                                   // the last is for tree chunks
	jobs     chan job
	full     chan *openPack
	free     chan []byte // pack buffers that may be used; nil ones are not mapped yet
	blocks   sync.Pool   // of *pack.Block
	wg       sync.WaitGroup

	sealing, storing sync.WaitGroup // blocks and packs on their way
	filling          atomic.Int64   // blocks that streams are filling

	mu   sync.Mutex
	next int   // slot of the next data stream
	err  error // of the store, or of sealing: nothing is stored any more
	lost error // why a block never came: what is there is stored, but is not whole
}

// slot is one open pack.
type slot struct {
	kind pack.Kind

	mu   sync.Mutex
	open *openPack
}

type openPack struct {
	*pack.Builder
	buf []byte
}

type job struct {
	slot  *slot
	block *pack.Block
}

// start starts the goroutines, which live until stop.
func (p *packer) start(ctx context.Context) {
	p.jobs = make(chan job, p.r.o.Sealers)
	p.full = make(chan *openPack, PackBuffers)
	p.free = make(chan []byte, PackBuffers)
	for range PackBuffers {
		p.free <- nil
	}
	p.blocks.New = func() any { return new(pack.Block) }
	for i := range p.slots {
		p.slots[i] = &slot{kind: pack.Data}
	}
	p.slots[dataSlots].kind = pack.Meta
	for range p.r.o.Sealers {
		p.wg.Go(func() { p.sealBlocks(ctx) })
	}
	for range uploaders {
		p.wg.Go(func() { p.storePacks(ctx) })
	}
}

// stop ends the goroutines and gives the buffers back. Nothing may be sent any more. It waits for what is on its way, which the
// end of start's context cuts short.
func (p *packer) stop() {
	p.sealing.Wait()
	close(p.jobs)
	p.storing.Wait()
	close(p.full)
	p.wg.Wait()
	for _, s := range p.slots {
		if s.open != nil {
			unmap(s.open.buf)
		}
	}
	for range len(p.free) {
		unmap(<-p.free)
	}
}

func (p *packer) slot(kind pack.Kind) *slot {
	if kind == pack.Meta {
		return p.slots[dataSlots]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	return p.slots[p.next%dataSlots]
}

// newBlock returns a block, which must be sent.
func (p *packer) newBlock() *pack.Block {
	p.filling.Add(1)
	return p.blocks.Get().(*pack.Block)
}

// send hands a block to the sealers. It waits while they are busy. Nothing may be sent while drain or stop runs.
func (p *packer) send(ctx context.Context, s *slot, b *pack.Block) error {
	defer p.filling.Add(-1)
	if err := p.failed(); err != nil {
		return err
	}
	p.sealing.Add(1)
	select {
	case p.jobs <- job{s, b}:
		return nil
	case <-ctx.Done():
		p.sealing.Done()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.lost = cmp.Or(p.lost, context.Cause(ctx))
		return context.Cause(ctx)
	}
}

// whole returns why not everything that was put is stored, once drain has returned nil.
func (p *packer) whole() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost != nil {
		return fmt.Errorf("a block never came to be stored: %w", p.lost)
	}
	if n := p.filling.Load(); n > 0 {
		return fmt.Errorf("%d streams were not flushed", n)
	}
	return nil
}

func (p *packer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

func (p *packer) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *packer) sealBlocks(ctx context.Context) {
	for j := range p.jobs {
		if p.failed() == nil {
			if err := p.seal(ctx, j); err != nil {
				p.fail(err)
			}
		}
		j.block.Reset()
		p.blocks.Put(j.block)
		p.sealing.Done()
	}
}

func (p *packer) seal(ctx context.Context, j job) error {
	j.block.Compress(p.r.codec)
	for {
		o, err := p.builder(ctx, j.slot)
		if err != nil {
			return err
		}
		if o.Add(j.block) {
			return nil
		}
		j.slot.mu.Lock()
		if j.slot.open == o {
			j.slot.open = nil
			p.queue(o)
		}
		j.slot.mu.Unlock()
	}
}

// builder returns the slot's open pack, or opens one when a buffer is free.
func (p *packer) builder(ctx context.Context, s *slot) (*openPack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil {
		return s.open, nil
	}
	var buf []byte
	select {
	case buf = <-p.free:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if buf == nil {
		var err error
		buf, err = unix.Mmap(-1, 0, pack.BufferLen, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			p.free <- nil
			return nil, fmt.Errorf("memory for a pack: %w", err)
		}
	}
	b, err := pack.NewBuilder(p.r.ring, s.kind, buf)
	if err != nil {
		p.free <- buf
		return nil, err
	}
	s.open = &openPack{b, buf}
	return s.open, nil
}

func (p *packer) queue(o *openPack) {
	p.storing.Add(1)
	p.full <- o // has room for every buffer
}

func (p *packer) storePacks(ctx context.Context) {
	for o := range p.full {
		if p.failed() == nil {
			if err := p.store(ctx, o); err != nil {
				p.fail(err)
			}
		}
		p.free <- o.buf
		p.storing.Done()
	}
}

// store finishes a pack, opens it again and compares every chunk with its ID, and only then puts it.
func (p *packer) store(ctx context.Context, o *openPack) error {
	f := o.Finish()
	name := pack.Name(f.Kind, f.ID)
	if _, err := pack.Check(p.r.ring, p.r.codec, f.Kind, p.r.key(f.Kind), f.Bytes); err != nil {
		return fmt.Errorf("pack %s is wrong before it is stored; nothing was published; test this machine's memory and processor: %w", name, err)
	}
	lease := p.lease()
	if _, err := p.r.put(ctx, name, f.Bytes); err != nil {
		return err
	}
	return p.uploaded(ctx, f, lease)
}

// drain waits until everything sent so far is durable. Streams must have been flushed.
func (p *packer) drain() error {
	p.sealing.Wait()
	if err := p.failed(); err != nil {
		return err
	}
	if err := p.join(); err != nil {
		p.fail(err)
		return err
	}
	for _, s := range p.slots {
		s.mu.Lock()
		if s.open != nil {
			p.queue(s.open)
			s.open = nil
		}
		s.mu.Unlock()
	}
	p.storing.Wait()
	return p.failed()
}

// join moves what is in the second open data pack into the first when both fit into one.
func (p *packer) join() error {
	a, b := p.slots[0], p.slots[1]
	if a.open == nil || b.open == nil {
		return nil
	}
	joined, err := a.open.Absorb(b.open.Builder)
	if joined {
		p.free <- b.open.buf
		b.open = nil
	}
	return err
}

func unmap(buf []byte) {
	if buf != nil {
		_ = unix.Munmap(buf) // fails only for what was not mapped
	}
}
