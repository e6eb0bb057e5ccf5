package measure

import "time"

// Assumed are the times of a recovery that no drill measures: until somebody noticed, until it was decided to restore, and until traffic is on
// what was restored. They come from the configuration.
type Assumed struct{ Detect, Decide, Cutover time.Duration }

// Total returns the recovery time from the incident on: what a drill measured (the technical one, from the order until the data is back) and
// what is assumed. Nil: nothing is assumed, so the total is not known.
func Total(technical time.Duration, a *Assumed) *time.Duration {
	if a == nil || min(technical, a.Detect, a.Decide, a.Cutover) < 0 {
		return nil
	}
	t := technical + a.Detect + a.Decide + a.Cutover
	return &t
}

// Restored is what a drill brought back and compared, as it should be.
type Restored struct {
	At    time.Time
	Bytes uint64
	Since uint64 // bytes that backups have added to the source since the snapshot it restored
	Probe bool   // a probe passed in it
}

// Coverage is the share of a source's live bytes that drills restored. It is a lower bound: bytes of several drills are not added up, for they
// may be the same ones, and all that was added since counts as live.
type Coverage struct {
	Live     uint64
	Restored uint64 // by some drill
	Probed   uint64 // by one whose probe passed
}

// Cover returns the coverage of a source whose newest snapshot has so many bytes, by drills since a moment.
func Cover(live uint64, drills []Restored, since time.Time) Coverage {
	c := Coverage{Live: live}
	for _, d := range drills {
		if d.At.Before(since) {
			continue
		}
		b := min(d.Bytes, live-min(live, d.Since))
		c.Restored = max(c.Restored, b)
		if d.Probe {
			c.Probed = max(c.Probed, b)
		}
	}
	return c
}

// Plus returns the coverage of two sources together. Sums stop at the largest number.
func (c Coverage) Plus(o Coverage) Coverage {
	return Coverage{sum(c.Live, o.Live), sum(c.Restored, o.Restored), sum(c.Probed, o.Probed)}
}

// Ratios returns the shares that were restored, and restored and probed; false when there is nothing that could be.
func (c Coverage) Ratios() (restored, probed float64, ok bool) {
	if c.Live == 0 {
		return 0, 0, false
	}
	return float64(c.Restored) / float64(c.Live), float64(c.Probed) / float64(c.Live), true
}

func sum(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return ^uint64(0)
}

// ReadDay is how many bytes were read back last within the day that begins at At.
type ReadDay struct {
	At    time.Time
	Bytes uint64
}

// ReadRatio returns the share of so many bytes that was read back since a moment; false when there are none. A day that began before it counts
// as of before it: the share is a lower bound, by one day at most.
func ReadRatio(days []ReadDay, all uint64, since time.Time) (float64, bool) {
	if all == 0 {
		return 0, false
	}
	read := uint64(0)
	for _, d := range days {
		if !d.At.Before(since) {
			read = sum(read, d.Bytes)
		}
	}
	return float64(min(read, all)) / float64(all), true
}
