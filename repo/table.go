package repo

import (
	"context"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// table answers, for one kind, which chunks lie where, as one listing shows it: a view holds the segments in memory, an indexed has
// them on disk.
type table interface {
	// has reports whether the chunk lies in a live pack.
	has(ctx context.Context, id chunk.ID) (bool, error)
	// locations calls yield for each place where a chunk lies, live packs first, until it returns false.
	locations(ctx context.Context, id chunk.ID, yield func(*Packed, pack.Entry) bool) error
	// unread says which segments could not be read, and are left out; nil: none.
	unread() error
	// standing returns the listed segments that are on time and that no other supersedes.
	standing() ([]listedSegment, error)
	// add takes in a segment that this session published in time as an object of size bytes, and reports whether has answers for its chunks from now on.
	add(id record.ID, size int64, s *record.Segment) (bool, error)
}
