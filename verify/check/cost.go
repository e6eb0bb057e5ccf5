package check

import (
	"context"
	"errors"
	"slices"
	"strings"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/tree"
	"savepoint/verify"
)

// maxPaths is how many paths are listed of a snapshot.
const maxPaths = 100

// bill is what damage costs.
type bill struct {
	suspects [kinds]suspects
	trees    []treeFault // parts of trees that are not what they should be, though no object is damaged
	tolls    map[cause]*toll
	hits     []verify.Hit // newest first
	hitCount uint64
	hit      map[string]bool // snapshots that lose something, by object name
	gone     map[cause]bool  // packs that are missing, and of which nothing else is known to be wrong: those of prune's
	marked   []string
	unmarked error // why packs could not be marked
}

// treeFault is a part of a tree that cannot be used.
type treeFault struct {
	id     prefix
	object string
	err    error
}

// toll is what one cause costs, in snapshots that are not late, and in all.
type toll struct {
	lost, weak, late tally
	sources          []string // that lose something, by the newest snapshot that does
}

type tally struct{ snapshots, files uint64 }

// looks is how often the repository is looked at, at most, when something is missing in it and its index keeps changing.
const looks = 5

// weigh finds out what damage costs, and marks what is damaged. A prune publishes what it copied before it deletes: nothing counts as
// missing unless the index is the same after it was missed as before.
func (c *checker) weigh(ctx context.Context) error {
	c.blamePages()
	for look := 1; ; look++ {
		wrong, err := c.cost(ctx)
		if err != nil {
			return err
		}
		if !wrong || look == looks {
			break
		}
		if err := c.x.ListIndexAgain(ctx); err != nil {
			return err
		}
		if c.x.IndexVersion() == c.indexVersion {
			break
		}
		if err := c.lookAgain(ctx); err != nil {
			return err
		}
	}
	return c.mark(ctx)
}

// blamePages notes the packs that pages and nodes could not be read from.
func (c *checker) blamePages() {
	for _, err := range c.pages.bad {
		var damage *repo.CorruptError
		if errors.As(err, &damage) {
			if ref, ok := parsePack(damage.Object); ok {
				c.packs.damage(ref, CodePackDamaged, err)
			}
		}
	}
}

// lookAgain reads the index, which has changed, and the trees if they could not be read in full.
func (c *checker) lookAgain(ctx context.Context) error {
	if err := c.readIndex(ctx); err != nil {
		return err
	}
	if len(c.pages.bad) == 0 {
		return nil
	}
	if err := c.walkTrees(ctx); err != nil {
		return err
	}
	c.blamePages()
	return nil
}

// cost makes the bill, and reports whether anything is wrong with packs, trees or where chunks lie. If so it walks the trees of all snapshots
// once more, and notes who needs what is damaged.
func (c *checker) cost(ctx context.Context) (wrong bool, err error) {
	c.bill = bill{tolls: map[cause]*toll{}, hit: map[string]bool{}, gone: map[cause]bool{}}
	missing, err := c.unlocated()
	if err != nil {
		return false, err
	}
	if len(missing[pack.Data])+len(missing[pack.Meta])+len(c.pages.bad)+c.packs.bad == 0 {
		return false, nil
	}
	for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
		if c.bill.suspects[kind], err = c.suspectsOf(ctx, kind, missing[kind]); err != nil {
			return false, err
		}
	}
	if len(c.bill.suspects[pack.Data])+len(c.bill.suspects[pack.Meta])+len(c.pages.bad) == 0 {
		return true, nil
	}
	return true, c.walkCost(ctx)
}

