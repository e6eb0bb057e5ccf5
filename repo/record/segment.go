package record

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"savepoint/chunk"
	"savepoint/internal/wire"
	"savepoint/repo/pack"
)

// Sizes of index segments, docs/format.md section 7.
const (
	MaxSegment  = 64 << 20
	fenceEvery  = 1024
	packLen     = 76
	blockLen    = 20
	entryLen    = 46
	maxSegPacks = 1 << 16
	maxSegHead  = 8 << 20
)

// SegmentPack is the whole directory of one pack as a segment carries it. Size is the pack's length in bytes.
type SegmentPack struct {
	ID   pack.ID
	Size uint32
	Salt [32]byte
	pack.Directory
}

type segmentHead struct {
	Kind       uint8    `cbor:"1,keyasint"`
	Lease      []byte   `cbor:"2,keyasint,omitempty"`
	Began      int64    `cbor:"3,keyasint,omitempty"`
	Renewed    int64    `cbor:"4,keyasint,omitempty"`
	Supersedes [][]byte `cbor:"5,keyasint,omitempty"`
	Packs      uint32   `cbor:"6,keyasint,omitempty"`
	Blocks     uint32   `cbor:"7,keyasint,omitempty"`
	Entries    uint32   `cbor:"8,keyasint,omitempty"`
	FenceEvery uint32   `cbor:"9,keyasint,omitempty"`
}

// SegmentSize returns about how many bytes a segment of that many packs, blocks and chunks has.
func SegmentSize(packs, blocks, entries int) int64 {
	return 4096 + int64(packs)*packLen + int64(blocks)*blockLen + int64(entries)*entryLen + int64(entries/fenceEvery+1)*32
}

// EncodeSegment returns the payload of a segment. Packs may come in any order, each once, at most 65,536, every one with
// its whole directory.
func EncodeSegment(kind pack.Kind, s Session, supersedes []ID, packs []SegmentPack) ([]byte, error) {
	packs = slices.Clone(packs)
	slices.SortFunc(packs, func(a, b SegmentPack) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	h := segmentHead{Kind: uint8(kind), Lease: s.Lease[:], Began: s.Began, Renewed: s.Renewed, Packs: uint32(len(packs)), FenceEvery: fenceEvery}
	for _, id := range supersedes {
		h.Supersedes = append(h.Supersedes, id[:])
	}
	blocks, entries, err := countPacks(packs)
	if err != nil {
		return nil, fmt.Errorf("segment: %w", err)
	}
	h.Blocks, h.Entries = uint32(blocks), uint32(entries)
	head, err := wire.Marshal(h)
	if err != nil {
		return nil, err
	}
	size := SegmentSize(len(packs), blocks, entries) + int64(len(head))
	if !validKind(kind) || len(packs) > maxSegPacks || len(head) > maxSegHead || size > MaxSegment {
		return nil, fmt.Errorf("segment of kind %d with %d packs, %d chunks and %d segments that it supersedes cannot be", kind, len(packs), entries, len(supersedes))
	}
	out := make([]byte, 0, size)
	out = append(binary.BigEndian.AppendUint32(out, uint32(len(head))), head...)
	sorted := sortEntries(packs, entries)
	for i := 0; i < entries; i += fenceEvery {
		out = append(out, sorted[i].chunk[:]...)
	}
	out = appendPacks(out, packs)
	for i := range sorted {
		e := &packs[sorted[i].pack].Entries[sorted[i].index]
		out = append(out, e.Chunk[:]...)
		out = binary.BigEndian.AppendUint16(out, uint16(sorted[i].pack))
		out = binary.BigEndian.AppendUint32(out, e.Block)
		out = binary.BigEndian.AppendUint32(out, e.Offset)
		out = binary.BigEndian.AppendUint32(out, e.Length)
	}
	return out, nil
}

// countPacks returns how many blocks and entries the packs have, which are in order of ID, and says what is wrong with
// one: what DecodeSegment refuses must not be written.
func countPacks(packs []SegmentPack) (blocks, entries int, err error) {
	for i := range packs {
		p := &packs[i]
		if i > 0 && packs[i-1].ID == p.ID {
			return 0, 0, fmt.Errorf("pack %s is there twice", p.ID)
		}
		if err := p.Validate(); err != nil {
			return 0, 0, fmt.Errorf("pack %s: %w", p.ID, err)
		}
		if len(p.Blocks) == 0 {
			return 0, 0, fmt.Errorf("pack %s has no block", p.ID)
		}
		if want := pack.Size(p.Blocks, len(p.Entries)); int64(p.Size) != want || want > pack.MaxSize {
			return 0, 0, fmt.Errorf("pack %s of %d bytes has a directory for %d", p.ID, p.Size, want)
		}
		blocks += len(p.Blocks)
		entries += len(p.Entries)
	}
	return blocks, entries, nil
}

// entryRef says where an entry is: the index of its pack, and its own there, which is in order of block and offset.
type entryRef struct {
	chunk       *chunk.ID
	first       uint64 // the start of the chunk ID, which decides nearly all comparisons
	pack, index uint32
}

// sortEntries returns the n entries of all packs in the order of a segment.
func sortEntries(packs []SegmentPack, n int) []entryRef {
	refs := make([]entryRef, 0, n)
	for i := range packs {
		for j := range packs[i].Entries {
			id := &packs[i].Entries[j].Chunk
			refs = append(refs, entryRef{id, binary.BigEndian.Uint64(id[:]), uint32(i), uint32(j)})
		}
	}
	slices.SortFunc(refs, func(a, b entryRef) int {
		if a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		if c := bytes.Compare(a.chunk[:], b.chunk[:]); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.pack, b.pack), cmp.Compare(a.index, b.index))
	})
	return refs
}

func appendPacks(out []byte, packs []SegmentPack) []byte {
	first := uint32(0)
	for _, p := range packs {
		out = append(out, p.ID[:]...)
		out = binary.BigEndian.AppendUint32(out, p.Size)
		out = append(out, p.Salt[:]...)
		out = binary.BigEndian.AppendUint32(out, first)
		out = binary.BigEndian.AppendUint32(out, uint32(len(p.Blocks)))
		first += uint32(len(p.Blocks))
	}
	for _, p := range packs {
		out = pack.AppendBlocks(out, p.Blocks)
	}
	return out
}
