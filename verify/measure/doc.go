// Package measure holds the figures that say how well data is protected: what would be lost, how long getting it back takes, how much of it was
// ever tried, and what is unusual. Each is a function of what reports and snapshots say, without clocks, files or storage of its own; its
// comment is its definition, and docs/operations.md ("What the figures mean") says the same to who reads the figures.
//
//	reports, snapshots ─▶ Points, Runs, Drills ─▶ figures ─▶ health
//
// RPO and RTO are objectives in NIST SP 800-34r1; what is measured are the recovery point actual and the recovery time actual, which exercises
// of it compare with them. Times are storage times, so that no host's clock plays a part.
//
// What is not known is nil, absent or an error, never zero. What is estimated from other runs is called predicted, never measured.
package measure

import (
	"slices"
	"time"
)

// Day is 24 hours, whatever clocks on the wall do.
const Day = 24 * time.Hour

// number is what medians and quantiles are made of.
type number interface{ ~int64 | ~float64 }

// quantile returns the smallest value that a share q of the values does not exceed (nearest rank). The values are in order, and there is one at least.
func quantile[T number](sorted []T, q float64) T {
	rank := int(q*float64(len(sorted)) + 1 - 1e-9) // rounded up
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median returns the middle value, or the mean of the two in the middle, of one value at least.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if n := len(s); n%2 == 0 {
		return s[n/2-1]/2 + s[n/2]/2
	}
	return s[len(s)/2]
}
