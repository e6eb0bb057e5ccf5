package repo

import "savepoint/repo/pack"

// MergeAbove sets how many segments of a kind may stand before a writer merges some.
func (r *Repo) MergeAbove(n int) { r.mergeAbove = n }

// Pending returns how many chunks of a kind the session holds in memory.
func (s *Session) Pending(k pack.Kind) int {
	n := 0
	for i := range s.pending[k] {
		n += len(s.pending[k][i].ids)
	}
	return n
}
