package restore

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// maxProblems is how many problems a result lists.
const maxProblems = 10_000

// Result is what a restore did.
type Result struct {
	Files, Directories, Others uint64 // restored; hard links to what is counted already are not
	HardLinks                  uint64
	Bytes                      uint64 // written into files that came back
	Holes                      uint64 // bytes of restored files that were not written
	FetchedBytes               uint64 // of packs, as stored
	Requests                   uint64 // to the store, for packs of data
	// OwnersSkipped counts entries that keep the process's user or group because it is not root.
	OwnersSkipped uint64
	Phases        []Phase
	// Problems are entries that are not in all respects as they were, at most 10,000; ProblemCount is how many there were.
	Problems     []Problem
	ProblemCount uint64
	// Torn lists files that were restored and had changed while they were backed up, by their paths in the snapshot.
	Torn []string
	// Damaged lists what could not be restored because the repository is damaged.
	Damaged []Damage
	// Lost is how much that is.
	Lost Loss
}

// Loss is how much damage took of what was wanted. Files are counted as manifests do: one with several names counts once for each, its bytes too.
type Loss struct {
	Files, Bytes uint64
	// AtLeast says that there is more: folders are lost, and nobody knows what was in them.
	AtLeast bool
	// All says that no file of the snapshot came back, which has some.
	All bool
}

// Everything is the loss of all of a snapshot.
func Everything(s *repo.Snapshot) Loss {
	return Loss{Files: s.Stats.Files, Bytes: s.Stats.FileBytes, All: s.Stats.Files > 0}
}

// Phase is a part of a run: "index", in which it is found out where trees and chunks lie, "plan", "transfer" or "metadata".
type Phase struct {
	Name     string
	Duration time.Duration
}

// Problem is something that the target, or the rights of the process, did not allow.
type Problem struct {
	Path string // in the snapshot: absolute, bytes as they are
	// Op is what was not done: "set owner", "set mode", "set time", "set attribute NAME", "create device", "link", …
	Op      string
	Missing bool // the entry is not there at all
	Err     error
}

// Damage is a file, or a directory some entries of which are lost.
type Damage struct {
	Path   string // in the snapshot: absolute, bytes as they are
	Object string // the object of the repository that is damaged or missing, as far as it is known
	Err    error  // wraps repo.ErrCorrupt
}

// outcome collects a result from many goroutines.
type outcome struct {
	// bytes are those written, whole those of them in files that are whole.
	files, dirs, others, links, bytes, whole, holes, fetched, requests, owners atomic.Uint64

	mu       sync.Mutex
	problems []Problem
	count    uint64
	torn     []uint32
	damaged  map[uint32][]lost   // by node: the first for a file, each for a directory
	absent   map[uint32]struct{} // nodes that the target did not take
}

// lost is one reason why a node is damaged.
type lost struct {
	object string
	err    error
}

func (c *outcome) problem(p Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, p)
	}
}

func (c *outcome) damage(node uint32, l lost, again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.damaged == nil {
		c.damaged = map[uint32][]lost{}
	}
	if again || len(c.damaged[node]) == 0 {
		c.damaged[node] = append(c.damaged[node], l)
	}
}

// lost returns why a node is damaged, or nil.
func (c *outcome) lost(node uint32) []lost {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.damaged[node]
}

// skip notes that a node is not there, which is a problem already.
func (c *outcome) skip(node uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.absent == nil {
		c.absent = map[uint32]struct{}{}
	}
	c.absent[node] = struct{}{}
}

func (c *outcome) skipped(node uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.absent[node]
	return ok
}

// loss adds up what is damaged. met is what was met of the snapshot in its trees, all is what its manifest counts; all nil: not all of the
// snapshot was wanted.
func (c *outcome) loss(nodes *slab[node], met amount, all *tree.Stats) Loss {
	c.mu.Lock()
	defer c.mu.Unlock()
	var l Loss
	folders := false
	for i := range c.damaged {
		switch n := nodes.at(i); n.kind {
		case tree.File:
			l.Files, l.Bytes = l.Files+1, l.Bytes+n.size
		case tree.Directory:
			folders = true
		}
	}
	switch {
	case !folders:
	case all == nil || met.cut || met.files > all.Files || met.bytes > all.FileBytes:
		l.AtLeast = true
	default: // what was not met was in them
		l.Files, l.Bytes = l.Files+all.Files-met.files, l.Bytes+all.FileBytes-met.bytes
	}
	l.All = all != nil && !l.AtLeast && l.Files > 0 && l.Files == all.Files
	return l
}

func (c *outcome) progress() Progress {
	return Progress{Files: c.files.Load(), Bytes: c.bytes.Load(), FetchedBytes: c.fetched.Load()}
}

// fill writes into res what was collected. path returns the path of a node in the snapshot.
func (c *outcome) fill(res *Result, path func(uint32) string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	res.Files, res.Directories, res.Others, res.HardLinks = c.files.Load(), c.dirs.Load(), c.others.Load(), c.links.Load()
	res.Bytes, res.Holes, res.FetchedBytes, res.Requests = c.whole.Load(), c.holes.Load(), c.fetched.Load(), c.requests.Load()
	res.OwnersSkipped = c.owners.Load()
	res.Problems, res.ProblemCount = c.problems, c.count
	slices.SortStableFunc(res.Problems, func(a, b Problem) int { return cmp.Compare(a.Path, b.Path) })
	for _, i := range c.torn {
		if len(c.damaged[i]) == 0 {
			res.Torn = append(res.Torn, path(i))
		}
	}
	for i, reasons := range c.damaged {
		p := path(i)
		for _, l := range reasons {
			res.Damaged = append(res.Damaged, Damage{Path: p, Object: l.object, Err: l.err})
		}
	}
	slices.SortStableFunc(res.Damaged, func(a, b Damage) int { return cmp.Compare(a.Path, b.Path) })
}
