package check

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/tree"
)

// walkers is how many pages and nodes are read at once: what their reading takes is the way to the store and back.
const walkers = 16

// part is a page or node that is to be visited.
type part struct {
	el    tree.Element
	limit string // all names in it are before this one, unless it is empty
	kind  tree.Type
	depth int
	first bool // its page or node was not met before
}

// walk visits the trees of all snapshots. The part that was met last is visited first, so that no more wait than a path has neighbours,
// and what lies together is read together.
type walk struct {
	c *checker

	mu      sync.Mutex
	wake    *sync.Cond
	waiting []part
	busy    int
	over    bool
}

// walkTrees visits every page and node that a listed snapshot reaches, and notes all chunks.
func (c *checker) walkTrees(ctx context.Context) error {
	c.o.Events.phase("trees", 0)
	c.pages = newVisits()
	c.walked = false
	c.counts.Directories, c.counts.Files = 0, 0
	w := &walk{c: c}
	w.wake = sync.NewCond(&w.mu)
	var local visitor
	local.c = c
	for i := len(c.objects.snapshots) - 1; i >= 0; i-- {
		for n := range c.objects.snapshots[i].Roots {
			if err := local.entry(&c.objects.snapshots[i].Roots[n].Entry); err != nil {
				return err
			}
		}
	}
	w.waiting = local.parts
	if err := local.flush(); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, w.end)
	defer stop()
	for range walkers {
		g.Go(func() error { return w.work(ctx) })
	}
	err := g.Wait()
	c.counts.TreeChunks = uint64(len(c.pages.claims))
	c.pages.claims, c.pages.more = nil, nil
	c.walked = err == nil
	return err
}

// end lets all workers end.
func (w *walk) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.wake.Broadcast()
}

// next waits for a part to visit; false when there are none left.
func (w *walk) next() (part, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.waiting) == 0 && w.busy > 0 && !w.over {
		w.wake.Wait()
	}
	if w.over || len(w.waiting) == 0 {
		w.wake.Broadcast()
		return part{}, false
	}
	p := w.waiting[len(w.waiting)-1]
	w.waiting[len(w.waiting)-1] = part{}
	w.waiting = w.waiting[:len(w.waiting)-1]
	w.busy++
	return p, true
}

// done takes in the parts that a visit met.
func (w *walk) done(met []part) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = append(w.waiting, met...)
	w.busy--
	w.wake.Broadcast()
}

func (w *walk) work(ctx context.Context) error {
	v := &visitor{c: w.c}
	for {
		p, ok := w.next()
		if !ok {
			return errors.Join(v.flush(), context.Cause(ctx))
		}
		v.parts = v.parts[:0]
		err := v.visit(ctx, p)
		w.done(v.parts)
		if err != nil {
			return err
		}
	}
}

// visitor is one worker's memory.
type visitor struct {
	c           *checker
	page        tree.Page
	parts       []part // met
	chunks      []prefix
	trees       []prefix
	files, dirs uint64
}

// visit reads one part. What is wrong with it is noted; an error is the store's.
func (v *visitor) visit(ctx context.Context, p part) error {
	if p.first {
		v.trees = append(v.trees, prefixOf(&p.el.ID))
		v.c.o.Events.step(1)
	}
	err := v.open(ctx, &p)
	if err != nil && !isDamage(err) && !repo.Unread(err) {
		return err
	}
	if err != nil {
		v.c.pages.fail(&p, err)
	}
	if len(v.chunks)+len(v.trees) >= 4096 {
		return v.flush()
	}
	return nil
}

func isDamage(err error) bool {
	return errors.Is(err, repo.ErrCorrupt) || errors.Is(err, repo.ErrNewer)
}

// open reads a part and takes in what is below.
func (v *visitor) open(ctx context.Context, p *part) error {
	if p.el.IsNode() {
		els, err := tree.ReadNode(ctx, v.c.trees, &p.el, p.kind, p.depth)
		if err != nil {
			return err
		}
		v.list(els, p.limit, p.kind, p.depth+1)
		return nil
	}
	if err := tree.ReadPage(ctx, v.c.trees, &p.el, p.limit, &v.page); err != nil {
		return err
	}
	if !v.c.pages.takeIn(p) {
		return nil
	}
	for i := range v.page.Entries {
		if err := v.entry(&v.page.Entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// list takes in the elements of a list.
func (v *visitor) list(els []tree.Element, limit string, kind tree.Type, depth int) {
	for i := range els {
		switch el := &els[i]; {
		case el.Hole:
		case kind == tree.Directory:
			v.meet(part{el: *el, limit: tree.Limit(els, i, limit), kind: kind, depth: depth})
		case el.IsNode():
			v.meet(part{el: *el, kind: kind, depth: depth})
		default:
			v.chunks = append(v.chunks, v.c.keys.data(&el.ID, el.Length))
		}
	}
}

// meet takes in a part, unless it was met before: what waits to be visited is never more than what there is.
func (v *visitor) meet(p part) {
	visit, first := v.c.pages.meet(&p)
	if p.first = first; visit {
		v.parts = append(v.parts, p)
	}
}

// entry takes in an entry of a page, or a root.
func (v *visitor) entry(e *tree.Entry) error {
	switch e.Type {
	case tree.File:
		v.files++
		v.list(e.Content, "", tree.File, 0)
	case tree.Directory:
		v.dirs++
		v.list(e.Content, "", tree.Directory, 0)
	}
	if len(v.chunks) >= 1<<16 {
		return v.flush()
	}
	return nil
}

// flush gives to the checker what was collected.
func (v *visitor) flush() error {
	v.c.pages.mu.Lock()
	v.c.counts.Files += v.files
	v.c.counts.Directories += v.dirs
	v.c.pages.mu.Unlock()
	v.files, v.dirs = 0, 0
	err := errors.Join(v.c.reach[pack.Data].add(v.chunks), v.c.reach[pack.Meta].add(v.trees))
	v.chunks, v.trees = v.chunks[:0], v.trees[:0]
	return err
}
