package repo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"savepoint/repo/seal"
)

// unlocked is a key slot that opened.
type unlocked struct {
	slot seal.Slot
	name string
}

// Limits of what opening a repository takes, whatever lies in keys/. Whoever may write there can put slots by the thousand.
const (
	maxTried = 1000    // slots
	maxCost  = 1 << 24 // of all password slots that are tried, in units of scrypt: 256 as this program makes them
)

// unlocking is one search for a slot that opens.
type unlocking struct {
	r       *Repo
	fitting int        // slots that are for such a secret
	left    int        // of them not tried, as there are too many or they would take too long
	cost    int        // of scrypt so far
	damaged error      // of the last one that is
	others  []unlocked // that opened and are of another repository
}

// unlock opens a slot with the secret, the one that opened last first, then the oldest. want is the ID in config's head, zero when that
// cannot be read: then, and when every slot that opens is for another ID, what lies in the repository decides, for slots can be left
// over from an Init that was cut off.
func (r *Repo) unlock(ctx context.Context, secret Secret, want seal.RepoID) (unlocked, error) {
	slots, err := r.KeySlots(ctx)
	if err != nil {
		return unlocked{}, err
	}
	if len(slots) == 0 {
		return unlocked{}, &CorruptError{Object: "keys/", Err: errors.New("no key slot is left"),
			Hint: "put back the folder keys from a copy of the repository"}
	}
	last := r.lastSlot(want)
	slices.SortStableFunc(slots, func(a, b KeySlot) int {
		return cmp.Or(boolRank(b.Name == last)-boolRank(a.Name == last), cmp.Compare(a.Created, b.Created))
	})
	u := &unlocking{r: r}
	for _, s := range slots {
		found, err := u.try(ctx, s, secret, want)
		if err != nil {
			return unlocked{}, err
		}
		if found != nil {
			r.rememberSlot(found.slot.Repo, found.name)
			return *found, nil
		}
	}
	if i, err := r.whoFits(ctx, u.others, want); err != nil {
		return unlocked{}, err
	} else if i >= 0 {
		return u.others[i], nil
	}
	return unlocked{}, u.refusal(slots)
}

// try opens one slot. What is wrong with it is noted; an error ends the search.
func (u *unlocking) try(ctx context.Context, s KeySlot, secret Secret, want seal.RepoID) (*unlocked, error) {
	ids, err := secret.openers(s.Kind)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	if u.fitting++; u.fitting > maxTried {
		u.left++
		return nil, nil
	}
	b, err := u.r.get(ctx, s.Name, seal.MaxSlot)
	var slot seal.Slot
	if err == nil {
		if !u.affords(b) {
			u.left++
			return nil, nil
		}
		slot, err = openSlot(s.Name, b, ids)
	}
	switch {
	case err == nil && slot.Repo == want:
		return &unlocked{slot, s.Name}, nil
	case err == nil:
		u.others = append(u.others, unlocked{slot, s.Name})
	case errors.Is(err, ErrWrongSecret), gone(err):
	case errors.Is(err, ErrCorrupt):
		u.damaged = err
	default:
		return nil, err
	}
	return nil, nil
}

// affords counts what scrypt takes for a slot, and reports whether that is within what is left for all. A factor that is refused costs nothing.
func (u *unlocking) affords(b []byte) bool {
	h, err := seal.ReadSlotHead(b)
	if err != nil || h.WorkFactor == 0 || h.WorkFactor > seal.MaxWorkFactor {
		return true
	}
	u.cost += 1 << h.WorkFactor
	return u.cost <= maxCost
}

// refusal says why no slot opened.
func (u *unlocking) refusal(slots []KeySlot) error {
	switch {
	case u.damaged != nil:
		return fmt.Errorf("no other key slot opens: %w", u.damaged)
	case u.fitting == 0:
		return fmt.Errorf("no key slot is for this kind of secret (there are: %s): %w", kinds(slots), ErrWrongSecret)
	case len(u.others) > 0:
		return fmt.Errorf("%s opens, but it is a slot of another repository, %s, that was copied or left here: %w", u.others[0].name, u.others[0].slot.Repo, ErrWrongSecret)
	case u.left > 0:
		return fmt.Errorf("%d of %d key slots tried, the oldest first; all would take too long, and so many were hardly made on purpose: %w",
			u.fitting-u.left, u.fitting, ErrWrongSecret)
	}
	if u.fitting == 1 {
		return fmt.Errorf("1 key slot tried: %w", ErrWrongSecret)
	}
	return fmt.Errorf("%d key slots tried: %w", u.fitting, ErrWrongSecret)
}

