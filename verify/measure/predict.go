package measure

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// Machine is what must be equal for recovery times to be comparable.
type Machine struct {
	CPUs     int
	Memory   int    // class: gibibytes rounded to a power of two
	Scenario string // cold, …
	Scratch  string // file system of the scratch folder
	Local    bool   // the repository is in a folder of that machine
	Key      string // kind of the key slot that opened it: a password takes long on purpose, a key does not
	Program  string // major version
}

// MemoryClass returns the class of a machine with so many bytes of memory.
func MemoryClass(b uint64) int {
	class := 1
	for float64(b) > float64(class)*math.Sqrt2*(1<<30) && bits.Len(uint(class)) < 32 {
		class *= 2
	}
	return class
}

// Major returns the major version of a program: v1 of v1.2.3. What is no version is as it is.
func Major(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}

// Sample is the measured recovery of one drill that restored all of a snapshot, not held back.
type Sample struct {
	Bytes, Files uint64
	Seconds      float64
}

// Model predicts recovery times, fitted on drills of equal machines: T = open + a*bytes + b*files, none of the three below zero. A restore
// that takes ten times as long also varies by ten times as much: so it is a generalized linear model of the gamma family with the identity
// link (McCullagh, Nelder, Generalized Linear Models, 2nd ed., chapter 8), in which differences count relative to what is fitted. Relative to
// what was measured, one drill that was quick by chance would outweigh all others.
type Model struct {
	samples []Sample
	columns []int       // of the parameters that are not zero
	beta    []float64   // of each
	inverse [][]float64 // of X'WX
	spread  float64     // standard deviation of a relative difference
	free    int         // degrees of freedom
	same    bool        // all drills restored as much
	chi     float64     // sum of the squares of the relative differences
	scale   [3]float64
}

// Prediction is a recovery time that nobody measured, with the band that nine of ten recoveries fall into as far as the drills tell: the 90%
// prediction interval of Student's t, no narrower than 2% each way times t.
type Prediction struct {
	Seconds, Low, High float64 // 50%, 5% and 95%
	Drills             int     // it was fitted on
}

// Errors of a prediction that is refused.
var (
	// ErrFewDrills is returned with fewer than three drills of equal machines.
	ErrFewDrills = errors.New("fewer than three drills of equal machines")
	// ErrTooFar is returned for an amount that is too unlike of what the drills restored.
	ErrTooFar = errors.New("too unlike of what the drills restored")
)

// The limits of predictions.
const (
	fewestDrills = 3
	mostDrills   = 50 // that a model is fitted on
	sameFactor   = 1.1
	farFactor    = 2.0
	farSame      = 1.5  // when all drills restored as much
	leastSpread  = 0.02 // machines are never more equal
	leastSeconds = 1e-3
	mostSteps    = 25   // of a fit
	enough       = 1e-9 // of a relative change, that another step would make
)

// Fit fits a model on drills, the newest last; older ones than the last 50 are left out. The error is ErrFewDrills, or says that the times make
// no model.
func Fit(drills []Sample) (*Model, error) {
	m := &Model{}
	for _, s := range drills[max(0, len(drills)-mostDrills):] {
		if s.Seconds >= leastSeconds && !math.IsInf(s.Seconds, 0) {
			m.samples = append(m.samples, s)
		}
	}
	if len(m.samples) < fewestDrills {
		return nil, fmt.Errorf("%d: %w", len(m.samples), ErrFewDrills)
	}
	bytes, files := m.ranges()
	m.scale = [3]float64{1, max(1, bytes.high), max(1, files.high)}
	m.same = bytes.wide() <= sameFactor && files.wide() <= sameFactor
	best := math.Inf(1)
	for set := 1; set < 8; set++ { // the best of the non-negative solutions is one of those in which some parameters are zero
		if m.same && set != 1 || bits.OnesCount(uint(set)) >= len(m.samples) {
			continue
		}
		if t, deviance, ok := m.solve(set); ok && deviance < best {
			best, m.columns, m.beta, m.inverse, m.chi = deviance, t.columns, t.beta, t.inverse, t.chi
		}
	}
	if math.IsInf(best, 1) {
		return nil, errors.New("no model fits the drills")
	}
	m.free = len(m.samples) - len(m.beta)
	m.spread = max(leastSpread, math.Sqrt(m.chi/float64(m.free)))
	return m, nil
}

