package source

import (
	"encoding/binary"
	"math"
	"time"

	"savepoint/chunk"
	"savepoint/repo/tree"
)

// quiet is how long before the parent's start a file must have been left alone.
const quiet = 60 * time.Second

// Unchanged reports whether the object that m describes is as parent, its entry in the parent snapshot, has it, so that
// it need not be opened: its content and attributes are then parent's. ref is the parent's start by the clock of this
// host, the zero time if nothing may be taken for unchanged (see [Reference]).
//
// Type, size, inode, mtime and ctime must be equal, and mtime and ctime both before ref - 60 s: a store through mmap
// after the page was read moves neither until the page is written back, and clocks of kernels tick. Owner and
// mode must be equal too: another mapping of users shows others without a new ctime. A torn entry is never unchanged. Of
// a directory this speaks of the metadata only, and mostly it is not worth asking.
//
// The caller has to know more: [TrustTimes] of the file system, [Context].InPlace, and parent.Splitter, which
// is not 0 for what is rewritten in place; all of these are read whatever their times.
func Unchanged(parent *tree.Entry, m Meta, ref time.Time) bool {
	if ref.IsZero() || parent.Fault != 0 {
		return false
	}
	limit := ref.Add(-quiet)
	return parent.Type == m.Type && parent.Size == m.Size && parent.Inode == m.Inode &&
		parent.MTime == m.MTime && parent.CTime == m.CTime &&
		parent.Mode == m.Mode && parent.UID == m.UID && parent.GID == m.GID &&
		time.Unix(0, m.MTime).Before(limit) && time.Unix(0, m.CTime).Before(limit)
}

// Reference returns the time that [Unchanged] compares with: the parent's start by the host clock, or the zero time,
// with which everything is read, if the host clock has since been set back to before it.
func Reference(parentStart, now time.Time) time.Time {
	if now.Before(parentStart) {
		return time.Time{}
	}
	return parentStart
}

// SpotCheck reports whether this run re-reads an unchanged file to see that it is: one in a hundred, other ones each
// run, drawn by a keyed hash of its absolute path and the snapshot's number. That this comes to at most 1% of the bytes
// is for the caller to see to: one file may be most of them.
func SpotCheck(key *chunk.Key, path string, seq uint64) bool {
	// The number comes first and has a fixed length: no two (path, seq) are hashed as the same bytes.
	b := make([]byte, 0, 64+len(path))
	b = binary.BigEndian.AppendUint64(append(b, "savepoint spot check\x00"...), seq)
	id := key.Sum(append(b, path...))
	return binary.BigEndian.Uint64(id[:]) < math.MaxUint64/100
}
