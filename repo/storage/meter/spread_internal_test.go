package meter

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestCells holds that the cells follow one another without a gap, and how wide they are.
func TestCells(t *testing.T) {
	var s spread
	last := cell(math.MaxInt64)
	if last != len(s.cells)-1 {
		t.Errorf("the longest duration has cell %d of %d", last, len(s.cells))
	}
	for i := range s.cells {
		v := upper(i)
		if cell(v) != i {
			t.Errorf("%d, the end of cell %d, is in cell %d", v, i, cell(v))
		}
		if i < last && cell(v+1) != i+1 {
			t.Errorf("%d, after cell %d, is in cell %d", v+1, i, cell(v+1))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64Max(math.MaxInt64).Draw(t, "v")
		if end := upper(cell(v)); end < v || float64(end-v) > float64(v)/16 {
			t.Fatalf("%d is told as %d", v, end)
		}
	})
}

func TestQuantile(t *testing.T) {
	var s spread
	if got := s.quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing = %v", got)
	}
	s.add(-time.Second) // a clock that was set back
	s.add(5)
	if got := s.quantile(0.5); got != 0 {
		t.Errorf("median = %v, want 0", got)
	}
	if got := s.quantile(0.99); got != 5 {
		t.Errorf("99%% = %v, want 5ns", got)
	}
}

// TestQuantileBounds holds that a quantile is never below the exact one, and at most 1/16 above it; and that merging is adding.
func TestQuantileBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		durations := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Hour)), 1, 300).Draw(t, "durations")
		var whole, one, other spread
		for i, d := range durations {
			whole.add(time.Duration(d))
			[]*spread{&one, &other}[i%2].add(time.Duration(d))
		}
		if one.merge(&other); one != whole {
			t.Fatal("the parts together are not the whole")
		}
		slices.Sort(durations)
		for _, share := range []float64{0.01, 0.5, 0.99, 1} {
			exact := durations[int(math.Ceil(share*float64(len(durations))))-1]
			if got := int64(whole.quantile(share)); got < exact || got-exact > exact/16 {
				t.Fatalf("quantile %v is %d, of which the exact one is %d", share, got, exact)
			}
		}
	})
}
