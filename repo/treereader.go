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
// chunk lies; when all fail the error says so of the first.
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
		if first == nil {
			first = err
		}
		return errors.Is(err, ErrCorrupt)
	})
	if out != nil {
		return out, nil
	}
	if first == nil {
		first = &CorruptError{Object: "tree chunk " + id.String(), Err: errors.Join(append([]error{ErrUnknownChunk}, t.v.damaged...)...)}
	}
	return nil, first
}

func (t *TreeReader) block(ctx context.Context, p *Packed, block uint32) (*Opened, error) {
	k := blockKey{p.ID, block}
	t.mu.Lock()
	el := t.blocks[k]
	if el == nil {
		el = t.order.PushFront(&cachedBlock{key: k})
		t.blocks[k] = el
		if t.order.Len() > treeBlocks {
			old := t.order.Remove(t.order.Back()).(*cachedBlock)
			delete(t.blocks, old.key)
		}
	} else {
		t.order.MoveToFront(el)
	}
	c := el.Value.(*cachedBlock)
	t.mu.Unlock()
	c.once.Do(func() {
		var f Fetch // its plain bytes live on in the cache
		c.err = t.r.ReadBlocks(ctx, p, int(block), int(block), &f, func(_ int, b *Opened) error {
			c.b = b
			return nil
		})
	})
	if c.err != nil {
		t.mu.Lock()
		if t.blocks[k] == el { // a later call tries again
			t.order.Remove(el)
			delete(t.blocks, k)
		}
		t.mu.Unlock()
	}
	return c.b, c.err
}

func isRange(err error) bool { return errors.Is(err, storage.ErrRange) }
