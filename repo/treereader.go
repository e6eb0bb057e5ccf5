package repo

import (
	"container/list"
	"context"
	"errors"
	"sync"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/storage"
)

const treeBlocks = 32 // decoded blocks that a TreeReader keeps, about 0.6 MiB each

// TreeReader reads pages and nodes. It keeps the blocks read last. It is safe for concurrent use and implements tree.Source.
type TreeReader struct {
	r *Repo
	v *view

	mu     sync.Mutex
	blocks map[blockKey]*list.Element // of *cachedBlock
	order  *list.List                 // most recently used first
}

type blockKey struct {
	pack  pack.ID
	block uint32
}

type cachedBlock struct {
	key  blockKey
	once sync.Once
	b    *Opened
	err  error
}

// Trees loads the index of tree chunks and returns a reader of them.
func (r *Repo) Trees(ctx context.Context) (*TreeReader, error) {
	l, err := r.listAll(ctx)
	if err != nil {
		return nil, err
	}
	v, err := r.views(ctx, l, pack.Meta)
	if err != nil {
		return nil, err
	}
	return newTreeReader(r, v), nil
}

func newTreeReader(r *Repo, v *view) *TreeReader {
	return &TreeReader{r: r, v: v, blocks: map[blockKey]*list.Element{}, order: list.New()}
}

// TreeChunk returns a page or node whose ID was checked. The bytes must not be changed. It tries every place where the
// chunk lies; when all are damaged the error is that of the first, and when the store fails it is the store's.
func (t *TreeReader) TreeChunk(ctx context.Context, id chunk.ID) ([]byte, error) {
	var first error
	var out []byte
	t.v.locations(id, func(p *Packed, e pack.Entry) bool {
		b, err := t.block(ctx, p, e.Block)
		if err == nil {
			out, err = b.Chunk(e)
		}
		if err == nil {
			first = nil
			return false
		}
		isDamage := errors.Is(err, ErrCorrupt)
		if first == nil || !isDamage {
			first = err
		}
		return isDamage
	})
	if out != nil {
		return out, nil
	}
	if first == nil {
		first = &CorruptError{Object: "tree chunk " + id.String(), Err: errors.Join(append([]error{ErrUnknownChunk}, t.v.damaged...)...)}
	}
	return nil, first
}

// block returns a block from the cache, or reads it. What another caller's cancelled context broke off is read again.
func (t *TreeReader) block(ctx context.Context, p *Packed, block uint32) (*Opened, error) {
	k := blockKey{p.ID, block}
	for {
		el := t.cached(k)
		c := el.Value.(*cachedBlock)
		var mine bool
		c.once.Do(func() {
			mine = true
			var f Fetch // its plain bytes live on in the cache
			c.err = t.r.ReadBlocks(ctx, p, int(block), int(block), &f, func(_ int, b *Opened) error {
				c.b = b
				return nil
			})
		})
		if c.err == nil {
			return c.b, nil
		}
		t.mu.Lock()
		if t.blocks[k] == el { // a later call tries again
			t.order.Remove(el)
			delete(t.blocks, k)
		}
		t.mu.Unlock()
		if mine || ctx.Err() != nil || errors.Is(c.err, ErrCorrupt) {
			return nil, c.err
		}
	}
}

// cached returns the place of a block in the cache, which is now its newest.
func (t *TreeReader) cached(k blockKey) *list.Element {
	t.mu.Lock()
	defer t.mu.Unlock()
	if el := t.blocks[k]; el != nil {
		t.order.MoveToFront(el)
		return el
	}
	el := t.order.PushFront(&cachedBlock{key: k})
	t.blocks[k] = el
	if t.order.Len() > treeBlocks {
		old := t.order.Remove(t.order.Back()).(*cachedBlock)
		delete(t.blocks, old.key)
	}
	return el
}

func isRange(err error) bool { return errors.Is(err, storage.ErrRange) }
