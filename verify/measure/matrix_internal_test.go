package measure

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestInvert(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(t, "n")
		rows := square(n + 2)
		for i := range rows {
			rows[i] = make([]float64, n)
			for j := range n {
				rows[i][j] = rapid.Float64Range(-9, 9).Draw(t, "x") * math.Pow(1000, float64(j))
			}
		}
		a := square(n)
		for _, r := range rows {
			for i := range n {
				for j := range n {
					a[i][j] += r[i] * r[j]
				}
			}
		}
		inverse, ok := invert(a)
		if !ok {
			return
		}
		for i := range n {
			for j := range n {
				s, want := 0.0, 0.0
				for k := range n {
					s += a[i][k] * inverse[k][j]
				}
				if i == j {
					want = 1
				}
				if scale := math.Sqrt(a[i][i] / a[j][j]); math.Abs(s-want)/scale > 1e-4 {
					t.Fatalf("%v times %v has %v at %d, %d", a, inverse, s, i, j)
				}
			}
		}
	})
	for name, a := range map[string][][]float64{"zeros": square(2), "one column twice": {{1, 1}, {1, 1}}, "nearly": {{1, 1 - 1e-11}, {1 - 1e-11, 1}}, "no number": {{math.NaN()}}} {
		if got, ok := invert(a); ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestStudent compares with a table of the distribution.
func TestStudent(t *testing.T) {
	for free, want := range map[int]float64{1: 6.314, 2: 2.920, 4: 2.132, 5: 2.015, 6: 1.943, 8: 1.860, 10: 1.812, 20: 1.725, 47: 1.678, 1e6: 1.645} {
		if got := student95(free); math.Abs(got-want) > 0.001 {
			t.Errorf("%d: %v, wanted %v", free, got, want)
		}
	}
	if got := student95(0); !math.IsInf(got, 1) {
		t.Errorf("without a degree of freedom: %v", got)
	}
}
