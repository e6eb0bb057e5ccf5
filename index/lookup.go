package index

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"savepoint/chunk"
)

// Location says where a chunk lies: in which pack (for [Index.Pack]; the number counts until a Sync says otherwise), in
// which of its blocks, and where in the plain block, in bytes.
type Location struct {
	Pack                  uint32
	Block, Offset, Length uint32
	Live                  bool
}

// Has reports whether a chunk lies in a live pack. Where the index is damaged it says no, since a chunk that is stored
// twice does no harm.
func (x *Index) Has(id *chunk.ID) (bool, error) {
	var buf [maxPlaces]place
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.closed {
		return false, ErrClosed
	}
	if len(x.live) == 0 {
		return false, nil
	}
	var k [1 + len(chunk.ID{})]byte
	key := chunkKey(k[:], id)
	for _, d := range x.both() {
		if d == nil {
			continue
		}
		places, _, err := d.places(key, buf[:0])
		if err != nil && !errors.Is(err, ErrDamaged) {
			return false, err
		}
		if err == nil && slices.ContainsFunc(places, func(p place) bool { return x.live.has(p.pack) }) {
			return true, nil
		}
	}
	return false, nil
}

// both returns the base and the delta, either of which may be nil. mu must be held.
func (x *Index) both() [2]*database {
	var d *database
	if x.delta != nil {
		d = x.delta.database
	}
	return [2]*database{x.base, d}
}

// Lookup appends the places of a chunk to dst, at most four, those in live packs first. A chunk that is not there has
// none. The error is ErrDamaged when that cannot be told.
func (x *Index) Lookup(id chunk.ID, dst []Location) ([]Location, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.closed {
		return dst, ErrClosed
	}
	return x.lookup(id, dst)
}

// lookup does what Lookup says. mu must be held.
func (x *Index) lookup(id chunk.ID, dst []Location) ([]Location, error) {
	var buf [2 * maxPlaces]place
	places := buf[:0]
	key := chunkKey(nil, &id)
	for _, d := range x.both() {
		if d == nil {
			continue
		}
		var found bool
		var err error
		if places, found, err = d.places(key, places); err != nil {
			return dst, err
		}
		if !found && d == x.base {
			if err := d.confirm(key); err != nil {
				return dst, err
			}
		}
	}
	n := len(dst)
	for _, live := range []bool{true, false} {
		for _, p := range places {
			if len(dst) < n+maxPlaces && x.live.has(p.pack) == live {
				dst = append(dst, Location{x.tagged(p.pack), p.block, p.offset, p.length, live})
			}
		}
	}
	return dst, nil
}

// confirm returns ErrDamaged unless the base is whole where a key would be that was not found.
func (d *database) confirm(key []byte) error {
	c := d.cursor(key[0], key[1:])
	defer c.close()
	if c.err == nil && (!c.it.Valid() || bytes.Equal(c.key, key[1:]) && c.valid()) {
		c.err = fmt.Errorf("no key at or after %x: %w", key, ErrDamaged)
	}
	if c.err != nil {
		d.bad.Store(true)
	}
	return c.err
}

func (x *Index) tagged(o uint32) uint32 { return x.tag<<ordinalBits | o }

const (
	lookers   = 8   // so many pages of a cold index are read at once
	lookBatch = 512 // chunks for which mu is held
)

// lookRef stands for one of many chunks that are looked up: the start of its ID and its index.
type lookRef struct {
	first uint64
	i     int
}

// LookupAll calls found for each place of each of many chunks, with the chunk's index in ids, on one goroutine at a
// time and in no order; the places of one chunk come together, live ones first. It reads the index in order and in
// several places at once, which is much faster than Lookup when it is not in memory. Errors are those of Lookup and
// the context's; found may have been called before.
func (x *Index) LookupAll(ctx context.Context, ids []chunk.ID, found func(i int, l Location)) error {
	refs := make([]lookRef, len(ids))
	for i := range ids {
		refs[i] = lookRef{binary.BigEndian.Uint64(ids[i][:]), i}
	}
	slices.SortFunc(refs, func(a, b lookRef) int { return cmp.Compare(a.first, b.first) })
	var telling sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	for part := range slices.Chunk(refs, max(1, (len(refs)+lookers-1)/lookers)) {
		g.Go(func() error {
			var locs []Location
			var ends []int
			for batch := range slices.Chunk(part, lookBatch) {
				if err := ctx.Err(); err != nil {
					return err
				}
				var err error
				if locs, ends, err = x.lookupBatch(ids, batch, locs[:0], ends[:0]); err != nil {
					return err
				}
				telling.Lock()
				at := 0
				for n, r := range batch {
					for ; at < ends[n]; at++ {
						found(r.i, locs[at])
					}
				}
				telling.Unlock()
			}
			return nil
		})
	}
	return g.Wait()
}

// lookupBatch appends the places of chunks to locs, and where those of each end to ends.
func (x *Index) lookupBatch(ids []chunk.ID, batch []lookRef, locs []Location, ends []int) ([]Location, []int, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.closed {
		return locs, ends, ErrClosed
	}
	for _, r := range batch {
		var err error
		if locs, err = x.lookup(ids[r.i], locs); err != nil {
			return locs, ends, err
		}
		ends = append(ends, len(locs))
	}
	return locs, ends, nil
}
