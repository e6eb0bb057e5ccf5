package check

import (
	"context"
	"errors"
	"slices"
	"strings"

	"savepoint/repo"
	"savepoint/repo/pack"
)

// looks is how often the repository is looked at, at most, when something is missing in it and its index keeps changing.
const looks = 3

// weigh finds out what damage costs. A prune publishes what it copied before it deletes: nothing counts as missing unless the index is the
// same after it was missed as before. After an error the bill has what was found until then.
func (c *checker) weigh(ctx context.Context) error {
	c.blame()
	for look := 1; ; look++ {
		wrong, err := c.cost(ctx)
		if err != nil {
			return err
		}
		if !wrong || look == looks {
			break
		}
		same, err := c.confirm(ctx)
		if err != nil {
			return err
		}
		if same {
			break
		}
		if err := c.lookAgain(ctx); err != nil {
			return err
		}
	}
	c.confirmed, c.weighed = true, true
	return nil
}

// confirm lists the index again, and what prunes delete, and reports whether the index is as it was.
func (c *checker) confirm(ctx context.Context) (bool, error) {
	if err := c.x.ListIndexAgain(ctx); err != nil {
		return false, err
	}
	c.confirmed = c.x.IndexVersion() == c.indexVersion
	if err := c.x.ListCondemnedAgain(ctx); err != nil {
		return c.confirmed, err
	}
	return !c.packs.condemn(c.x) && c.confirmed, nil
}

// blame notes the packs that pages and nodes could not be read from, and those that the store does not give.
func (c *checker) blame() {
	if c.trees != nil {
		for name, err := range c.trees.Met() {
			if ref, ok := parsePack(name); ok {
				c.packs.damage(ref, CodePackDamaged, err, false)
			}
		}
	}
	for _, err := range c.pages.bad {
		var damage *repo.CorruptError
		if errors.As(err, &damage) {
			if ref, ok := parsePack(damage.Object); ok {
				c.packs.damage(ref, CodePackDamaged, err, false)
			}
		}
	}
	for _, u := range c.x.Unread() {
		if ref, ok := parsePack(u.Object); ok {
			c.packs.unread(ref, u)
		}
	}
}

// lookAgain reads the index, which has changed, and the trees if they could not be read in full.
func (c *checker) lookAgain(ctx context.Context) error {
	c.bill = newBill()
	if err := c.readIndex(ctx); err != nil {
		return err
	}
	if c.pages.wrong() {
		if err := c.walkTrees(ctx); err != nil {
			return err
		}
		c.blame()
	}
	return c.compareReached(ctx)
}

// cost makes the bill, and reports whether anything is wrong with packs, trees or where chunks lie. If so it walks the trees of all snapshots
// once more, and notes who needs what is damaged.
func (c *checker) cost(ctx context.Context) (wrong bool, err error) {
	c.bill = newBill()
	missing, err := c.unlocated()
	if err != nil {
		return false, err
	}
	if len(missing[pack.Data])+len(missing[pack.Meta])+c.packs.bad == 0 && !c.pages.wrong() {
		return false, nil
	}
	for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
		if c.bill.suspects[kind], err = c.suspectsOf(ctx, kind, missing[kind]); err != nil {
			return false, err
		}
	}
	if len(c.bill.suspects[pack.Data])+len(c.bill.suspects[pack.Meta]) == 0 && !c.pages.wrong() {
		return true, nil
	}
	return true, c.walkCost(ctx)
}

// mark marks the packs that are damaged, so that the next backups store again what they hold. What is missing is marked only when no prune
// can have deleted it.
func (c *checker) mark(ctx context.Context) {
	var packs []repo.Suspicion
	for i := range c.packs.states {
		s := &c.packs.states[i]
		if s.err == nil || s.dead() || c.indexed && !s.standing || !c.confirmed && s.code == CodePackMissing {
			continue
		}
		p := repo.Suspicion{IndexedPack: s.IndexedPack}
		if s.wrong != nil {
			p.IndexedPack = *s.wrong
		}
		if s.full {
			p.Read = s.err
		}
		packs = append(packs, p)
	}
	defer func() { slices.Sort(c.marks.Names) }()
	c.markSegments(ctx)
	if len(packs) == 0 {
		return
	}
	named := c.marks.Names
	slices.SortFunc(packs, func(a, b repo.Suspicion) int { return strings.Compare(a.Name(), b.Name()) })
	c.marks, c.unmarked = c.x.MarkDamaged(ctx, packs)
	c.marks.Names = append(c.marks.Names, named...)
}

// markSegments marks the index segments that are damaged and not marked yet.
func (c *checker) markSegments(ctx context.Context) {
	var names []string
	for _, s := range c.badSegments {
		if c.indexed && !s.marked && errors.Is(s.Damage, repo.ErrCorrupt) {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	if c.unmarked = c.x.MarkSegments(ctx, names); c.unmarked == nil {
		c.marks.Names = names
	}
}
