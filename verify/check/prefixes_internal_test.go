package check

import (
	"maps"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func drawSet(t *rapid.T, dir, label string) (*prefixes, map[prefix]bool) {
	s, want := newPrefixes(rapid.Int64Range(0, 400).Draw(t, label+" bytes"), dir), map[prefix]bool{}
	for range rapid.IntRange(0, 12).Draw(t, label+" batches") {
		batch := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 300), func(n int) prefix { return prefix(n) << 50 }), 0, 40).Draw(t, label)
		if err := s.add(slices.Clone(batch)); err != nil {
			t.Fatal(err)
		}
		for _, p := range batch {
			want[p] = true
		}
	}
	return s, want
}

// TestPrefixes compares sets that spill with maps.
func TestPrefixes(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		a, inA := drawSet(t, dir, "a")
		b, inB := drawSet(t, dir, "b")
		for range 2 { // a set can be read again, and added to
			var missing, both []prefix
			n, err := a.missingFrom(b, func(p prefix) { missing = append(missing, p) })
			if err != nil || n != uint64(len(inA)) {
				t.Fatalf("%d of %d, %v", n, len(inA), err)
			}
			sorted := slices.Sorted(maps.Keys(inB))
			if err := a.among(sorted, func(p prefix) { both = append(both, p) }); err != nil {
				t.Fatal(err)
			}
			var wantMissing, wantBoth []prefix
			for _, p := range slices.Sorted(maps.Keys(inA)) {
				if inB[p] {
					wantBoth = append(wantBoth, p)
				} else {
					wantMissing = append(wantMissing, p)
				}
			}
			if !slices.Equal(missing, wantMissing) || !slices.Equal(both, wantBoth) {
				t.Fatalf("missing %v, want %v; both %v, want %v", missing, wantMissing, both, wantBoth)
			}
			if len(a.fresh) > a.limit || cap(a.fresh) > max(a.limit, 4096) {
				t.Fatalf("%d in memory, %d of room, where %d may be", len(a.fresh), cap(a.fresh), a.limit)
			}
			more := prefix(7)
			if err := a.add([]prefix{more}); err != nil {
				t.Fatal(err)
			}
			inA[more] = true
		}
		if err := a.close(); err != nil {
			t.Fatal(err)
		}
		if err := b.close(); err != nil {
			t.Fatal(err)
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}
