package repo

import (
	"context"
	"fmt"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// Packed is a pack as an index segment describes it, its chunks left out.
type Packed struct {
	Kind pack.Kind
	*record.SegmentPackInfo
	// Rank is 0 for a pack in good standing; 1 when it is condemned, marked damaged or named by a void segment only: it may
	// be read, but another copy is better.
	Rank int
}

// Name returns the pack's object name.
func (p *Packed) Name() string { return pack.Name(p.Kind, p.ID) }

// Opened is a block that was read: its chunks are checked one by one as they are taken out.
type Opened struct {
	key   *chunk.Key
	name  string
	plain []byte
}

// Chunk returns the bytes of a chunk of the block, which are valid as long as the block is. The chunk's ID is computed:
// other bytes are a *CorruptError that names the pack.
func (o *Opened) Chunk(e pack.Entry) ([]byte, error) {
	end := uint64(e.Offset) + uint64(e.Length)
	if end > uint64(len(o.plain)) {
		return nil, &CorruptError{Object: o.name, Err: fmt.Errorf("chunk %s lies outside its block", e.Chunk)}
	}
	b := o.plain[e.Offset:end]
	if o.key.Sum(b) != e.Chunk {
		return nil, &CorruptError{Object: o.name, Err: fmt.Errorf("chunk %s has other bytes", e.Chunk)}
	}
	return b, nil
}

// Fetch is memory that ReadBlocks uses again from call to call. One goroutine at a time.
type Fetch struct{ sealed, plain []byte }

// ReadBlocks reads blocks [first, last] of a pack with one request and calls each for every one, in order; the block is valid
// during the call. A block that is missing or does not open is a *CorruptError that names the pack; each is not called for
// it, and none after it.
func (r *Repo) ReadBlocks(ctx context.Context, p *Packed, first, last int, f *Fetch, each func(block int, b *Opened) error) error {
	from, end := int64(p.Blocks[first].Offset), p.Blocks[last].End()
	var err error
	f.sealed, err = r.st.Get(ctx, p.Name(), from, end-from, f.sealed[:0])
	if err != nil {
		return r.readError(p.Name(), err)
	}
	if int64(len(f.sealed)) != end-from {
		return &CorruptError{Object: p.Name(), Err: fmt.Errorf("the store gave %d bytes of %d", len(f.sealed), end-from)}
	}
	o, err := pack.NewOpener(r.ring, r.codec, p.Kind, p.Salt)
	if err != nil {
		return corrupt(p.Name(), err)
	}
	for i := first; i <= last; i++ {
		info := p.Blocks[i]
		if f.plain, err = o.Block(f.plain[:0], info, f.sealed[int64(info.Offset)-from:info.End()-from]); err != nil {
			return corrupt(p.Name(), err)
		}
		if err := each(i, &Opened{key: r.key(p.Kind), name: p.Name(), plain: f.plain}); err != nil {
			return err
		}
	}
	return nil
}

// readError makes damage of what the store says about an object that must be there and long enough.
func (r *Repo) readError(name string, err error) error {
	if gone(err) || isRange(err) {
		return &CorruptError{Object: name, Err: err}
	}
	return fmt.Errorf("read %s: %w", name, err)
}
