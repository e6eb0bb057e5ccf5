package backup_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"savepoint/internal/corpus"
	"savepoint/repo/restore"
)

// TestRestoreBringsBackTheSource: whatever the tree, its changes and the number of workers, each state comes back.
func TestRestoreBringsBackTheSource(t *testing.T) {
	for seed := range seeds(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			draw := func() corpus.TreeOptions {
				return corpus.TreeOptions{
					Seed: rng.Uint64(), Files: 1 + rng.IntN(100), MaxSize: 1 + rng.Int64N(1<<(1+rng.IntN(22))),
					Boundaries: []int64{4096, 96 << 10, 1 << 20}, Depth: 1 + rng.IntN(40), LongPath: rng.IntN(2) == 0,
				}
			}
			dir := filepath.Join(t.TempDir(), "tree")
			must(t, corpus.Tree(dir, draw()))
			l := newLab(t)
			for day := range 3 {
				if day > 0 {
					must(t, corpus.Mutate(dir, draw()))
				}
				o := options(dir)
				o.AllowShrink = true
				o.Workers = 1 + rng.IntN(5)
				snap := l.clean(t, o).Snapshot
				target := filepath.Join(t.TempDir(), "restored")
				_, err := restore.Run(t.Context(), l.open(t, l.st), snap, restore.Selection{}, restore.Options{Target: target})
				must(t, err)
				diff, err := corpus.Compare(dir, target)
				must(t, err)
				// Times end in 2262: later ones come back as the last.
				diff = slices.DeleteFunc(diff, func(d string) bool { return strings.HasSuffix(d, "!= 2262-04-11T23:47:16.854775807Z") })
				if len(diff) > 0 {
					t.Fatalf("day %d:\n%s", day, strings.Join(diff, "\n"))
				}
			}
		})
	}
}