func (c *checker) walkCost(ctx context.Context) error {
	c.o.Events.phase("cost", uint64(len(c.objects.snapshots)))
	clean := map[prefix]bool{}
	for _, s := range c.objects.snapshots {
		c.o.Events.step(1)
		there, err := c.x.StillListed(ctx, s.Name)
		if err != nil {
			return err
		}
		if !there {
			continue // forgotten in the meantime
		}
		w := &costWalk{c: c, s: s, clean: clean, met: map[cause]class{}, worst: map[cause]class{}}
		for i := range s.Roots {
			if _, err := w.entry(ctx, s.Roots[i].Path, &s.Roots[i].Entry); err != nil {
				return err
			}
		}
		w.finish()
	}
	return nil
}

// costWalk walks the trees of one snapshot, but for the parts of which it is known that nothing in them is damaged.
type costWalk struct {
	c     *checker
	s     *repo.Snapshot
	clean map[prefix]bool
	met   map[cause]class // by the file that is looked at
	worst map[cause]class // by the snapshot
	paths []string
	files uint64 // that lose something
}

// entry reports whether there is damage in an entry or beneath it.
func (w *costWalk) entry(ctx context.Context, path string, e *tree.Entry) (bool, error) {
	switch e.Type {
	case tree.Directory:
		return w.dir(ctx, path, e.Content, "", 0)
	case tree.File:
		if err := w.file(ctx, e.Content, 0); err != nil {
			return false, err
		}
		return w.charge(path, 1), nil
	}
	return false, nil
}

// dir walks a list of a directory.
func (w *costWalk) dir(ctx context.Context, path string, els []tree.Element, limit string, depth int) (bool, error) {
	damaged := false
	for i := range els {
		el := &els[i]
		id := prefixOf(&el.ID)
		if w.clean[id] {
			continue
		}
		below, err := w.part(ctx, path, el, tree.Limit(els, i, limit), depth)
		if err != nil {
			return false, err
		}
		if !below {
			w.setClean(id)
		}
		damaged = damaged || below
	}
	return damaged, nil
}

// part walks a page or node of a directory.
func (w *costWalk) part(ctx context.Context, path string, el *tree.Element, limit string, depth int) (bool, error) {
	w.suspect(pack.Meta, el, nil)
	if el.IsNode() {
		els, err := tree.ReadNode(ctx, w.c.trees, el, tree.Directory, depth)
		if err != nil {
			return w.broken(path, el, err)
		}
		here := w.charge(folder(path), el.Length)
		below, err := w.dir(ctx, path, els, limit, depth+1)
		return here || below, err
	}
	var page tree.Page
	if err := tree.ReadPage(ctx, w.c.trees, el, limit, &page); err != nil {
		return w.broken(path, el, err)
	}
	damaged := w.charge(folder(path), el.Length)
	for i := range page.Entries {
		e := &page.Entries[i]
		below, err := w.entry(ctx, folder(path)+e.Name, e)
		if err != nil {
			return false, err
		}
		damaged = damaged || below
	}
	return damaged, nil
}

// broken charges what cannot be read of a directory: as many entries as are said to be there.
func (w *costWalk) broken(path string, el *tree.Element, err error) (bool, error) {
	if !isDamage(err) {
		return false, err
	}
	w.suspect(pack.Meta, el, err)
	return w.charge(folder(path), el.Length), nil
}

// folder returns the path of a folder with a slash at its end.
func folder(path string) string {
	if strings.HasSuffix(path, "/") {
		return path
	}
	return path + "/"
}

// file notes what is damaged of a file's list.
func (w *costWalk) file(ctx context.Context, els []tree.Element, depth int) error {
	for i := range els {
		el := &els[i]
		if el.Hole {
			continue
		}
		if !el.IsNode() {
			w.suspect(pack.Data, el, nil)
			continue
		}
		if w.clean[prefixOf(&el.ID)] {
			continue
		}
		before := len(w.met)
		w.suspect(pack.Meta, el, nil)
		below, err := tree.ReadNode(ctx, w.c.trees, el, tree.File, depth)
		if err != nil && !isDamage(err) {
			return err
		}
		if err != nil {
			w.suspect(pack.Meta, el, err)
			continue
		}
		if err := w.file(ctx, below, depth+1); err != nil {
			return err
		}
		if before == 0 && len(w.met) == 0 {
			w.setClean(prefixOf(&el.ID))
		}
	}
	return nil
}

