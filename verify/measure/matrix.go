package measure

import "math"

// square returns a matrix of zeros.
func square(n int) [][]float64 {
	a := make([][]float64, n)
	for i := range a {
		a[i] = make([]float64, n)
	}
	return a
}

// invert returns the inverse of a symmetric matrix, which it leaves as it is; false when the matrix is too near to having none. It is made
// comparable first: what decides is the angle between columns, not their size.
func invert(of [][]float64) ([][]float64, bool) {
	const tooSmall = 1e-9
	n := len(of)
	size := make([]float64, n)
	for i := range n {
		size[i] = math.Sqrt(of[i][i])
		if !(size[i] > 0) || math.IsInf(size[i], 0) {
			return nil, false
		}
	}
	a, inverse := square(n), square(n)
	for i := range n {
		inverse[i][i] = 1
		for j := range n {
			a[i][j] = of[i][j] / size[i] / size[j]
		}
	}
	for c := range n { // Gauss and Jordan; positive definite, so that no rows need to be exchanged
		p := a[c][c]
		if !(p > tooSmall) {
			return nil, false
		}
		for j := range n {
			a[c][j] /= p
			inverse[c][j] /= p
		}
		for i := range n {
			if f := a[i][c]; i != c {
				for j := range n {
					a[i][j] -= f * a[c][j]
					inverse[i][j] -= f * inverse[c][j]
				}
			}
		}
	}
	for i := range n {
		for j := range n {
			inverse[i][j] /= size[i] * size[j]
		}
	}
	return inverse, true
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// student95 returns the 95% quantile of Student's t: from tables, and from five degrees of freedom on by Fisher's expansion about the normal
// distribution, right to three digits.
func student95(free int) float64 {
	if free <= 4 {
		return [...]float64{math.Inf(1), 6.3138, 2.9200, 2.3534, 2.1318}[max(0, free)]
	}
	const z = 1.644854
	n := float64(free)
	return z + (z*z*z+z)/(4*n) + (5*z*z*z*z*z+16*z*z*z+3*z)/(96*n*n) + (3*math.Pow(z, 7)+19*math.Pow(z, 5)+17*z*z*z-15*z)/(384*n*n*n)
}
