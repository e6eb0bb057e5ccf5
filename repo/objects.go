package repo

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"

	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

const maxObject = 64 << 20

func newID() record.ID {
	var id record.ID
	rand.Read(id[:]) // never fails
	return id
}

// putSealed seals payload as the object name, stores it and asks the store for it.
func (r *Repo) putSealed(ctx context.Context, kind seal.Kind, name string, payload []byte) (storage.Info, []byte, error) {
	b, err := r.ring.Seal(kind, name, payload, nil)
	if err != nil {
		return storage.Info{}, nil, err
	}
	info, err := r.put(ctx, name, b)
	return info, b, err
}

// put stores b and returns what Stat says of it: an object counts only when the store shows it with its size.
func (r *Repo) put(ctx context.Context, name string, b []byte) (storage.Info, error) {
	if err := r.st.Put(ctx, name, bytes.NewReader(b), int64(len(b)), storage.PutOptions{IfAbsent: true}); err != nil {
		return storage.Info{}, err
	}
	info, err := r.st.Stat(ctx, name)
	if err != nil {
		return info, fmt.Errorf("store %s: not there afterwards: %w", name, err)
	}
	if info.Size != int64(len(b)) {
		return info, fmt.Errorf("store %s: %d bytes arrived of %d", name, info.Size, len(b))
	}
	return info, nil
}

// get reads a whole object of at most limit bytes.
func (r *Repo) get(ctx context.Context, name string, limit int64) ([]byte, error) {
	info, err := r.st.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	if info.Size > limit {
		return nil, &CorruptError{Object: name, Err: fmt.Errorf("%d bytes where at most %d can be", info.Size, limit)}
	}
	b, err := r.st.Get(ctx, name, 0, -1, make([]byte, 0, info.Size))
	if err != nil {
		return nil, err
	}
	return b, nil
}

// getSealed reads and opens an object of which the store has told the name and size. Damage is a *CorruptError that names it.
func (r *Repo) getSealed(ctx context.Context, kind seal.Kind, i storage.Info) ([]byte, error) {
	b, err := r.getListed(ctx, i)
	if err != nil {
		return nil, err
	}
	p, err := r.ring.Open(kind, i.Name, b, nil)
	if err != nil {
		return nil, corrupt(i.Name, err)
	}
	return p, nil
}

// getListed reads an object of which the store has told the name and size.
func (r *Repo) getListed(ctx context.Context, i storage.Info) ([]byte, error) {
	if i.Size > maxObject+1<<20 {
		return nil, &CorruptError{Object: i.Name, Err: fmt.Errorf("%d bytes where at most %d can be", i.Size, maxObject+1<<20)}
	}
	b, err := r.st.Get(ctx, i.Name, 0, i.Size, make([]byte, 0, i.Size))
	if isRange(err) {
		return nil, corrupt(i.Name, err) // it is shorter than it was a moment ago
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// list collects the objects beneath a prefix.
func (r *Repo) list(ctx context.Context, prefix string) ([]storage.Info, error) {
	var out []storage.Info
	for info, err := range r.st.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	return out, nil
}
