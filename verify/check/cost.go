package check

import (
	"context"
	"math"
	"slices"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/tree"
	"savepoint/verify"
)

// What is listed of a snapshot's paths.
const (
	maxPaths     = 100
	maxPathBytes = 64 << 10
)

// maxNesting is how many folders within each other are walked for what damage costs. No file system has paths that long.
const maxNesting = 1000

// walkCost walks the trees of all snapshots and enters in the bill who needs what is damaged.
func (c *checker) walkCost(ctx context.Context) error {
	c.o.Events.phase("cost", uint64(len(c.objects.snapshots)))
	w := &costWalk{c: c, shares: map[uint64]*share{}, files: map[uint64]map[cause]class{}}
	for _, s := range c.objects.snapshots {
		c.o.Events.step(1)
		there, err := c.x.StillListed(ctx, s.Name)
		if err != nil {
			return err
		}
		if !there {
			continue // forgotten in the meantime
		}
		var all share
		for i := range s.Roots {
			if err := w.entry(ctx, &s.Roots[i].Entry, &all, 0); err != nil {
				return err
			}
		}
		var paths pathList
		if all.losing > 0 && !s.Late {
			if err := w.pathsOf(ctx, s, &paths); err != nil {
				return err
			}
		}
		c.bill.enter(s, &all, w.rootsLost(s), paths.list)
	}
	return nil
}

// rootsLost reports whether no root of a snapshot has a list that can be read: then all its files are lost, as the manifest counts them.
func (w *costWalk) rootsLost(s *repo.Snapshot) bool {
	for i := range s.Roots {
		e := &s.Roots[i].Entry
		if e.Type != tree.Directory {
			return false
		}
		for n := range e.Content {
			p := part{el: e.Content[n], limit: tree.Limit(e.Content, n, ""), kind: tree.Directory}
			if top := w.shares[w.c.pages.claimOf(&p)]; top == nil || !top.here {
				return false
			}
		}
	}
	return s.Stats.Files > 0
}

// enter enters a snapshot's part in the bill. everything says that all its files are lost.
func (b *bill) enter(s *repo.Snapshot, all *share, everything bool, paths []string) {
	hit := verify.Hit{Snapshot: s.ID(), Dataset: s.Dataset, Host: s.Host, WindowStart: s.Start().UTC(), WindowEnd: s.End().UTC(), FileCount: all.losing, Paths: paths}
	if everything {
		hit.FileCount, hit.All, hit.Bytes = max(all.losing, min(s.Stats.Files, math.MaxInt64)), true, &s.Stats.FileBytes
	}
	hit.AtLeast = !everything && all.below
	for at, n := range all.causes {
		t := b.toll(at)
		weakly := plus(plus(n[weak], n[condemnedOnly]), n[voidOnly])
		switch {
		case s.Late:
			t.late.add(plus(plus(n[lost], n[unseen]), weakly))
			continue
		case n[lost] > 0:
			t.lost.atLeast = t.lost.atLeast || hit.AtLeast
			if everything {
				t.lost.add(hit.FileCount)
			} else {
				t.lost.add(n[lost])
			}
			if source := s.Source(); !slices.Contains(t.sources, source) {
				t.sources = append(t.sources, source)
			}
			continue
		case n[unseen] > 0:
			t.unseen.add(n[unseen])
		case weakly > 0:
			t.weak.add(weakly)
		}
	}
	if all.losing == 0 || s.Late {
		return
	}
	b.hit[s.Name] = true
	b.filesHit, b.atLeast = plus(b.filesHit, hit.FileCount), b.atLeast || hit.AtLeast
	if b.hitCount++; len(b.hits) < verify.MaxListed {
		b.hits = append(b.hits, hit)
	}
}

// costWalk walks each part of the trees once, however many snapshots and folders have it.
type costWalk struct {
	c      *checker
	shares map[uint64]*share          // of parts of directories, by what is said of them; nil: nothing in them is damaged
	files  map[uint64]map[cause]class // the same of files
	page   tree.Page
}

// entry adds what is damaged in an entry or beneath it.
func (w *costWalk) entry(ctx context.Context, e *tree.Entry, to *share, nesting int) error {
	switch e.Type {
	case tree.Directory:
		return w.dir(ctx, e.Content, "", 0, nesting, to)
	case tree.File:
		met, err := w.file(ctx, e.Content, 0)
		to.charge(met, 1)
		return err
	}
	return nil
}

// dir adds what is damaged in a list of a directory.
func (w *costWalk) dir(ctx context.Context, els []tree.Element, limit string, depth, nesting int, to *share) error {
	for i := range els {
		s, err := w.part(ctx, part{el: els[i], limit: tree.Limit(els, i, limit), kind: tree.Directory, depth: depth}, nesting)
		if err != nil {
			return err
		}
		to.add(s)
	}
	return nil
}

// part returns what is damaged in a page or node of a directory, and beneath it; nil: nothing.
func (w *costWalk) part(ctx context.Context, p part, nesting int) (*share, error) {
	key := w.c.pages.claimOf(&p)
	if s, known := w.shares[key]; known {
		return s, nil
	}
	s := &share{}
	err := w.walkPart(ctx, &p, nesting, s)
	if err != nil {
		return nil, err
	}
	if len(s.causes) == 0 {
		s = nil
	}
	w.shares[key] = s
	return s, nil
}

