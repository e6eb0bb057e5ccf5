// Package bytesize reads numbers of bytes as people write them: 10GiB, 1.5 MB, 4096.
package bytesize

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// longest is how many characters a size has at most.
const longest = 40

// ErrTooLarge is returned for a size of more bytes than an int64 can count.
var ErrTooLarge = errors.New("it is too large")

// Parse reads digits, with a fraction or not, and a unit: none or B for bytes, k, M, G, T, P or E (also with a B) for powers of 1000,
// Ki to Ei (also with a B) for powers of 1024. Case does not matter, and a space may stand before the unit. What is left of a byte is dropped.
func Parse(s string) (int64, error) {
	end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(s)
	}
	unit, known := unitOf(strings.ToLower(strings.TrimSpace(s[end:])))
	n, number := new(big.Rat).SetString(s[:end])
	if len(s) > longest || !known || !number {
		return 0, fmt.Errorf("size %.60q is not a number of bytes, such as 10GiB or 500MB", s)
	}
	n.Mul(n, new(big.Rat).SetInt(unit))
	whole := new(big.Int).Quo(n.Num(), n.Denom())
	if !whole.IsInt64() {
		return 0, fmt.Errorf("size %q: %w", s, ErrTooLarge)
	}
	return whole.Int64(), nil
}

const prefixes = "kmgtpe"

// unitOf returns how many bytes a unit in lower case is.
func unitOf(s string) (*big.Int, bool) {
	base := int64(1000)
	if s = strings.TrimSuffix(s, "b"); s == "" {
		return big.NewInt(1), true
	}
	if short, ok := strings.CutSuffix(s, "i"); ok {
		s, base = short, 1024
	}
	power := strings.Index(prefixes, s)
	if power < 0 || len(s) != 1 {
		return nil, false
	}
	return new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(power)+1), nil), true
}

// Format returns n, which is not negative, in a unit of which it is a whole number, as Parse reads it back: 10GiB, 500MB, 4097. Of those that
// can be it takes the shortest.
func Format(n int64) string {
	si := multiple(n, 1000, "kMGTPE", "B")
	iec := multiple(n, 1024, "KMGTPE", "iB")
	switch {
	case iec != "" && (si == "" || len(iec) <= len(si)):
		return iec
	case si != "":
		return si
	}
	return strconv.FormatInt(n, 10)
}

// multiple returns n in the largest unit of which it is a whole number; "" when that is the byte.
func multiple(n, base int64, prefixes, suffix string) string {
	power := 0
	for n != 0 && n%base == 0 && power < len(prefixes) {
		n /= base
		power++
	}
	if power == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10) + prefixes[power-1:power] + suffix
}
