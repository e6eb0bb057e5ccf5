package repo_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

var newSecret = repo.Secret{Passphrase: "battery staple"}

func newPassword() repo.NewSlot {
	return repo.NewSlot{Kind: repo.SlotPassphrase, Label: "test", Passphrase: newSecret.Passphrase, WorkFactor: 1}
}

// opens reports whether a secret opens the repository.
func opens(t testing.TB, st storage.Store, s repo.Secret) bool {
	t.Helper()
	_, err := repo.Open(t.Context(), st, s, repo.Options{})
	if err != nil && !errors.Is(err, repo.ErrWrongSecret) {
		t.Fatal(err)
	}
	return err == nil
}

func TestAddSlot(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	key, public, err := seal.NewMachineKey()
	if err != nil {
		t.Fatal(err)
	}
	hybrid, hybridPublic, err := seal.NewHybridKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		slot  repo.NewSlot
		proof repo.Secret
	}{
		"password":     {newPassword(), newSecret},
		"machine key":  {repo.NewSlot{Kind: repo.SlotMachine, Label: "m", Recipient: public}, repo.Secret{MachineKey: key}},
		"recipient":    {repo.NewSlot{Kind: repo.SlotRecipient, Label: "r", Recipient: public}, repo.Secret{Identities: key}},
		"post-quantum": {repo.NewSlot{Kind: repo.SlotRecipient, Label: "pq", Recipient: hybridPublic}, repo.Secret{Identities: "# a comment\n" + hybrid}},
	} {
		s, err := r.AddSlot(t.Context(), tt.slot, tt.proof, "ops@host")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := repo.Open(t.Context(), st, tt.proof, repo.Options{})
		if err != nil || again.ID() != r.ID() || s.Name != again.Slot() && !strings.Contains("machine key recipient", name) {
			t.Errorf("%s: opened with %v", name, err)
		}
	}
	if _, err := r.AddSlot(t.Context(), newPassword(), repo.Secret{Passphrase: "other"}, "ops@host"); !errors.Is(err, repo.ErrWrongSecret) {
		t.Errorf("a slot that does not open with its proof: %v", err)
	}
	for name, s := range map[string]repo.NewSlot{
		"kind": {Kind: "x", Label: "a", Recipient: public}, "label": {Kind: repo.SlotMachine, Label: "A", Recipient: public},
		"recipient": {Kind: repo.SlotMachine, Label: "a", Recipient: "age1"}, "password": {Kind: repo.SlotPassphrase, Label: "a"},
		"ID": {Kind: repo.SlotMachine, Label: "a", Recipient: public, ID: "../../x"},
	} {
		n := len(names(st, ""))
		if _, err := r.AddSlot(t.Context(), s, repo.Secret{}, ""); err == nil || len(names(st, "")) != n {
			t.Errorf("bad %s: %v", name, err)
		}
	}
}

// TestAddSlotReadsBack has the store change what it was given.
func TestAddSlotReadsBack(t *testing.T) {
	for name, do := range map[string]fault.Action{"flipped": fault.Flip, "cut": fault.Truncate} {
		st := fault.New(mem.New(nil))
		r := openRepo(t, func() storage.Store { newRepo(t, st); return st }())
		st.Arm(fault.Rule{Op: fault.Get, Prefix: "keys/", Do: do, N: 40})
		old := r.Slot()
		if _, err := r.ReplaceSlot(t.Context(), old, newPassword(), newSecret, ""); err == nil {
			t.Errorf("%s: the slot was taken for whole", name)
		}
		st.Arm()
		if !opens(t, st, secret) {
			t.Errorf("%s: the old password opens it no more", name)
		}
	}
}

