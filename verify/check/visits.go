package check

import (
	"hash/maphash"
	"sync"

	"savepoint/repo/tree"
)

// visits are the pages and nodes that were met. Each is read once, however many snapshots have it, and once more for each other thing that
// is said of it where it is named: then it is compared with that, too.
type visits struct {
	seed maphash.Seed

	mu     sync.Mutex
	claims map[prefix]uint64   // what was said of it first; the lowest bit says that it was taken in
	more   map[uint64]struct{} // what else was said, of any
	bad    map[prefix]error    // of those that could not be used
	unread map[prefix]error    // of those that the store does not give
}

func newVisits() visits {
	return visits{seed: maphash.MakeSeed(), claims: map[prefix]uint64{}, more: map[uint64]struct{}{}, bad: map[prefix]error{}, unread: map[prefix]error{}}
}

// claim is what an element says of its page or node.
type claim struct {
	id            prefix
	length, count uint64
	first, limit  string
	kind          tree.Type
	depth         int
}

// claimOf returns one value for everything that can be said of a page or node.
func (v *visits) claimOf(p *part) uint64 {
	return maphash.Comparable(v.seed, claim{prefixOf(&p.el.ID), p.el.Length, p.el.Count, p.el.First, p.limit, p.kind, p.depth}) &^ 1
}

// meet notes that a part is named somewhere. It reports whether it is to be visited, and whether its page or node was not met before.
func (v *visits) meet(p *part) (visit, first bool) {
	h, id := v.claimOf(p), prefixOf(&p.el.ID)
	v.mu.Lock()
	defer v.mu.Unlock()
	before, known := v.claims[id]
	if !known {
		v.claims[id] = h
		return true, true
	}
	if before&^1 == h {
		return false, false
	}
	if _, known := v.more[h]; known {
		return false, false
	}
	v.more[h] = struct{}{}
	return true, false
}

// takeIn reports whether nothing was taken in yet of what a page, which was read, holds.
func (v *visits) takeIn(p *part) bool {
	id := prefixOf(&p.el.ID)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.claims[id]&1 != 0 {
		return false
	}
	v.claims[id] |= 1
	return true
}

// fail notes that a page or node could not be used, or not be read.
func (v *visits) fail(p *part, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if isDamage(err) {
		v.bad[prefixOf(&p.el.ID)] = err
	} else {
		v.unread[prefixOf(&p.el.ID)] = err
	}
}

// wrong reports whether any page or node could not be used or read.
func (v *visits) wrong() bool { return len(v.bad)+len(v.unread) > 0 }
