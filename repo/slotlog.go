package repo

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"savepoint/repo/record"
	"savepoint/repo/seal"
)

// KeyChange says that a key slot was added or removed, as a mark has it that is put before that is done. One that failed half-way leaves such a
// mark too: what lies in keys/ counts.
type KeyChange struct {
	Slot    string    // name of the slot's object
	Removed bool      // else added
	First   bool      // added by Init: one of those that the repository began with
	Next    string    // name of the slot that took the place of a removed one; empty: none did
	By      string    // who: user@host
	Version string    // of the program
	Clock   time.Time // of that host
	Stored  time.Time // storage time
	id      record.ID
	ends    record.ID
}

// firstSlots is the reason of the mark that Init puts.
const firstSlots = "init"

// markSlots puts the mark that slots are about to be changed, and returns its ID.
func (r *Repo) markSlots(ctx context.Context, m record.Mark) (record.ID, error) {
	m.HostClock = r.o.Now().UnixNano()
	if r.o.Version != "" {
		m.Words = []string{r.o.Version}
	}
	return r.putMark(ctx, m)
}

// releaseSlot takes a mark back that somebody's removal had put: it is not done.
func (r *Repo) releaseSlot(ctx context.Context, mark record.ID) error {
	_, err := r.putMark(context.WithoutCancel(ctx), record.Mark{Kind: record.Release, Ends: mark[:], HostClock: r.o.Now().UnixNano()})
	return err
}

func (r *Repo) putMark(ctx context.Context, m record.Mark) (record.ID, error) {
	payload, err := m.Encode()
	if err != nil {
		return record.ID{}, err
	}
	id := newID()
	_, _, err = r.putSealed(ctx, seal.Mark, "marks/"+idHex(id), payload)
	return id, err
}

// KeyChanges returns what the marks say of key slots, oldest first, but for what was taken back. Marks that cannot be read are an error, which
// wraps ErrCorrupt or ErrNewer.
func (r *Repo) KeyChanges(ctx context.Context) ([]KeyChange, error) {
	infos, err := r.list(ctx, "marks/")
	if err != nil {
		return nil, err
	}
	found := make([][]KeyChange, len(infos))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for n, i := range infos {
		id, err := parseID(strings.TrimPrefix(i.Name, "marks/"))
		if err != nil {
			continue // not an object of ours
		}
		g.Go(func() error {
			m, err := readRecord(gctx, r, seal.Mark, i, record.DecodeMark)
			if gone(err) {
				return nil
			}
			if err != nil {
				return err
			}
			found[n] = keyChanges(m, id, i.Time)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return inForce(slices.Concat(found...)), nil
}

// keyChanges returns what a mark says of slots, and that it ends another mark.
func keyChanges(m *record.Mark, id record.ID, stored time.Time) []KeyChange {
	c := KeyChange{Removed: m.Kind == record.SlotRemoved, By: m.Owner, Clock: time.Unix(0, m.HostClock), Stored: stored, id: id}
	if len(m.Ends) == len(c.ends) {
		c.ends = record.ID(m.Ends)
	}
	c.First = m.Kind == record.SlotAdded && m.Reason == firstSlots
	if c.Removed && slotName.MatchString(m.Reason) {
		c.Next = m.Reason
	}
	if len(m.Words) > 0 {
		c.Version = m.Words[0]
	}
	var out []KeyChange
	if m.Kind == record.SlotAdded || c.Removed {
		for _, slot := range m.Objects {
			if slotName.MatchString(slot) {
				c.Slot = slot
				out = append(out, c)
			}
		}
	}
	if len(out) == 0 && c.ends != (record.ID{}) {
		out = append(out, c)
	}
	return out
}

// inForce leaves out what another mark ends.
func inForce(found []KeyChange) []KeyChange {
	ended := map[record.ID]bool{}
	for _, c := range found {
		ended[c.ends] = true
	}
	var out []KeyChange
	for _, c := range found {
		if c.Slot != "" && !ended[c.id] {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b KeyChange) int { return cmp.Or(a.Stored.Compare(b.Stored), cmp.Compare(a.Slot, b.Slot)) })
	return out
}

// SlotHeads reads what the headers of slots say, in their order: what opens them. The head of one that is gone by now, or is none, is empty.
func (r *Repo) SlotHeads(ctx context.Context, slots []KeySlot) ([]seal.SlotHead, error) {
	out := make([]seal.SlotHead, len(slots))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for n, s := range slots {
		g.Go(func() error {
			b, err := r.get(gctx, s.Name, seal.MaxSlot)
			if gone(err) || unreadable(err) {
				return nil
			}
			if err != nil {
				return err
			}
			if h, err := seal.ReadSlotHead(b); err == nil {
				out[n] = h
			}
			return nil
		})
	}
	return out, g.Wait()
}

// Opens reports whether a secret opens the repository now, as Open would find. It leaves nothing in the cache. An error means that it could not
// be told; it wraps ErrCorrupt when a slot is damaged that may be the one.
func (r *Repo) Opens(ctx context.Context, secret Secret) (bool, error) {
	fresh := &Repo{st: r.st, o: r.o}
	fresh.o.Cache = ""
	_, err := fresh.unlock(ctx, secret, r.id)
	if errors.Is(err, ErrWrongSecret) {
		return false, nil
	}
	return err == nil, err
}
