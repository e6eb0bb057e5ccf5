package repo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

// many makes snapshots of one dataset, each with a file of its own and one that all share.
func many(t *testing.T, r *repo.Repo, n int) (snaps []*repo.Snapshot, all []files) {
	t.Helper()
	for i := range n {
		f := files{"shared": "the same in all", "own": fmt.Sprint("only in ", i)}
		snaps, all = append(snaps, mustSave(t, r, "world", f)), append(all, f)
	}
	return snaps, all
}

// segments reads the data segments of a repository.
func segments(t *testing.T, st *mem.Store) map[string]*record.Segment {
	t.Helper()
	out := map[string]*record.Segment{}
	for _, name := range names(st, "index/00000000/data/") {
		b, err := ringOf(t, st).Open(seal.Segment, name, object(t, st, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		if out[name], err = record.DecodeSegment(b); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// merged returns the one segment that supersedes others.
func merged(t *testing.T, st *mem.Store) (name string, s *record.Segment) {
	t.Helper()
	for n, seg := range segments(t, st) {
		if len(seg.Supersedes) > 0 {
			if s != nil {
				t.Fatal("two merged segments")
			}
			name, s = n, seg
		}
	}
	if s == nil {
		t.Fatal("nothing was merged")
	}
	return name, s
}

func TestMerge(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	snaps, all := many(t, r, 10)
	r.MergeAbove(10)
	more, moreFiles := many(t, r, 1) // lists ten
	if got := len(segments(t, m)); got != 10 {
		// The eleventh snapshot holds what the first one held and stores a tree only.
		t.Fatalf("%d data segments before, want 10", got)
	}
	snaps, all = append(snaps, more...), append(all, moreFiles...)
	f := files{"own": "the eleventh"}
	snaps, all = append(snaps, mustSave(t, r, "world", f)), append(all, f) // makes eleven, lists ten
	f = files{"own": "the twelfth"}
	snaps, all = append(snaps, mustSave(t, r, "world", f)), append(all, f) // lists eleven
	name, seg := merged(t, m)
	if len(seg.Supersedes) != 11 || len(seg.Packs) != 11 || len(segments(t, m)) != 13 {
		t.Fatalf("one segment supersedes %d with %d packs, %d are listed; want 11, 11 and 13: a writer deletes nothing",
			len(seg.Supersedes), len(seg.Packs), len(segments(t, m)))
	}
	var old []string
	for _, id := range seg.Supersedes {
		old = append(old, "index/00000000/data/"+hexOf(id))
	}
	if err := m.Delete(t.Context(), old...); err != nil { // as prune will
		t.Fatal(err)
	}
	for i, s := range snaps {
		mustLoad(t, openRepo(t, m), s, all[i])
	}
	packs := len(names(m, "data/"))
	for _, f := range all {
		mustSave(t, r, "again", f)
	}
	if got := len(names(m, "data/")); got != packs {
		t.Errorf("%d packs were stored again", got-packs)
	}
	if now, _ := merged(t, m); now != name {
		t.Error("two segments were merged again, without need")
	}
}

// TestMergeDeletedPacks has packs that a record names: only when they are deleted does a merged segment leave them out.
func TestMergeDeletedPacks(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	many(t, r, 10)
	packs := names(m, "data/")
	condemn(t, m, packs[0])
	id := condemn(t, m, packs[1])
	putObject(t, m, "condemned/"+hexOf(id)+"-gone", []byte("gone"))
	if err := m.Delete(t.Context(), packs[1]); err != nil {
		t.Fatal(err)
	}
	r.MergeAbove(5)
	mustSave(t, r, "world", files{"own": "new"})
	_, seg := merged(t, m)
	has := map[pack.ID]bool{}
	for _, p := range seg.Packs {
		has[p.ID] = true
	}
	if !has[packID(t, packs[0])] {
		t.Error("a pack that is condemned only was left out")
	}
	if has[packID(t, packs[1])] || len(has) != 9 {
		t.Errorf("%d packs, the deleted one among them: %t", len(has), has[packID(t, packs[1])])
	}
}

// TestMergeUnreadable has a segment that cannot be read: it is not superseded.
func TestMergeUnreadable(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	many(t, r, 10)
	bad := names(m, "index/00000000/data/")[3]
	m.Replace(bad, flip(object(t, m, bad), 200))
	r.MergeAbove(5)
	mustSave(t, r, "world", files{"own": "new"})
	m.Replace(bad, flip(object(t, m, bad), 200)) // well again
	_, seg := merged(t, m)
	for _, id := range seg.Supersedes {
		if strings.HasSuffix(bad, hexOf(id)) {
			t.Error("a segment that could not be read is superseded")
		}
	}
	if len(seg.Supersedes) != 9 {
		t.Errorf("%d segments are superseded, want 9", len(seg.Supersedes))
	}
}

// TestMergeLate has a merged segment arrive after its lease's time: it counts for nothing, and the snapshot stands.
func TestMergeLate(t *testing.T) {
	c := &clock{base: time.Now}
	m := mem.New(c.now)
	r := newRepo(t, m)
	many(t, r, 10)
	st := fault.New(m)
	r = openRepo(t, st)
	r.MergeAbove(5)
	published := false
	st.Arm(fault.Rule{Op: fault.Put, Prefix: "snapshots/", Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
		published = true
		return nil
	}}, fault.Rule{Op: fault.Put, Prefix: "index/", Count: fault.Forever, Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
		if published {
			c.add(repo.TTL + time.Second)
		}
		return nil
	}})
	f := files{"own": "new"}
	snap := mustSave(t, r, "world", f)
	name, seg := merged(t, m)
	if !published || len(seg.Supersedes) == 0 {
		t.Fatal("nothing was merged after the snapshot")
	}
	info, err := m.Stat(t.Context(), name)
	if err != nil || info.Time.Sub(time.Unix(0, seg.Session.Renewed)) <= repo.TTL {
		t.Fatalf("the merged segment is not late: %v", err)
	}
	packs := len(names(m, "data/"))
	mustLoad(t, r, snap, f)
	many(t, openRepo(t, m), 10)
	if got := len(names(m, "data/")); got != packs {
		t.Errorf("%d packs were stored again: the segments in the late one's place count", got-packs)
	}
}

// TestMergeFails has the store refuse the merged segment: the snapshot is whole all the same.
func TestMergeFails(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	many(t, r, 10)
	full := errors.New("full")
	r = openRepo(t, refuseMerged{m, full})
	r.MergeAbove(5)
	f := files{"own": "the same in all"} // stores no data
	snap, err := save(t.Context(), r, "world", f)
	if err != nil {
		t.Fatal(err)
	}
	mustLoad(t, r, snap, f)
}

// refuseMerged takes no data segments.
type refuseMerged struct {
	storage.Store
	err error
}

func (s refuseMerged) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	if strings.HasPrefix(name, "index/00000000/data/") {
		return &storage.OpError{Op: "put", Name: name, Err: s.err}
	}
	return s.Store.Put(ctx, name, body, size, o)
}

// TestMergeAboveAThousand does nothing to the limit: with a thousand segments nothing is merged, with one more they are.
func TestMergeAboveAThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a thousand snapshots")
	}
	m := mem.New(nil)
	r := newRepo(t, m)
	var snaps []*repo.Snapshot
	var all []files
	for i := range 1000 { // of many sources: a session reads the manifests of its own
		f := files{"own": fmt.Sprint("only in ", i)}
		snaps, all = append(snaps, mustSave(t, r, fmt.Sprint("shard ", i%250), f)), append(all, f)
	}
	mustSave(t, r, "world", files{"own": "the last but one"}) // lists a thousand
	for name, s := range segments(t, m) {
		if len(s.Supersedes) > 0 {
			t.Fatalf("%s merges though no more than a thousand are listed", name)
		}
	}
	mustSave(t, r, "world", files{"own": "the last"})
	if _, s := merged(t, m); len(s.Supersedes) != 1000 {
		t.Errorf("%d segments were merged, want 1000", len(s.Supersedes))
	}
	for _, i := range []int{0, 500, 999} {
		mustLoad(t, openRepo(t, m), snaps[i], all[i])
	}
}

// TestMergeReadsNothingTwice has a run that stores nothing, after all segments were merged and before prune removes the old ones: there is nothing to merge,
// so there is no reason to read the index of data chunks.
func TestMergeReadsNothingTwice(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	many(t, r, 10)
	r.MergeAbove(5)
	mustSave(t, r, "world", files{"own": "new"})
	merged(t, m)
	st := fault.New(m)
	r = openIn(t, st, "")
	r.MergeAbove(5)
	for round := range 2 {
		st.Arm()
		err := r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
			p, err := s.Parent(ctx)
			if err != nil {
				return err
			}
			_, err = s.Commit(ctx, manifest(p.Roots[0].Entry.Content))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, c := range st.Log() {
			if c.Op == fault.Get && strings.HasPrefix(c.Name, "index/00000000/data/") {
				n++
			}
		}
		if n > 0 {
			t.Errorf("round %d: %d data segments were read by a run that stores nothing and merges nothing", round, n)
		}
	}
}
