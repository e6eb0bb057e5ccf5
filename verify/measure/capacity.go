package measure

import (
	"slices"
	"time"
)

// Stored is how many bytes there were at a moment.
type Stored struct {
	At    time.Time
	Bytes float64
}

// Growth is how much is added in a day: the median of the slopes between every two days (Theil-Sen), and those that 5% and 95% of them do
// not exceed. Days are 24 hours around the last measurement's clock time; of each the last measurement counts.
type Growth struct {
	PerDay, Low, High float64 // bytes; below zero when it shrinks
	Stored            float64 // at the last measurement
	At                time.Time
	Days              int // with a measurement
}

// minDays is how many days there must be to speak of growth, and maxDays how many are looked at: there is a slope for every two.
const (
	minDays = 7
	maxDays = 60
)

// Grow returns the growth; nil when fewer than 7 days have a measurement. Measurements may come in any order.
func Grow(stored []Stored) *Growth {
	if len(stored) == 0 {
		return nil
	}
	last := slices.MaxFunc(stored, func(a, b Stored) int { return a.At.Compare(b.At) })
	var days [maxDays]*Stored // by age, youngest first
	for i, s := range stored {
		if age := (last.At.Sub(s.At) + Day/2) / Day; age < maxDays && (days[age] == nil || s.At.After(days[age].At)) {
			days[age] = &stored[i]
		}
	}
	var there []*Stored
	for _, d := range days {
		if d != nil {
			there = append(there, d)
		}
	}
	if len(there) < minDays {
		return nil
	}
	var slopes []float64
	for i, young := range there {
		for _, old := range there[i+1:] {
			if t := young.At.Sub(old.At); t >= Day/2 { // what lies closer says little of a day
				slopes = append(slopes, (young.Bytes-old.Bytes)*float64(Day)/float64(t))
			}
		}
	}
	if len(slopes) == 0 {
		return nil
	}
	slices.Sort(slopes)
	return &Growth{PerDay: median(slopes), Low: quantile(slopes, 0.05), High: quantile(slopes, 0.95), Stored: there[0].Bytes, At: last.At, Days: len(there)}
}

// Forecast is when a quota will be full. Nil times are never, at that growth.
type Forecast struct {
	Full            *time.Time
	Earliest, Last  *time.Time // at the growth that 95%, and 5%, of the slopes do not exceed
	AlreadyExceeded bool       // then all three are when that was measured
}

// farthest is how far a forecast goes: what is later is never.
const farthest = 100 * 365 * Day

// FullAt returns when so many bytes are reached.
func (g *Growth) FullAt(quota float64) Forecast {
	at := func(perDay float64) *time.Time {
		if g.Stored >= quota {
			return &g.At
		}
		days := (quota - g.Stored) / perDay
		if perDay <= 0 || days > float64(farthest/Day) {
			return nil
		}
		t := g.At.Add(time.Duration(days * float64(Day)))
		return &t
	}
	return Forecast{Full: at(g.PerDay), Earliest: at(g.High), Last: at(g.Low), AlreadyExceeded: g.Stored >= quota}
}
