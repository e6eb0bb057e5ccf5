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

// boolRank puts what is true after what is not.
func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
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

// Fetch is memory that ReadBlocks and OpenBlocks use again from call to call. One goroutine at a time.
type Fetch struct{ sealed, plain []byte }

// ReadBlocks reads blocks [first, last] of a pack with one request and opens them: FetchBlocks and OpenBlocks.
func (r *Repo) ReadBlocks(ctx context.Context, p *Packed, first, last int, f *Fetch, each func(block int, b *Opened) error) error {
	var err error
	if f.sealed, err = r.FetchBlocks(ctx, p, first, last, f.sealed[:0]); err != nil {
		return err
	}
	return r.OpenBlocks(p, first, last, f.sealed, f, each)
}

// FetchBlocks appends blocks [first, last] of a pack, as they are stored, to dst with one request. Blocks that are not there are a
// *CorruptError that names the pack. After an error it returns dst as it was.
func (r *Repo) FetchBlocks(ctx context.Context, p *Packed, first, last int, dst []byte) ([]byte, error) {
	from, end := int64(p.Blocks[first].Offset), p.Blocks[last].End()
	return r.getRange(ctx, p.Name(), from, end-from, dst)
}

// getRange appends n bytes of a pack from off on to dst. Bytes that are not there are a *CorruptError. After an error it returns dst as it
// was.
func (r *Repo) getRange(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	out, err := r.st.Get(ctx, name, off, n, dst)
	if err != nil {
		return dst, r.readError(name, err)
	}
	if got := int64(len(out) - len(dst)); got != n {
		return dst, &CorruptError{Object: name, Err: fmt.Errorf("the store gave %d bytes of %d", got, n)}
	}
	return out, nil
}

// OpenBlocks opens blocks [first, last] of a pack, which FetchBlocks brought as sealed, and calls each for every one, in order; the
// block is valid during the call. A block that does not open is a *CorruptError that names the pack; each is not called for
// it, and none after it.
func (r *Repo) OpenBlocks(p *Packed, first, last int, sealed []byte, f *Fetch, each func(block int, b *Opened) error) error {
	o, err := pack.NewOpener(r.ring, r.codec, p.Kind, p.Salt)
	if err != nil {
		return corrupt(p.Name(), err)
	}
	from := int64(p.Blocks[first].Offset)
	for i := first; i <= last; i++ {
		info := p.Blocks[i]
		if f.plain, err = o.Block(f.plain[:0], info, sealed[int64(info.Offset)-from:info.End()-from]); err != nil {
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
	return err
}
