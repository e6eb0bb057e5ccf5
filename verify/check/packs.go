package check

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/storage"
	"savepoint/verify"
)

// kinds is one more than the greatest kind of packs: tables of one for each.
const kinds = pack.Meta + 1

// directories is how many packs' directories are read at once.
const directories = 16

// packState is what is known of a pack that is listed or that a segment names.
type packState struct {
	repo.IndexedPack       // what segments say; of one that none names, kind and ID
	stored           int64 // bytes, as listed; 0: it is not
	named            bool  // by any segment
	standing         bool  // a segment in force names it
	marked           bool  // as damaged, before this run
	condemned        bool  // a record of prune names it
	reached          bool  // it holds something that is reached, when only some snapshots are looked at
	checked          bool  // its directory was compared
	round            int   // when it was compared last
	full             bool  // err was found by reading all of it
	code             verify.Code
	err              error             // what is wrong with it; nil: nothing that is known
	wrong            *repo.IndexedPack // what a segment says of it that is not so, if it is not what is above
	unread           error             // why the store does not give it; nil: it does
}

// suspect reports whether something may be wrong with the pack.
func (p *packState) suspect() bool { return p.err != nil || p.unread != nil }

// dead reports whether the pack counts for nothing any more, whatever state it is in.
func (p *packState) dead() bool { return p.marked || p.condemned }

func (p *packState) ref() record.PackRef { return record.PackRef{Kind: p.Kind, ID: p.ID} }

// packTable has all packs. Methods are safe for concurrent use.
type packTable struct {
	mu     sync.Mutex
	states []packState
	at     map[record.PackRef]int32
	round  int // how often the index was read
	bad    int // packs that are damaged, or could not be read, and not dead
}

// begin forgets what the index said when it was read before. What is known to be wrong with packs stays until they are looked at again.
func (t *packTable) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.round++
	for i := range t.states {
		t.states[i].named, t.states[i].standing = false, false
	}
}

// change changes a state, and keeps the number of bad ones.
func (t *packTable) change(s *packState, fn func()) {
	before := s.suspect() && !s.dead()
	fn()
	switch after := s.suspect() && !s.dead(); {
	case before && !after:
		t.bad--
	case after && !before:
		t.bad++
	}
}

// index returns the number of a pack, which is entered if it is new.
func (t *packTable) index(x *repo.Inspection, ref record.PackRef) int32 {
	i, ok := t.at[ref]
	if !ok {
		i = int32(len(t.states))
		t.at[ref] = i
		t.states = append(t.states, packState{IndexedPack: repo.IndexedPack{Kind: ref.Kind, ID: ref.ID},
			marked: x.MarkedDamaged(ref.ID), condemned: x.IsCondemned(ref.ID)})
	}
	return i
}

// name notes that a segment names a pack, and reports whether the pack's directory is still to be compared with p. Segments that say different
// things of a pack are all compared.
func (t *packTable) name(x *repo.Inspection, indexed repo.IndexedPack, void bool) (i int32, compare bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i = t.index(x, record.PackRef{Kind: indexed.Kind, ID: indexed.ID})
	s := &t.states[i]
	s.named = true
	if void {
		return i, false
	}
	same := s.checked && s.Directory == indexed.Directory && s.Size == indexed.Size
	s.standing, s.IndexedPack = true, indexed
	return i, !s.dead() && !s.full && s.unread == nil && (!same || s.err != nil)
}

// reach notes that a pack holds something that is reached.
func (t *packTable) reach(i int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.states[i].reached = true
}

// isReached returns the number of a pack, and whether it is known that it holds something that is reached.
func (t *packTable) isReached(x *repo.Inspection, kind pack.Kind, id pack.ID) (int32, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.index(x, record.PackRef{Kind: kind, ID: id})
	return i, t.states[i].reached
}

// settle notes what comparing a pack's directory with what a segment says of it came to: nil, damage, or that it could not be read. What was
// found when the index was read before is forgotten; what another segment says now is not.
func (t *packTable) settle(i int32, indexed repo.IndexedPack, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.states[i]
	if s.full {
		return // reading all of it said more
	}
	t.change(s, func() {
		if !s.checked || s.round != t.round {
			s.code, s.err, s.wrong = "", nil, nil
		}
		s.checked, s.round = true, t.round
		switch {
		case err == nil:
		case repo.Unread(err):
			s.unread = err
		default:
			s.code, s.err, s.wrong = CodePackDirectory, err, &indexed
			if errors.Is(err, storage.ErrNotExist) {
				s.code = CodePackMissing
			} else if s.stored != int64(indexed.Size) {
				s.code = CodePackSize
			}
		}
	})
}

// damage notes damage that was met when the pack was read, in full or not; what is known already stays.
func (t *packTable) damage(ref record.PackRef, code verify.Code, err error, full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.at[ref]
	if !ok || t.states[i].err != nil {
		return
	}
	s := &t.states[i]
	if errors.Is(err, storage.ErrNotExist) {
		code = CodePackMissing
	}
	t.change(s, func() { s.code, s.err, s.full = code, err, full && code != CodePackMissing })
}

// unread notes that the store does not give a pack.
func (t *packTable) unread(ref record.PackRef, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i, ok := t.at[ref]; ok {
		s := &t.states[i]
		t.change(s, func() { s.unread = err })
	}
}

