package check

import (
	"hash/maphash"
	"sync"

	"savepoint/repo/tree"
)

// visits are the pages and nodes that were read. Each is read once, however many snapshots have it, unless what is said of it where
// it is named differs: then it is compared with that, too.
type visits struct {
	seed maphash.Seed

	mu     sync.Mutex
	claims map[prefix]uint64 // hash of what was said of it last
	bad    map[prefix]error  // of those that could not be read
}

func newVisits() visits {
	return visits{seed: maphash.MakeSeed(), claims: map[prefix]uint64{}, bad: map[prefix]error{}}
}

// claim is what an element says of its page or node.
type claim struct {
	length, count uint64
	first, limit  string
	kind          tree.Type
}

// enter notes a visit. It reports whether the page or node is to be read, and whether it is the first time.
func (v *visits) enter(p part) (read, first bool) {
	h := maphash.Comparable(v.seed, claim{p.el.Length, p.el.Count, p.el.First, p.limit, p.kind})
	v.mu.Lock()
	defer v.mu.Unlock()
	id := prefixOf(&p.el.ID)
	before, known := v.claims[id]
	v.claims[id] = h
	return !known || before != h, !known
}

// fail notes that a page or node cannot be read, or is not what is said of it.
func (v *visits) fail(p part, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bad[prefixOf(&p.el.ID)] = err
}
