package repo_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

func TestInit(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	if r.Slot() != one(t, st, "keys/") || r.ReadOnly() != nil || r.Params().Validate() != nil {
		t.Errorf("slot %s, read-only %v", r.Slot(), r.ReadOnly())
	}
	if _, err := repo.Init(t.Context(), st, slots(), repo.Options{}); !errors.Is(err, repo.ErrExists) {
		t.Errorf("Init again = %v", err)
	}
	for _, bad := range [][]repo.NewSlot{nil, {{Kind: repo.SlotPassphrase, Label: "x"}}, {{Kind: repo.SlotPassphrase, Label: "A-b", Passphrase: "x"}},
		{{Kind: repo.SlotMachine, Label: "x", Recipient: "age1nonsense"}}} {
		if _, err := repo.Init(t.Context(), mem.New(nil), bad, repo.Options{}); err == nil {
			t.Errorf("Init with slots %+v succeeds", bad)
		}
	}
	if _, err := repo.Open(t.Context(), mem.New(nil), secret, repo.Options{}); !errors.Is(err, repo.ErrNoRepository) {
		t.Errorf("Open of nothing = %v", err)
	}
}

func TestOpenWithEachSecret(t *testing.T) {
	key, public, err := seal.NewMachineKey()
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := seal.NewMachineKey()
	if err != nil {
		t.Fatal(err)
	}
	st := mem.New(nil)
	list := append(slots(), repo.NewSlot{Kind: repo.SlotMachine, Label: "cron.1", Recipient: public})
	r, err := repo.Init(t.Context(), st, list, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	only := func(kind string) *mem.Store {
		m := st.Clone()
		for _, n := range names(m, "keys/") {
			if !strings.HasPrefix(n, "keys/"+kind) {
				if err := m.Delete(t.Context(), n); err != nil {
					t.Fatal(err)
				}
			}
		}
		return m
	}
	tests := []struct {
		name   string
		st     storage.Store
		secret repo.Secret
		want   error
	}{
		{"passphrase", st, secret, nil},
		{"machine key", st, repo.Secret{MachineKey: "# for cron\n" + key + "\n"}, nil},
		{"both, one is wrong", st, repo.Secret{Passphrase: "wrong", MachineKey: key}, nil},
		{"wrong passphrase", st, repo.Secret{Passphrase: "wrong"}, repo.ErrWrongSecret},
		{"wrong machine key", st, repo.Secret{MachineKey: other}, repo.ErrWrongSecret},
		{"no secret", st, repo.Secret{}, repo.ErrWrongSecret},
		{"no slot of the kind", only(repo.SlotMachine), secret, repo.ErrWrongSecret},
		{"no slot of the other kind", only(repo.SlotPassphrase), repo.Secret{MachineKey: key}, repo.ErrWrongSecret},
		{"no slot at all", only("none"), secret, repo.ErrCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := repo.Open(t.Context(), tt.st, tt.secret, repo.Options{Cache: t.TempDir()})
			if !errors.Is(err, tt.want) {
				t.Fatalf("Open = %v, want %v", err, tt.want)
			}
			if err == nil && (got.ID() != r.ID() || got.Params() != r.Params() || got.ReadOnly() != nil) {
				t.Errorf("opened %v, read-only %v", got.ID(), got.ReadOnly())
			}
		})
	}
}

// TestLastSlotIsTriedFirst counts what is read at the second open.
func TestLastSlotIsTriedFirst(t *testing.T) {
	st := fault.New(mem.New(nil))
	var list []repo.NewSlot
	for _, label := range []string{"a", "b", "c"} {
		list = append(list, repo.NewSlot{Kind: repo.SlotPassphrase, Label: label, Passphrase: label, WorkFactor: 1})
	}
	if _, err := repo.Init(t.Context(), st, list, repo.Options{}); err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	for _, want := range []int{3, 1} {
		st.Arm()
		if _, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: "c"}, repo.Options{Cache: cache}); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, op := range st.Log() {
			if op.Op == fault.Get && strings.HasPrefix(op.Name, "keys/") {
				n++
			}
		}
		if n != want {
			t.Errorf("%d slots are read, want %d", n, want)
		}
	}
}

// stillReads checks that a repository whose config is damaged can be read, and only read.
func stillReads(t *testing.T, st storage.Store, snap *repo.Snapshot, f files) {
	t.Helper()
	r := openRepo(t, st)
	if err := r.ReadOnly(); !errors.Is(err, repo.ErrReadOnly) || !errors.Is(err, repo.ErrCorrupt) {
		t.Fatalf("ReadOnly = %v", err)
	}
	ran := false
	err := r.Write(t.Context(), "world", "host", func(context.Context, *repo.Session) error { ran = true; return nil })
	if !errors.Is(err, repo.ErrReadOnly) || ran {
		t.Fatalf("Write = %v, ran %t", err, ran)
	}
	mustLoad(t, r, snap, f)
}

