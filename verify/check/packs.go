package check

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"savepoint/chunk"
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
	checked          bool  // its directory was compared
	code             verify.Code
	err              error // what is wrong with it; nil: nothing that is known
}

// dead reports whether the pack counts for nothing any more, whatever state it is in.
func (p *packState) dead() bool { return p.marked || p.condemned }

func (p *packState) ref() record.PackRef { return record.PackRef{Kind: p.Kind, ID: p.ID} }

// packTable has all packs. Methods are safe for concurrent use.
type packTable struct {
	mu     sync.Mutex
	states []packState
	at     map[record.PackRef]int32
	bad    int // packs that are damaged and not dead
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

// name notes that a segment names a pack, and reports whether the pack's directory is still to be compared with p.
func (t *packTable) name(x *repo.Inspection, kind pack.Kind, p *record.SegmentPack, void bool) (i int32, compare bool) {
	indexed := repo.NewIndexedPack(kind, p)
	t.mu.Lock()
	defer t.mu.Unlock()
	i = t.index(x, record.PackRef{Kind: kind, ID: p.ID})
	s := &t.states[i]
	s.named = true
	if void {
		return i, false
	}
	same := s.checked && s.Directory == indexed.Directory
	s.standing, s.IndexedPack = true, indexed
	return i, !s.dead() && s.code != CodePackDamaged && (!same || s.err != nil)
}

// settle notes what comparing a pack's directory came to.
func (t *packTable) settle(i int32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.states[i]
	s.checked = true
	if s.code == CodePackDamaged {
		return // reading all of it said more
	}
	if s.err != nil {
		s.code, s.err = "", nil
		t.bad--
	}
	if err == nil {
		return
	}
	s.code, s.err = CodePackDirectory, err
	if errors.Is(err, storage.ErrNotExist) {
		s.code = CodePackMissing
	} else if s.stored != int64(s.Size) {
		s.code = CodePackSize
	}
	t.bad++
}

// damage notes damage that was met when the pack was read; what is known already stays.
func (t *packTable) damage(ref record.PackRef, code verify.Code, err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.at[ref]
	if !ok {
		return false
	}
	s := &t.states[i]
	if errors.Is(err, storage.ErrNotExist) {
		code = CodePackMissing
	}
	if s.err == nil {
		s.code, s.err = code, err
		if !s.dead() {
			t.bad++
		}
	}
	return true
}

// readable returns the packs that a segment in force names and nothing speaks against.
func (t *packTable) readable() []repo.IndexedPack {
	var out []repo.IndexedPack
	for i := range t.states {
		if s := &t.states[i]; s.standing && !s.dead() && s.err == nil {
			out = append(out, s.IndexedPack)
		}
	}
	return out
}

// segmentNote is a segment that cannot be read.
type segmentNote struct {
	repo.Object
	kind pack.Kind
}

// lookAtIndex reads all segments, compares the packs that they name with those that are there, and notes which chunks they locate.
func (c *checker) lookAtIndex(ctx context.Context) error {
	t := &c.packs
	t.at = map[record.PackRef]int32{}
	total := uint64(0)
	c.x.Packs(func(p record.PackRef, size int64) bool {
		s := &t.states[t.index(c.x, p)]
		s.stored = size
		c.counts.Packs++
		c.counts.PackBytes += uint64(size)
		total++
		return true
	})
	c.o.Events.phase("packs", total)
	return c.readIndex(ctx)
}

// readIndex is the part of lookAtIndex that is done again when the index has changed.
func (c *checker) readIndex(ctx context.Context) error {
	c.counts.Segments, c.badSegments, c.indexVersion = 0, nil, c.x.IndexVersion()
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
				c.counts.Segments++
				if kind == pack.Meta {
					trees = append(trees, s)
				}
				if s.Segment == nil {
					c.badSegments = append(c.badSegments, segmentNote{s.Object, kind})
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
	return nil
}

// takeSegment enters what one segment says.
func (c *checker) takeSegment(ctx context.Context, g *errgroup.Group, s *repo.InspectedSegment) error {
	counts := make([]bool, len(s.Segment.Packs)) // packs whose chunks are located
	for n, p := range s.Segment.Directories() {
		i, compare := c.packs.name(c.x, s.Kind, &p, s.Void)
		counts[n] = !s.Void && !c.packs.isDead(i)
		if !compare {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		g.Go(func() error {
			err := c.x.CheckDirectory(ctx, s.Kind, &p)
			if err != nil && !errors.Is(err, repo.ErrCorrupt) && !errors.Is(err, repo.ErrNewer) {
				return err
			}
			c.packs.settle(i, err)
			c.o.Events.step(1)
			return nil
		})
	}
	batch := make([]prefix, 0, 4096)
	for j := range s.Segment.Len() {
		p, e := s.Segment.Entry(j)
		if !counts[p] {
			continue
		}
		if batch = append(batch, prefixOf(&e.Chunk)); len(batch) == cap(batch) {
			if err := c.places[s.Kind].add(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return c.places[s.Kind].add(batch)
}

func (t *packTable) isDead(i int32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.states[i].dead()
}

// parsePack reads the object name of a pack.
func parsePack(name string) (record.PackRef, bool) {
	for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
		if rest := len(kind.String()) + len("/00/"); len(name) == rest+2*len(chunk.ID{}) {
			if id, err := pack.ParseID(name[rest:]); err == nil && pack.Name(kind, id) == name {
				return record.PackRef{Kind: kind, ID: id}, true
			}
		}
	}
	return record.PackRef{}, false
}
