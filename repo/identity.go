package repo

import (
	"savepoint/chunk"
	"savepoint/repo/pack"
)

// ChunkKey returns the key of the IDs of chunks in packs of the kind, for whoever holds a chunk's bytes and wants to know whether they
// are those that its ID stands for. It is safe for concurrent use.
func (r *Repo) ChunkKey(kind pack.Kind) *chunk.Key { return r.key(kind) }
