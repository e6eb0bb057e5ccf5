package measure_test

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"savepoint/verify/measure"
)

func TestNewHosts(t *testing.T) {
	s := func(host string, h float64) measure.Sighting { return measure.Sighting{Host: host, At: at(h)} }
	for name, tt := range map[string]struct {
		seen []measure.Sighting
		want []string
	}{
		"none":              {nil, nil},
		"all are known":     {[]measure.Sighting{s("a", -2), s("b", -1), s("a", 3)}, nil},
		"two are new":       {[]measure.Sighting{s("a", -2), s("c", 1), s("b", 2), s("b", 3)}, []string{"b", "c"}},
		"all have begun":    {[]measure.Sighting{s("a", 1), s("b", 2)}, nil},
		"out of order, too": {[]measure.Sighting{s("b", 3), s("b", -1), s("a", -2)}, nil},
	} {
		if got := measure.NewHosts(tt.seen, noon); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestOutdated(t *testing.T) {
	s := func(host, version string, h float64) measure.Sighting {
		return measure.Sighting{Host: host, Version: version, At: at(h)}
	}
	for name, tt := range map[string]struct {
		seen   []measure.Sighting
		newest string
		want   []string
	}{
		"none":                {nil, "", nil},
		"one":                 {[]measure.Sighting{s("a", "v1.2.3", 1)}, "v1.2.3", nil},
		"two are older":       {[]measure.Sighting{s("c", "v1.2.3", 1), s("a", "v1.10.0", 1), s("b", "v1.9.9", 1)}, "v1.10.0", []string{"b", "c"}},
		"it was older":        {[]measure.Sighting{s("a", "v1.2.3", 1), s("a", "v1.3.0", 2)}, "v1.3.0", nil},
		"it went back":        {[]measure.Sighting{s("a", "v1.3.0", 1), s("a", "v1.2.3", 2)}, "v1.3.0", []string{"a"}},
		"before the release":  {[]measure.Sighting{s("a", "v1.3.0", 1), s("b", "v1.3.0-rc1", 2)}, "v1.3.0", []string{"b"}},
		"a build from source": {[]measure.Sighting{s("a", "v1.3.0", 1), s("b", "devel", 2), s("c", "", 2), s("d", "v1.3.0+dirty", 1)}, "v1.3.0", nil},
		"no numbers":          {[]measure.Sighting{s("a", "v1.3.99999999999999", 1), s("b", "v1.-3.0", 2)}, "", nil},
	} {
		if newest, got := measure.Outdated(tt.seen); newest != tt.newest || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %s, %v", name, newest, got)
		}
	}
}

// price reads a price that is one.
func price(t testing.TB, s string) measure.Price {
	t.Helper()
	p, err := measure.ParsePrice(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPrices(t *testing.T) {
	all := measure.Prices{GBMonth: price(t, "0.023"), GBOut: price(t, "0.09"), Per1000Requests: price(t, "0.005")}
	for _, tt := range []struct {
		received, requests uint64
		want               string
	}{
		{0, 0, "0.0000"},
		{1, 0, "0.0001"}, // nothing costs less than is said
		{100_000_000_000, 3200, "9.0160"},
		{1_000_000_000, 1, "0.0901"},
		{math.MaxUint64, math.MaxUint64, "92235380575514.3920"},
	} {
		if got := all.Drill(tt.received, tt.requests); got.String() != tt.want {
			t.Errorf("%d bytes, %d requests: %s", tt.received, tt.requests, got)
		}
	}
	if got := all.Month(2_500_000_000_000); got.String() != "57.5000" || got.Float64() != 57.5 {
		t.Errorf("a month: %s", got)
	}
	for name, p := range map[string]measure.Prices{"none": {}, "no requests": {GBOut: all.GBOut}, "nothing out": {Per1000Requests: all.Per1000Requests, GBMonth: all.GBMonth}} {
		if got := p.Drill(0, 0); got.Known() || got.String() != "unknown" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := (measure.Prices{}).Month(1); got.Known() {
		t.Errorf("a month: %s", got)
	}
	for _, s := range []string{"", "-1", "1e3", "1/3", "0x10", ".5", "1.", "1,5", " 1", "NaN", "1234567890", "0.1234567890123"} {
		if p, err := measure.ParsePrice(s); err == nil {
			t.Errorf("%q is a price: %s", s, p)
		}
	}
}

// TestPricesExact compares a sum with that of its parts, to the last digit.
func TestPricesExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[0-9]{1,4}\.[0-9]{1,6}`)
		out, per := text.Draw(t, "out"), text.Draw(t, "per 1000")
		o, err := measure.ParsePrice(out)
		r, err2 := measure.ParsePrice(per)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		bytes, requests := rapid.Uint64Range(0, 1<<50).Draw(t, "bytes"), rapid.Uint64Range(0, 1<<40).Draw(t, "requests")
		want, _ := new(big.Rat).SetString(out)
		want.Mul(want, new(big.Rat).SetFrac64(int64(bytes), 1e9))
		more, _ := new(big.Rat).SetString(per)
		want.Add(want, more.Mul(more, new(big.Rat).SetFrac64(int64(requests), 1000)))
		got := measure.Prices{GBOut: o, Per1000Requests: r}.Drill(bytes, requests)
		said, _ := new(big.Rat).SetString(got.String())
		if d := said.Sub(said, want); d.Sign() < 0 || d.Cmp(big.NewRat(1, 10000)) >= 0 {
			t.Fatalf("%s, and it is %s", got, want.FloatString(9))
		}
	})
}
