package check

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"savepoint/internal/bytesize"
)

// Amount is how much of the packs' stored bytes is to be read back. The zero value is nothing. Amounts can be compared with ==.
type Amount struct {
	all   bool
	share uint32 // in millionths of a percent; 0: no share
	bytes int64  // at most; 0: no number of bytes
}

// A percent in the unit of Amount.share, and how many digits its fraction may have.
const (
	percent     = 1_000_000
	shareDigits = 6
)

// All is the amount that "all" says.
func All() Amount { return Amount{all: true} }

// ParseAmount reads "all", a percentage up to 100%, as 5% or 0.5%, or a number of bytes with its unit, as 10GiB, 500MB or 4096B. A number
// without either is refused: it could be meant as both.
func ParseAmount(s string) (Amount, error) {
	if s == "all" {
		return All(), nil
	}
	if number, ok := strings.CutSuffix(s, "%"); ok {
		share, ok := parseShare(number)
		if !ok || share == 0 || share > 100*percent {
			return Amount{}, fmt.Errorf("amount %.60q: a percentage is more than 0%% and at most 100%%, such as 5%% or 0.5%%, with at most %d digits behind the point", s, shareDigits)
		}
		return Amount{share: share}, nil
	}
	if isNumber(s) {
		return Amount{}, fmt.Errorf("amount %.60q: a percentage or a size? Write %.60s%%, or a unit such as %.60sGiB", s, s, s)
	}
	n, err := parseSize(s)
	switch {
	case errors.Is(err, bytesize.ErrTooLarge):
		return Amount{}, fmt.Errorf(`amount %.60q: no repository has so many bytes; "all" reads everything`, s)
	case err != nil:
		return Amount{}, fmt.Errorf(`amount %.60q: "all", a percentage such as 5%%, or a size such as 10GiB`, s)
	}
	return Amount{bytes: n}, nil
}

// isNumber reports whether s is a number without a unit.
func isNumber(s string) bool {
	return strings.Trim(s, "0123456789.") == "" && strings.Trim(s, ".") != ""
}

// parseSize reads a number of bytes that is greater than 0.
func parseSize(s string) (int64, error) {
	n, err := bytesize.Parse(s)
	if err == nil && n == 0 {
		err = errors.New("it is less than a byte")
	}
	return n, err
}

// sizeText writes a number of bytes as ParseAmount and ParseBudget read it.
func sizeText(n int64) string {
	s := bytesize.Format(n)
	if isNumber(s) {
		s += "B"
	}
	return s
}

// parseShare reads a decimal number exactly; false when it is none, or far too large.
func parseShare(s string) (uint32, bool) {
	whole, fraction, point := strings.Cut(s, ".")
	if len(fraction) > shareDigits || point && fraction == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(whole, 10, 8)
	if err != nil {
		return 0, false
	}
	m, err := strconv.ParseUint(fraction+strings.Repeat("0", shareDigits-len(fraction)), 10, 32)
	return uint32(n*percent + m), err == nil
}

// String returns what ParseAmount reads as the same amount; nothing is the empty string.
func (a Amount) String() string {
	switch {
	case a.all:
		return "all"
	case a.share > 0:
		s := strconv.FormatUint(uint64(a.share/percent), 10)
		if rest := a.share % percent; rest > 0 {
			s += strings.TrimRight(fmt.Sprintf(".%0*d", shareDigits, rest), "0")
		}
		return s + "%"
	case a.bytes > 0:
		return sizeText(a.bytes)
	}
	return ""
}

// IsZero reports whether nothing is to be read.
func (a Amount) IsZero() bool { return a == Amount{} }

// takes reports whether a pack of size bytes still belongs to the amount when packs of so many bytes do already, of those that have total
// together. A share is reached or passed, so that 100/P runs of P% read everything; a number of bytes is not passed. Of both the first
// pack is part, however long it is: each run gets on.
func (a Amount) takes(already, size, total uint64) bool {
	switch {
	case a.all, already == 0 && !a.IsZero():
		return true
	case a.share > 0:
		// already < total × share, rounded up
		hi, lo := bits.Mul64(total, uint64(a.share))
		want, rest := bits.Div64(hi, lo, 100*percent) // share ≤ 100%, so want ≤ total
		return already < want || already == want && rest > 0
	}
	return a.bytes > 0 && already <= uint64(a.bytes) && size <= uint64(a.bytes)-already
}
