package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

var (
	// ErrLastSlot is returned by RemoveSlot when nothing would be left that opens the repository.
	ErrLastSlot = errors.New("nothing would be left that opens the repository")
	// ErrNoSlot is returned when there is no key slot of that name.
	ErrNoSlot = errors.New("no such key slot")
)

// NewSlotID draws the random part of a slot's name, for who must know it before the slot is made.
func NewSlotID() string { return idHex(newID()) }

// AddSlot makes a key slot with what the slot holds that opened the repository, and reads it back from the store. With a proof, a secret
// that it should open with, it is opened too. A mark says before that by was about to make it. When it returns an error, the slot may be there
// or not; all others are as they were.
func (r *Repo) AddSlot(ctx context.Context, s NewSlot, proof Secret, by string) (KeySlot, error) {
	if err := r.mayChangeSlots(); err != nil {
		return KeySlot{}, err
	}
	name, b, err := sealSlot(s, r.content)
	if err != nil {
		return KeySlot{}, err
	}
	if _, err := r.markSlots(ctx, record.Mark{Kind: record.SlotAdded, Objects: []string{name}, Owner: by}); err != nil {
		return KeySlot{}, err
	}
	if _, err := r.put(ctx, name, b); err != nil {
		return KeySlot{}, err
	}
	if err := r.checkNewSlot(ctx, name, b, proof); err != nil {
		return KeySlot{}, fmt.Errorf("read %s back: %w", name, err)
	}
	return r.slotNamed(ctx, name)
}

// checkNewSlot reads a slot from the store and compares it with what was put, and what it opens to.
func (r *Repo) checkNewSlot(ctx context.Context, name string, want []byte, proof Secret) error {
	b, err := r.get(ctx, name, seal.MaxSlot)
	if err != nil {
		return err
	}
	if !bytes.Equal(b, want) {
		return corrupt(name, errors.New("it is not what was stored"))
	}
	ids, err := proof.openers(slotName.FindStringSubmatch(name)[1])
	if err != nil || len(ids) == 0 {
		return err
	}
	slot, err := openSlot(name, b, ids)
	if err == nil && (slot.Repo != r.content.Repo || !slices.Equal(slot.Keys, r.content.Keys) || !bytes.Equal(slot.Config, r.content.Config)) {
		err = corrupt(name, errors.New("it holds something else than the slot that opened the repository"))
	}
	return err
}

// ReplaceSlot makes a slot as AddSlot does and, once it was read back, removes another. Whenever it ends, one of the two is there. The new slot
// is returned also when the old one could not be removed.
func (r *Repo) ReplaceSlot(ctx context.Context, old string, s NewSlot, proof Secret, by string) (KeySlot, error) {
	if _, err := r.slotNamed(ctx, old); err != nil {
		return KeySlot{}, err
	}
	made, err := r.AddSlot(ctx, s, proof, by)
	if err != nil {
		return KeySlot{}, err
	}
	if err := r.removeSlot(ctx, old, by, made.Name); err != nil {
		return made, fmt.Errorf("the new key slot %s is there, but the old one could not be removed: %w", made.Name, err)
	}
	if r.slot == old {
		r.slot = made.Name
		r.rememberSlot(r.id, made.Name)
	}
	return made, nil
}

// RemoveSlot removes a key slot. It returns ErrLastSlot when no other one would be left, those not counted that somebody is about to remove:
// of two hosts that remove two slots at a time one sees the other's mark. A mark whose host died goes on to count; who then cannot remove
// a slot adds one first.
func (r *Repo) RemoveSlot(ctx context.Context, name, by string) error {
	return r.removeSlot(ctx, name, by, "")
}

// removeSlot is RemoveSlot; next is the slot that took the place of the removed one, if one did.
func (r *Repo) removeSlot(ctx context.Context, name, by, next string) error {
	if err := r.mayChangeSlots(); err != nil {
		return err
	}
	if _, err := r.slotNamed(ctx, name); err != nil {
		return err
	}
	mark, err := r.markSlots(ctx, record.Mark{Kind: record.SlotRemoved, Objects: []string{name}, Owner: by, Reason: next})
	if err != nil {
		return err
	}
	// The mark is there before the others are read: of two that remove at a time, at least one sees the other.
	if err := r.othersOpen(ctx, name); err != nil {
		return errors.Join(err, r.releaseSlot(ctx, mark))
	}
	if err := r.st.Delete(ctx, name); err != nil {
		var op *storage.OpError
		if _, there := r.st.Stat(ctx, name); there == nil && errors.As(err, &op) && !op.Temporary { // it was refused, and will not happen later
			err = errors.Join(err, r.releaseSlot(ctx, mark))
		}
		return fmt.Errorf("remove %s: %w", name, err)
	}
	if _, err := r.st.Stat(ctx, name); err == nil {
		return fmt.Errorf("remove %s: it is there afterwards", name)
	} else if !gone(err) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// othersOpen returns ErrLastSlot unless a slot beside the named one is left that nobody is removing and that is whole as far as can be seen.
func (r *Repo) othersOpen(ctx context.Context, name string) error {
	changes, err := r.KeyChanges(ctx)
	if err != nil {
		return err
	}
	slots, err := r.KeySlots(ctx) // after the marks: what is gone by now counts for nothing
	if err != nil {
		return err
	}
	leaving := map[string]bool{name: true}
	for _, c := range changes {
		leaving[c.Slot] = leaving[c.Slot] || c.Removed
	}
	others := 0
	slots = slices.DeleteFunc(slots, func(s KeySlot) bool {
		others += boolRank(s.Name != name)
		return leaving[s.Name]
	})
	for _, s := range slots {
		if s.Name == r.slot { // it opened
			return nil
		}
	}
	for _, s := range slots {
		b, err := r.get(ctx, s.Name, seal.MaxSlot)
		switch {
		case err == nil && checkSlot(s.Kind, b) == nil:
			return nil
		case err != nil && !gone(err) && !errors.Is(err, ErrCorrupt):
			return err
		}
	}
	if others > 0 {
		return fmt.Errorf("%w: the %d others are damaged, or are being removed by somebody else", ErrLastSlot, others)
	}
	return ErrLastSlot
}

// mayChangeSlots returns why key slots must not be changed, or nil.
func (r *Repo) mayChangeSlots() error {
	if r.readOnly != nil {
		return r.readOnly
	}
	return nil
}

// slotNamed returns the slot of that name, or ErrNoSlot.
func (r *Repo) slotNamed(ctx context.Context, name string) (KeySlot, error) {
	m := slotName.FindStringSubmatch(name)
	if m == nil {
		return KeySlot{}, fmt.Errorf("%s: %w", name, ErrNoSlot)
	}
	info, err := r.st.Stat(ctx, name)
	if gone(err) {
		err = fmt.Errorf("%s: %w", name, ErrNoSlot)
	}
	if err != nil {
		return KeySlot{}, err
	}
	return KeySlot{Name: name, Kind: m[1], Label: m[2], ID: m[3], Created: info.Time.UnixNano()}, nil
}
