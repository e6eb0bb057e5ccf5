package usage

import (
	"cmp"
	"slices"
	"time"
)

// Resource is what a run can be held up by.
type Resource string

// The resources. Unclear is said of a run that none of them held up for most of its time, or several did, and of one that was over at once.
const (
	CPU     Resource = "cpu"
	Storage Resource = "storage"
	Source  Resource = "source" // the disk of what is backed up
	Target  Resource = "target" // the disk of what is restored
	Limit   Resource = "limit"  // of bytes a second, that was asked for
	Unclear Resource = "unclear"
)

// What it takes to name a resource.
const (
	most   = 0.5                    // of the time
	plain  = 1.5                    // times as much as the next one
	atOnce = 100 * time.Millisecond // below it nothing held anything up
)

// limitOf names the resource that held a run up: the one with the greatest share of its time, if that is at least half, and one and a half
// times the next one's. CPU counts with its share of all cores. No wait can be longer than the cores left room for: only then could nobody go
// on.
func limitOf(u *Usage) Resource {
	if u.Wall < atOnce {
		return Unclear
	}
	type share struct {
		of   Resource
		size float64
	}
	cpu := u.CPU()
	shares := []share{{CPU, cpu}}
	for _, w := range []struct {
		of   Resource
		time time.Duration
	}{{Storage, u.Waited.Storage}, {Source, u.Waited.Source}, {Target, u.Waited.Target}, {Limit, u.Waited.Limit}} {
		shares = append(shares, share{w.of, min(1-cpu, ratio(w.time, u.Wall))})
	}
	slices.SortStableFunc(shares, func(a, b share) int { return cmp.Compare(b.size, a.size) })
	if first, next := shares[0], shares[1]; first.size >= most && first.size >= plain*next.size {
		return first.of
	}
	return Unclear
}
