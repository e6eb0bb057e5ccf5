package mem_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/storage/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(testing.TB) storage.Store { return mem.New(nil) })
}

func put(t *testing.T, s storage.Store, name, data string) {
	t.Helper()
	if err := s.Put(t.Context(), name, strings.NewReader(data), int64(len(data)), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s storage.Store, name string) string {
	t.Helper()
	b, err := s.Get(t.Context(), name, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// clockBody moves a clock on when it is read.
type clockBody struct {
	*bytes.Reader
	now *time.Time
}

func (b clockBody) ReadAt(p []byte, off int64) (int, error) {
	*b.now = b.now.Add(time.Hour)
	return b.Reader.ReadAt(p, off)
}

func TestClock(t *testing.T) {
	start := time.Date(2026, 3, 1, 2, 41, 0, 5, time.FixedZone("", 3600))
	now := start
	s := mem.New(func() time.Time { return now })
	b := clockBody{bytes.NewReader([]byte("abc")), &now}
	if err := s.Put(t.Context(), "o", b, 3, storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	info, err := s.Stat(t.Context(), "o")
	if err != nil {
		t.Fatal(err)
	}
	if !info.Time.Equal(now) || now.Equal(start) {
		t.Errorf("time is %v, want the clock after the body was read, %v", info.Time, now)
	}
	if info.Time.Location() != time.UTC {
		t.Errorf("time is in %v", info.Time.Location())
	}
}

func TestClone(t *testing.T) {
	s := mem.New(nil)
	put(t, s, "a", "one")
	put(t, s, "b", "two")
	before, err := s.Stat(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	c := s.Clone()
	put(t, s, "a", "ONE")
	s.Replace("b", []byte("TWO"))
	put(t, s, "c", "three")
	if got := c.Objects(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("clone has %q", got)
	}
	if get(t, c, "a") != "one" || get(t, c, "b") != "two" {
		t.Error("a change of the original shows in its clone")
	}
	if after, err := c.Stat(t.Context(), "a"); err != nil || after != before {
		t.Errorf("clone says %+v, %v, want %+v", after, err, before)
	}
	if err := c.Delete(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if get(t, s, "b") != "TWO" {
		t.Error("a change of the clone shows in the original")
	}
}

func TestDamage(t *testing.T) {
	s := mem.New(nil)
	put(t, s, "o", "good")
	old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	s.SetTime("o", old)
	data := []byte("bad")
	s.Replace("o", data)
	data[0] = 'm'
	if got := get(t, s, "o"); got != "bad" {
		t.Errorf("Get = %q", got)
	}
	if info, err := s.Stat(t.Context(), "o"); err != nil || !info.Time.Equal(old) || info.Size != 3 {
		t.Errorf("Stat = %+v, %v", info, err)
	}

	s.Replace("o", nil)
	if _, err := s.Stat(t.Context(), "o"); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Stat of an emptied object = %v", err)
	}
	if got := s.Objects(); len(got) != 0 {
		t.Errorf("Objects = %q, want none", got)
	}
	if err := s.Put(t.Context(), "o", strings.NewReader("x"), 1, storage.PutOptions{IfAbsent: true}); err != nil {
		t.Errorf("Put over an emptied object: %v", err)
	}
}

func TestDamageOfNothing(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Replace of a missing object goes unnoticed")
		}
	}()
	mem.New(nil).Replace("o", nil)
}