// condemn notes which packs prunes delete now, and reports whether something is wrong with one that they did not before.
func (t *packTable) condemn(x *repo.Inspection) (wrong bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.states {
		s := &t.states[i]
		if !s.condemned && x.IsCondemned(s.ID) {
			wrong = wrong || s.suspect() && !s.dead()
			t.change(s, func() { s.condemned = true })
		}
	}
	return wrong
}

// readable returns the packs that a segment in force names and nothing speaks against, and those of them that the store does not give.
func (t *packTable) readable() (out []repo.IndexedPack, unread map[pack.ID]bool) {
	unread = map[pack.ID]bool{}
	for i := range t.states {
		if s := &t.states[i]; s.standing && !s.dead() && s.err == nil {
			out = append(out, s.IndexedPack)
			if s.unread != nil {
				unread[s.ID] = true
			}
		}
	}
	return out, unread
}

// segmentNote is a segment that cannot be read.
type segmentNote struct {
	repo.Object
	kind   pack.Kind
	marked bool // before this run
}

// lookAtIndex reads all segments, compares the packs that they name with those that are there, and notes which chunks they locate.
func (c *checker) lookAtIndex(ctx context.Context) error {
	t := &c.packs
	total := uint64(0)
	c.x.Packs(func(p record.PackRef, size int64) bool {
		s := &t.states[t.index(c.x, p)]
		s.stored = size
		c.counts.Packs++
		c.counts.PackBytes += uint64(size)
		if c.o.Scope.Shard.Has(p.ID) {
			total++
		}
		return true
	})
	if c.o.Scope.OfSnapshots() {
		c.o.Events.phase("index", 0)
	} else {
		c.o.Events.phase("packs", total)
	}
	return c.readIndex(ctx)
}

// readIndex is the part of lookAtIndex that is done again when the index has changed.
func (c *checker) readIndex(ctx context.Context) error {
	c.indexed = false
	c.counts.Segments, c.badSegments, c.blindIndex, c.indexVersion = 0, nil, [kinds]bool{}, c.x.IndexVersion()
	c.packs.begin()
	var trees []*repo.InspectedSegment
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(directories)
	read := func() error {
		for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
			if c.places[kind] != nil {
				if err := c.places[kind].close(); err != nil {
					return err
				}
			}
			c.places[kind] = newPrefixes(c.o.set, c.o.Temp)
			err := c.x.Segments(ctx, kind, func(s *repo.InspectedSegment) error {
				if !s.FromPack {
					c.counts.Segments++
				}
				if c.o.Scope.OfSnapshots() {
					c.o.Events.step(1)
				}
				if kind == pack.Meta {
					trees = append(trees, s)
				}
				if s.Unread != nil {
					c.blindIndex[kind] = true
					return nil
				}
				if s.Segment == nil {
					c.badSegments = append(c.badSegments, segmentNote{s.Object, kind, s.Marked})
					return nil
				}
				return c.takeSegment(ctx, g, s)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	err := read()
	if checkErr := g.Wait(); checkErr != nil {
		return checkErr // reading was broken off because of it
	}
	if err != nil {
		return err
	}
	slices.SortFunc(c.badSegments, func(a, b segmentNote) int { return strings.Compare(a.Name, b.Name) })
	c.trees = c.x.Trees(trees)
	c.indexed = true
	return nil
}

// takeSegment enters what one segment says.
func (c *checker) takeSegment(ctx context.Context, g *errgroup.Group, s *repo.InspectedSegment) error {
	counts := make([]bool, len(s.Segment.Packs)) // packs whose chunks are located
	for n, p := range s.Segment.Directories() {
		indexed := repo.NewIndexedPack(s.Kind, &p)
		i, compare := c.packs.name(c.x, indexed, s.Void)
		counts[n] = !s.Void && !c.packs.isDead(i)
		if !compare || c.o.Scope.OfSnapshots() || !c.o.Scope.Shard.Has(p.ID) { // of snapshots, compareReached does
			continue
		}
		if err := c.compare(ctx, g, i, indexed, &p); err != nil {
			return err
		}
	}
	batch := make([]prefix, 0, 4096)
	for j := range s.Segment.Len() {
		p, e := s.Segment.Entry(j)
		if !counts[p] {
			continue
		}
		if batch = append(batch, c.keys.of(s.Kind, &e)); len(batch) == cap(batch) {
			if err := c.places[s.Kind].add(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return c.places[s.Kind].add(batch)
}

// compare has a pack compared with what a segment says of it.
func (c *checker) compare(ctx context.Context, g *errgroup.Group, i int32, indexed repo.IndexedPack, p *record.SegmentPack) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.Go(func() error {
		err := c.x.CheckDirectory(ctx, indexed.Kind, p)
		if err != nil && !isDamage(err) && !repo.Unread(err) {
			return err
		}
		c.packs.settle(i, indexed, err)
		c.o.Events.step(1)
		return nil
	})
	return nil
}

func (t *packTable) isDead(i int32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.states[i].dead()
}

// parsePack reads the object name of a pack.
func parsePack(name string) (record.PackRef, bool) {
	kind, id, ok := pack.ParseName(name)
	return record.PackRef{Kind: kind, ID: id}, ok
}
