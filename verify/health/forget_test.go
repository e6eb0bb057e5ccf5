package health_test

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// forget forgets snapshots: first the tombstone, then the manifests.
func (w *world) forget(snaps ...*repo.Snapshot) {
	w.t.Helper()
	mark := record.Mark{Kind: record.Tombstone}
	for _, s := range snaps {
		mark.Objects = append(mark.Objects, s.Name)
	}
	w.mark(mark)
	w.lose(snaps...)
}

// lose deletes manifests that nobody forgot.
func (w *world) lose(snaps ...*repo.Snapshot) {
	w.t.Helper()
	for _, s := range snaps {
		if err := w.store.Delete(w.t.Context(), s.Name); err != nil {
			w.t.Fatal(err)
		}
	}
}

// mark puts a mark as a program does that has the repository's keys.
func (w *world) mark(m record.Mark) {
	w.t.Helper()
	b, err := m.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := seal.PassphraseIdentity(password)
	if err != nil {
		w.t.Fatal(err)
	}
	objects := w.store.Objects()
	key := objects[slices.IndexFunc(objects, func(n string) bool { return strings.HasPrefix(n, "keys/") })]
	text, err := w.store.Get(w.t.Context(), key, 0, -1, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	slot, err := seal.OpenSlot(text, id)
	if err != nil {
		w.t.Fatal(err)
	}
	primary, err := slot.Primary()
	if err != nil {
		w.t.Fatal(err)
	}
	var random [16]byte
	rand.Read(random[:])
	name := "marks/" + hex.EncodeToString(random[:])
	sealed, err := seal.NewRing(slot.Repo, primary).Seal(seal.Mark, name, b, nil)
	if err == nil {
		err = w.store.Put(w.t.Context(), name, strings.NewReader(string(sealed)), int64(len(sealed)), storage.PutOptions{IfAbsent: true})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}