func TestDamagedConfig(t *testing.T) {
	st := mem.New(nil)
	f := files{"a": "one"}
	snap := mustSave(t, newRepo(t, st), "world", f)
	other := mem.New(nil)
	newRepo(t, other)
	config := object(t, st, "config")
	for i := range config { // every byte, those of version and repository ID among them
		m := st.Clone()
		m.Replace("config", flip(config, i))
		stillReads(t, m, snap, f)
	}
	for n := range len(config) {
		m := st.Clone()
		m.Replace("config", config[:n]) // nothing at all for 0
		stillReads(t, m, snap, f)
	}
	for name, b := range map[string][]byte{"of another repository": object(t, other, "config"), "longer": append(bytes.Clone(config), 0),
		"a slot": object(t, st, one(t, st, "keys/")), "huge": make([]byte, 1<<20)} {
		t.Run(name, func(t *testing.T) {
			m := st.Clone()
			m.Replace("config", b)
			stillReads(t, m, snap, f)
		})
	}
	// Nothing but slots: an Init that was cut off.
	m := mem.New(nil)
	key := one(t, st, "keys/")
	putObject(t, m, key, object(t, st, key))
	if _, err := repo.Open(t.Context(), m, secret, repo.Options{}); !errors.Is(err, repo.ErrNoRepository) {
		t.Errorf("Open of a slot = %v", err)
	}
	m = st.Clone()
	if err := m.Delete(t.Context(), "config"); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Init(t.Context(), m, slots(), repo.Options{}); !errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("Init over a repository without config = %v", err)
	}
	wrong := repo.Secret{Passphrase: "wrong"}
	if _, err := repo.Open(t.Context(), m, wrong, repo.Options{}); !errors.Is(err, repo.ErrWrongSecret) || !errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("Open without config and with a wrong password = %v", err)
	}
}

// TestFreshConfigDamaged has nothing in the repository that says whose keys are its own.
func TestFreshConfigDamaged(t *testing.T) {
	st := mem.New(nil)
	newRepo(t, st)
	st.Replace("config", []byte("x"))
	if r := openRepo(t, st); !errors.Is(r.ReadOnly(), repo.ErrReadOnly) {
		t.Errorf("ReadOnly = %v", r.ReadOnly())
	}
}

// hugeStore says that every object of a prefix is huge, and fails if somebody reads one.
type hugeStore struct {
	storage.Store
	t      *testing.T
	prefix string
}

func (s hugeStore) Stat(ctx context.Context, name string) (storage.Info, error) {
	i, err := s.Store.Stat(ctx, name)
	if strings.HasPrefix(name, s.prefix) {
		i.Size = 1 << 40
	}
	return i, err
}

func (s hugeStore) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		for i, err := range s.Store.List(ctx, prefix, after) {
			if strings.HasPrefix(i.Name, s.prefix) {
				i.Size = 1 << 40
			}
			if !yield(i, err) {
				return
			}
		}
	}
}

func (s hugeStore) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	if strings.HasPrefix(name, s.prefix) {
		s.t.Errorf("%s is read into %d bytes", name, cap(dst))
	}
	return s.Store.Get(ctx, name, off, n, dst)
}

func TestHugeObjects(t *testing.T) {
	st := mem.New(nil)
	f := files{"a": "one"}
	snap := mustSave(t, newRepo(t, st), "world", f)
	stillReads(t, hugeStore{st, t, "config"}, snap, f)
	if _, err := repo.Open(t.Context(), hugeStore{st, t, "keys/"}, secret, repo.Options{}); !errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("Open with a huge slot = %v", err)
	}
	r := openRepo(t, hugeStore{st, t, "snapshots/"})
	if list, err := r.Snapshots(t.Context()); len(list) != 0 || !errors.Is(err, repo.ErrCorrupt) || !strings.Contains(err.Error(), snap.Name) {
		t.Errorf("Snapshots = %v, %v", list, err)
	}
}

// TestSlotOfAnInitCutOff has the slot of a first try beside the repository of the second.
func TestSlotOfAnInitCutOff(t *testing.T) {
	f := files{"a": "one"}
	for _, first := range []string{password, "another"} {
		for range 4 { // which slot is listed first is chance
			st := mem.New(nil)
			cut := fault.New(st, fault.Rule{Op: fault.Put, Prefix: "config"})
			list := []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "test", Passphrase: first, WorkFactor: 1}}
			if _, err := repo.Init(t.Context(), cut, list, repo.Options{}); !errors.Is(err, fault.ErrInjected) {
				t.Fatal(err)
			}
			snap := mustSave(t, newRepo(t, st), "world", f)
			r := openRepo(t, st)
			if r.ReadOnly() != nil {
				t.Error(r.ReadOnly())
			}
			mustLoad(t, r, snap, f)
			if first != password {
				if _, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: first}, repo.Options{}); !errors.Is(err, repo.ErrWrongSecret) {
					t.Errorf("Open with the password of the first try = %v", err)
				}
			}
			if err := st.Delete(t.Context(), "config"); err != nil {
				t.Fatal(err)
			}
			stillReads(t, st, snap, f)
		}
	}
}

