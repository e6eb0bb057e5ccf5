package repo_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

func inspect(t *testing.T, st storage.Store, fn func(ctx context.Context, x *repo.Inspection)) {
	t.Helper()
	r, err := repo.Open(t.Context(), st, secret, repo.Options{Sealers: 2})
	if err == nil {
		err = r.Inspect(t.Context(), func(ctx context.Context, x *repo.Inspection) error {
			if err := x.Look(ctx); err != nil {
				return err
			}
			fn(ctx, x)
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestInspectOrder holds the order in which a repository is listed, on which it rests that what is healthy looks healthy.
func TestInspectOrder(t *testing.T) {
	m := mem.New(nil)
	mustSave(t, newRepo(t, m), "world", version1)
	st := fault.New(m)
	inspect(t, st, func(context.Context, *repo.Inspection) {})
	want := []string{"condemned/", "marks/", "snapshots/", "index/", "data/", "meta/"}
	var got []string
	for _, op := range st.Log() {
		if op.Op == fault.List && op.Name != "keys/" && !slices.Contains(got, op.Name) {
			got = append(got, op.Name)
		}
	}
	if len(got) == len(want) {
		slices.Sort(got[4:]) // both at once
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed in the order %q, want %q", got, want)
	}
}

// TestInspectLists finds every pack and every name that is none, whatever it is like.
func TestInspectLists(t *testing.T) {
	m := mem.New(nil)
	newRepo(t, m)
	want := map[string]bool{}
	for i := range 256 {
		name := pack.Name(pack.Data, pack.ID{byte(i), 1})
		putObject(t, m, name, []byte("x"))
		want[name] = true
	}
	strays := []string{"data/0f", "data/10", "data/10-", "data/A/b", "data/ff0/x", "data/zzz", "meta/_"}
	for _, name := range strays {
		putObject(t, m, name, []byte("x"))
	}
	inspect(t, m, func(ctx context.Context, x *repo.Inspection) {
		n := 0
		x.Packs(func(p record.PackRef, size int64) bool {
			n++
			if !want[pack.Name(p.Kind, p.ID)] || size != 1 {
				t.Errorf("pack %x of %d bytes", p.ID, size)
			}
			return true
		})
		got := slices.Sorted(slices.Values(x.NotOurs()))
		if n != len(want) || !slices.Equal(got, strays) {
			t.Errorf("%d packs, and %q", n, got)
		}
	})
}

// TestInspectPacks damages a pack's end and its blocks.
func TestInspectPacks(t *testing.T) {
	m := mem.New(nil)
	mustSave(t, newRepo(t, m), "world", version1)
	name := one(t, m, "data/")
	whole := object(t, m, name)
	for what, test := range map[string]struct {
		b         []byte
		directory bool // is as the index says
		lost      int  // chunks
	}{
		"whole": {whole, true, 0}, "block": {flip(whole, 70), true, 2}, "end": {flip(whole, len(whole)-30), false, 0}, "cut": {whole[:70], false, 2}, "gone": {nil, false, 2},
		"longer": {append(slices.Clone(whole), 0), false, 0},
	} {
		st := m.Clone()
		st.Replace(name, test.b)
		inspect(t, st, func(ctx context.Context, x *repo.Inspection) {
			err := x.Segments(ctx, pack.Data, func(s *repo.InspectedSegment) error {
				for _, p := range s.Segment.Directories() {
					if err := x.CheckDirectory(ctx, pack.Data, &p); (err == nil) != test.directory || err != nil && (!errors.Is(err, repo.ErrCorrupt) || !strings.Contains(err.Error(), name)) {
						t.Errorf("%s: directory %v", what, err)
					}
					good, err := x.Salvage(ctx, pack.Data, &p)
					if n := len(slices.DeleteFunc(good, func(b bool) bool { return b })); err != nil || n != test.lost {
						t.Errorf("%s: %d chunks lost, %v", what, n, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
}
