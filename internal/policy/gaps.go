package policy

import (
	"math/bits"
	"time"
)

// MaxGap returns the longest time between two runs that follow each other, by the
// clocks on the wall: a change of the clocks makes one gap a year longer.
func (s *Schedule) MaxGap() time.Duration {
	within, first, last := s.dayGap()
	longest := within
	// Eight years and more have every leap day; each step is one day with runs.
	var before time.Time
	for w := s.spec.Next(time.Date(2023, 12, 31, 23, 59, 59, 0, time.UTC)); !w.IsZero() && w.Year() < 2034; w = s.spec.Next(midnight(w).Add(24*time.Hour - time.Second)) {
		if !before.IsZero() {
			longest = max(longest, midnight(w).Sub(before)-last+first)
		}
		before = midnight(w)
	}
	return longest
}

// dayGap returns the longest time between two runs of one day, and when the first
// and the last of them are.
func (s *Schedule) dayGap() (longest, first, last time.Duration) {
	first, last = -1, -1
	for hour := range 24 {
		if s.spec.Hour&(1<<hour) == 0 {
			continue
		}
		for minutes := s.spec.Minute &^ star; minutes != 0; minutes &= minutes - 1 {
			at := time.Duration(hour)*time.Hour + time.Duration(bits.TrailingZeros64(minutes))*time.Minute
			if first < 0 {
				first = at
			} else {
				longest = max(longest, at-last)
			}
			last = at
		}
	}
	return longest, first, last
}
