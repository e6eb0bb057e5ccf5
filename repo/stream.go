package repo

import (
	"context"
	"errors"
	"sync"

	"savepoint/chunk"
	"savepoint/repo/pack"
)

// The kinds of chunks, for packages that know nothing of packs.
const (
	Data = pack.Data
	Meta = pack.Meta
)

// Stored says what became of a chunk.
type Stored struct {
	ID  chunk.ID
	New bool // it was not in the repository, nor in this session, before
}

// Stream takes the chunks of one goroutine and fills blocks with those that are new. Streams of one kind share the open
// packs; what one stream stores in a row stays together.
type Stream struct {
	s     *Session
	kind  pack.Kind
	slot  *slot
	block *pack.Block
}

// NewStream returns a stream for chunks of the kind. Flush must be called before the session commits.
func (s *Session) NewStream(kind pack.Kind) *Stream {
	return &Stream{s: s, kind: kind, slot: s.packer.slot(kind)}
}

// Put stores a chunk of 1 to pack.MaxChunk bytes unless it is there already. data may be reused when it returns. An error
// is the store's, or the context's: the session cannot be committed any more.
func (w *Stream) Put(ctx context.Context, data []byte) (Stored, error) {
	if len(data) == 0 || len(data) > pack.MaxChunk {
		return Stored{}, errors.New("chunk is empty or too long")
	}
	id := w.s.r.key(w.kind).Sum(data)
	isNew, err := w.s.claim(ctx, w.kind, id)
	if err != nil || !isNew {
		return Stored{ID: id}, err
	}
	if w.block != nil && !w.block.Fits(len(data)) {
		if err := w.Flush(ctx); err != nil {
			return Stored{}, err
		}
	}
	if w.block == nil {
		w.block = w.s.packer.newBlock()
	}
	w.block.Add(id, data)
	w.s.count(w.kind, len(data))
	return Stored{ID: id, New: true}, nil
}

// PutTree is Put for tree.Sink.
func (w *Stream) PutTree(ctx context.Context, data []byte) (chunk.ID, error) {
	st, err := w.Put(ctx, data)
	return st.ID, err
}

// Flush hands the block that is being filled on to be sealed.
func (w *Stream) Flush(ctx context.Context) error {
	if w.block == nil {
		return nil
	}
	b := w.block
	w.block = nil
	return w.s.packer.send(ctx, w.slot, b)
}

// pendingShards is how many locks the set of a session's own chunks is spread over.
const pendingShards = 64

// pending is the set of chunks that a session has taken in and no table has yet: they count as present for this session only, so
// that two workers never store one chunk twice.
type pending [pendingShards]struct {
	mu  sync.Mutex
	ids map[chunk.ID]struct{}
}

// add reports whether id was not in the set.
func (p *pending) add(id chunk.ID) bool {
	s := &p[id[0]%pendingShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.ids[id]; ok {
		return false
	}
	if s.ids == nil {
		s.ids = map[chunk.ID]struct{}{}
	}
	s.ids[id] = struct{}{}
	return true
}

func (p *pending) has(id chunk.ID) bool {
	s := &p[id[0]%pendingShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.ids[id]
	return ok
}

func (p *pending) drop(id chunk.ID) {
	s := &p[id[0]%pendingShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ids, id)
}
