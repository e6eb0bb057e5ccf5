package health

import "savepoint/verify/measure"

// Granularity is what going back to a moment of the past loses at most, by age, youngest first.
type Granularity struct {
	// Age is that of the oldest moment, those of a line before left out.
	Age   string  `json:"age"`
	Worst float64 `json:"worst_loss_seconds"`
	Whole bool    `json:"whole"` // there are snapshots back to that age
}

// Kept is what the rules of the policy would leave of backups that run as scheduled.
type Kept struct {
	Back  float64 `json:"back_seconds"` // up to this age
	Worst float64 `json:"worst_loss_seconds"`
}

// fillRetention says what the snapshots that are left allow to go back to, and what the policy's rules would leave of them.
func (x *sight) fillRetention(f *Figures) {
	for _, b := range f.Bands {
		x.Granularity = append(x.Granularity, Granularity{b.Name, b.Worst.Seconds(), b.Whole})
	}
	f.Kept = measure.Retention(f.Plan.Keep, f.Plan.Interval)
	for _, r := range f.Kept {
		x.Kept = append(x.Kept, Kept{r.Back.Seconds(), r.Worst.Seconds()})
	}
}
