package check_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"savepoint/repo"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/verify"
	"savepoint/verify/check"
)

// within returns options for some snapshots.
func within(snaps ...*repo.Snapshot) check.Options {
	var o check.Options
	for _, s := range snaps {
		o.Scope.Snapshots = append(o.Scope.Snapshots, s.ID())
	}
	return o
}

// TestScopeDamage harms every object, and verifies each snapshot by itself: what its restore misses is damage, of what only others need nothing is,
// and a run never says that it was a full one.
func TestScopeDamage(t *testing.T) {
	w := newWorld(t)
	r := open(t, w.st)
	snaps, err := r.Snapshots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range w.st.Objects() {
		if strings.HasPrefix(name, "keys/") {
			continue
		}
		for how, harm := range map[string]func(*mem.Store){
			"gone":    func(st *mem.Store) { remove(t, st, name) },
			"flipped": func(st *mem.Store) { st.Replace(name, flip(object(t, st, name), len(object(t, st, name))/2)) },
		} {
			if how == "gone" && kindOf(name) == "snapshots" {
				continue // TestScopeOfSource
			}
			st := w.st.Clone()
			harm(st)
			missed := map[string][]string{}
			if kindOf(name) != "snapshots" {
				missed = needed(t, st)
			}
			for _, s := range snaps {
				o := within(s)
				o.ReadData = check.All()
				d := verified(t, st.Clone(), o)
				what := fmt.Sprintf("%s %s, snapshot %s", name, how, s.Short())
				if d.Scope == nil || !slices.Equal(d.Scope.IDs, []string{s.ID()}) || d.Scope.Snapshots > 1 {
					t.Fatalf("%s: scope %+v", what, d.Scope)
				}
				lost := len(missed[s.ID()]) > 0 || name == s.Name
				if loss := slices.ContainsFunc(d.Findings, func(f verify.Finding) bool { return f.Harm == verify.Loss }); loss != lost {
					t.Errorf("%s: a restore misses %q, findings %+v", what, missed[s.ID()], d.Findings)
				}
				if !lost && d.ExitCode != 0 && !slices.ContainsFunc(d.Findings, func(f verify.Finding) bool { return f.Harm == verify.Risk && f.Object == name && isPack(name) }) {
					t.Errorf("%s: exit %d, %+v", what, d.ExitCode, d.Findings)
				}
				if got := hits(d)[s.ID()]; name != s.Name && !slices.Equal(got, missed[s.ID()]) {
					t.Errorf("%s: a restore misses %q, hit %q", what, missed[s.ID()], got)
				}
			}
		}
	}
}

