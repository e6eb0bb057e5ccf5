package repo_test

import (
	"context"
	"strings"
	"testing"

	"savepoint/repo"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

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
