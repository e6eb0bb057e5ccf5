package repo_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

// told is options of who says who he is.
func told() repo.Options {
	return repo.Options{Sealers: 2, Host: "host", By: "ops@host", Version: "1.2"}
}

// origins surveys the repository and returns the names of foreign and of returned slots.
func origins(t testing.TB, r *repo.Repo) (foreign, returned []string) {
	t.Helper()
	s, err := r.Survey(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range s.Foreign {
		foreign = append(foreign, x.Name)
	}
	for _, x := range s.Returned {
		returned = append(returned, x.Name)
	}
	return foreign, returned
}

func TestInitMarksItsSlots(t *testing.T) {
	st := mem.New(nil)
	second := newPassword()
	r, err := repo.Init(t.Context(), st, append(slots(), second), told())
	if err != nil {
		t.Fatal(err)
	}
	changes, err := r.KeyChanges(t.Context())
	if err != nil || len(changes) != 2 || len(names(st, "marks/")) != 1 {
		t.Fatalf("%d changes in %q, %v", len(changes), names(st, "marks/"), err)
	}
	for i, name := range names(st, "keys/") {
		if c := changes[i]; c.Slot != name || !c.First || c.Removed || c.By != "ops@host" || c.Version != "1.2" {
			t.Errorf("%s: %+v", name, c)
		}
	}
	slot := names(st, "keys/")[0]
	copied := "keys/machine-ops-" + strings.Repeat("a", 32)
	putObject(t, st, copied, object(t, st, slot))
	st.SetTime(copied, time.Unix(1, 0)) // whoever can write to a folder can set times
	if foreign, _ := origins(t, r); !slices.Equal(foreign, []string{copied}) {
		t.Errorf("foreign %q, want %s", foreign, copied)
	}
	if _, err := r.AddSlot(t.Context(), newPassword(), newSecret, "ops@host"); err != nil {
		t.Fatal(err)
	}
	if foreign, _ := origins(t, r); len(foreign) != 1 {
		t.Errorf("with one that the program added: %q", foreign)
	}
	putObject(t, st, "marks/"+strings.Repeat("0", 32), []byte("no mark"))
	if foreign, _ := origins(t, r); len(foreign) != 0 {
		t.Errorf("with a mark that cannot be read, which may be the one: %q", foreign)
	}
}

// TestInitWalk cuts Init off at each of its operations and runs it again: no mark is left that nobody can read, and no slot is foreign.
func TestInitWalk(t *testing.T) {
	for do, what := range map[fault.Action]string{fault.Fail: "fail", fault.FailDone: "lost answer", fault.Stop: "stop", fault.StopDone: "stop, done"} {
		for i := 0; ; i++ {
			m := mem.New(nil)
			st := fault.New(m)
			st.Arm(fault.Rule{At: i, Do: do})
			_, err := repo.Init(t.Context(), st, slots(), told())
			if err != nil {
				if _, err = repo.Init(t.Context(), m, slots(), told()); err != nil && !errors.Is(err, repo.ErrExists) {
					t.Fatalf("%s at %d: again: %v", what, i, err)
				}
			}
			if st.Ops() <= i && !st.Stopped() {
				if i < 6 {
					t.Fatalf("Init takes %d operations only", i)
				}
				break
			}
			r := openRepo(t, m)
			s, err := r.Survey(t.Context(), nil)
			if err != nil || len(s.BadRecords) > 0 || len(s.Foreign) > 0 {
				t.Errorf("%s at %d, %v: unreadable %q, foreign %v, %v", what, i, st.Log()[i], s.BadRecords, s.Foreign, err)
			}
			if _, err := r.KeySlots(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestForeignSlotOfOld looks for foreign slots in a repository whose Init left no mark: those that are newer than config are.
func TestForeignSlotOfOld(t *testing.T) {
	made := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		change func(*mem.Store)
		want   int
	}{
		"as it was made": {func(*mem.Store) {}, 1},
		"soon after": {func(m *mem.Store) {
			m.SetTime("keys/machine-late-"+strings.Repeat("b", 32), made.Add(time.Minute))
		}, 0},
		"copied later": {func(m *mem.Store) {
			for i, name := range m.Objects() {
				if name == "config" || strings.HasPrefix(name, "keys/") {
					m.SetTime(name, made.Add(time.Duration(100+i)*24*time.Hour))
				}
			}
			m.SetTime("keys/machine-late-"+strings.Repeat("b", 32), made.Add(100*24*time.Hour)) // not all are touched
		}, 0},
		"slots touched": {func(m *mem.Store) {
			for _, name := range names(m, "keys/") {
				m.SetTime(name, made.Add(time.Hour))
			}
		}, 0},
		"config is gone": {func(m *mem.Store) {
			if err := m.Delete(t.Context(), "config"); err != nil {
				t.Fatal(err)
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var ahead atomic.Int64
			m := mem.New(func() time.Time { return made.Add(time.Duration(ahead.Load())) })
			r := newRepo(t, m)
			if foreign, _ := origins(t, r); len(foreign) > 0 {
				t.Fatalf("the first slots are foreign: %q", foreign)
			}
			ahead.Store(int64(time.Hour))
			mustSave(t, r, "world", files{"a": "a"})
			late := "keys/machine-late-" + strings.Repeat("b", 32)
			putObject(t, m, late, []byte("slot"))
			tt.change(m)
			if foreign, _ := origins(t, openRepo(t, m)); len(foreign) != tt.want {
				t.Errorf("foreign %q, want %d", foreign, tt.want)
			}
		})
	}
}

// TestReturnedSlot puts a removed slot back. A removal that may still go on is none that somebody undid.
func TestReturnedSlot(t *testing.T) {
	st := mem.New(nil)
	r, err := repo.Init(t.Context(), st, slots(), told())
	if err != nil {
		t.Fatal(err)
	}
	added, err := r.AddSlot(t.Context(), newPassword(), newSecret, "ops@host")
	if err != nil {
		t.Fatal(err)
	}
	b := object(t, st, added.Name)
	if err := r.RemoveSlot(t.Context(), added.Name, "ops@host"); err != nil {
		t.Fatal(err)
	}
	putObject(t, st, added.Name, b)
	if _, returned := origins(t, r); len(returned) > 0 {
		t.Errorf("at once: %q", returned)
	}
	o := told()
	o.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if r, err = repo.Open(t.Context(), st, secret, o); err != nil {
		t.Fatal(err)
	}
	if foreign, returned := origins(t, r); len(foreign) > 0 || !slices.Equal(returned, []string{added.Name}) {
		t.Errorf("two hours later: %q, foreign %q", returned, foreign)
	}
}

// TestReplacedSlot says which slot took the place of another.
func TestReplacedSlot(t *testing.T) {
	st := mem.New(nil)
	r := newRepo(t, st)
	old := r.Slot()
	other := "keys/machine-x-" + strings.Repeat("a", 32)
	mark(t, st, record.Mark{Kind: record.SlotRemoved, Objects: []string{other}, Owner: "x", Reason: "../config"})
	made, err := r.ReplaceSlot(t.Context(), old, newPassword(), newSecret, "ops@host")
	if err != nil {
		t.Fatal(err)
	}
	changes, err := r.KeyChanges(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range changes {
		if c.Removed {
			got[c.Slot] = c.Next
		}
	}
	if want := map[string]string{old: made.Name, other: ""}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("replaced by %v, want %v", got, want)
	}
}
