package health

import (
	"strconv"
	"strings"
	"time"

	"savepoint/verify"
)

// maxShards is into how many shards a verification divides packs at most.
const maxShards = 1000

// shards are the runs that looked at one shard each and found no harm, the last one of each: when all of a division were looked at, everything was.
// They are held by how many there are, for each level that a verification can have.
type shards map[division]map[int]time.Time

type division struct {
	of    int
	level string
}

// add takes a run of a part in. It reports whether all shards of its division were found whole, and since when.
func (s shards) add(r *report, whole bool) (since time.Time, all bool) {
	number, of, ok := shardOf(r.check.Scope)
	if !ok {
		return time.Time{}, false
	}
	levels := []string{levels[0]}
	if r.check.Level == levelData {
		levels = append(levels, levelData)
	}
	for _, level := range levels {
		d := division{of, level}
		if s[d] == nil {
			s[d] = map[int]time.Time{}
		}
		if whole {
			s[d][number] = r.at
		} else {
			delete(s[d], number)
		}
	}
	return s.since(r, levels[0])
}

// since returns when the shard of a run's division was found whole that was not for the longest time; false while some never was, on this level.
func (s shards) since(r *report, level string) (oldest time.Time, all bool) {
	_, of, ok := shardOf(r.check.Scope)
	found := s[division{of, level}]
	if !ok || len(found) < of {
		return time.Time{}, false
	}
	for _, at := range found {
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest, true
}

// shardOf returns which shard a scope is, of how many; false when it is none, or of some snapshots alone.
func shardOf(s *verify.Scope) (number, of int, ok bool) {
	if s == nil || s.OfSnapshots() {
		return 0, 0, false
	}
	a, b, _ := strings.Cut(s.Shard, "/")
	number, err := strconv.Atoi(a)
	of, ofErr := strconv.Atoi(b)
	return number, of, err == nil && ofErr == nil && number >= 1 && number <= of && of <= maxShards
}

// complete notes that runs of all shards together looked at everything, the first of them at that time.
func (lv *Level) complete(c *Check, since time.Time) {
	lv.Last = c
	if lv.LastWhole == nil || since.After(*lv.LastWhole) {
		lv.LastWhole = &since
	}
}

// keptScope returns what is kept of a scope.
func keptScope(s *verify.Scope) *verify.Scope {
	if s == nil {
		return nil
	}
	kept := &verify.Scope{Dataset: cut(s.Dataset, keptText), Host: cut(s.Host, keptText), Shard: cut(s.Shard, keptName)}
	for _, id := range s.IDs[:min(keptPhases, len(s.IDs))] {
		kept.IDs = append(kept.IDs, cut(id, keptName))
	}
	return kept
}

// ofPart says of what part a verification was.
func ofPart(c *Check) string {
	if c.Scope == "" {
		return ""
	}
	return " of " + line(c.Scope)
}
