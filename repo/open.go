package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// Open opens the repository in st. Errors are ErrNoRepository, ErrWrongSecret, ErrNewer, ErrCorrupt or the store's.
// When config is damaged but a key slot opens, the copy in the slot serves, and the repository can only be read.
func Open(ctx context.Context, st storage.Store, secret Secret, o Options) (*Repo, error) {
	return OpenWith(ctx, st, func() (Secret, error) { return secret, nil }, o)
}

// OpenWith is Open for who has no secret yet: ask is called once it is known that a repository is there, so that nobody is asked for the
// password of what is not there. Its error is returned as it is. Only the secret tells a version that this program does not know from
// damage to the head of config, which is not sealed.
func OpenWith(ctx context.Context, st storage.Store, ask func() (Secret, error), o Options) (*Repo, error) {
	r := &Repo{st: st, o: o.withDefaults()}
	config, head, bad, err := r.readConfig(ctx)
	if err != nil {
		return nil, err
	}
	secret, err := ask()
	if err != nil {
		return nil, err
	}
	return r.open(ctx, config, head, bad, secret)
}

func (r *Repo) open(ctx context.Context, config []byte, head seal.Head, bad error, secret Secret) (*Repo, error) {
	u, err := r.unlock(ctx, secret, head.Repo)
	switch {
	case err != nil && otherVersion(bad):
		return nil, bad
	case err != nil:
		return nil, errors.Join(bad, err)
	case bad == nil && u.slot.Repo != head.Repo:
		bad = &CorruptError{Object: seal.ConfigName, Err: errors.New("it is that of another repository than the objects beside it")}
	}
	return r.finishOpen(u, config, bad)
}

// readConfig reads config and its head. bad says what is wrong with it: damage, or a version or feature that this program does not know.
func (r *Repo) readConfig(ctx context.Context) (config []byte, head seal.Head, bad, err error) {
	config, err = r.get(ctx, seal.ConfigName, seal.MaxSlot)
	switch {
	case gone(err):
		if err := refuseOccupied(ctx, r.st); err == nil {
			return nil, head, nil, ErrNoRepository
		} else if !errors.Is(err, ErrCorrupt) {
			return nil, head, nil, err
		}
		return nil, head, &CorruptError{Object: seal.ConfigName, Err: errors.New("it is missing")}, nil
	case errors.Is(err, ErrCorrupt):
		return nil, head, err, nil
	case err != nil:
		return nil, head, nil, err
	}
	head, err = seal.ParseHead(config)
	switch {
	case err == nil:
		return config, head, nil, nil
	case otherVersion(err):
		return config, head, err, nil
	}
	return config, head, corrupt(seal.ConfigName, err), nil
}

func otherVersion(err error) bool { return errors.Is(err, ErrNewer) || errors.Is(err, seal.ErrOlder) }

// finishOpen derives the keys and reads the parameters from config or, when that is bad, from the slot's copy.
func (r *Repo) finishOpen(u unlocked, config []byte, bad error) (*Repo, error) {
	key, err := u.slot.Primary()
	if err != nil {
		return nil, fmt.Errorf("key slot %s: %w", u.name, err)
	}
	ring := seal.NewRing(u.slot.Repo, key)
	if otherVersion(bad) {
		// The head is not sealed. It says so truly when the rest was sealed with it, or the copy says so too.
		if _, err := ring.OpenConfig(config); err == nil {
			return nil, bad
		}
		if _, err := seal.ParseHead(u.slot.Config); err != nil {
			return nil, bad
		}
	}
	if bad == nil || otherVersion(bad) {
		bad = nil
		if !bytes.Equal(config, u.slot.Config) {
			bad = &CorruptError{Object: seal.ConfigName, Err: errors.New("it differs from the copy in " + u.name)}
		}
	}
	head, err := seal.ParseHead(u.slot.Config)
	if err != nil {
		return nil, corrupt(u.name, err)
	}
	payload, err := ring.OpenConfig(u.slot.Config)
	if err != nil {
		return nil, corrupt(u.name, err)
	}
	params, err := record.DecodeConfig(payload)
	if err != nil {
		return nil, corrupt(seal.ConfigName, err)
	}
	out, err := newRepo(r.st, r.o, u.name, ring, params)
	if err != nil {
		return nil, err
	}
	out.content = u.slot
	if bad != nil {
		out.readOnly = fmt.Errorf("%w: %w; nothing that was backed up is lost: reading goes on with the copy in %s", ErrReadOnly, bad, u.name)
		r.o.Logger.Warn("config is damaged; reading goes on with the copy in the key slot", "err", bad, "slot", u.name)
	} else if len(head.ReadOnly) > 0 {
		out.readOnly = fmt.Errorf("%w: it has the feature %q, which a newer program must write", ErrReadOnly, head.ReadOnly[0])
	}
	return out, nil
}
