package pack

import (
	"encoding/hex"
	"errors"
	"fmt"

	"savepoint/chunk"
	"savepoint/repo/seal"
)

// Sizes of the format, in bytes.
const (
	Target    = 32 << 20 // where a writer closes a pack
	MaxSize   = 64 << 20 // what a reader accepts
	MaxPlain  = 9 << 20  // a plain block
	MaxChunk  = 8 << 20
	MaxChunks = 65536 // in one pack

	// BlockTarget is where a writer closes a block.
	BlockTarget = 512 << 10

	blockHeaderLen = 16
	blockEntryLen  = 20
	chunkEntryLen  = 44
	trailerLen     = 12
	endMagic       = "SAVEEND\x00"
)

// BufferLen is how long the buffer of a [Builder] must be: a pack closed at Target, or one largest block, and its directory.
const BufferLen = Target + blockHeaderLen + seal.TagLen + seal.HeaderLen + 8 + MaxChunks*(chunkEntryLen+blockEntryLen) + seal.TagLen + trailerLen

// Size returns how many bytes a pack with these blocks, which follow one another, and that many chunks has.
func Size(blocks []BlockInfo, chunks int) int64 {
	end := int64(seal.HeaderLen)
	if n := len(blocks); n > 0 {
		end = blocks[n-1].End()
	}
	return end + 8 + int64(len(blocks))*blockEntryLen + int64(chunks)*chunkEntryLen + seal.TagLen + trailerLen
}

// ErrDamaged is returned for bytes that are not a pack, or part of one, as it was written.
var ErrDamaged = errors.New("pack is damaged")

// ID names a pack: the plain BLAKE3-256 of all its bytes.
type ID [32]byte

// String returns the ID in hex.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Kind says what a pack holds. The numbers are those of index segments.
type Kind uint8

// The kinds of packs.
const (
	Data Kind = 1
	Meta Kind = 2
)

// String returns the folder that packs of the kind lie in.
func (k Kind) String() string {
	if k == Meta {
		return "meta"
	}
	return "data"
}

// Seal returns the kind that headers of such packs carry.
func (k Kind) Seal() seal.Kind {
	if k == Meta {
		return seal.MetaPack
	}
	return seal.DataPack
}

// Name returns the object name of a pack.
func Name(k Kind, id ID) string {
	s := id.String()
	return k.String() + "/" + s[:2] + "/" + s
}

// ParseName reads what [Name] writes; false for every other text.
func ParseName(name string) (Kind, ID, bool) {
	for _, k := range []Kind{Data, Meta} {
		if rest := len(k.String()) + len("/00/"); len(name) == rest+2*len(ID{}) {
			if id, err := ParseID(name[rest:]); err == nil && Name(k, id) == name {
				return k, id, true
			}
		}
	}
	return 0, ID{}, false
}

// ParseID reads what [ID.String] writes.
func ParseID(s string) (ID, error) {
	id, err := chunk.ParseID(s)
	if err != nil {
		return ID{}, fmt.Errorf("pack name: %w", err)
	}
	return ID(id), nil
}

// BlockInfo says where a block lies in its pack and how it is stored. Lengths are in bytes; Stored counts the tag but
// not the block header.
type BlockInfo struct {
	Offset, Stored, Plain uint32
	Codec                 uint8
	Dictionary            uint32
}

// End returns the offset of the byte after the block.
func (b BlockInfo) End() int64 { return int64(b.Offset) + blockHeaderLen + int64(b.Stored) }

// Len returns the bytes that the block takes in its pack, header included.
func (b BlockInfo) Len() int64 { return blockHeaderLen + int64(b.Stored) }

// Entry says where a chunk lies: the index of its block in the pack, and its place in the plain block.
type Entry struct {
	Chunk                 chunk.ID
	Block, Offset, Length uint32
}

// Directory lists the blocks of a pack in order of offset and its chunks in order of block and offset.
type Directory struct {
	Blocks  []BlockInfo
	Entries []Entry
}
