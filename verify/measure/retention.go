package measure

import (
	"cmp"
	"slices"
	"time"
)

// Rule keeps the newest snapshot of each of the newest Count periods that have one. Periods are as long as Shortest and Longest: months are not all
// the same.
type Rule struct {
	Shortest, Longest time.Duration
	Count             int
}

// Reach is what rules leave up to an age: going back to any moment as young loses at most Worst.
type Reach struct {
	Back  time.Duration
	Worst time.Duration
}

// Retention returns what rules leave, the youngest ages first; what lies further back than the last is kept by none. interval is the longest time
// between two backups; 0 is not known, and then one in every period is assumed. What a backup itself takes comes on top.
//
// The newest period has only begun, and counts as one, and of the oldest the end is kept. Two snapshots that are the newest of periods beside each other are apart by an
// interval and a period at most; by less than two periods when each has one.
func Retention(rules []Rule, interval time.Duration) []Reach {
	var all []Reach
	for _, r := range rules {
		if r.Count < 3 || r.Shortest <= 0 || r.Longest < r.Shortest {
			continue
		}
		worst := 2 * r.Longest
		if interval > 0 {
			worst = r.Longest + interval
		}
		all = append(all, Reach{min(farthest, time.Duration(min(r.Count-2, int(farthest/r.Shortest)))*r.Shortest), worst})
	}
	slices.SortFunc(all, func(a, b Reach) int { return cmp.Or(cmp.Compare(a.Worst, b.Worst), -cmp.Compare(a.Back, b.Back)) })
	var out []Reach
	for _, r := range all { // the finest first: a coarser one counts where it goes further back
		if n := len(out); n == 0 || r.Back > out[n-1].Back {
			out = append(out, r)
		}
	}
	return out
}
