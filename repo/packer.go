package repo

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"savepoint/internal/adapt"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

const (
	dataSlots  = 2
	fewUploads = 2 // so many at a time are always allowed
)

// packer turns blocks into stored packs: sealers compress blocks and put them into the open packs, uploaders finish, check
// and store full packs. It never holds more than the option PackBuffers of pack buffers. There is an uploader for each buffer, and
// a limiter says how many of them put at a time.
type packer struct {
	r        *Repo
	lease    func() record.ID                                       // under which a pack is put
	uploaded func(context.Context, *pack.Finished, record.ID) error // called for each durable pack, by several goroutines
	slots    [dataSlots + 1]*slot                                   // the last is for tree chunks
	buffers  buffers
	jobs     chan job
	full     chan *openPack
	checks   chan struct{} // a place for each check of a pack that may run at a time
	uploads  *adapt.Limiter
	blocks   sync.Pool // of *pack.Block
	wg       sync.WaitGroup

	sealing, storing sync.WaitGroup // blocks and packs on their way
	filling          atomic.Int64   // blocks that streams are filling

	mu   sync.Mutex
	next int   // slot of the next data stream
	err  error // of the store, or of sealing: nothing is stored any more
	lost error // why a block never came: what is there is stored, but is not whole
}

type job struct {
	slot  *slot
	block *pack.Block
}

// start starts the goroutines, which live until stop.
func (p *packer) start(ctx context.Context) {
	o := p.r.o
	p.jobs = make(chan job, o.Sealers)
	p.full = make(chan *openPack, o.PackBuffers)
	p.checks = make(chan struct{}, o.Sealers)
	p.uploads = adapt.New(adapt.Options{Min: fewUploads, Max: o.PackBuffers, SlowDowns: o.SlowDowns})
	p.blocks.New = func() any { return new(pack.Block) }
	for i := range p.slots {
		p.slots[i] = &slot{kind: pack.Data}
	}
	for i, s := range p.slots[:dataSlots] {
		s.other = p.slots[(i+1)%dataSlots]
	}
	p.slots[dataSlots].kind = pack.Meta
	p.buffers.usage = o.Usage
	p.buffers.init(ctx, o.PackBuffers)
	for range o.Sealers {
		p.wg.Go(func() { p.sealBlocks(ctx) })
	}
	for range o.PackBuffers {
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
			p.buffers.give(s.open.buf)
			s.open = nil
		}
	}
	p.buffers.unmap()
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
		o, err := p.buffers.open(ctx, j.slot, p.newPack)
		if err != nil {
			return err
		}
		if o.Add(j.block) {
			return nil
		}
		if p.buffers.close(o) {
			p.queue(o)
		}
	}
}

func (p *packer) newPack(kind pack.Kind, buf []byte) (*pack.Builder, error) {
	return pack.NewBuilder(p.r.ring, kind, buf)
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
		p.buffers.give(o.buf)
		p.storing.Done()
	}
}

// store finishes a pack, opens it again and compares every chunk with its ID, and only then puts it.
func (p *packer) store(ctx context.Context, o *openPack) error {
	f, err := p.finish(o)
	if err != nil {
		return err
	}
	permit, err := p.uploads.Acquire(ctx)
	if err != nil {
		return err
	}
	lease, err := p.put(ctx, f, permit)
	if err != nil {
		return err
	}
	return p.uploaded(ctx, f, lease)
}

// put puts a pack, unless another one failed while this one waited for its permit, which it gives back. It returns the lease
// under which it was put.
func (p *packer) put(ctx context.Context, f *pack.Finished, permit *adapt.Permit) (record.ID, error) {
	defer permit.Release()
	lease := p.lease()
	if err := p.failed(); err != nil {
		return lease, err
	}
	if _, err := p.r.put(ctx, pack.Name(f.Kind, f.ID), f.Bytes); err != nil {
		return lease, err
	}
	permit.Done(int64(len(f.Bytes)))
	return lease, nil
}

// finish completes and checks a pack. No more of them are checked at a time than there are sealers.
func (p *packer) finish(o *openPack) (*pack.Finished, error) {
	p.checks <- struct{}{}
	defer func() { <-p.checks }()
	f := o.Finish()
	if _, err := pack.Check(p.r.ring, p.r.codec, f.Kind, p.r.key(f.Kind), f.Bytes); err != nil {
		return nil, fmt.Errorf("pack %s is wrong before it is stored; nothing was published; test this machine's memory and processor: %w",
			pack.Name(f.Kind, f.ID), err)
	}
	return f, nil
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
		if o := p.buffers.closeSlot(s); o != nil {
			p.queue(o)
		}
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
		p.buffers.give(b.open.buf)
		b.open = nil
	}
	return err
}