// TestReplaceSlotWalk fails and stops at every operation of a change of passwords: the old or the new one opens the repository at any moment,
// and the change can be made again.
func TestReplaceSlotWalk(t *testing.T) {
	base := mem.New(nil)
	newRepo(t, base)
	for do, name := range map[fault.Action]string{fault.Fail: "fail", fault.FailDone: "lost answer", fault.Stop: "stop", fault.StopDone: "stop, done"} {
		for i := 0; ; i++ {
			m := base.Clone()
			st := fault.New(m)
			r := openRepo(t, st)
			old := r.Slot()
			st.Arm(fault.Rule{At: i, Do: do})
			_, err := r.ReplaceSlot(t.Context(), old, newPassword(), newSecret, "ops@host")
			if !st.Stopped() && st.Ops() <= i {
				if err != nil || i < 8 {
					t.Fatalf("%s: without a fault, %d operations: %v", name, i, err)
				}
				break
			}
			what := fmt.Sprintf("%s at %d, %v", name, i, st.Log()[i])
			before, after := opens(t, m, secret), opens(t, m, newSecret)
			if !before && !after {
				t.Fatalf("%s: nothing opens the repository", what)
			}
			if err == nil && (before || !after) {
				t.Errorf("%s: it succeeds, and the old password opens: %v, the new one: %v", what, before, after)
			}
			if !before {
				continue
			}
			if _, err := openRepo(t, m).ReplaceSlot(t.Context(), old, newPassword(), newSecret, "ops@host"); err != nil {
				t.Errorf("%s: again: %v", what, err)
			}
			if opens(t, m, secret) || !opens(t, m, newSecret) {
				t.Errorf("%s: the second time has not changed the password", what)
			}
		}
	}
}

// TestRemoveTogether has two hosts remove the two slots that there are, the first one held at each of its operations until the second is done.
func TestRemoveTogether(t *testing.T) {
	base := mem.New(nil)
	first, err := newRepo(t, base).AddSlot(t.Context(), newPassword(), newSecret, "")
	if err != nil {
		t.Fatal(err)
	}
	for i, held := 0, true; held; i++ {
		m := base.Clone()
		gate := fault.NewGate()
		st := fault.New(m)
		a, b := openRepo(t, st), openRepo(t, m)
		st.Arm(fault.Rule{At: i, Do: fault.Freeze, Gate: gate})
		done := make(chan error, 1)
		go func() { done <- a.RemoveSlot(t.Context(), first.Name, "a") }()
		var errA, errB error
		select {
		case <-gate.Reached:
			errB = b.RemoveSlot(t.Context(), b.Slot(), "b")
			close(gate.Release)
			errA = <-done
		case errA = <-done:
			held = false
		}
		if n := len(names(m, "keys/")); n == 0 || held && errA != nil && !errors.Is(errA, repo.ErrLastSlot) || errB != nil && !errors.Is(errB, repo.ErrLastSlot) {
			t.Fatalf("held at %d: %d slots are left, %v, %v", i, n, errA, errB)
		}
		if !opens(t, m, secret) && !opens(t, m, newSecret) {
			t.Fatalf("held at %d: nothing opens the repository", i)
		}
		if !held && i < 5 {
			t.Fatalf("a removal takes %d operations only", i)
		}
	}
}

