package measure_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"savepoint/verify/measure"
)

// machine is a synthetic one: what its restores take, and by how much they vary.
type machine struct {
	open, perByte, perFile float64
	noise                  float64 // standard deviation, relative
}

func (m machine) restore(r *rand.Rand, bytes, files uint64) measure.Sample {
	s := m.open + m.perByte*float64(bytes) + m.perFile*float64(files)
	return measure.Sample{Bytes: bytes, Files: files, Seconds: s * max(0.2, 1+m.noise*r.NormFloat64())}
}

const gib = 1 << 30

// TestBand restores again and again on machines whose parameters are known, and counts how often the next restore takes what was predicted.
func TestBand(t *testing.T) {
	machines := map[string]machine{
		"all three":      {open: 5, perByte: 10.0 / gib, perFile: 0.0005, noise: 0.08},
		"bytes alone":    {perByte: 10.0 / gib, noise: 0.08},
		"mostly opening": {open: 300, perByte: 1.0 / gib, noise: 0.15},
		"many files":     {open: 1, perByte: 0.1 / gib, perFile: 0.01, noise: 0.04},
	}
	designs := map[string]func(r *rand.Rand) (bytes, files uint64){
		"different": func(r *rand.Rand) (uint64, uint64) {
			return uint64(gib * (1 + 50*r.Float64())), uint64(1000 + 100000*r.Float64())
		},
		"slowly growing": func(r *rand.Rand) (uint64, uint64) {
			return uint64(gib * (20 + 6*r.Float64())), uint64(50000 + 20000*r.Float64())
		},
		"of one size": func(r *rand.Rand) (uint64, uint64) { return 20*gib + r.Uint64N(gib), 50000 + r.Uint64N(2000) },
	}
	const rounds = 1500
	for machineName, m := range machines {
		for designName, design := range designs {
			for _, n := range []int{3, 4, 6, 12, 40} {
				r := rand.New(rand.NewPCG(1, uint64(n)))
				within, told := 0, 0
				for range rounds {
					var drills []measure.Sample
					for range n {
						b, f := design(r)
						drills = append(drills, m.restore(r, b, f))
					}
					model, err := measure.Fit(drills)
					if err != nil {
						t.Fatal(err)
					}
					b, f := design(r)
					p, err := model.Predict(b, f)
					if errors.Is(err, measure.ErrTooFar) {
						continue
					}
					told++
					if actual := m.restore(r, b, f).Seconds; actual >= p.Low && actual <= p.High {
						within++
					}
				}
				share := float64(within) / float64(told)
				if share < 0.86 || share > 0.985 || told < rounds/3 {
					t.Errorf("%s, %s, %d drills: %.3f of %d within the band", machineName, designName, n, share, told)
				}
			}
		}
	}
}

// TestQuickByChance has drills that took from a tenth of the usual time to three times as long: a quick one must not make the rest unlikely.
func TestQuickByChance(t *testing.T) {
	for name, seconds := range map[string][]float64{
		"one quick":  {1.1, 0.98, 1.2, 0.135, 3.0},
		"the first":  {0.135, 0.741, 1.2, 0.98, 1.1, 3.0, 0.9},
		"one slow":   {0.1, 0.1, 0.12, 1.2},
		"two speeds": {0.15, 1.2, 0.16, 1.1, 0.14, 1.3},
	} {
		var drills []measure.Sample
		mean, slowest := 0.0, 0.0
		for i, s := range seconds {
			drills = append(drills, measure.Sample{Bytes: gib + uint64(i)<<20, Files: 1000, Seconds: s})
			mean, slowest = mean+s/float64(len(seconds)), max(slowest, s)
		}
		m, err := measure.Fit(drills)
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Predict(gib, 1000)
		if err != nil || math.Abs(p.Seconds/mean-1) > 0.01 || p.High < 0.9*slowest {
			t.Errorf("%s: %+v, %v; measured were %.3f in the mean, up to %.3f", name, p, err, mean, slowest)
		}
	}
}

// TestExact fits drills without noise: the prediction is what the machine does.
func TestExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, m := range []machine{{open: 5, perByte: 10.0 / gib, perFile: 0.0005}, {perByte: 10.0 / gib}, {open: 7}, {perFile: 0.01}} {
		var drills []measure.Sample
		for i := range 6 {
			drills = append(drills, m.restore(r, uint64(1+i)*gib, uint64(1000+(i*i*7919)%5000)))
		}
		model, err := measure.Fit(drills)
		if err != nil {
			t.Fatal(err)
		}
		p, err := model.Predict(4*gib, 2000)
		want := m.restore(r, 4*gib, 2000).Seconds
		if err != nil || math.Abs(p.Seconds-want) > 1e-6*want || p.Low >= want || p.High <= want || p.Drills != 6 {
			t.Errorf("%+v: %+v, wanted %v, %v", m, p, want, err)
		}
	}
}

