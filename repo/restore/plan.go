package restore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/tree"
)

// Flags of a node.
const (
	flagKeep    uint8 = 1 << iota // a directory that takes no metadata: the target of several roots, and those between
	flagHoles                     // a file with holes
	flagParts                     // a file of several chunks
	flagLink                      // another name of the node in its extra
	flagDamaged                   // known before the transfer; not to be written. A directory that could not be made
)

// node is an entry to restore. Node 0 is the target.
type node struct {
	name     nameRef
	size     uint64 // of a file; of a directory its inode number, from the moment when it was first opened
	mtime    int64
	parent   uint32
	uid, gid uint32
	extra    uint32 // index in extras + 1
	left     int32  // places that are still to be written; used atomically during the transfer
	mode     uint16
	kind     tree.Type
	flags    uint8
}

// extra is what few nodes have.
type extra struct {
	xattrs []tree.Xattr
	target string
	rdev   [2]uint32
	first  uint32 // the node that a hard link leads to
	holes  uint64 // bytes
}

// want is a chunk that is needed, with the place where it will be read.
type want struct {
	id            chunk.ID
	length        uint32
	places        uint32 // index of the first + 1
	pack          uint32 // index + 1; 0 while none is known
	block, offset uint32
	others        uint32 // index of the first other spot + 1
}

// place is where a chunk belongs.
type place struct {
	off  uint64
	node uint32
	next uint32 // index + 1
}

// plan is what to do. During the transfer only node.left, and node.size of directories, change.
type plan struct {
	target  string
	names   arena
	nodes   slab[node]
	extras  slab[extra]
	wants   slab[want]
	places  slab[place]
	spots   slab[spot]
	table   []uint32 // open addressing: index of a want + 1, by the first bytes of its ID
	origins map[uint32]string
	links   map[tree.Link]uint32
	packs   []source
	byID    map[pack.ID]uint32
	partial bool // the places are those that this host's index knows: there may be more

	order  []uint32 // wants in the order in which they are read
	totals Plan
	met    amount
	rec    *outcome
	dirs   *dirs
}

// amount is what was met in trees, by names.
type amount struct {
	files, bytes uint64
	cut          bool // folders were not gone into, which the target did not take
}

func newPlan(target string, rec *outcome) *plan {
	return &plan{target: target, origins: map[uint32]string{}, links: map[tree.Link]uint32{}, byID: map[pack.ID]uint32{},
		table: make([]uint32, 1024), rec: rec}
}

var errTooMany = errors.New("the snapshot has more entries than a restore can hold")

// addNode notes an entry, its content left out.
func (p *plan) addNode(parent uint32, name string, e *tree.Entry) (uint32, *node, error) {
	if p.nodes.n == math.MaxUint32 || p.places.n >= math.MaxUint32-1 {
		return 0, nil, errTooMany
	}
	i, n := p.nodes.add()
	*n = node{name: p.names.add(name), mtime: e.MTime, parent: parent, uid: e.UID, gid: e.GID, mode: uint16(e.Mode & 0o7777), kind: e.Type}
	if e.Type == tree.File {
		n.size = e.Size
	}
	if len(e.Xattrs) > 0 || e.Target != "" || e.Rdev != [2]uint32{} {
		*p.extra(n) = extra{xattrs: e.Xattrs, target: e.Target, rdev: e.Rdev}
	}
	return i, n, nil
}

// extra returns what a node has besides, making it if need be.
func (p *plan) extra(n *node) *extra {
	if n.extra == 0 {
		i, _ := p.extras.add()
		n.extra = i + 1
	}
	return p.extras.at(n.extra - 1)
}

func (p *plan) xattrs(n *node) []tree.Xattr {
	if n.extra == 0 {
		return nil
	}
	return p.extras.at(n.extra - 1).xattrs
}

// addPlace notes that a chunk belongs at off of a file.
func (p *plan) addPlace(i uint32, id chunk.ID, length uint32, off uint64) error {
	if p.places.n >= math.MaxUint32-1 {
		return errTooMany
	}
	w := p.addWant(id, length)
	if w.length != length {
		return &repo.CorruptError{Object: "chunk " + id.String(), Err: fmt.Errorf("the tree gives it two lengths, %d and %d: %w", w.length, length, tree.ErrCorrupt)}
	}
	j, pl := p.places.add()
	*pl = place{off: off, node: i, next: w.places}
	w.places = j + 1
	return nil
}

// slot returns where in the table id is, or belongs.
func (p *plan) slot(id *chunk.ID) uint32 {
	mask := uint32(len(p.table) - 1)
	at := binary.LittleEndian.Uint32(id[:]) & mask
	for p.table[at] != 0 && p.wants.at(p.table[at]-1).id != *id {
		at = (at + 1) & mask
	}
	return at
}

func (p *plan) addWant(id chunk.ID, length uint32) *want {
	at := p.slot(&id)
	if i := p.table[at]; i != 0 {
		return p.wants.at(i - 1)
	}
	if uint64(p.wants.n+1)*4 > uint64(len(p.table))*3 {
		p.table = make([]uint32, 2*len(p.table))
		for i := range p.wants.n {
			p.table[p.slot(&p.wants.at(i).id)] = i + 1
		}
		at = p.slot(&id)
	}
	i, w := p.wants.add()
	p.table[at] = i + 1
	w.id, w.length = id, length
	return w
}

// damage notes that a node cannot be restored, or of a directory that a part is lost.
func (p *plan) damage(i uint32, err error) {
	p.rec.damage(i, lostBy(err), p.nodes.at(i).kind == tree.Directory)
}

// damageAll notes that every file with the chunk is lost.
func (p *plan) damageAll(w *want, err error, visit func(*node)) {
	for j := w.places; j != 0; {
		pl := p.places.at(j - 1)
		p.damage(pl.node, err)
		if visit != nil {
			visit(p.nodes.at(pl.node))
		}
		j = pl.next
	}
}

// path returns the path of a node in the target.
func (p *plan) path(i uint32) string {
	return p.climb(i, func(i uint32) (string, bool) { return p.target, i == 0 })
}

// origin returns the path of a node in the snapshot.
func (p *plan) origin(i uint32) string {
	return p.climb(i, func(i uint32) (string, bool) {
		s, ok := p.origins[i]
		return s, ok || i == 0
	})
}

// climb joins the names from the node where top has an answer to i.
func (p *plan) climb(i uint32, top func(uint32) (string, bool)) string {
	var names []string
	for {
		if s, ok := top(i); ok {
			slices.Reverse(names)
			return strings.TrimSuffix(s, "/") + strings.Join(append([]string{""}, names...), "/")
		}
		n := p.nodes.at(i)
		names = append(names, p.names.get(n.name))
		i = n.parent
	}
}

// missing makes a problem of an error for which an entry is not there, if it concerns that entry only.
func (p *plan) missing(i uint32, op string, err error) error {
	if !unfit(err) {
		return p.fault(op, i, err)
	}
	p.rec.problem(Problem{Path: p.origin(i), Op: op, Missing: true, Err: err})
	p.rec.skip(i)
	return nil
}

// fault is a TargetError about a node.
func (p *plan) fault(op string, i uint32, err error) error {
	return &TargetError{Op: op, Path: p.path(i), Err: err}
}