// TestScopes looks at parts of a whole repository.
func TestScopes(t *testing.T) {
	w := newWorld(t)
	all := verified(t, w.st, check.Options{})
	healthy(t, all)
	if all.Scope != nil {
		t.Fatalf("scope of everything %+v", all.Scope)
	}
	for name, tt := range map[string]struct {
		scope     check.Scope
		snapshots uint64
		fewer     bool // packs than there are
	}{
		"one":              {check.Scope{Snapshots: []string{w.snaps[0].ID()}}, 1, true},
		"by beginning":     {check.Scope{Snapshots: []string{w.snaps[0].ID()[:12]}}, 1, true},
		"two":              {check.Scope{Snapshots: []string{w.snaps[0].ID(), w.snaps[2].ID()}}, 2, true},
		"dataset":          {check.Scope{Dataset: "game"}, 3, true},
		"host":             {check.Scope{Host: "host-of-users"}, 1, true},
		"source":           {check.Scope{Dataset: "users", Host: "host-of-users"}, 1, true},
		"every shard":      {check.Scope{Shard: shard(t, "1/1")}, 4, false},
		"source and shard": {check.Scope{Dataset: "game", Shard: shard(t, "1/1")}, 3, true},
	} {
		for _, o := range []check.Options{{}, wholly, check.Options{}.WithSet(200)} {
			o.Scope = tt.scope
			d := verified(t, w.st.Clone(), o)
			healthy(t, d)
			s := d.Scope
			if s == nil || s.Snapshots != tt.snapshots || s.Packs == 0 || s.Packs < all.Structure.Packs != tt.fewer || s.OfSnapshots() != tt.scope.OfSnapshots() || s.Text() == "" {
				t.Errorf("%s: %+v", name, s)
			}
			if !o.ReadData.IsZero() && (d.ReadBack.Packs != s.Packs || s.Remaining != 0 || s.Never != 0 || s.Oldest == nil || tt.fewer != (d.ReadBack.Never > 0)) {
				t.Errorf("%s: read back %+v of %+v", name, d.ReadBack, s)
			}
			if d.Structure.Packs != all.Structure.Packs || d.Structure.Snapshots != all.Structure.Snapshots {
				t.Errorf("%s: of everything %+v", name, d.Structure)
			}
		}
	}
	for name, s := range map[string]check.Scope{"no ID": {Snapshots: []string{strings.Repeat("f", 32)}}, "several": {Snapshots: []string{""}}, "one of two": {Snapshots: []string{w.snaps[0].ID(), "zz"}},
		"dataset": {Dataset: "none"}, "host": {Host: "none"}, "of another": {Dataset: "game", Host: "host-of-users"}} {
		before := len(names(w.st, "reports/"))
		if d, err := check.Run(t.Context(), open(t, w.st), check.Options{Scope: s}); d != nil || !errors.Is(err, repo.ErrNoSnapshot) || len(names(w.st, "reports/")) != before {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

func shard(t *testing.T, text string) check.Shard {
	t.Helper()
	s, err := check.ParseShard(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestScopeShards has each pack missing, or damaged: of the shards one finds it, all see what trees need, and together they read everything once.
func TestScopeShards(t *testing.T) {
	w := newWorld(t)
	const of = 3
	read, packs := uint64(0), uint64(0)
	st := w.st.Clone()
	for n := 1; n <= of; n++ {
		d := verified(t, st, check.Options{ReadData: check.All(), Scope: check.Scope{Shard: shard(t, fmt.Sprintf("%d/%d", n, of))}})
		healthy(t, d)
		read, packs = read+d.ReadBack.Packs, packs+d.Scope.Packs
		if n == of && d.ReadBack.Never > 0 || d.Scope.Snapshots != 4 || d.Structure.Files < 95 {
			t.Errorf("shard %d: %+v, %+v", n, d.ReadBack, d.Scope)
		}
	}
	if read != 8 || packs != 8 {
		t.Errorf("%d packs were read, of %d", read, packs)
	}
	for _, name := range append(names(w.st, "data/"), names(w.st, "meta/")...) {
		st := w.st.Clone()
		remove(t, st, name)
		found := 0
		for n := 1; n <= of; n++ {
			d := verified(t, st.Clone(), check.Options{Scope: check.Scope{Shard: shard(t, fmt.Sprintf("%d/%d", n, of))}})
			if slices.Equal(objectsOf(d, verify.Loss), []string{name}) {
				found++
				sameHits(t, st, d)
			} else if d.ExitCode != 0 {
				t.Errorf("%s is gone, shard %d: %+v", name, n, d.Findings)
			}
		}
		if isMeta := strings.HasPrefix(name, "meta/"); found == 0 || !isMeta && found != 1 || isMeta && found != of {
			t.Errorf("%s is gone: %d shards of %d find it", name, found, of)
		}
	}
}

// TestScopeOfSource has manifests of a source that are gone, or that nobody can read.
func TestScopeOfSource(t *testing.T) {
	w := newWorld(t)
	users := names(w.st, "snapshots/")
	users = slices.DeleteFunc(users, func(n string) bool {
		return slices.ContainsFunc(w.snaps, func(s *repo.Snapshot) bool { return s.Name == n })
	})
	game := check.Options{Scope: check.Scope{Dataset: "game"}}
	other := check.Options{Scope: check.Scope{Dataset: "users"}}

	st := w.st.Clone()
	st.Replace(users[0], []byte("damaged"))
	d := verified(t, st.Clone(), game) // the report of its backup says whose it is
	holdCodes(t, d, 0, "snapshot-damaged note")
	if d.HitCount != 0 || !strings.Contains(d.Findings[0].Message, "none of what was to be looked at") {
		t.Errorf("%+v", d)
	}
	holdCodes(t, verified(t, st.Clone(), other), 4, "snapshot-damaged loss")
	for _, name := range names(st, "reports/") {
		remove(t, st, name)
	}
	holdCodes(t, verified(t, st.Clone(), game), 4, "snapshot-damaged loss") // it may be of this dataset
	known := check.Options{Scope: check.Scope{Dataset: "game", Host: "host-of-game"}}
	holdCodes(t, verified(t, st.Clone(), known), 0, "snapshot-damaged note") // its folder says that it is not

	st = w.st.Clone()
	remove(t, st, w.snaps[1].Name)
	d = verified(t, st.Clone(), game)
	if d.ExitCode != 4 || d.Findings[0].Code != check.CodeSnapshotGone {
		t.Errorf("%+v", d.Findings)
	}
	healthy(t, verified(t, st.Clone(), other))
	healthy(t, verified(t, st.Clone(), within(w.snaps[0])))
}

// TestScopeLate names a snapshot that came too late: who names it is told what it lacks.
func TestScopeLate(t *testing.T) {
	w := newWorld(t)
	last := w.snaps[2]
	w.st.SetTime(last.Name, last.Stored.Add(2*60*60*1e9))
	found := false
	for _, name := range names(w.st, "data/") {
		st := w.st.Clone()
		remove(t, st, name)
		if lost := needed(t, st); len(lost[last.ID()]) == 0 {
			continue
		}
		found = true
		d := verified(t, st, within(last))
		holdCodes(t, d, 4, "pack-missing loss")
		if len(d.Hit) != 1 || d.Hit[0].Snapshot != last.ID() {
			t.Errorf("%+v", d.Hit)
		}
	}
	if !found {
		t.Error("no pack is needed by the last snapshot")
	}
}

// TestLostOnce loses a folder of many pages: it is one path of the snapshot.
func TestLostOnce(t *testing.T) {
	st := mem.New(nil)
	initRepo(t, st)
	r := open(t, st)
	err := r.Write(t.Context(), "shapes", "host", func(ctx context.Context, s *repo.Session) error {
		m, err := shapes(ctx, r, s, "once")
		if err == nil {
			_, err = s.Commit(ctx, m)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names(st, "meta/") {
		remove(t, st, name)
	}
	d := verified(t, st, check.Options{})
	if len(d.Hit) != 1 || !slices.Equal(d.Hit[0].Paths, []string{"/srv/shapes/"}) || d.Structure.TreeChunks < 2 {
		t.Errorf("%+v of %+v", d.Hit, d.Structure)
	}
}

// TestScopeUnread has the store not give a manifest: that of another snapshot is a note, that of this one is not known.
func TestScopeUnread(t *testing.T) {
	w := newWorld(t)
	name := w.snaps[1].Name
	for i, want := range []struct {
		scope check.Scope
		exit  int
		code  string
	}{
		{check.Scope{Snapshots: []string{w.snaps[0].ID()}}, 0, "unreadable note"},
		{check.Scope{Dataset: "users"}, 0, "unreadable note"},
		{check.Scope{Snapshots: []string{w.snaps[1].ID()}}, 1, "unreadable unknown"},
		{check.Scope{Dataset: "game"}, 1, "unreadable unknown"},
	} {
		st := &failing{w.st.Clone(), storage.ErrDenied, func(n string) bool { return n == name }}
		d, err := check.Run(t.Context(), open(t, st), check.Options{Scope: want.scope})
		if err != nil {
			t.Fatal(err)
		}
		if holdCodes(t, d, want.exit, want.code); t.Failed() {
			t.Fatalf("scope %d: %+v", i, d.Findings)
		}
	}
}
