package repo_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"savepoint/repo"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

// TestSegmentsLost reads snapshots whose index segments are damaged or gone: packs say themselves what is in them.
func TestSegmentsLost(t *testing.T) {
	for what, harm := range map[string]func(t *testing.T, m *mem.Store, name string){
		"flipped": func(t *testing.T, m *mem.Store, name string) { m.Replace(name, flip(object(t, m, name), 90)) },
		"cut":     func(t *testing.T, m *mem.Store, name string) { m.Replace(name, object(t, m, name)[:50]) },
		"marked":  func(t *testing.T, m *mem.Store, name string) { damage(t, m, name) },
	} {
		t.Run(what, func(t *testing.T) {
			m := mem.New(nil)
			r := newRepo(t, m)
			first, second := files{"a": "one", "b": "two"}, files{"a": "one", "b": "two", "c": strings.Repeat("three", 70_000)}
			one, two := mustSave(t, r, "world", first), mustSave(t, r, "world", second)
			for _, name := range names(m, "index/") {
				harm(t, m, name)
			}
			r = openIn(t, m, "")
			mustLoad(t, r, one, first)
			mustLoad(t, r, two, second)
			if what != "marked" && len(r.Noted()) != len(names(m, "index/")) {
				t.Errorf("noted %v", r.Noted())
			}
		})
	}
}

// TestMarkedSegment stores again what only a segment that is marked damaged locates, also from a host that had read it.
func TestMarkedSegment(t *testing.T) {
	m := mem.New(nil)
	newRepo(t, m)
	r := openIn(t, m, t.TempDir())
	f := files{}
	for i := range 20 {
		f[fmt.Sprint(i)] = strings.Repeat(fmt.Sprint("player ", i), 1000)
	}
	mustSave(t, r, "world", f)
	packs := names(m, "data/")
	mustSave(t, r, "world", f)
	if !slices.Equal(names(m, "data/"), packs) {
		t.Fatal("an unchanged source is stored again")
	}
	seg := one(t, m, "index/00000000/data/")
	m.Replace(seg, flip(object(t, m, seg), 90))
	damage(t, m, seg)
	snap := mustSave(t, r, "world", f)
	if len(names(m, "data/")) != len(packs)+1 {
		t.Errorf("%d packs after the mark, %d before", len(names(m, "data/")), len(packs))
	}
	for _, name := range packs { // what the mark was for
		if err := m.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	mustLoad(t, openIn(t, m, ""), snap, f)
	mustSave(t, r, "world", f)
	if len(names(m, "data/")) != 1 {
		t.Error("what was stored again is not counted on")
	}
}

// TestOrphanUnreadable leaves out a pack whose directory cannot be read either, and names it.
func TestOrphanUnreadable(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	snap := mustSave(t, r, "world", files{"a": "one"})
	for _, name := range append(names(m, "index/"), names(m, "data/")...) {
		b := object(t, m, name)
		m.Replace(name, flip(b, len(b)-10))
	}
	r = openIn(t, m, "")
	if _, err := load(t.Context(), r, snap); err == nil {
		t.Error("loads without an index and directories")
	}
	if !slices.Contains(r.Noted(), one(t, m, "data/")) {
		t.Errorf("noted %v", r.Noted())
	}
}

// TestOrphansInPart has a store that gives less than it was asked for, and no error.
func TestOrphansInPart(t *testing.T) {
	for _, n := range []int64{1, 20, 5000} {
		m := mem.New(nil)
		r := newRepo(t, m)
		f := files{}
		for i := range 3000 { // a directory that is longer than the first guess
			f[fmt.Sprint(i)] = fmt.Sprint("player ", i)
		}
		snap := mustSave(t, r, "world", f)
		seg := one(t, m, "index/00000000/data/")
		m.Replace(seg, flip(object(t, m, seg), 90))
		for _, at := range []int{0, 1, 2} {
			bad := fault.New(m, fault.Rule{Op: fault.Get, Prefix: "data/", At: at, Do: fault.Truncate, N: n})
			r := openIn(t, bad, "")
			if _, err := load(t.Context(), r, snap); !errors.Is(err, repo.ErrCorrupt) || !slices.Contains(r.Noted(), one(t, m, "data/")) {
				t.Errorf("request %d without its last %d bytes: %v, noted %v", at, n, err, r.Noted())
			}
		}
	}
}
