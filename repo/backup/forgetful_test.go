package backup_test

import (
	"testing"

	"savepoint/repo/backup"
	"savepoint/repo/tree"

	"savepoint/repo"
)

// TestInterruptedRunForgetsNoLoss loses the index segment that locates a source's chunks. The run that misses it is broken off, and what it
// published expires: the one after it has to miss the segment too, or its snapshot would rely on chunks that nothing locates.
func TestInterruptedRunForgetsNoLoss(t *testing.T) {
	for _, expires := range []bool{false, true} {
		for _, mode := range []tree.Mode{tree.Incremental, tree.Full} {
			cache := t.TempDir()
			onScales(t, func(s *scales) {
				open := func() *repo.Repo {
					o := s.options()
					o.Cache = cache
					r, err := repo.Open(s.t.Context(), s.st, repo.Secret{Passphrase: "test"}, o)
					must(s.t, err)
					return r
				}
				_, err := backup.Run(s.t.Context(), open(), s.mode(tree.Incremental))
				must(s.t, err)
				must(s.t, s.st.Delete(s.t.Context(), s.objects("index/00000000/data/")...))
				parts := s.breakOffIn(s.t, open(), s.mode(mode), 3)
				if len(parts) != 1 {
					s.t.Fatal(nameList(parts))
				}
				if expires {
					must(s.t, s.st.Delete(s.t.Context(), parts[0].Name))
				}
				res, err := backup.Run(s.t.Context(), open(), s.mode(tree.Incremental))
				must(s.t, err)
				sameAsSource(s.t, readBack(s.t, open(), res.Snapshot), s.dir)
			})
		}
	}
}
