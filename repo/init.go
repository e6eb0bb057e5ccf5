package repo

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"savepoint/chunk"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// Init makes a repository in an empty store and opens it. Key slots come first and config, which makes it a repository,
// last: an Init that was cut off can be run again. It returns ErrExists when there is a repository.
func Init(ctx context.Context, st storage.Store, slots []NewSlot, o Options) (*Repo, error) {
	o = o.withDefaults()
	if len(slots) == 0 {
		return nil, errors.New("a repository needs a key slot")
	}
	if err := refuseOccupied(ctx, st); err != nil {
		return nil, err
	}
	pol, err := chunk.RandomPolynomial()
	if err != nil {
		return nil, fmt.Errorf("draw the splitter's polynomial: %w", err)
	}
	params := chunk.DefaultRabin(pol)
	var id seal.RepoID
	rand.Read(id[:])
	key := seal.NewKey()
	ring := seal.NewRing(id, key)
	payload, err := record.EncodeConfig(params)
	if err != nil {
		return nil, err
	}
	config, err := ring.SealConfig(seal.Head{Version: seal.Version, Repo: id}, payload)
	if err != nil {
		return nil, err
	}
	r, err := newRepo(st, o, "", ring, params)
	if err != nil {
		return nil, err
	}
	content := seal.Slot{Keys: []seal.Key{key}, Repo: id, Config: config}
	r.content = content
	for _, s := range slots {
		if r.slot, err = r.putSlot(ctx, s, content); err != nil {
			return nil, err
		}
	}
	first, err := r.list(ctx, "keys/") // also what an Init left that was cut off: that opens nothing
	if err != nil {
		return nil, err
	}
	if _, err := r.put(ctx, seal.ConfigName, config); err != nil {
		if errors.Is(err, storage.ErrExists) {
			return nil, ErrExists
		}
		return nil, err
	}
	r.markFirstSlots(ctx, first)
	return r, nil
}

// markFirstSlots puts the mark of the slots that a repository begins with. It comes after config: a mark of a repository that never came to exist
// would be one that nobody can read. So Init may be cut off before it, or fail to put it, and the repository is there: then the slots that
// are older than config count as those of Init.
func (r *Repo) markFirstSlots(ctx context.Context, infos []storage.Info) {
	if r.o.By == "" {
		return
	}
	m := record.Mark{Kind: record.SlotAdded, Owner: r.o.By, Reason: firstSlots}
	for _, i := range infos {
		if slotName.MatchString(i.Name) {
			m.Objects = append(m.Objects, i.Name)
		}
	}
	if _, err := r.markSlots(ctx, m); err != nil {
		r.o.Logger.Warn("the repository is made, but the mark that says who made its key slots could not be put", "err", err)
	}
}

// refuseOccupied returns an error when there is a repository, or what is left of one.
func refuseOccupied(ctx context.Context, st storage.Store) error {
	_, err := st.Stat(ctx, seal.ConfigName)
	if err == nil {
		return ErrExists
	}
	if !gone(err) {
		return fmt.Errorf("look for a repository: %w", err)
	}
	for _, prefix := range []string{"snapshots/", "data/", "index/"} {
		for info, err := range st.List(ctx, prefix, "") {
			if err != nil {
				return fmt.Errorf("look for a repository: %w", err)
			}
			return &CorruptError{Object: seal.ConfigName, Err: fmt.Errorf("it is missing, but %s is there", info.Name),
				Hint: "this is a repository that lost its config: put config back, or choose another folder for a new one"}
		}
	}
	return nil
}

func (r *Repo) putSlot(ctx context.Context, s NewSlot, content seal.Slot) (string, error) {
	name, b, err := sealSlot(s, content)
	if err != nil {
		return "", err
	}
	_, err = r.put(ctx, name, b)
	return name, err
}

// sealSlot makes a key slot, and its name.
func sealSlot(s NewSlot, content seal.Slot) (name string, b []byte, err error) {
	if !ValidLabel(s.Label) {
		return "", nil, fmt.Errorf("label %q of a key slot: want 1 to 63 of a-z, 0-9, dot and underscore", s.Label)
	}
	name = "keys/" + s.Kind + "-" + s.Label + "-" + cmp.Or(s.ID, NewSlotID())
	if !slotName.MatchString(name) {
		return "", nil, fmt.Errorf("%s is no name of a key slot", name)
	}
	var to seal.Recipient
	if s.Kind == SlotPassphrase {
		if s.Passphrase == "" {
			return "", nil, errors.New("the password is empty")
		}
		to, err = seal.PassphraseRecipient(s.Passphrase, cmp.Or(s.WorkFactor, seal.WorkFactor))
	} else {
		to, err = seal.ParseRecipient(s.Recipient)
	}
	if err != nil {
		return "", nil, fmt.Errorf("key slot %s: %w", s.Label, err)
	}
	b, err = seal.SealSlot(content, to)
	return name, b, err
}
