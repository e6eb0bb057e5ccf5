package index

import (
	"fmt"
	"iter"

	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// Judge says what of a listing does not count.
type Judge struct {
	// Late reports whether a listed segment came after its session had lapsed. Nil: none did.
	Late func(id record.ID, s record.Session) bool
	// Dead yields the packs that listed records or marks of damage name. Nil: none.
	Dead iter.Seq[pack.ID]
}

// SetLive says which packs count from now on: those that a segment names which was listed at the last Sync (or added
// since), is not late and not superseded by one that is listed and not late, unless they are dead. It is to be called
// after every Sync; that a segment was applied once makes nothing live.
func (x *Index) SetLive(j Judge) error {
	x.applying.Lock()
	defer x.applying.Unlock()
	if x.closed {
		return ErrClosed
	}
	live, err := x.judge(j)
	x.mu.Lock()
	defer x.mu.Unlock()
	if err != nil {
		x.live = nil // better nothing than what an older listing says
		return err
	}
	x.live = live
	return nil
}

func (x *Index) judge(j Judge) (bitmap, error) {
	var live bitmap
	for _, g := range x.standing(j.Late) {
		if err := g.eachPack(live.set); err != nil {
			return nil, err
		}
	}
	if j.Dead == nil {
		return live, nil
	}
	dead := map[pack.ID]bool{}
	for id := range j.Dead {
		dead[id] = true
	}
	if len(dead) == 0 {
		return live, nil
	}
	// Looking one up may miss it, in a block that is damaged; and a pack may have two ordinals after that.
	err := x.eachPackID(func(id pack.ID, o uint32) bool {
		if dead[id] {
			live.clear(o)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("find dead packs in the index: %w", err)
	}
	return live, nil
}

// Add applies a segment that this session has just published, on time. Its packs are live at once. After an error that
// is not ErrNoSpace the next Sync reads again what was added.
func (x *Index) Add(l Listed, s *record.Segment) error {
	x.applying.Lock()
	defer x.applying.Unlock()
	if x.closed {
		return ErrClosed
	}
	if err := x.load(); err != nil {
		return err
	}
	if x.segs[l.ID] == nil {
		if err := x.apply(l, s); err != nil {
			return err
		}
	}
	if x.listed == nil {
		x.listed = map[record.ID]bool{}
	}
	x.listed[l.ID] = true
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.segs[l.ID].eachPack(x.live.set)
}
