package index

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// merge writes the keys of a new base in order.
type merge struct {
	*builder
	ctx     context.Context
	w       *writer
	olds    []*database // the base, then the delta
	read    []counts    // of the olds
	listed  map[record.ID]*segment
	keep    bitmap // packs that a listed segment names
	live    bitmap // of the last SetLive
	n       counts
	key     []byte
	value   []byte
	places  []place
	kept    []place
	cursors []*cursor
}

// write writes and seals the database.
func (b *builder) write(ctx context.Context) error {
	m := &merge{builder: b, ctx: ctx}
	if b.from == fromBase {
		m.live = b.x.live
		m.olds = b.x.parts()
		m.read = make([]counts, len(m.olds))
	}
	m.listed = b.listedSegments()
	for _, g := range m.listed {
		if err := g.eachPack(m.keep.set); err != nil {
			return err
		}
	}
	size := int64(0)
	for _, d := range m.olds {
		size += d.entries
	}
	size = (size + b.rows.rows) * entryGuess
	var err error
	if m.w, err = newWriter(b.dir, size, func() error { return b.x.room(0) }); err != nil {
		return err
	}
	if err := m.all(); err != nil {
		return errors.Join(err, m.w.cancel())
	}
	if err := m.w.finish(); err != nil {
		return err
	}
	s := seal{Version: formatVersion, Repo: b.x.repo(), ID: randomID(), Built: time.Now().UnixNano(), Entries: m.n.entries, Packs: m.n.packs, Segments: m.n.segments, Next: b.next}
	return writeSeal(b.dir, s)
}

// listedSegments returns the applied segments, old and new, that are listed.
func (b *builder) listedSegments() map[record.ID]*segment {
	all := maps.Clone(b.segs)
	if b.from == fromBase {
		maps.Copy(all, b.x.segs)
	}
	maps.DeleteFunc(all, func(id record.ID, _ *segment) bool { return !b.x.listed[id] })
	return all
}

