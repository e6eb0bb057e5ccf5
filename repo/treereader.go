package repo

import (
	"container/list"
	"context"
	"errors"
	"sync"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/pack"
)

const treeBlocks = 32 // decoded blocks that a TreeReader keeps, about 0.6 MiB each

// TreeReader reads pages and nodes. It keeps the blocks read last. It is safe for concurrent use and implements tree.Source.
type TreeReader struct {
	r   *Repo
	t   table
	own *index.Index // closed with the reader; nil: none

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

// Trees returns a reader of tree chunks, which the caller closes: with the index that backups keep on this host, or with the segments
// of tree chunks in memory where there is none.
func (r *Repo) Trees(ctx context.Context) (*TreeReader, error) {
	l, err := r.listAll(ctx)
	if err != nil {
		return nil, err
	}
	warm, err := r.warmTable(ctx, l, pack.Meta)
	if err != nil {
		return nil, err
	}
	if warm != nil && warm.unread() == nil && !l.lost() {
		t := newTreeReader(r, warm)
		t.own = warm.x
		return t, nil
	}
	if warm != nil {
		r.closeIndex(warm.x)
	}
	v, err := r.views(ctx, l, pack.Meta)
	if err == nil && (l.lost() || v.unread() != nil) {
		err = r.addOrphans(ctx, v, pack.Meta)
	}
	if err != nil {
		return nil, err
	}
	return newTreeReader(r, v), nil
}

// Close ends the use of what the reader has opened; it must not be used any more. That of a session stays open for the session.
func (t *TreeReader) Close() {
	if t.own != nil {
		t.r.closeIndex(t.own)
		t.own = nil
	}
}

func newTreeReader(r *Repo, t table) *TreeReader {
	return &TreeReader{r: r, t: t, blocks: map[blockKey]*list.Element{}, order: list.New()}
}

// TreeChunk returns a page or node whose ID was checked. The bytes must not be changed. It tries every place where the
// chunk lies; when all are damaged the error is that of the first, and when the store fails it is the store's.
func (t *TreeReader) TreeChunk(ctx context.Context, id chunk.ID) ([]byte, error) {
	var first error
	var out []byte
	err := t.t.locations(ctx, id, func(p *Packed, e pack.Entry) bool {
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
	switch {
	case out != nil:
		return out, nil
	case err != nil:
		return nil, err
	case first == nil:
		first = &CorruptError{Object: "tree chunk " + id.String(), Err: errors.Join(ErrUnknownChunk, t.t.unread())}
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
