package measure

import (
	"fmt"
	"math/big"
	"regexp"
)

// Price is an amount of money, exact. The zero value is not a price.
type Price struct{ r *big.Rat }

// priceText is what a price looks like: no exponents, no fractions, no more digits than anybody charges.
var priceText = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,12})?$`)

// ParsePrice reads a price as it is written in the configuration: 0.023.
func ParsePrice(s string) (Price, error) {
	r, ok := new(big.Rat).SetString(s)
	if !ok || !priceText.MatchString(s) {
		return Price{}, fmt.Errorf("price %q: a number such as 0.023", s)
	}
	return Price{r}, nil
}

// Known reports whether it is a price.
func (p Price) Known() bool { return p.r != nil }

// times returns the price of n things when it is the price of per.
func (p Price) times(n, per uint64) *big.Rat {
	r := new(big.Rat).SetFrac(new(big.Int).SetUint64(n), new(big.Int).SetUint64(per))
	return r.Mul(r, p.r)
}

// String returns the price with four digits behind the point, rounded up: nothing costs less than is said. It is "unknown" when it is not a price.
func (p Price) String() string {
	if p.r == nil {
		return "unknown"
	}
	n := new(big.Int).Mul(p.r.Num(), big.NewInt(10000))
	up, rest := new(big.Int).QuoRem(n, p.r.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		up.Add(up, big.NewInt(1))
	}
	return new(big.Rat).SetFrac(up, big.NewInt(10000)).FloatString(4)
}

// Float64 returns the nearest number, for metrics; 0 when it is not a price.
func (p Price) Float64() float64 {
	if p.r == nil {
		return 0
	}
	f, _ := p.r.Float64()
	return f
}

// Prices are what a store charges. A gigabyte has 10^9 bytes: who is charged by 2^30 pays 7% less than is said.
type Prices struct {
	GBMonth         Price // for keeping a gigabyte for a month
	GBOut           Price // for a gigabyte that leaves it
	Per1000Requests Price
}

const gigabyte = 1_000_000_000

// Drill returns what a drill cost that received so many bytes by so many requests; not a price when one that it needs is not known.
func (p Prices) Drill(received, requests uint64) Price {
	if !p.GBOut.Known() || !p.Per1000Requests.Known() {
		return Price{}
	}
	out := p.GBOut.times(received, gigabyte)
	return Price{out.Add(out, p.Per1000Requests.times(requests, 1000))}
}

// Month returns what keeping so many bytes for a month costs; not a price when that is not known.
func (p Prices) Month(stored uint64) Price {
	if !p.GBMonth.Known() {
		return Price{}
	}
	return Price{p.GBMonth.times(stored, gigabyte)}
}
