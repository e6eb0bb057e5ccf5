package pack

import (
	"fmt"

	"savepoint/chunk"
	"savepoint/repo/seal"
)

// Check opens the whole pack in b and compares every chunk with its ID. It returns the directory. Errors are ErrDamaged,
// [seal.ErrDamaged], [seal.ErrNewer] or [seal.ErrOlder].
func Check(r *seal.Ring, c *Codec, kind Kind, key *chunk.Key, b []byte) (Directory, error) {
	o, err := openerOf(r, c, kind, b)
	if err != nil {
		return Directory{}, err
	}
	off, n, err := ParseTrailer(b, int64(len(b)))
	if err != nil {
		return Directory{}, err
	}
	d, err := o.Directory(off, b[off:off+n])
	if err != nil {
		return Directory{}, err
	}
	var plain []byte
	rest := d.Entries
	for i, info := range d.Blocks {
		if plain, err = o.Block(plain[:0], info, b[info.Offset:info.End()]); err != nil {
			return Directory{}, err
		}
		found, err := entriesOf(key, plain, uint32(i))
		if err != nil {
			return Directory{}, fmt.Errorf("block at %d: %w", info.Offset, err)
		}
		// The directory is consistent, so this many belong to the block if there are as many.
		for j, e := range found {
			if j >= len(rest) || rest[j] != e {
				return Directory{}, fmt.Errorf("block at %d has other chunks than the directory says: %w", info.Offset, ErrDamaged)
			}
		}
		rest = rest[len(found):]
	}
	return d, nil
}

// Scan finds the blocks and chunks of a pack whose end is lost: whole blocks from the header on, up to the first that does
// not open. It computes the IDs, so what it returns is as good as a directory. Only a header that is not one of this kind
// and repository's key is an error, as those of [Check] are.
func Scan(r *seal.Ring, c *Codec, kind Kind, key *chunk.Key, b []byte) (Directory, error) {
	var d Directory
	o, err := openerOf(r, c, kind, b)
	if err != nil {
		return d, err
	}
	b = b[:min(len(b), MaxSize)]
	var plain []byte
	for at := int64(seal.HeaderLen); at < int64(len(b)); {
		info, err := parseBlockHeader(b[at:], at)
		if err != nil || info.End() > int64(len(b)) {
			break
		}
		if plain, err = o.Block(plain[:0], info, b[at:info.End()]); err != nil {
			break
		}
		found, err := entriesOf(key, plain, uint32(len(d.Blocks)))
		if err != nil {
			break
		}
		d.Blocks, d.Entries = append(d.Blocks, info), append(d.Entries, found...)
		at = info.End()
	}
	return d, nil
}

// entriesOf returns what the plain block, the pack's block of that index, holds by its own table of lengths.
func entriesOf(key *chunk.Key, plain []byte, block uint32) ([]Entry, error) {
	lengths, err := tableOf(plain)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, len(lengths))
	pos := uint32(0)
	for i, n := range lengths {
		out[i] = Entry{key.Sum(plain[pos : pos+n]), block, pos, n}
		pos += n
	}
	return out, nil
}
