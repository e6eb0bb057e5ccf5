package backup_test

import (
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
)

// objects returns the names beneath a prefix.
func (l *lab) objects(prefix string) []string {
	var found []string
	for _, n := range l.st.Objects() {
		if strings.HasPrefix(n, prefix) {
			found = append(found, n)
		}
	}
	return found
}

// condemn puts a record that names packs, as a prune would.
func (l *lab) condemn(t *testing.T, packs ...string) {
	t.Helper()
	id, err := seal.PassphraseIdentity("test")
	must(t, err)
	b, err := l.st.Get(t.Context(), l.objects("keys/")[0], 0, -1, nil)
	must(t, err)
	slot, err := seal.OpenSlot(b, id)
	must(t, err)
	key, err := slot.Primary()
	must(t, err)
	c := record.Condemned{Session: record.Session{Lease: record.ID{1}, Began: 1, Renewed: 1}, HostClock: 1}
	for _, name := range packs {
		ref := record.PackRef{Kind: pack.Data}
		if strings.HasPrefix(name, "meta/") {
			ref.Kind = pack.Meta
		}
		ref.ID, err = pack.ParseID(filepath.Base(name))
		must(t, err)
		c.Packs = append(c.Packs, ref)
	}
	payload, err := c.Encode()
	must(t, err)
	name := "condemned/" + hex.EncodeToString([]byte(noise(byte(len(l.st.Objects())), 16)))
	sealed, err := seal.NewRing(slot.Repo, key).Seal(seal.Condemned, name, payload, nil)
	must(t, err)
	must(t, l.st.Put(t.Context(), name, strings.NewReader(string(sealed)), int64(len(sealed)), storage.PutOptions{IfAbsent: true}))
}

// TestCondemnedPacksAreNotReliedOn lets a prune condemn packs after the parent: the next snapshot must not need them, though
// no file has changed.
func TestCondemnedPacksAreNotReliedOn(t *testing.T) {
	for _, c := range []struct {
		name     string
		prefixes []string
		read     bool // whether files must be read for it
	}{
		{"others' packs", nil, false},
		{"tree packs", []string{"meta/"}, false},
		{"data packs", []string{"data/"}, true},
		{"all packs", []string{"data/", "meta/"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			small(t, dir)
			write(t, filepath.Join(dir, "large"), noise(1, 12<<20)) // its list has nodes
			l := newLab(t)
			first := l.clean(t, options(dir))
			if e := readBack(t, l.open(t, l.st), first.Snapshot)[dir+"/large"]; len(e.Content) == 0 || e.Content[0].Count == 0 {
				t.Fatal("the large file's list has no node")
			}
			condemned := []string{"data/00/" + strings.Repeat("00", 32)}
			for _, p := range c.prefixes {
				condemned = append(condemned, l.objects(p)...)
			}
			l.condemn(t, condemned...)
			res := l.clean(t, options(dir))
			if s := res.Snapshot.Stats; (s.ReadBytes > 0 && s.RereadFiles == 0) != c.read || (s.UnchangedFiles == 4) == c.read {
				t.Errorf("%+v, want read %v", s, c.read)
			}
			if stored := res.Totals.DataPacks + res.Totals.MetaPacks; stored != uint64(len(c.prefixes)) {
				t.Errorf("packs stored: %+v", res.Totals)
			}
			must(t, l.st.Delete(t.Context(), condemned...))
			sameAsSource(t, readBack(t, l.open(t, l.st), res.Snapshot), dir)
			third := l.clean(t, options(dir)) // its parent has seen the record
			if third.Totals.DataPacks+third.Totals.MetaPacks != 0 || third.Snapshot.Stats.UnchangedFiles != 4 {
				t.Errorf("third: %+v, %+v", third.Totals, third.Snapshot.Stats)
			}
		})
	}
}

// TestLostTreeIsStoredAgain removes the index segments of the parent's tree: what no segment locates is stored again, and so
// the old snapshot heals as well.
func TestLostTreeIsStoredAgain(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	write(t, filepath.Join(dir, "large"), noise(1, 12<<20))
	for _, condemned := range []bool{false, true} { // with one, lists are looked up
		l := newLab(t)
		first := l.clean(t, options(dir))
		must(t, l.st.Delete(t.Context(), l.objects("index/00000000/meta/")...))
		if condemned {
			l.condemn(t, "data/00/"+strings.Repeat("00", 32))
		}
		res := l.clean(t, options(dir))
		if res.Snapshot.Stats.UnchangedFiles != 0 || res.Totals.DataPacks != 0 || res.Totals.MetaPacks != 1 {
			t.Errorf("%+v, %+v", res.Snapshot.Stats, res.Totals)
		}
		for _, snap := range []*repo.Snapshot{first.Snapshot, res.Snapshot} {
			sameAsSource(t, readBack(t, l.open(t, l.st), snap), dir)
		}
	}
}

