package pack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/zeebo/blake3"

	"savepoint/repo/seal"
)

// Builder assembles one pack in a buffer that the caller owns. Add may be called by many goroutines at once.
type Builder struct {
	kind   Kind
	head   seal.Header
	cipher *seal.PackCipher
	buf    []byte // BufferLen bytes; filled up to end

	mu     sync.Mutex
	end    int64
	dir    Directory
	closed bool

	sealing sync.WaitGroup
}

// NewBuilder starts a pack in buf, which must have BufferLen bytes.
func NewBuilder(r *seal.Ring, kind Kind, buf []byte) (*Builder, error) {
	h := r.NewHeader(kind.Seal())
	c, err := r.PackCipher(h)
	if err != nil {
		return nil, err
	}
	h.Append(buf[:0])
	return &Builder{kind: kind, head: h, cipher: c, buf: buf, end: seal.HeaderLen}, nil
}

// Add gives a compressed block its place and seals it there. It reports false, and does nothing, when the pack is full
// or closed. The block may be reset when Add returns.
func (p *Builder) Add(b *Block) bool {
	info := BlockInfo{Stored: uint32(len(b.stored) + seal.TagLen), Plain: uint32(len(b.plain)), Codec: b.codec}
	return p.place(info, b.chunks, b.stored)
}

// place appends a block: info but for its offset, the chunks but for the index of the block, the bytes to seal.
func (p *Builder) place(info BlockInfo, chunks []Entry, stored []byte) bool {
	p.mu.Lock()
	info.Offset = uint32(p.end)
	full := info.End() > Target || len(p.dir.Entries)+len(chunks) > MaxChunks
	if p.closed || full && len(p.dir.Blocks) > 0 {
		p.mu.Unlock()
		return false
	}
	p.end = info.End()
	for _, e := range chunks {
		e.Block = uint32(len(p.dir.Blocks))
		p.dir.Entries = append(p.dir.Entries, e)
	}
	p.dir.Blocks = append(p.dir.Blocks, info)
	p.sealing.Add(1)
	p.mu.Unlock()

	defer p.sealing.Done()
	at := info.appendHeader(p.buf[info.Offset:info.Offset:info.End()])
	p.cipher.Seal(at, seal.Block, int64(info.Offset), at, stored)
	return true
}

// Finished is a pack that is ready to be checked and stored. Bytes lie in the builder's buffer.
type Finished struct {
	Kind  Kind
	ID    ID
	Salt  [32]byte
	Bytes []byte
	Directory
}

// close lets no further block in and waits for those under way.
func (p *Builder) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.sealing.Wait()
}

// Absorb moves the blocks of o, another builder of the same kind, into p. It reports false, and changes neither, when they
// do not fit. On true o is closed and its buffer may be used again; after an error neither pack is of use. Nothing may be
// added to either meanwhile.
func (p *Builder) Absorb(o *Builder) (bool, error) {
	p.mu.Lock()
	end, chunks, closed := p.end, len(p.dir.Entries), p.closed
	p.mu.Unlock()
	o.mu.Lock()
	end, chunks = end+o.end-seal.HeaderLen, chunks+len(o.dir.Entries)
	o.mu.Unlock()
	if closed || end > Target || chunks > MaxChunks {
		return false, nil
	}
	o.close()
	var stored []byte
	rest := o.dir.Entries
	for i, info := range o.dir.Blocks {
		at := o.buf[info.Offset:info.End()]
		var err error
		if stored, err = o.cipher.Open(stored[:0], seal.Block, int64(info.Offset), at[:blockHeaderLen], at[blockHeaderLen:]); err != nil {
			return false, fmt.Errorf("block that was sealed a moment ago does not open: %w", err)
		}
		n := 0
		for n < len(rest) && rest[n].Block == uint32(i) {
			n++
		}
		if !p.place(info, rest[:n], stored) {
			return false, errors.New("pack that had room is full")
		}
		rest = rest[n:]
	}
	return true, nil
}

// Finish closes the pack, seals the directory and names the pack. It is called once, for a pack that has a block.
func (p *Builder) Finish() *Finished {
	p.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	plain := p.dir.append(nil)
	length := binary.BigEndian.AppendUint32(nil, uint32(len(plain)+seal.TagLen))
	out := p.cipher.Seal(p.buf[:p.end], seal.Directory, p.end, length, plain)
	out = append(append(out, length...), endMagic...)
	return &Finished{Kind: p.kind, ID: blake3.Sum256(out), Salt: p.head.Salt, Bytes: out, Directory: p.dir}
}
