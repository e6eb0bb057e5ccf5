package index

import (
	"encoding/binary"
	"fmt"
	"slices"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// The first byte of a key says what it is. The order of these bytes is the order in which a base is written.
const (
	keyChunk   = 'c' // chunk ID: places
	keyPackID  = 'i' // pack ID: ordinal
	keyPack    = 'p' // ordinal, piece: what a segment says of the pack
	keySegment = 's' // segment ID, piece: an applied segment
	keyEnd     = 'z' // the last key of a base: whoever seeks a key finds one, or the base is damaged
)

// maxPlaces is how many places of a chunk are kept.
const maxPlaces = 4

// place says where a chunk lies. Pack is an ordinal.
type place struct {
	pack, block, offset, length uint32
}

func chunkKey(dst []byte, id *chunk.ID) []byte { return append(append(dst[:0], keyChunk), id[:]...) }

func packIDKey(id *pack.ID) []byte { return append([]byte{keyPackID}, id[:]...) }

func packKey(ordinal uint32) []byte { return binary.BigEndian.AppendUint32([]byte{keyPack}, ordinal) }

func segmentKey(id record.ID) []byte { return append([]byte{keySegment}, id[:]...) }

// appendPlaces appends the value of a chunk: four varints for each place.
func appendPlaces(dst []byte, places []place) []byte {
	for _, p := range places {
		dst = binary.AppendUvarint(dst, uint64(p.pack))
		dst = binary.AppendUvarint(dst, uint64(p.block))
		dst = binary.AppendUvarint(dst, uint64(p.offset))
		dst = binary.AppendUvarint(dst, uint64(p.length))
	}
	return dst
}

// parsePlaces appends what appendPlaces wrote to dst. It refuses what that does not write.
func parsePlaces(dst []place, b []byte) ([]place, error) {
	if len(b) == 0 {
		return dst, fmt.Errorf("chunk without a place: %w", ErrDamaged)
	}
	for n := 0; len(b) > 0; n++ {
		var f [4]uint32
		for i := range f {
			var err error
			if f[i], b, err = uvarint32(b); err != nil || n == maxPlaces {
				return dst, fmt.Errorf("place of a chunk: %w", ErrDamaged)
			}
		}
		dst = append(dst, place{f[0], f[1], f[2], f[3]})
	}
	return dst, nil
}

func uvarint32(b []byte) (uint32, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > 1<<32-1 {
		return 0, nil, ErrDamaged
	}
	return uint32(v), b[n:], nil
}

// packFixed is how long the value of a pack is before its blocks, of which each takes blockLen.
const (
	packFixed = 32 + 4 + 32
	blockLen  = 20
)

func appendPack(dst []byte, p *record.SegmentPackInfo) []byte {
	dst = append(dst, p.ID[:]...)
	dst = binary.BigEndian.AppendUint32(dst, p.Size)
	dst = append(dst, p.Salt[:]...)
	return pack.AppendBlocks(dst, p.Blocks)
}

func parsePack(b []byte) (*record.SegmentPackInfo, error) {
	if len(b) < packFixed || (len(b)-packFixed)%blockLen != 0 {
		return nil, fmt.Errorf("pack of %d bytes: %w", len(b), ErrDamaged)
	}
	p := &record.SegmentPackInfo{ID: pack.ID(b), Size: binary.BigEndian.Uint32(b[32:]), Salt: [32]byte(b[36:])}
	var err error
	if p.Blocks, err = pack.ParseBlocks(b[packFixed:], (len(b)-packFixed)/blockLen); err != nil {
		return nil, fmt.Errorf("pack %s: %w: %w", p.ID, ErrDamaged, err)
	}
	return p, nil
}

// segment is what is kept of an applied segment. Packs holds ascending ordinals, each as the difference to the one before.
type segment struct {
	size       int64 // of the object
	session    record.Session
	supersedes []record.ID
	packs      []byte
}

// newSegment makes one; ordinals may come in any order.
func newSegment(l Listed, s *record.Segment, ordinals []uint32) *segment {
	g := &segment{size: l.Size, session: s.Session, supersedes: s.Supersedes}
	ordinals = slices.Clone(ordinals)
	slices.Sort(ordinals)
	last := uint32(0)
	for _, o := range ordinals {
		g.packs = binary.AppendUvarint(g.packs, uint64(o-last))
		last = o
	}
	return g
}

// eachPack calls yield for the ordinal of each pack that the segment names.
func (g *segment) eachPack(yield func(ordinal uint32)) error {
	at := uint64(0)
	for b := g.packs; len(b) > 0; {
		d, rest, err := uvarint32(b)
		if at += uint64(d); err != nil || at > maxOrdinal {
			return fmt.Errorf("packs of a segment: %w", ErrDamaged)
		}
		yield(uint32(at))
		b = rest
	}
	return nil
}

func (g *segment) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(g.size))
	b = append(b, g.session.Lease[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(g.session.Began))
	b = binary.BigEndian.AppendUint64(b, uint64(g.session.Renewed))
	b = binary.BigEndian.AppendUint32(b, uint32(len(g.supersedes)))
	for _, id := range g.supersedes {
		b = append(b, id[:]...)
	}
	return append(b, g.packs...)
}