func TestRefused(t *testing.T) {
	one := measure.Sample{Bytes: gib, Files: 1000, Seconds: 10}
	for n := range 3 {
		drills := make([]measure.Sample, n)
		for i := range drills {
			drills[i] = one
		}
		if _, err := measure.Fit(drills); !errors.Is(err, measure.ErrFewDrills) {
			t.Errorf("%d drills: %v", n, err)
		}
	}
	if _, err := measure.Fit([]measure.Sample{one, one, {Bytes: gib}}); !errors.Is(err, measure.ErrFewDrills) {
		t.Errorf("one that took no time: %v", err)
	}
	same, err := measure.Fit([]measure.Sample{one, {Bytes: gib, Files: 1000, Seconds: 11}, {Bytes: gib, Files: 1000, Seconds: 12}})
	if err != nil {
		t.Fatal(err)
	}
	mean, err := same.Predict(gib, 1000)
	if err != nil || mean.Seconds < 10.5 || mean.Seconds > 11.5 || mean.Low > 10 || mean.High < 12 {
		t.Errorf("all of one size: %+v, %v", mean, err)
	}
	more, err := same.Predict(gib*14/10, 1000)
	if err != nil || more.Seconds != mean.Seconds || more.Low != mean.Low || math.Abs(more.High/mean.High-1.4) > 1e-6 {
		t.Errorf("more than that: %+v, %v", more, err)
	}
	less, err := same.Predict(gib*7/10, 900)
	if err != nil || less.High != mean.High || math.Abs(less.Low/mean.Low-0.7) > 1e-6 {
		t.Errorf("less than that: %+v, %v", less, err)
	}
	for name, of := range map[string][2]uint64{"bytes": {2 * gib, 1000}, "few bytes": {gib / 2, 1000}, "files": {gib, 2000}, "nothing": {0, 0}, "everything": {math.MaxUint64, math.MaxUint64}} {
		if p, err := same.Predict(of[0], of[1]); !errors.Is(err, measure.ErrTooFar) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	spread, err := measure.Fit([]measure.Sample{one, {Bytes: 2 * gib, Files: 2000, Seconds: 19}, {Bytes: 4 * gib, Files: 4000, Seconds: 42}})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := spread.Predict(8*gib, 8000); err != nil || p.Seconds < 60 || p.Seconds > 100 {
		t.Errorf("twice as much: %+v, %v", p, err)
	}
	for name, of := range map[string][2]uint64{"more than twice as much": {9 * gib, 9000}, "smaller files": {2 * gib, 4900}} {
		if p, err := spread.Predict(of[0], of[1]); !errors.Is(err, measure.ErrTooFar) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// TestPredictAnything holds that a prediction is a time, whatever drills say.
func TestPredictAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drills := rapid.SliceOf(rapid.Custom(func(t *rapid.T) measure.Sample {
			return measure.Sample{Bytes: rapid.Uint64().Draw(t, "bytes"), Files: rapid.Uint64().Draw(t, "files"), Seconds: rapid.Float64().Draw(t, "seconds")}
		})).Draw(t, "drills")
		m, err := measure.Fit(drills)
		if err != nil {
			return
		}
		d := drills[rapid.IntRange(0, len(drills)-1).Draw(t, "of")]
		p, err := m.Predict(d.Bytes, d.Files)
		if err == nil && !(p.Low >= 0 && p.Low <= p.Seconds && p.Seconds <= p.High && !math.IsInf(p.High, 0)) {
			t.Fatalf("%+v", p)
		}
	})
}

func TestMachine(t *testing.T) {
	for bytes, want := range map[uint64]int{0: 1, gib: 1, 2*gib - 90<<20: 2, 15 * gib: 16, 16 * gib: 16, 24 * gib: 32, 22 * gib: 16, math.MaxUint64: 1 << 31} {
		if got := measure.MemoryClass(bytes); got != want {
			t.Errorf("%d bytes: %d", bytes, got)
		}
	}
	for version, want := range map[string]string{"v1.2.3": "v1", "v10.0.0-rc1": "v10", "devel": "devel", "": ""} {
		if got := measure.Major(version); got != want {
			t.Errorf("%s: %s", version, got)
		}
	}
}

// ExampleModel_Predict shows what three drills are worth.
func ExampleModel_Predict() {
	model, _ := measure.Fit([]measure.Sample{{Bytes: 10 * gib, Files: 5000, Seconds: 101}, {Bytes: 20 * gib, Files: 9000, Seconds: 205}, {Bytes: 30 * gib, Files: 16000, Seconds: 296}})
	p, _ := model.Predict(25*gib, 12000)
	fmt.Printf("predicted %.0fs, from %.0fs to %.0fs", p.Seconds, p.Low, p.High)
	// Output: predicted 251s, from 201s to 300s
}