func TestDamagedSlots(t *testing.T) {
	st := mem.New(nil)
	_, public, err := seal.NewMachineKey()
	if err != nil {
		t.Fatal(err)
	}
	list := append(slots(), slots()[0], repo.NewSlot{Kind: repo.SlotMachine, Label: "m", Recipient: public})
	if _, err := repo.Init(t.Context(), st, list, repo.Options{}); err != nil {
		t.Fatal(err)
	}
	keys := names(st, "keys/passphrase")
	whole := object(t, st, keys[0])
	for name, b := range map[string][]byte{"truncated": whole[:len(whole)-20], "no age file": []byte("x"), "cut in the header": whole[:30], "emptied": nil} {
		t.Run(name, func(t *testing.T) {
			m := st.Clone()
			m.Replace(keys[0], b)
			if r := openRepo(t, m); r.ReadOnly() != nil || r.Slot() != keys[1] {
				t.Errorf("slot %s, read-only %v", r.Slot(), r.ReadOnly())
			}
			m.Replace(keys[1], b)
			_, err := repo.Open(t.Context(), m, secret, repo.Options{})
			want := repo.ErrCorrupt
			if b == nil {
				want = repo.ErrWrongSecret // only the machine's is left
			}
			if !errors.Is(err, want) {
				t.Errorf("all damaged: %v", err)
			}
		})
	}
	// A slot that goes while slots are tried is none.
	gate := fault.NewGate()
	held := fault.New(st, fault.Rule{Op: fault.Stat, Prefix: keys[0], Do: fault.Freeze, Gate: gate})
	go func() {
		<-gate.Reached
		_ = st.Delete(context.Background(), keys[0])
		close(gate.Release)
	}()
	if r := openRepo(t, held); r.Slot() != keys[1] {
		t.Errorf("slot %s", r.Slot())
	}
}

// TestFeatures opens repositories that a newer program made.
func TestFeatures(t *testing.T) {
	tests := []struct {
		name     string
		head     seal.Head
		want     error
		readOnly bool
	}{
		{"none", seal.Head{Version: seal.Version}, nil, false},
		{"ignored", seal.Head{Version: seal.Version, Ignore: []string{"x"}}, nil, false},
		{"read-only", seal.Head{Version: seal.Version, ReadOnly: []string{"x"}}, nil, true},
		{"refused", seal.Head{Version: seal.Version, Refuse: []string{"x"}}, repo.ErrNewer, false},
		{"version", seal.Head{Version: seal.Version + 1}, repo.ErrNewer, false},
	}
	for _, tt := range tests {
		for _, copied := range []bool{true, false} { // is the slot's copy the same
			t.Run(tt.name, func(t *testing.T) {
				st := mem.New(nil)
				key := seal.NewKey()
				id := seal.RepoID{7}
				ring := seal.NewRing(id, key)
				pol, err := chunk.RandomPolynomial()
				if err != nil {
					t.Fatal(err)
				}
				payload, err := record.EncodeConfig(chunk.DefaultRabin(pol))
				if err != nil {
					t.Fatal(err)
				}
				config := func(h seal.Head) []byte {
					h.Repo = id
					b, err := ring.SealConfig(h, payload)
					if err != nil {
						t.Fatal(err)
					}
					return b
				}
				mine := config(tt.head)
				slot := seal.Slot{Keys: []seal.Key{key}, Repo: id, Config: mine}
				if !copied {
					slot.Config = config(seal.Head{Version: seal.Version})
				}
				to, err := seal.PassphraseRecipient(password, 1)
				if err != nil {
					t.Fatal(err)
				}
				b, err := seal.SealSlot(slot, to)
				if err != nil {
					t.Fatal(err)
				}
				putObject(t, st, "keys/passphrase-x-"+strings.Repeat("0", 32), b)
				putObject(t, st, "config", mine)
				r, err := repo.Open(t.Context(), st, secret, repo.Options{})
				if !errors.Is(err, tt.want) || errors.Is(err, repo.ErrCorrupt) {
					t.Fatalf("Open = %v, want %v", err, tt.want)
				}
				if err == nil && (r.ReadOnly() != nil) != (tt.readOnly || !copied) {
					t.Errorf("ReadOnly = %v", r.ReadOnly())
				}
				if _, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: "wrong"}, repo.Options{}); tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("with a wrong password: %v", err)
				}
			})
		}
	}
}
