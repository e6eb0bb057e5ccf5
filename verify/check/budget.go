package check

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"savepoint/internal/bytesize"
	"savepoint/internal/when"
)

// Budget is after how many bytes, or how much time, a run begins to read back no more packs. The zero value is none: what was wanted is all read.
// Budgets can be compared with ==.
type Budget struct {
	bytes int64
	time  time.Duration
}

// maxBudget is the longest time that a budget can be.
const maxBudget = 30 * 24 * time.Hour

// ParseBudget reads a number of bytes, which ends with B, as 10GiB or 500MB, or a time, as 30m, 90s, 1h30m or 1d. What could be both, as 30M, is
// refused.
func ParseBudget(s string) (Budget, error) {
	if isNumber(s) {
		return Budget{}, fmt.Errorf("budget %.60q: a time or a size? Write a unit, such as %.60sm or %.60sGiB", s, s, s)
	}
	if strings.HasSuffix(s, "B") || strings.HasSuffix(s, "b") {
		n, err := parseSize(s)
		switch {
		case errors.Is(err, bytesize.ErrTooLarge):
			return Budget{}, fmt.Errorf("budget %.60q: no repository has so many bytes; without a budget everything is read that --read-data says", s)
		case err == nil:
			return Budget{bytes: n}, nil
		}
	} else if d, err := parseTime(s); err == nil {
		return Budget{time: d}, nil
	}
	return Budget{}, fmt.Errorf("budget %.60q: a time such as 30m, of 30 days at most, or a size such as 10GiB", s)
}

// parseTime reads a duration that a budget can be.
func parseTime(s string) (time.Duration, error) {
	d, err := when.ParseAge(s)
	if err != nil {
		d, err = time.ParseDuration(s)
	}
	if err == nil && (d < time.Second || d > maxBudget) {
		err = errors.New("it is no time for a budget")
	}
	return d, err
}

// IsZero reports whether there is no budget.
func (b Budget) IsZero() bool { return b == Budget{} }

// Time returns the time of the budget; 0: it is none of time.
func (b Budget) Time() time.Duration { return b.time }

// String returns what ParseBudget reads as the same budget; none is the empty string.
func (b Budget) String() string {
	switch {
	case b.bytes > 0:
		return sizeText(b.bytes)
	case b.time > 0:
		s := b.time.String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
		return s
	}
	return ""
}
