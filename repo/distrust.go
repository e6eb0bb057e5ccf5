package repo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/zeebo/blake3"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
)

// packNamed returns the name of the pack that an error says is damaged.
func packNamed(err error) (name string, id pack.ID, ok bool) {
	var c *CorruptError
	if !errors.As(err, &c) {
		return "", id, false
	}
	_, id, ok = pack.ParseName(c.Object)
	return c.Object, id, ok
}

// MarkDamaged reads the pack that err names once more and, when its bytes are not those that its name is the hash of, or it is
// gone, puts a mark: sessions that begin from now on store again what only that pack holds, as far as the source still has
// it. It returns the pack's name, or "" when err names none, when it is marked or condemned already, or when the pack is whole,
// so that only reading it went wrong.
func (r *Repo) MarkDamaged(ctx context.Context, err error) (string, error) {
	name, id, ok := packNamed(err)
	if !ok {
		return "", nil
	}
	l, listErr := r.listAll(ctx)
	if listErr != nil {
		return "", listErr
	}
	if l.dead[id] || l.writable() != nil {
		return "", nil // marked or condemned already, or not ours to mark
	}
	reason, err := r.damageOf(ctx, name, id)
	if err != nil || reason == "" {
		return "", err
	}
	if err := r.putDamaged(ctx, []string{name}, reason); err != nil {
		return "", err
	}
	return name, nil
}

// damageOf reads a pack up to two times, as a read that went wrong is no damage, and says why its bytes are not those that its name is
// the hash of; "" when they are.
func (r *Repo) damageOf(ctx context.Context, name string, id pack.ID) (string, error) {
	reason := "its bytes are not those that it was stored with"
	for range 2 {
		b, err := r.get(ctx, name, pack.MaxSize)
		if err == nil && blake3.Sum256(b) == id {
			return "", nil
		}
		if err != nil && !gone(err) && !errors.Is(err, ErrCorrupt) {
			return "", err
		}
		if err != nil {
			reason = err.Error()
		}
	}
	return reason, nil
}

// putDamaged puts a mark that objects, packs or index segments, are damaged.
func (r *Repo) putDamaged(ctx context.Context, names []string, reason string) error {
	m := record.Mark{Kind: record.Damaged, Objects: names, Reason: reason, Owner: r.o.Host, HostClock: r.o.Now().UnixNano()}
	payload, err := m.Encode()
	if err != nil {
		return err
	}
	if _, _, err := r.putSealed(ctx, seal.Mark, "marks/"+idHex(newID()), payload); err != nil {
		return fmt.Errorf("mark %s as damaged: %w", strings.Join(names[:min(3, len(names))], ", "), err)
	}
	return nil
}

// Distrusts reports whether err is about a pack that this session does not count on anyway.
func (s *Session) Distrusts(err error) bool {
	_, id, ok := packNamed(err)
	if !ok {
		return false
	}
	_, list := s.current()
	return list != nil && list.dead[id]
}