func parseSegment(b []byte) (*segment, error) {
	if len(b) < 44 {
		return nil, fmt.Errorf("segment of %d bytes: %w", len(b), ErrDamaged)
	}
	size, b := int64(binary.BigEndian.Uint64(b)), b[8:]
	g := &segment{size: size, session: record.Session{Lease: record.ID(b), Began: int64(binary.BigEndian.Uint64(b[16:])),
		Renewed: int64(binary.BigEndian.Uint64(b[24:]))}}
	n := int64(binary.BigEndian.Uint32(b[32:]))
	if b = b[36:]; n*16 > int64(len(b)) {
		return nil, fmt.Errorf("segment that supersedes %d in %d bytes: %w", n, len(b), ErrDamaged)
	}
	for range n {
		g.supersedes, b = append(g.supersedes, record.ID(b)), b[16:]
	}
	g.packs = b
	return g, g.eachPack(func(uint32) {})
}

// pieceLen is how long a piece of a long value is: Badger's tables and batches are made for short ones.
const pieceLen = 16 << 10

// pieces calls put for each piece of a value that may be long, under the key and the number of the piece. The first
// begins with the length of all.
func pieces(key, value []byte, put func(key, value []byte) error) error {
	b := append(binary.AppendUvarint(nil, uint64(len(value))), value...)
	for i := uint16(0); ; i++ {
		n := min(len(b), pieceLen)
		if err := put(binary.BigEndian.AppendUint16(slices.Clone(key), i), b[:n]); err != nil {
			return err
		}
		if b = b[n:]; len(b) == 0 {
			return nil
		}
	}
}

// joiner puts pieces together again.
type joiner struct {
	key  []byte
	b    []byte
	want int
	next uint16
}

// add takes in the next key and value in order of key. It returns the key and the whole value with the last piece.
func (j *joiner) add(key, value []byte) (whole, joined []byte, err error) {
	if len(key) < 3 {
		return nil, nil, fmt.Errorf("key of %d bytes: %w", len(key), ErrDamaged)
	}
	part := binary.BigEndian.Uint16(key[len(key)-2:])
	key = key[:len(key)-2]
	if part == 0 {
		n, used := binary.Uvarint(value)
		if used <= 0 || n > 1<<26 || j.b != nil && len(j.b) != j.want {
			return nil, nil, fmt.Errorf("piece of a value: %w", ErrDamaged)
		}
		j.key, j.b, j.want, j.next = append(j.key[:0], key...), append(j.b[:0:0], value[used:]...), int(n), 1
	} else {
		if part != j.next || string(key) != string(j.key) {
			return nil, nil, fmt.Errorf("piece %d of a value: %w", part, ErrDamaged)
		}
		j.b = append(j.b, value...)
		j.next++
	}
	switch {
	case len(j.b) > j.want:
		return nil, nil, fmt.Errorf("value of %d bytes, not %d: %w", len(j.b), j.want, ErrDamaged)
	case len(j.b) < j.want:
		return nil, nil, nil
	}
	joined = j.b
	j.b = nil
	return j.key, joined, nil
}
