package tree

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestClone finishes clones of a builder at any of its entries: they are the directories that end there, and the builder does not notice.
func TestClone(t *testing.T) {
	check := func(t *rapid.T, n int, stops map[int]bool) {
		entry := func(i int) Entry {
			e := plainFile(fmt.Sprintf("%07d", i), i)
			e.UID, e.User = uint32(i%5), strings.Repeat("u", 1+i%5)
			e.GID, e.Group = uint32(i%3), strings.Repeat("g", 1+i%3)
			return e
		}
		build := func(stops map[int]bool) [][]Element {
			sink := newStore()
			b := NewDirBuilder(sink, newTestCutter())
			var out [][]Element
			finish := func(b *DirBuilder) {
				els, err := b.Finish(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, els)
			}
			for i := range n {
				if stops[i] {
					c := b.Clone()
					for j := range 200 { // several pages
						other := entry(i + j)
						other.User, other.UID = "somebody else", 77
						if err := c.Add(t.Context(), &other); err != nil {
							t.Fatal(err)
						}
					}
					finish(c)
					finish(b.Clone())
				}
				e := entry(i)
				if err := b.Add(t.Context(), &e); err != nil {
					t.Fatal(err)
				}
			}
			finish(b)
			return out
		}
		got := build(stops)
		if diff := cmp.Diff(build(nil)[0], got[len(got)-1]); diff != "" {
			t.Errorf("%d entries, clones at %v: %s", n, stops, diff)
		}
		whole := n
		j := 1
		for i := range whole {
			if stops[i] {
				n = i
				if diff := cmp.Diff(build(nil)[0], got[j]); diff != "" {
					t.Errorf("clone after %d of %d entries: %s", i, whole, diff)
				}
				j += 2
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(3000, 6000)).Draw(t, "entries")
		stops := map[int]bool{}
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, max(n-1, 0)), 0, 3).Draw(t, "stops") {
			stops[i] = true
		}
		check(t, n, stops)
	})
}
