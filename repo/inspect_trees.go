package repo

import (
	"context"
	"errors"
	"sync"

	"savepoint/chunk"
	"savepoint/repo/pack"
)

// TreeLook reads pages and nodes for an inspection: a chunk counts as damaged or unread when no place gives it. It is safe for concurrent
// use and implements tree.Source.
type TreeLook struct {
	t      *TreeReader
	unread error // a segment that could not be read, and may locate what is not found

	mu  sync.Mutex
	met map[string]error
}

// Trees returns a reader of tree chunks that has these segments and no other, all of the tree kind.
func (x *Inspection) Trees(segs []*InspectedSegment) *TreeLook {
	v := &view{dead: x.list.dead}
	l := &TreeLook{met: map[string]error{}}
	for _, s := range segs {
		switch {
		case s.Unread != nil:
			l.unread = s.Unread
		case s.Segment == nil:
			v.damaged = append(v.damaged, s.Damage)
		default:
			v.segs, v.void = append(v.segs, s.Segment), append(v.void, s.Void)
		}
	}
	l.t = newTreeReader(x.r, v)
	return l
}

// TreeChunk returns a page or node whose ID was checked. The bytes must not be changed. What cannot be read is an *UnreadError when a place of
// it, or a segment that may locate it, could not be; else damage. Any other error is the store's or the context's.
func (l *TreeLook) TreeChunk(ctx context.Context, id chunk.ID) ([]byte, error) {
	var out []byte
	var damage, unread, fatal error
	var bad []error
	err := l.t.t.locations(ctx, id, func(p *Packed, e pack.Entry) bool {
		b, err := l.chunk(ctx, p, e)
		if unreadable(err) { // once more: a read that went wrong is no damage
			b, err = l.chunk(ctx, p, e)
		}
		switch {
		case err == nil:
			out = b
		case unreadable(err):
			bad = append(bad, err)
			if damage == nil {
				damage = err
			}
			return true
		case Unread(err):
			unread = err
			return true
		default:
			fatal = err
		}
		return false
	})
	switch {
	case out != nil:
		l.note(bad)
		return out, nil
	case fatal != nil:
		return nil, fatal
	case err != nil:
		return nil, err
	case unread != nil:
		l.note(bad)
		return nil, unread
	case damage != nil:
		l.note(bad)
		return nil, damage
	case l.unread != nil:
		return nil, l.unread
	}
	return nil, &CorruptError{Object: "tree chunk " + id.String(), Err: errors.Join(ErrUnknownChunk, l.t.t.unread())}
}

func (l *TreeLook) chunk(ctx context.Context, p *Packed, e pack.Entry) ([]byte, error) {
	b, err := l.t.block(ctx, p, e.Block)
	if err != nil {
		return nil, err
	}
	return b.Chunk(e)
}

// note keeps damage of packs.
func (l *TreeLook) note(bad []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, err := range bad {
		if name, _, ok := packNamed(err); ok && l.met[name] == nil {
			l.met[name] = err
		}
	}
}

// Met returns the packs that were found damaged, by name, also those whose chunks other packs gave. It must not be changed, nor be called while
// chunks are read.
func (l *TreeLook) Met() map[string]error { return l.met }
