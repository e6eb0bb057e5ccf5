package repo

import (
	"bytes"
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
	for _, s := range slots {
		if r.slot, err = r.putSlot(ctx, s, content); err != nil {
			return nil, err
		}
	}
	if _, err := r.put(ctx, seal.ConfigName, config); err != nil {
		if errors.Is(err, storage.ErrExists) {
			return nil, ErrExists
		}
		return nil, err
	}
	return r, nil
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
	if !ValidLabel(s.Label) {
		return "", fmt.Errorf("label %q of a key slot: want 1 to 63 of a-z, 0-9, dot and underscore", s.Label)
	}
	var to seal.Recipient
	var err error
	if s.Kind == SlotPassphrase {
		if s.Passphrase == "" {
			return "", errors.New("the password is empty")
		}
		to, err = seal.PassphraseRecipient(s.Passphrase, cmp.Or(s.WorkFactor, seal.WorkFactor))
	} else {
		to, err = seal.ParseRecipient(s.Recipient)
	}
	if err != nil {
		return "", fmt.Errorf("key slot %s: %w", s.Label, err)
	}
	b, err := seal.SealSlot(content, to)
	if err != nil {
		return "", err
	}
	name := "keys/" + s.Kind + "-" + s.Label + "-" + idHex(newID())
	_, err = r.put(ctx, name, b)
	return name, err
}

// Open opens the repository in st. Errors are ErrNoRepository, ErrWrongSecret, ErrNewer, ErrCorrupt or the store's.
// When config is damaged but a key slot opens, the copy in the slot serves, and the repository can only be read.
func Open(ctx context.Context, st storage.Store, secret Secret, o Options) (*Repo, error) {
	o = o.withDefaults()
	r := &Repo{st: st, o: o}
	config, err := r.get(ctx, seal.ConfigName, seal.MaxSlot)
	var bad error
	var head seal.Head
	switch {
	case gone(err):
		if err := refuseOccupied(ctx, st); err == nil {
			return nil, ErrNoRepository
		} else if !errors.Is(err, ErrCorrupt) {
			return nil, err
		}
		bad = &CorruptError{Object: seal.ConfigName, Err: errors.New("it is missing")}
	case errors.Is(err, ErrCorrupt):
		bad = err
	case err != nil:
		return nil, err
	default:
		if head, err = seal.ParseHead(config); errors.Is(err, ErrNewer) {
			return nil, err
		} else if err != nil {
			bad = corrupt(seal.ConfigName, err)
		}
	}
	slot, name, err := r.unlock(ctx, secret, head.Repo)
	if err != nil {
		return nil, errors.Join(bad, err)
	}
	return r.finishOpen(slot, name, config, bad)
}

// finishOpen derives the keys and reads the parameters from config or, when that is bad, from the slot's copy.
func (r *Repo) finishOpen(slot seal.Slot, name string, config []byte, bad error) (*Repo, error) {
	key, err := slot.Primary()
	if err != nil {
		return nil, fmt.Errorf("key slot %s: %w", name, err)
	}
	ring := seal.NewRing(slot.Repo, key)
	payload, err := ring.OpenConfig(config)
	if bad == nil && err != nil {
		bad = corrupt(seal.ConfigName, err)
	}
	if bad == nil && !bytes.Equal(config, slot.Config) {
		bad = &CorruptError{Object: seal.ConfigName, Err: errors.New("it differs from the copy in " + name)}
	}
	if bad != nil {
		config = slot.Config
		if _, err := seal.ParseHead(config); err != nil {
			return nil, corrupt(name, err)
		}
		if payload, err = ring.OpenConfig(config); err != nil {
			return nil, corrupt(name, err)
		}
	}
	params, err := record.DecodeConfig(payload)
	if err != nil {
		return nil, corrupt(seal.ConfigName, err)
	}
	out, err := newRepo(r.st, r.o, name, ring, params)
	if err != nil {
		return nil, err
	}
	if bad != nil {
		out.readOnly = fmt.Errorf("%w: %w; nothing that was backed up is lost: reading goes on with the copy in %s", ErrReadOnly, bad, name)
		r.o.Logger.Warn("config is damaged; reading goes on with the copy in the key slot", "err", bad, "slot", name)
	} else if head, err := seal.ParseHead(config); err == nil && len(head.ReadOnly) > 0 {
		out.readOnly = fmt.Errorf("%w: it has the feature %q, which a newer program must write", ErrReadOnly, head.ReadOnly[0])
	}
	return out, nil
}