func (w *costWalk) walkPart(ctx context.Context, p *part, nesting int, s *share) error {
	met := map[cause]class{}
	w.suspectTree(&p.el, nil, met)
	if p.el.IsNode() {
		els, err := tree.ReadNode(ctx, w.c.trees, &p.el, tree.Directory, p.depth)
		if err != nil {
			return w.broken(p, err, met, s)
		}
		w.own(s, met, p)
		return w.dir(ctx, els, p.limit, p.depth+1, nesting, s)
	}
	if err := tree.ReadPage(ctx, w.c.trees, &p.el, p.limit, &w.page); err != nil {
		return w.broken(p, err, met, s)
	}
	w.own(s, met, p)
	var dirs [][]tree.Element // the page is not held while they are walked
	for i := range w.page.Entries {
		e := &w.page.Entries[i]
		if e.Type == tree.Directory {
			if len(e.Content) > 0 {
				dirs = append(dirs, e.Content)
			}
			continue
		}
		if err := w.entry(ctx, e, s, nesting); err != nil {
			return err
		}
	}
	if len(dirs) > 0 && nesting >= maxNesting {
		w.c.bill.uncounted = true
		return nil
	}
	for _, content := range dirs {
		if err := w.dir(ctx, content, "", 0, nesting+1, s); err != nil {
			return err
		}
	}
	return nil
}

// own charges what was met of a page or node itself: as many entries as are said to be in it.
func (w *costWalk) own(s *share, met map[cause]class, p *part) {
	s.charge(met, p.el.Length)
	for _, how := range met {
		s.here = s.here || how == lost
	}
}

// broken charges what cannot be read of a directory.
func (w *costWalk) broken(p *part, err error, met map[cause]class, s *share) error {
	if !isDamage(err) && !repo.Unread(err) {
		return err
	}
	w.suspectTree(&p.el, err, met)
	w.own(s, met, p)
	return nil
}

// file returns what is damaged of a file's list.
func (w *costWalk) file(ctx context.Context, els []tree.Element, depth int) (map[cause]class, error) {
	var met map[cause]class
	note := func(at cause, how class) {
		if met == nil {
			met = map[cause]class{}
		}
		met[at] = max(met[at], how)
	}
	for i := range els {
		el := &els[i]
		switch {
		case el.Hole:
		case el.IsNode():
			below, err := w.node(ctx, part{el: *el, kind: tree.File, depth: depth})
			if err != nil {
				return nil, err
			}
			for at, how := range below {
				note(at, how)
			}
		default:
			if s := w.c.bill.suspects[pack.Data].find(w.c.keys.data(&el.ID, el.Length)); s != nil {
				for _, at := range s.places {
					note(at, s.class)
				}
			}
		}
	}
	return met, nil
}

// node returns what is damaged of a node of a file, and beneath it.
func (w *costWalk) node(ctx context.Context, p part) (map[cause]class, error) {
	key := w.c.pages.claimOf(&p)
	if met, known := w.files[key]; known {
		return met, nil
	}
	met := map[cause]class{}
	w.suspectTree(&p.el, nil, met)
	els, err := tree.ReadNode(ctx, w.c.trees, &p.el, tree.File, p.depth)
	switch {
	case err == nil:
		below, err := w.file(ctx, els, p.depth+1)
		if err != nil {
			return nil, err
		}
		for at, how := range below {
			met[at] = max(met[at], how)
		}
	case isDamage(err) || repo.Unread(err):
		w.suspectTree(&p.el, err, met)
	default:
		return nil, err
	}
	if len(met) == 0 {
		met = nil
	}
	w.files[key] = met
	return met, nil
}

// suspectTree notes how a tree chunk stands. readErr is set when it could not be read or used.
func (w *costWalk) suspectTree(el *tree.Element, readErr error, met map[cause]class) {
	s := w.c.bill.suspects[pack.Meta].find(prefixOf(&el.ID))
	if s != nil && (readErr == nil || s.class >= unseen) {
		for _, at := range s.places {
			met[at] = max(met[at], s.class)
		}
		return
	}
	how := lost
	if w.c.blindIndex[pack.Meta] {
		how = unseen // what could not be read may have it
	}
	switch at, isPack := w.packOf(readErr); {
	case readErr == nil:
	case repo.Unread(readErr):
		met[blindCause(pack.Meta)] = unseen
	case isPack:
		met[at] = max(met[at], how)
	default:
		met[w.c.bill.treeCause(el, readErr)] = lost
	}
}

// packOf returns the pack that an error says is damaged, and notes the damage.
func (w *costWalk) packOf(err error) (cause, bool) {
	damage := corruptOf(err)
	if damage == nil {
		return 0, false
	}
	ref, ok := parsePack(damage.Object)
	i, known := w.c.packs.at[ref]
	if ok = ok && known; ok {
		w.c.packs.damage(ref, CodePackDamaged, err, false)
	}
	return cause(i), ok
}
