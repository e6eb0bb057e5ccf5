package index

import (
	"container/list"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// packCache keeps the packs that were asked for last.
type packCache struct {
	mu    sync.Mutex
	order list.List // of *record.SegmentPackInfo with their ordinal, the last used first
	byOrd map[uint32]*list.Element
	cost  int
}

// cacheCost is how many bytes of packs are kept: about 3,000 packs of 64 blocks.
const cacheCost = 4 << 20

type cachedPack struct {
	ordinal uint32
	info    *record.SegmentPackInfo
}

func (p *cachedPack) cost() int { return 256 + 20*len(p.info.Blocks) }

func (c *packCache) get(ordinal uint32) *record.SegmentPackInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byOrd[ordinal]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cachedPack).info
}

func (c *packCache) put(ordinal uint32, info *record.SegmentPackInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byOrd == nil {
		c.byOrd = map[uint32]*list.Element{}
	}
	if c.byOrd[ordinal] != nil {
		return
	}
	p := &cachedPack{ordinal, info}
	c.byOrd[ordinal] = c.order.PushFront(p)
	for c.cost += p.cost(); c.cost > cacheCost && c.order.Len() > 1; {
		old := c.order.Remove(c.order.Back()).(*cachedPack)
		delete(c.byOrd, old.ordinal)
		c.cost -= old.cost()
	}
}

// Pack returns what segments say of a pack that a Location names. The result is shared and must not be changed. The
// error is ErrStale for a number from before a Sync that changed what numbers mean.
func (x *Index) Pack(ordinal uint32) (*record.SegmentPackInfo, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.closed {
		return nil, ErrClosed
	}
	if ordinal != x.tagged(ordinal&maxOrdinal) {
		return nil, ErrStale
	}
	if p := x.cache.get(ordinal); p != nil {
		return p, nil
	}
	p, err := x.readPack(ordinal & maxOrdinal)
	if err != nil {
		return nil, fmt.Errorf("pack %d of the index: %w", ordinal&maxOrdinal, err)
	}
	x.cache.put(ordinal, p)
	return p, nil
}

// readPack reads a pack from the base or the delta. mu must be held.
func (x *Index) readPack(o uint32) (*record.SegmentPackInfo, error) {
	d := x.base
	if d == nil || o >= d.next {
		if x.delta == nil {
			return nil, ErrStale
		}
		d = x.delta.database
	}
	var j joiner
	var whole []byte
	for i := 0; whole == nil; i++ {
		key := binary.BigEndian.AppendUint16(packKey(o), uint16(i))
		found, err := d.get(key, func(v []byte) error {
			var err error
			_, whole, err = j.add(key, v)
			return err
		})
		if err == nil && !found {
			err = d.missing(key, i)
		}
		if err != nil {
			if errors.Is(err, ErrDamaged) {
				d.bad.Store(true)
			}
			return nil, err
		}
	}
	return parsePack(whole)
}

// missing says why piece i of a pack was not found: a merge has dropped the pack, or it is in a block that is damaged.
func (d *database) missing(key []byte, i int) error {
	if i > 0 {
		return ErrDamaged
	}
	if d.next > 0 { // a base
		if err := d.confirm(key); err != nil {
			return err
		}
	}
	return ErrStale
}

// Packs calls yield with the ID and number of each pack that segments of the last listing name, until it returns false. yield
// may call lookups, but no other method.
func (x *Index) Packs(yield func(id pack.ID, ordinal uint32) bool) error {
	x.applying.Lock()
	defer x.applying.Unlock()
	if x.closed {
		return ErrClosed
	}
	var named bitmap
	for id, g := range x.segs {
		if x.listed[id] {
			if err := g.eachPack(named.set); err != nil {
				return err
			}
		}
	}
	return x.eachPackID(func(id pack.ID, o uint32) bool { return !named.has(o) || yield(id, x.tagged(o)) })
}

// eachPackID calls yield for each pack that is known, until it returns false. It fails when not all can be read. applying must be held.
func (x *Index) eachPackID(yield func(id pack.ID, o uint32) bool) error {
	for _, d := range x.parts() {
		more, n := true, int64(0)
		err := d.iterate(keyPackID, func(key, value []byte) (bool, error) {
			if len(key) != len(pack.ID{}) || len(value) != 4 {
				return false, ErrDamaged
			}
			n++
			more = yield(pack.ID(key), binary.BigEndian.Uint32(value))
			return more, nil
		})
		if err == nil && more && n != d.packs {
			d.bad.Store(true)
			err = fmt.Errorf("%d packs of %d: %w", n, d.packs, ErrDamaged)
		}
		if err != nil || !more {
			return err
		}
	}
	return nil
}
