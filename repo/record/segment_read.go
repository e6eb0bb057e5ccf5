package record

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"savepoint/chunk"
	"savepoint/internal/wire"
	"savepoint/repo/pack"
)

// Segment is a decoded segment. The entries stay as stored and are read in place.
type Segment struct {
	Kind       pack.Kind
	Session    Session
	Supersedes []ID
	Packs      []SegmentPackInfo
	entries    []byte
}

// SegmentPackInfo is what a segment says of one pack, without its chunks.
type SegmentPackInfo struct {
	ID     pack.ID
	Size   uint32
	Salt   [32]byte
	Blocks []pack.BlockInfo
}

// DecodeSegment reads a payload, which the segment keeps, and checks all of it. Errors are ErrMalformed or ErrNewer.
func DecodeSegment(b []byte) (*Segment, error) {
	s, err := decodeSegment(b)
	if err != nil {
		return nil, fmt.Errorf("segment: %w", err)
	}
	return s, nil
}

func decodeSegment(b []byte) (*Segment, error) {
	if len(b) < 4 || len(b) > MaxSegment {
		return nil, fmt.Errorf("%d bytes: %w", len(b), ErrMalformed)
	}
	n := int64(binary.BigEndian.Uint32(b))
	if n > maxSegHead || 4+n > int64(len(b)) {
		return nil, fmt.Errorf("head of %d bytes: %w", n, ErrMalformed)
	}
	var h segmentHead
	if err := wire.Unmarshal(b[4:4+n], &h); err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	b = b[4+n:]
	fences := (int64(h.Entries) + fenceEvery - 1) / fenceEvery * 32
	packs, blocks := fences+int64(h.Packs)*packLen, int64(h.Blocks)*blockLen
	if h.FenceEvery != fenceEvery || h.Packs > maxSegPacks || packs+blocks+int64(h.Entries)*entryLen != int64(len(b)) {
		return nil, fmt.Errorf("head does not fit the %d bytes behind it: %w", len(b), ErrMalformed)
	}
	s := &Segment{entries: b[packs+blocks:]}
	if err := s.takeHead(h); err != nil {
		return nil, err
	}
	if err := s.parsePacks(b[fences:packs], b[packs:packs+blocks], int(h.Packs)); err != nil {
		return nil, err
	}
	if err := s.checkOrder(b[:fences]); err != nil {
		return nil, err
	}
	if err := s.checkWhole(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Segment) takeHead(h segmentHead) error {
	if s.Kind = pack.Kind(h.Kind); !validKind(s.Kind) {
		return fmt.Errorf("of kind %d: %w", h.Kind, ErrMalformed)
	}
	var err error
	if s.Session, err = session(h.Lease, h.Began, h.Renewed); err != nil {
		return err
	}
	s.Supersedes = make([]ID, len(h.Supersedes))
	for i, id := range h.Supersedes {
		if len(id) != len(ID{}) {
			return fmt.Errorf("segment ID of %d bytes: %w", len(id), ErrMalformed)
		}
		s.Supersedes[i] = ID(id)
	}
	return nil
}

// parsePacks reads the table of n packs and that of their blocks.
func (s *Segment) parsePacks(table, blocks []byte, n int) error {
	s.Packs = make([]SegmentPackInfo, n)
	next := int64(0)
	for i := range s.Packs {
		at := table[i*packLen:]
		p := &s.Packs[i]
		p.ID, p.Size, p.Salt = pack.ID(at[:32]), binary.BigEndian.Uint32(at[32:]), [32]byte(at[36:68])
		first, count := int64(binary.BigEndian.Uint32(at[68:])), int64(binary.BigEndian.Uint32(at[72:]))
		end := (first + count) * blockLen
		if first != next || count == 0 || end > int64(len(blocks)) {
			return fmt.Errorf("blocks of pack %s: %w", p.ID, ErrMalformed)
		}
		if i > 0 && bytes.Compare(s.Packs[i-1].ID[:], p.ID[:]) >= 0 {
			return fmt.Errorf("packs out of order: %w", ErrMalformed)
		}
		next += count
		var err error
		if p.Blocks, err = pack.ParseBlocks(blocks[first*blockLen:end], int(count)); err != nil {
			return fmt.Errorf("pack %s: %w: %w", p.ID, ErrMalformed, err)
		}
	}
	if next*blockLen != int64(len(blocks)) {
		return fmt.Errorf("blocks of no pack: %w", ErrMalformed)
	}
	return nil
}

// orderLen is how many bytes of an entry decide its order: chunk ID, pack, block and offset, all big-endian.
const orderLen = 32 + 2 + 4 + 4

func (s *Segment) checkOrder(fences []byte) error {
	for i := range s.Len() {
		e := s.at(i)
		if i > 0 && bytes.Compare(s.at(i - 1)[:orderLen], e[:orderLen]) >= 0 {
			return fmt.Errorf("entries out of order: %w", ErrMalformed)
		}
		if i%fenceEvery == 0 && !bytes.Equal(e[:32], fences[i/fenceEvery*32:][:32]) {
			return fmt.Errorf("fence does not match: %w", ErrMalformed)
		}
	}
	return nil
}

// checkWhole checks that each block is as full as it says, and each pack as long.
func (s *Segment) checkWhole() error {
	starts, counts := s.blockStarts(), make([]int, len(s.Packs))
	filled := make([]uint64, starts[len(s.Packs)])
	for i := range s.Len() {
		p, e := s.Entry(i)
		if p >= len(s.Packs) || uint64(e.Block) >= uint64(len(s.Packs[p].Blocks)) {
			return fmt.Errorf("chunk %s is in a block that is not there: %w", e.Chunk, ErrMalformed)
		}
		end := uint64(e.Offset) + uint64(e.Length)
		if e.Length == 0 || e.Length > pack.MaxChunk || end > uint64(s.Packs[p].Blocks[e.Block].Plain) {
			return fmt.Errorf("chunk %s lies outside its block: %w", e.Chunk, ErrMalformed)
		}
		filled[starts[p]+int(e.Block)] += uint64(e.Length) + 4
		counts[p]++
	}
	for i := range s.Packs {
		p := &s.Packs[i]
		for j, b := range p.Blocks {
			if filled[starts[i]+j]+4 != uint64(b.Plain) {
				return fmt.Errorf("chunks do not fill block %d of pack %s: %w", j, p.ID, ErrMalformed)
			}
		}
		if p.Size > pack.MaxSize || pack.Size(p.Blocks, counts[i]) != int64(p.Size) {
			return fmt.Errorf("pack %s is not as long as its directory says: %w", p.ID, ErrMalformed)
		}
	}
	return nil
}

// Len returns the number of entries.
func (s *Segment) Len() int { return len(s.entries) / entryLen }

func (s *Segment) at(i int) []byte { return s.entries[i*entryLen : (i+1)*entryLen] }

// Chunk returns the ID of entry i.
func (s *Segment) Chunk(i int) chunk.ID { return chunk.ID(s.at(i)[:32]) }

// Entry returns entry i and the index of its pack in Packs. Entries are in order of chunk ID.
func (s *Segment) Entry(i int) (packIndex int, e pack.Entry) {
	b := s.at(i)
	return int(binary.BigEndian.Uint16(b[32:])), pack.Entry{Chunk: chunk.ID(b[:32]), Block: binary.BigEndian.Uint32(b[34:]),
		Offset: binary.BigEndian.Uint32(b[38:]), Length: binary.BigEndian.Uint32(b[42:])}
}

// Find returns the first entry of a chunk.
func (s *Segment) Find(id chunk.ID) (int, bool) {
	i := sort.Search(s.Len(), func(i int) bool { return bytes.Compare(s.at(i)[:32], id[:]) >= 0 })
	return i, i < s.Len() && s.Chunk(i) == id
}

// Directories returns the whole directory of each pack, as EncodeSegment takes it: chunks in order of block and offset.
func (s *Segment) Directories() []SegmentPack {
	// Entries are put where their block begins and sorted there: blocks have few.
	starts := s.blockStarts()
	ends := make([]int, starts[len(s.Packs)]+1)
	for i := range s.Len() {
		p, e := s.Entry(i)
		ends[starts[p]+int(e.Block)+1]++
	}
	for i := 1; i < len(ends); i++ {
		ends[i] += ends[i-1]
	}
	all := make([]pack.Entry, s.Len())
	next := slices.Clone(ends)
	for i := range all {
		p, e := s.Entry(i)
		at := &next[starts[p]+int(e.Block)]
		all[*at] = e
		*at++
	}
	for i := 1; i < len(ends); i++ {
		slices.SortFunc(all[ends[i-1]:ends[i]], func(a, b pack.Entry) int { return cmp.Compare(a.Offset, b.Offset) })
	}
	out := make([]SegmentPack, len(s.Packs))
	for i, p := range s.Packs {
		from, to := ends[starts[i]], ends[starts[i+1]]
		out[i] = SegmentPack{ID: p.ID, Size: p.Size, Salt: p.Salt, Directory: pack.Directory{Blocks: p.Blocks, Entries: all[from:to:to]}}
	}
	return out
}

// blockStarts returns, for each pack, how many blocks the packs before it have, and at the end how many all have.
func (s *Segment) blockStarts() []int {
	starts := make([]int, len(s.Packs)+1)
	for i, p := range s.Packs {
		starts[i+1] = starts[i] + len(p.Blocks)
	}
	return starts
}