func (m *merge) all() error {
	steps := []func() error{m.chunks, m.packIDs, m.packInfos, m.segments, m.check}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// check compares what was read of each old database with what it held when it was closed: Badger's iterators end
// without an error at a block that is damaged.
func (m *merge) check() error {
	for i, d := range m.olds {
		if got := m.read[i]; got.entries != d.entries || got.packs != d.packs {
			d.bad.Store(true)
			return fmt.Errorf("%d chunks and %d packs of %d and %d could be read: %w", got.entries, got.packs, d.entries, d.packs, ErrDamaged)
		}
	}
	return nil
}

// open opens a cursor into each old database, and closes those before.
func (m *merge) open(prefix byte) {
	m.close()
	for _, d := range m.olds {
		m.cursors = append(m.cursors, d.cursor(prefix, nil))
	}
}

func (m *merge) close() {
	for _, c := range m.cursors {
		c.close()
	}
	m.cursors = nil
}

// upTo writes the old chunks before id, or all if it is nil, and gathers the places of the one that is id.
func (m *merge) upTo(id []byte) error {
	for {
		var first []byte
		for _, c := range m.cursors {
			if c.valid() && (first == nil || bytes.Compare(c.key, first) < 0) {
				first = c.key
			}
		}
		if first == nil || id != nil && bytes.Compare(first, id) > 0 {
			return nil
		}
		m.key = append(append(m.key[:0], keyChunk), first...)
		if err := m.gather(m.key[1:]); err != nil {
			return err
		}
		if id != nil && bytes.Equal(m.key[1:], id) {
			return nil
		}
		if err := m.flush(); err != nil {
			return err
		}
	}
}

// gather takes the places of a chunk from each cursor that is at it.
func (m *merge) gather(id []byte) error {
	for i, c := range m.cursors {
		if !c.valid() || !bytes.Equal(c.key, id) {
			continue
		}
		var err error
		if m.places, err = parsePlaces(m.places, c.value); err != nil {
			c.d.bad.Store(true)
			return err
		}
		m.read[i].entries++
		if c.next(); c.err != nil {
			c.d.bad.Store(true)
			return c.err
		}
	}
	return nil
}

// flush writes the chunk in key with the places that were gathered, live ones first, if any is in a pack that is kept.
func (m *merge) flush() error {
	m.kept = m.kept[:0]
	for _, want := range []bool{true, false} {
		for _, p := range m.places {
			if m.live.has(p.pack) == want && m.keep.has(p.pack) {
				m.kept = addPlace(m.kept, p)
			}
		}
	}
	m.places = m.places[:0]
	if len(m.kept) == 0 {
		return nil
	}
	if m.n.entries++; m.n.entries%4096 == 0 && m.ctx.Err() != nil {
		return m.ctx.Err()
	}
	m.value = appendPlaces(m.value[:0], m.kept)
	return m.w.put(m.key, m.value)
}

// chunks writes all chunks: old ones, and new ones between them.
func (m *merge) chunks() error {
	m.open(keyChunk)
	defer m.close()
	for _, c := range m.cursors {
		if c.err != nil {
			c.d.bad.Store(true)
			return c.err
		}
	}
	var last []byte
	err := m.rows.each(func(rows []byte) error {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		for ; len(rows) > 0; rows = rows[rowLen:] {
			if id := rows[:32]; last == nil || !bytes.Equal(last, id) {
				if last != nil {
					if err := m.flush(); err != nil {
						return err
					}
				}
				if err := m.upTo(id); err != nil {
					return err
				}
				m.key = append(append(m.key[:0], keyChunk), id...)
				last = append(last[:0], id...)
			}
			m.places = append(m.places, rowPlace(rows))
		}
		return nil
	})
	if err == nil && last != nil {
		err = m.flush()
	}
	if err != nil {
		return err
	}
	return m.upTo(nil)
}

// packIDs writes the ordinals by pack ID.
func (m *merge) packIDs() error {
	fresh := make([]pack.ID, 0, len(m.packs))
	for id := range m.packs {
		fresh = append(fresh, id)
	}
	slices.SortFunc(fresh, func(a, b pack.ID) int { return bytes.Compare(a[:], b[:]) })
	m.open(keyPackID)
	defer m.close()
	for {
		var first []byte
		from := -1
		for i, c := range m.cursors {
			if c.err != nil {
				c.d.bad.Store(true)
				return c.err
			}
			if c.valid() && (first == nil || bytes.Compare(c.key, first) < 0) {
				first, from = c.key, i
			}
		}
		var o uint32
		switch {
		case len(fresh) > 0 && (first == nil || bytes.Compare(fresh[0][:], first) < 0):
			first, o = fresh[0][:], m.packs[fresh[0]]
			fresh, from = fresh[1:], -1
		case first == nil:
			return nil
		default:
			if len(m.cursors[from].value) != 4 {
				return ErrDamaged
			}
			o = binary.BigEndian.Uint32(m.cursors[from].value)
			m.read[from].packs++
		}
		if m.keep.has(o) {
			m.n.packs++
			m.key = append(append(m.key[:0], keyPackID), first...)
			if err := m.w.put(m.key, binary.BigEndian.AppendUint32(nil, o)); err != nil {
				return err
			}
		}
		if from >= 0 {
			m.cursors[from].next()
		}
	}
}

// packInfos writes the packs by ordinal: the delta's come after the base's, and the new ones last.
func (m *merge) packInfos() error {
	for _, d := range m.olds {
		err := d.iterate(keyPack, func(key, value []byte) (bool, error) {
			if len(key) != 6 {
				return false, ErrDamaged
			}
			if !m.keep.has(binary.BigEndian.Uint32(key)) {
				return true, nil
			}
			m.key = append(append(m.key[:0], keyPack), key...)
			return true, m.w.put(m.key, value)
		})
		if err != nil {
			return err
		}
	}
	return m.spool.each(func(o uint32, value []byte) error { return pieces(packKey(o), value, m.w.put) })
}

// segments writes the listed segments.
func (m *merge) segments() error {
	ids := slices.Collect(maps.Keys(m.listed))
	slices.SortFunc(ids, func(a, b record.ID) int { return cmp.Compare(string(a[:]), string(b[:])) })
	for _, id := range ids {
		if err := pieces(segmentKey(id), m.listed[id].encode(), m.w.put); err != nil {
			return err
		}
		m.n.segments++
	}
	return nil
}
