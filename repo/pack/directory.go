package pack

import (
	"encoding/binary"
	"fmt"

	"savepoint/chunk"
	"savepoint/repo/seal"
)

func (d Directory) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(d.Blocks)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(d.Entries)))
	dst = AppendBlocks(dst, d.Blocks)
	for _, e := range d.Entries {
		dst = append(dst, e.Chunk[:]...)
		dst = binary.BigEndian.AppendUint32(dst, e.Block)
		dst = binary.BigEndian.AppendUint32(dst, e.Offset)
		dst = binary.BigEndian.AppendUint32(dst, e.Length)
	}
	return dst
}

// AppendBlocks appends the 20 bytes of each block to dst, as directories and segments hold them.
func AppendBlocks(dst []byte, blocks []BlockInfo) []byte {
	for _, b := range blocks {
		dst = binary.BigEndian.AppendUint32(dst, b.Offset)
		dst = b.appendHeader(dst)
	}
	return dst
}

// ParseBlocks reads all blocks of a pack, n, from b, which must have 20 bytes for each. Each follows the one before.
func ParseBlocks(b []byte, n int) ([]BlockInfo, error) {
	if len(b) != n*blockEntryLen {
		return nil, fmt.Errorf("%d bytes of blocks for %d: %w", len(b), n, ErrDamaged)
	}
	out := make([]BlockInfo, n)
	for i := range out {
		at := b[i*blockEntryLen:]
		var err error
		if out[i], err = parseBlockHeader(at[4:], int64(binary.BigEndian.Uint32(at))); err != nil {
			return nil, err
		}
	}
	return out, checkBlocks(out)
}

// checkBlocks checks that blocks can be those of a pack: each one possible, and right behind the one before.
func checkBlocks(blocks []BlockInfo) error {
	at := int64(seal.HeaderLen)
	for _, b := range blocks {
		if int64(b.Offset) != at {
			return fmt.Errorf("block at %d where one at %d belongs: %w", b.Offset, at, ErrDamaged)
		}
		if err := b.check(); err != nil {
			return err
		}
		if at = b.End(); at > MaxSize {
			return fmt.Errorf("block beyond the longest pack: %w", ErrDamaged)
		}
	}
	return nil
}

// ParseDirectory reads the plain bytes of a directory and checks that it is consistent.
func ParseDirectory(b []byte) (Directory, error) {
	var d Directory
	if len(b) < 8 {
		return d, fmt.Errorf("directory of %d bytes: %w", len(b), ErrDamaged)
	}
	nb, ne := uint64(binary.BigEndian.Uint32(b)), uint64(binary.BigEndian.Uint32(b[4:]))
	if uint64(len(b)-8) != nb*blockEntryLen+ne*chunkEntryLen {
		return d, fmt.Errorf("directory of %d bytes for %d blocks and %d chunks: %w", len(b), nb, ne, ErrDamaged)
	}
	b = b[8:]
	var err error
	if d.Blocks, err = ParseBlocks(b[:nb*blockEntryLen], int(nb)); err != nil {
		return Directory{}, err
	}
	b = b[nb*blockEntryLen:]
	d.Entries = make([]Entry, ne)
	for i := range d.Entries {
		at := b[i*chunkEntryLen:]
		d.Entries[i] = Entry{Chunk: chunk.ID(at[:32]), Block: binary.BigEndian.Uint32(at[32:]),
			Offset: binary.BigEndian.Uint32(at[36:]), Length: binary.BigEndian.Uint32(at[40:])}
	}
	if err := d.Validate(); err != nil {
		return Directory{}, err
	}
	return d, nil
}

// Validate checks what docs/format.md says of directories: blocks follow one another from the header on, chunks fill
// their blocks without gaps.
func (d Directory) Validate() error {
	if err := checkBlocks(d.Blocks); err != nil {
		return err
	}
	i := 0
	for n, b := range d.Blocks {
		pos, count := uint64(0), uint64(0)
		for ; i < len(d.Entries) && d.Entries[i].Block == uint32(n); i++ {
			e := d.Entries[i]
			if uint64(e.Offset) != pos || e.Length == 0 || e.Length > MaxChunk {
				return fmt.Errorf("chunk %s is misplaced: %w", e.Chunk, ErrDamaged)
			}
			pos += uint64(e.Length)
			count++
		}
		if pos+4*count+4 != uint64(b.Plain) { // at least 5: there is a chunk
			return fmt.Errorf("chunks do not fill block %d: %w", n, ErrDamaged)
		}
	}
	if i != len(d.Entries) {
		return fmt.Errorf("chunk %s is in no block: %w", d.Entries[i].Chunk, ErrDamaged)
	}
	return nil
}