// Predict returns what a restore of so much would take. The error wraps ErrTooFar when that is more than twice as much, or less than half, of
// what any drill restored (half as much again when all drills restored as much: then the mean is all that is known).
func (m *Model) Predict(bytes, files uint64) (Prediction, error) {
	b, f := m.ranges()
	far := farFactor
	if m.same {
		far = farSame
	}
	if !b.near(float64(bytes), far) || !f.near(float64(files), far) || !m.ratios().near(ratio(bytes, files), far) {
		return Prediction{}, fmt.Errorf("%d bytes in %d files: %w", bytes, files, ErrTooFar)
	}
	row := m.row(Sample{Bytes: bytes, Files: files}, m.columns)
	mid := dot(row, m.beta)
	p := Prediction{Seconds: mid, Drills: len(m.samples)}
	lever := 0.0
	for i := range row {
		lever += row[i] * dot(m.inverse[i], row)
	}
	wide := student95(m.free) * m.spread * math.Sqrt(mid*mid+lever)
	p.Low, p.High = max(0, mid-wide), mid+wide
	if m.same { // between no time more for more data, and as much more
		k := max(float64(bytes)/max(1, b.low), float64(files)/max(1, f.low), 1)
		less := min(float64(bytes)/max(1, b.high), float64(files)/max(1, f.high), 1)
		p.Low, p.High = p.Low*less, p.High*k
	}
	if math.IsNaN(p.High) || math.IsInf(p.High, 0) {
		return Prediction{}, fmt.Errorf("%d bytes in %d files: %w", bytes, files, ErrTooFar)
	}
	return p, nil
}

// span is a range of values.
type span struct{ low, high float64 }

func (s span) wide() float64 { return (s.high + 1) / (s.low + 1) }

func (s span) near(v, factor float64) bool { return v <= s.high*factor+1 && v >= s.low/factor-1 }

func (s *span) add(v float64) { s.low, s.high = min(s.low, v), max(s.high, v) }

func (m *Model) ranges() (bytes, files span) {
	bytes, files = span{math.Inf(1), 0}, span{math.Inf(1), 0}
	for _, s := range m.samples {
		bytes.add(float64(s.Bytes))
		files.add(float64(s.Files))
	}
	return bytes, files
}

// ratios returns how large files were on average: models of drills with large files alone say nothing of small ones.
func (m *Model) ratios() span {
	r := span{math.Inf(1), 0}
	for _, s := range m.samples {
		r.add(ratio(s.Bytes, s.Files))
	}
	return r
}

func ratio(bytes, files uint64) float64 { return float64(bytes) / max(1, float64(files)) }

// row returns the columns of a sample, scaled to about 1.
func (m *Model) row(s Sample, columns []int) []float64 {
	all := [3]float64{1, float64(s.Bytes), float64(s.Files)}
	out := make([]float64, len(columns))
	for i, c := range columns {
		out[i] = all[c] / m.scale[c]
	}
	return out
}

// solve fits the parameters of a set by Fisher scoring. It is false when these are not determined, or one is below zero; deviance is that of
// the gamma family.
func (m *Model) solve(set int) (t Model, deviance float64, ok bool) {
	for c := range 3 {
		if set&(1<<c) != 0 {
			t.columns = append(t.columns, c)
		}
	}
	rows, fitted := make([][]float64, len(m.samples)), make([]float64, len(m.samples))
	for i, s := range m.samples {
		rows[i], fitted[i] = m.row(s, t.columns), s.Seconds
	}
	for range mostSteps {
		if ok = t.step(rows, fitted, m.samples); !ok {
			return t, 0, false
		}
		change := 0.0
		for i, row := range rows {
			is := dot(row, t.beta)
			if !(is > 0) {
				return t, 0, false
			}
			change = max(change, math.Abs(is/fitted[i]-1))
			fitted[i] = is
		}
		if change < enough {
			break
		}
	}
	t.chi = 0
	for i, s := range m.samples {
		d := s.Seconds/fitted[i] - 1
		t.chi += d * d
		deviance += 2 * (d - math.Log(s.Seconds/fitted[i]))
	}
	return t, deviance, !math.IsNaN(deviance)
}

// step fits the parameters by least squares, weighed by what was fitted before.
func (m *Model) step(rows [][]float64, fitted []float64, samples []Sample) (ok bool) {
	n := len(m.columns)
	a, right := square(n), make([]float64, n)
	for k, row := range rows {
		w := 1 / (fitted[k] * fitted[k])
		for i := range row {
			right[i] += w * row[i] * samples[k].Seconds
			for j := range row {
				a[i][j] += w * row[i] * row[j]
			}
		}
	}
	if m.inverse, ok = invert(a); !ok {
		return false
	}
	m.beta = m.beta[:0]
	for i := range n {
		m.beta = append(m.beta, dot(m.inverse[i], right))
		if !(m.beta[i] >= 0) {
			return false
		}
	}
	return true
}