// setClean notes that nothing in a part is damaged. A part that is not everywhere what is said of it is looked at everywhere.
func (w *costWalk) setClean(id prefix) {
	if w.c.pages.bad[id] == nil {
		w.clean[id] = true
	}
}

// suspect notes how the chunk of an element stands. readErr is set when it is a part of a tree that could not be read.
func (w *costWalk) suspect(kind pack.Kind, el *tree.Element, readErr error) {
	id := prefixOf(&el.ID)
	s := w.c.bill.suspects[kind].find(id)
	if s != nil && (readErr == nil || s.class == lost) {
		for _, at := range s.places {
			w.met[at] = max(w.met[at], s.class)
		}
		return
	}
	if readErr != nil {
		at := w.c.bill.treeCause(id, el, readErr)
		w.met[at] = lost
	}
}

// treeCause returns the cause that stands for a part of a tree which cannot be used.
func (b *bill) treeCause(id prefix, el *tree.Element, err error) cause {
	i := slices.IndexFunc(b.trees, func(f treeFault) bool { return f.id == id })
	if i < 0 {
		i = len(b.trees)
		b.trees = append(b.trees, treeFault{id, "tree chunk " + el.ID.String(), err})
	}
	return causeTrees - cause(i)
}

// charge notes what was met as that of so many files, and reports whether there was anything.
func (w *costWalk) charge(path string, files uint64) bool {
	if len(w.met) == 0 {
		return false
	}
	loses := false
	for at, how := range w.met {
		t := w.c.bill.toll(at)
		switch {
		case w.s.Late:
			t.late.files += files
		case how == lost:
			t.lost.files += files
			loses = true
		default:
			t.weak.files += files
		}
		w.worst[at] = max(w.worst[at], how)
	}
	clear(w.met)
	if loses {
		w.files += files
		if len(w.paths) < maxPaths {
			w.paths = append(w.paths, path)
		}
	}
	return true
}

func (b *bill) toll(at cause) *toll {
	t := b.tolls[at]
	if t == nil {
		t = &toll{}
		b.tolls[at] = t
	}
	return t
}

// finish enters the snapshot's part in the bill.
func (w *costWalk) finish() {
	b := &w.c.bill
	for at, how := range w.worst {
		t := b.toll(at)
		switch {
		case w.s.Late:
			t.late.snapshots++
		case how == lost:
			t.lost.snapshots++
			if source := w.s.Source(); !slices.Contains(t.sources, source) {
				t.sources = append(t.sources, source)
			}
		default:
			t.weak.snapshots++
		}
	}
	if w.files == 0 || w.s.Late {
		return
	}
	b.hit[w.s.Name] = true
	if b.hitCount++; len(b.hits) < verify.MaxListed {
		b.hits = append(b.hits, verify.Hit{Snapshot: w.s.ID(), Dataset: w.s.Dataset, Host: w.s.Host, WindowStart: w.s.Start().UTC(),
			WindowEnd: w.s.End().UTC(), FileCount: w.files, Paths: w.paths})
	}
}

// mark marks the packs that are damaged, so that the next backups store again what they hold.
func (c *checker) mark(ctx context.Context) error {
	var packs []record.PackRef
	for i := range c.packs.states {
		if s := &c.packs.states[i]; s.err != nil && !s.dead() {
			packs = append(packs, s.ref())
		}
	}
	if len(packs) == 0 {
		return nil
	}
	slices.SortFunc(packs, repo.ComparePacks)
	c.bill.marked, c.bill.unmarked = c.x.MarkDamaged(ctx, packs)
	slices.Sort(c.bill.marked)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