// probes is how many objects of a kind are tried to find out whose keys are those of the repository.
const probes = 8

// whoFits returns the index of the slot whose keys open what lies in the repository, or -1. Where nothing lies, any will do
// that config does not contradict.
func (r *Repo) whoFits(ctx context.Context, opened []unlocked, want seal.RepoID) (int, error) {
	rings := make([]*seal.Ring, len(opened))
	for i, u := range opened {
		if key, err := u.slot.Primary(); err == nil {
			rings[i] = seal.NewRing(u.slot.Repo, key)
		}
	}
	if len(opened) == 0 {
		return -1, nil
	}
	empty := true
	for _, p := range []struct {
		prefix string
		kind   seal.Kind
	}{{"snapshots/", seal.Manifest}, {"leases/", seal.Lease}, {segmentPrefix(Meta), seal.Segment}, {segmentPrefix(Data), seal.Segment}} {
		n := 0
		for info, err := range r.st.List(ctx, p.prefix, "") {
			if err != nil {
				return -1, err
			}
			empty = false
			if n++; n > probes {
				break
			}
			b, err := r.get(ctx, info.Name, maxObject+1<<20)
			if err != nil && !gone(err) && !errors.Is(err, ErrCorrupt) {
				return -1, err
			}
			for i, ring := range rings {
				if ring == nil {
					continue
				}
				if _, err := ring.Open(p.kind, info.Name, b, nil); err == nil {
					return i, nil
				}
			}
		}
	}
	if empty && want == (seal.RepoID{}) {
		return 0, nil
	}
	return -1, nil
}

// openers returns what opens slots of the kind; nothing when the secret has nothing for them.
func (s Secret) openers(kind string) ([]seal.Identity, error) {
	var ids []seal.Identity
	if kind == SlotPassphrase {
		if s.Passphrase == "" {
			return nil, nil
		}
		id, err := seal.PassphraseIdentity(s.Passphrase)
		return append(ids, id), err
	}
	if s.MachineKey != "" {
		id, err := seal.ParseIdentity(s.MachineKey)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if s.Identities != "" {
		more, err := seal.ParseIdentities(s.Identities)
		if err != nil {
			return nil, err
		}
		ids = append(ids, more...)
	}
	return ids, nil
}

// openSlot opens the bytes of a slot. Damage names it.
func openSlot(name string, b []byte, ids []seal.Identity) (seal.Slot, error) {
	slot, err := seal.OpenSlot(b, ids...)
	if errors.Is(err, seal.ErrDamaged) {
		return slot, corrupt(name, err)
	}
	return slot, err
}

// listedKinds is how many slots a message lists.
const listedKinds = 8

func kinds(slots []KeySlot) string {
	var out []string
	for _, s := range slots[:min(listedKinds, len(slots))] {
		out = append(out, s.Kind+" "+s.Label)
	}
	if more := len(slots) - len(out); more > 0 {
		out = append(out, fmt.Sprintf("%d more", more))
	}
	return strings.Join(out, ", ")
}

func (r *Repo) lastSlot(id seal.RepoID) string {
	p := r.cacheFile(id, "slot")
	if p == "" {
		return ""
	}
	b, err := os.ReadFile(p)
	if err != nil {
		return ""
	}
	return string(b)
}

// rememberSlot is a convenience: an error costs only time at the next open.
func (r *Repo) rememberSlot(id seal.RepoID, name string) {
	p := r.cacheFile(id, "slot")
	if p == "" || r.lastSlot(id) == name {
		return
	}
	if err := writeCache(p, []byte(name)); err != nil {
		r.o.Logger.Debug("cache could not be written", "err", err)
	}
}