// TestChangesTogether has two hosts change one password and add slots at the same time, the first held at each of its operations.
func TestChangesTogether(t *testing.T) {
	base := mem.New(nil)
	newRepo(t, base)
	for i, held := 0, true; held; i++ {
		m := base.Clone()
		gate := fault.NewGate()
		st := fault.New(m)
		a, b := openRepo(t, st), openRepo(t, m)
		st.Arm(fault.Rule{At: i, Do: fault.Freeze, Gate: gate})
		done := make(chan error, 1)
		go func() {
			_, err := a.ReplaceSlot(t.Context(), a.Slot(), newPassword(), newSecret, "a")
			done <- err
		}()
		other := newPassword()
		other.Passphrase = "third"
		select {
		case <-gate.Reached:
			if _, err := b.ReplaceSlot(t.Context(), b.Slot(), other, repo.Secret{Passphrase: "third"}, "b"); err != nil && !errors.Is(err, repo.ErrNoSlot) {
				t.Fatalf("held at %d: the second: %v", i, err)
			}
			close(gate.Release)
			if err := <-done; err != nil && !errors.Is(err, repo.ErrNoSlot) {
				t.Fatalf("held at %d: the first: %v", i, err)
			}
			if !opens(t, m, repo.Secret{Passphrase: "third"}) && !opens(t, m, newSecret) {
				t.Fatalf("held at %d: nothing opens the repository", i)
			}
		case err := <-done:
			if held = false; err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestRemoveSlotRefuses(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	mine := r.Slot()
	if err := r.RemoveSlot(t.Context(), mine, "ops@host"); !errors.Is(err, repo.ErrLastSlot) {
		t.Errorf("the last slot: %v", err)
	}
	if err := r.RemoveSlot(t.Context(), strings.Replace(mine, "test", "nope", 1), ""); !errors.Is(err, repo.ErrNoSlot) {
		t.Errorf("a slot that is not there: %v", err)
	}
	for _, name := range []string{"config", "keys/x", "../config"} {
		if err := r.RemoveSlot(t.Context(), name, ""); !errors.Is(err, repo.ErrNoSlot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	last := newPassword()
	last.ID = strings.Repeat("f", 32) // mark looks into the first
	second, err := r.AddSlot(t.Context(), last, newSecret, "ops@host")
	if err != nil {
		t.Fatal(err)
	}
	whole := object(t, st, second.Name)
	st.Replace(second.Name, whole[:60])
	if err := r.RemoveSlot(t.Context(), mine, "ops@host"); !errors.Is(err, repo.ErrLastSlot) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("when the other one is damaged: %v", err)
	}
	st.Replace(second.Name, whole)
	mark(t, st, record.Mark{Kind: record.SlotRemoved, Objects: []string{second.Name}, Owner: "ops@dead"})
	if err := r.RemoveSlot(t.Context(), mine, "ops@host"); !errors.Is(err, repo.ErrLastSlot) || !strings.Contains(err.Error(), "being removed") {
		t.Errorf("when somebody is removing the other one: %v", err)
	}
	if _, err := r.AddSlot(t.Context(), newPassword(), newSecret, "ops@host"); err != nil {
		t.Fatal(err)
	}
	if err := r.RemoveSlot(t.Context(), mine, "ops@host"); err != nil || opens(t, st, secret) {
		t.Errorf("with a third one: %v", err)
	}
}

func TestKeyChanges(t *testing.T) {
	st := mem.New(nil)
	newRepo(t, st)
	r, err := repo.Open(t.Context(), st, secret, repo.Options{Host: "host", Version: "1.2"})
	if err != nil {
		t.Fatal(err)
	}
	mine := r.Slot()
	if err := r.RemoveSlot(t.Context(), mine, "taken@back"); err == nil {
		t.Fatal("the last slot was removed")
	}
	mark(t, st, record.Mark{Kind: record.SlotAdded, Objects: []string{"config"}, Owner: "x"})
	mark(t, st, record.Mark{Kind: record.Hold, Objects: []string{mine}, Owner: "x"})
	added, err := r.ReplaceSlot(t.Context(), mine, newPassword(), newSecret, "ops@host")
	if err != nil {
		t.Fatal(err)
	}
	changes, err := r.KeyChanges(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprint(c.Slot, c.Removed, c.By, c.Version))
		if c.Clock.IsZero() || c.Stored.IsZero() {
			t.Errorf("%s was changed at %v", c.Slot, c.Clock)
		}
	}
	slices.Sort(got)
	want := []string{fmt.Sprint(mine, true, "ops@host", "1.2"), fmt.Sprint(added.Name, false, "ops@host", "1.2")}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("changes %v, want %v", got, want)
	}
	if r.Slot() != added.Name {
		t.Errorf("the slot in use is %s, want the new one", r.Slot())
	}
	st.Replace(names(st, "marks/")[0], []byte("x"))
	if _, err := r.KeyChanges(t.Context()); !errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("with a mark that cannot be read: %v", err)
	}
}

// TestThousandsOfSlots fills the folder with slots: who has the right key opens the repository, who has another learns why it took no longer.
func TestThousandsOfSlots(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	_, public, err := seal.NewMachineKey()
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.AddSlot(t.Context(), repo.NewSlot{Kind: repo.SlotRecipient, Label: "flood", Recipient: public}, repo.Secret{}, "")
	if err != nil {
		t.Fatal(err)
	}
	b := object(t, st, s.Name)
	for range 1500 {
		putObject(t, st, "keys/recipient-flood-"+repo.NewSlotID(), b)
	}
	key, _, err := seal.NewMachineKey()
	if err != nil {
		t.Fatal(err)
	}
	_, err = repo.Open(t.Context(), st, repo.Secret{Identities: key}, repo.Options{})
	if !errors.Is(err, repo.ErrWrongSecret) || !strings.Contains(err.Error(), "1000 of 1501 key slots tried") {
		t.Errorf("another key: %v", err)
	}
	_, err = repo.Open(t.Context(), st, repo.Secret{Passphrase: "x"}, repo.Options{})
	if !errors.Is(err, repo.ErrWrongSecret) {
		t.Errorf("another password: %v", err)
	}
	if !opens(t, st, secret) {
		t.Error("the password opens it no more")
	}
}