// TestLostListIsStoredAgain removes the only segment that locates the list of a large file, and keeps its entry.
func TestLostListIsStoredAgain(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "large"), noise(1, 12<<20))
	l := newLab(t)
	l.clean(t, options(dir))
	lists := l.objects("index/00000000/meta/")
	write(t, filepath.Join(dir, "small"), "makes another page")
	l.clean(t, options(dir))
	must(t, l.st.Delete(t.Context(), lists...))
	l.condemn(t, "data/00/"+strings.Repeat("00", 32)) // so that the list is looked up
	res := l.clean(t, options(dir))
	if s := res.Snapshot.Stats; s.UnchangedFiles != 1 || res.Totals.MetaPacks != 1 || res.Totals.DataPacks != 0 {
		t.Errorf("%+v, %+v", s, res.Totals)
	}
	sameAsSource(t, readBack(t, l.open(t, l.st), res.Snapshot), dir)
}

// TestDamagedTreeIsMarked damages, or loses, the pack of the parent's tree: the backup marks it, reads the source again, and publishes
// a snapshot that does not need it. The next one is quiet.
func TestDamagedTreeIsMarked(t *testing.T) {
	for name, harm := range map[string]func(*testing.T, *lab, string){
		"flipped": func(t *testing.T, l *lab, name string) {
			b, err := l.st.Get(t.Context(), name, 0, -1, nil)
			must(t, err)
			b[100] ^= 1
			l.st.Replace(name, b)
		},
		"lost": func(t *testing.T, l *lab, name string) { must(t, l.st.Delete(t.Context(), name)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			small(t, dir)
			l := newLab(t)
			l.clean(t, options(dir))
			name := l.objects("meta/")[0]
			harm(t, l, name)
			res, err := runIn(t, l.open(t, l.st), options(dir))
			must(t, err)
			if !slices.Equal(res.Damaged, []string{name}) || len(l.objects("marks/")) != 1 {
				t.Errorf("damaged %q, marks %q; want %s", res.Damaged, l.objects("marks/"), name)
			}
			sameAsSource(t, readBack(t, l.open(t, l.st), res.Snapshot), dir)
			res, err = runIn(t, l.open(t, l.st), options(dir))
			must(t, err)
			if len(res.Damaged) > 0 || res.Totals.MetaPacks > 0 || len(l.objects("marks/")) != 1 {
				t.Errorf("the backup after: damaged %q, %d packs of tree, marks %q", res.Damaged, res.Totals.MetaPacks, l.objects("marks/"))
			}
		})
	}
}

// TestFailingReadIsNoDamage: a pack that is whole is not marked when reading it went wrong once.
func TestFailingReadIsNoDamage(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	l := newLab(t)
	l.clean(t, options(dir))
	st := fault.New(l.st, fault.Rule{Op: fault.Get, Prefix: "meta/", Do: fault.Flip, N: 100})
	if _, err := runIn(t, l.open(t, st), options(dir)); !errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("error %v, want damage", err)
	}
	if marks := l.objects("marks/"); len(marks) > 0 {
		t.Errorf("marks %q", marks)
	}
}

// TestLapsedSessionReadsAgain stops this machine for an hour once its packs are stored; a prune takes them for orphans.
func TestLapsedSessionReadsAgain(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	l, jump := newSleepyLab(t)
	parents := 0
	o := options(dir)
	o.Events.Parent = func(*repo.Snapshot) { parents++ }
	st := jump(time.Hour, func() {
		must(t, l.st.Delete(t.Context(), l.objects("data/")...))
	})
	res, err := runIn(t, l.open(t, st), o)
	must(t, err)
	if parents != 2 {
		t.Errorf("%d attempts, want 2", parents)
	}
	snaps := l.snapshots(t, l.open(t, l.st))
	if len(snaps) != 1 || snaps[0].Late || snaps[0].Name != res.Snapshot.Name {
		t.Errorf("snapshots %v", snaps)
	}
	sameAsSource(t, readBack(t, l.open(t, l.st), res.Snapshot), dir)
}

// TestLapsedSessionGoesOn: the same, and everything is still there.
func TestLapsedSessionGoesOn(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	l, jump := newSleepyLab(t)
	res, err := runIn(t, l.open(t, jump(time.Hour, func() {})), options(dir))
	must(t, err)
	if res.Snapshot.Late {
		t.Error("late")
	}
	sameAsSource(t, readBack(t, l.open(t, l.st), res.Snapshot), dir)
}

// TestLostSegmentIsMissed loses, or cuts, the index segment that locates a source's chunks. Nothing in the source changed; the next backup
// looks everything up all the same, because its host remembers the segment, and its snapshot restores.
func TestLostSegmentIsMissed(t *testing.T) {
	for name, harm := range map[string]func(*testing.T, *lab, string){
		"lost": func(t *testing.T, l *lab, name string) { must(t, l.st.Delete(t.Context(), name)) },
		"cut": func(t *testing.T, l *lab, name string) {
			b, err := l.st.Get(t.Context(), name, 0, -1, nil)
			must(t, err)
			l.st.Replace(name, b[:len(b)/2])
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			small(t, dir)
			l := newLab(t)
			cache := t.TempDir()
			cached := func(st storage.Store) *repo.Repo {
				o := l.options()
				o.Cache = cache
				r, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: "test"}, o)
				must(t, err)
				return r
			}
			_, err := runIn(t, cached(l.st), options(dir))
			must(t, err)
			harm(t, l, l.objects("index/00000000/data/")[0])
			res, err := runIn(t, cached(l.st), options(dir))
			must(t, err)
			sameAsSource(t, readBack(t, l.open(t, l.st), res.Snapshot), dir)
		})
	}
}
