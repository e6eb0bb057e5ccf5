package tree

import "savepoint/chunk"

// cutMask has the bits that are zero where a page or a node may end: one x in
// 64 on average.
const cutMask = 1<<6 - 1

// Cutter decides where pages and nodes may end. It depends on a secret, so
// that nobody who chooses names chooses where. It is safe for concurrent use.
type Cutter struct{ key *chunk.Key }

// NewCutter returns the Cutter of a secret, the repository's page-cut key.
func NewCutter(secret [32]byte) *Cutter { return &Cutter{chunk.NewKey(secret)} }

// Ends reports whether x, a name or the bytes of an ID, may end a page or a
// node. It keeps nothing of x.
func (c *Cutter) Ends(x []byte) bool {
	id := c.key.Sum(x)
	return id[len(id)-1]&cutMask == 0
}
