package repo

import (
	"context"
	"fmt"
	"time"

	"savepoint/repo/seal"
)

// Times between a slot and what tells of it.
const (
	initSlack    = 5 * time.Minute // a slot of Init may be so much newer than config, where the store's clock was set back
	removalSlack = time.Hour       // a removal that goes on takes no longer
)

// surveySlots compares the key slots with what the marks tell of them.
func (r *Repo) surveySlots(ctx context.Context, s *Survey, l *Listing, slots []KeySlot) error {
	s.Slots, s.KeyChanges = slots, inForce(l.slots)
	told, added, removed, marked := map[string]bool{}, map[string]bool{}, map[string]time.Time{}, false
	for _, c := range s.KeyChanges {
		told[c.Slot] = true
		if c.Removed {
			removed[c.Slot] = c.Stored
		} else {
			added[c.Slot] = true
		}
		marked = marked || c.First
	}
	var untold []KeySlot
	for _, slot := range slots {
		at, gone := removed[slot.Name]
		switch {
		case gone && r.o.Now().Sub(at) > removalSlack:
			s.Returned = append(s.Returned, slot)
		case !told[slot.Name]:
			untold = append(untold, slot)
		}
	}
	if len(untold) == 0 || l.blind { // the mark may be the one that cannot be read
		return nil
	}
	if marked { // Init has told of its own
		s.Foreign = untold
		return nil
	}
	made, known, err := r.made(ctx, s, l)
	if err != nil || !known {
		return err
	}
	ofInit := 0 // slots that it made as far as can be seen; none: somebody has touched them all
	for name := range removed {
		ofInit += boolRank(!added[name])
	}
	var late []KeySlot
	for _, slot := range untold {
		if time.Unix(0, slot.Created).After(made.Add(initSlack)) {
			late = append(late, slot)
		} else {
			ofInit++
		}
	}
	if ofInit > 0 {
		s.Foreign = late
	}
	return nil
}

// made returns when Init put config, after the slots; false when that cannot be told. The objects of a copy have times of their own: then config is
// newer than what was written later.
func (r *Repo) made(ctx context.Context, s *Survey, l *Listing) (time.Time, bool, error) {
	if l.copied || len(l.adopted) > 0 {
		return time.Time{}, false, nil
	}
	info, err := r.st.Stat(ctx, seal.ConfigName)
	if gone(err) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("look for a repository: %w", err)
	}
	latest := info.Time.Add(-initSlack).UnixNano()
	for _, x := range s.Snapshots {
		if x.Window[0] < latest {
			return time.Time{}, false, nil
		}
	}
	for _, x := range s.Reports {
		if x.Ran[0] < latest {
			return time.Time{}, false, nil
		}
	}
	return info.Time, true, nil
}
