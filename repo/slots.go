package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"savepoint/repo/seal"
)

// The kinds of key slots.
const (
	SlotPassphrase = "passphrase"
	SlotMachine    = "machine"
	SlotRecipient  = "recipient"
)

// Secret opens a repository: a passphrase, the text of a machine key file, or both.
type Secret struct {
	Passphrase string
	MachineKey string
}

// NewSlot asks Init for a key slot.
type NewSlot struct {
	Kind, Label string
	// Passphrase of a passphrase slot; the public age recipient of others.
	Passphrase, Recipient string
	// WorkFactor of scrypt; 0 is seal.WorkFactor. Smaller ones are for tests.
	WorkFactor int
}

// KeySlot describes a key slot from its name.
type KeySlot struct {
	Name, Kind, Label, ID string
	Created               int64 // storage time, nanoseconds since 1970
}

var slotName = regexp.MustCompile(`^keys/(passphrase|machine|recipient)-([a-z0-9._]{1,63})-([0-9a-f]{32})$`)

// ValidLabel reports whether s can be the label of a key slot.
func ValidLabel(s string) bool {
	return slotName.MatchString("keys/machine-" + s + "-" + strings.Repeat("0", 32))
}

// KeySlots lists the key slots; it needs no key.
func (r *Repo) KeySlots(ctx context.Context) ([]KeySlot, error) {
	infos, err := r.list(ctx, "keys/")
	if err != nil {
		return nil, err
	}
	var out []KeySlot
	for _, i := range infos {
		if m := slotName.FindStringSubmatch(i.Name); m != nil {
			out = append(out, KeySlot{Name: i.Name, Kind: m[1], Label: m[2], ID: m[3], Created: i.Time.UnixNano()})
		}
	}
	return out, nil
}

// unlocked is a key slot that opened.
type unlocked struct {
	slot seal.Slot
	name string
}

// unlock opens a slot with the secret, the one that opened last first. want is the ID in config's head, zero when that cannot be
// read: then, and when every slot that opens is for another ID, what lies in the repository decides, for slots can be left over from
// an Init that was cut off.
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
	slices.SortStableFunc(slots, func(a, b KeySlot) int { return boolRank(b.Name == last) - boolRank(a.Name == last) })
	var damaged error
	var others []unlocked
	fitting := 0
	for _, s := range slots {
		open, err := secret.opener(s.Kind)
		if err != nil {
			return unlocked{}, err
		}
		if open == nil {
			continue
		}
		fitting++
		slot, err := r.openSlot(ctx, s, open)
		switch {
		case err == nil && slot.Repo == want:
			r.rememberSlot(slot.Repo, s.Name)
			return unlocked{slot, s.Name}, nil
		case err == nil:
			others = append(others, unlocked{slot, s.Name})
		case errors.Is(err, ErrWrongSecret), gone(err):
		case errors.Is(err, ErrCorrupt):
			damaged = err
		default:
			return unlocked{}, err
		}
	}
	if i, err := r.whoFits(ctx, others, want); err != nil {
		return unlocked{}, err
	} else if i >= 0 {
		return others[i], nil
	}
	if damaged != nil {
		return unlocked{}, fmt.Errorf("no other key slot opens: %w", damaged)
	}
	if fitting == 0 {
		return unlocked{}, fmt.Errorf("no key slot is for this kind of secret (there are: %s): %w", kinds(slots), ErrWrongSecret)
	}
	return unlocked{}, fmt.Errorf("%d key slots tried: %w", fitting, ErrWrongSecret)
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

// opener returns what opens slots of the kind, or nil when the secret has nothing for them.
func (s Secret) opener(kind string) (seal.Identity, error) {
	if kind == SlotPassphrase {
		if s.Passphrase == "" {
			return nil, nil
		}
		return seal.PassphraseIdentity(s.Passphrase)
	}
	if s.MachineKey == "" {
		return nil, nil
	}
	return seal.ParseIdentity(s.MachineKey)
}

func (r *Repo) openSlot(ctx context.Context, s KeySlot, id seal.Identity) (seal.Slot, error) {
	b, err := r.get(ctx, s.Name, seal.MaxSlot)
	if err != nil {
		return seal.Slot{}, err
	}
	slot, err := seal.OpenSlot(b, id)
	if errors.Is(err, seal.ErrDamaged) {
		return slot, corrupt(s.Name, err)
	}
	return slot, err
}

func kinds(slots []KeySlot) string {
	var out []string
	for _, s := range slots {
		out = append(out, s.Kind+" "+s.Label)
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
