package check

import (
	"maps"
	"slices"
	"time"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/verify"
)

// standing is how some packs stand.
type standing struct {
	Packs, Remaining, Never uint64     // Remaining is the bytes of those that this run did not read
	Oldest                  *time.Time // none while some pack never was read
	Bytes                   uint64     // of all
	Days                    []verify.ReadDay
}

// count says how the packs stand after this run: all, and those that are covered.
func (res *readResult) count(packs, covered []repo.IndexedPack, l ledger) {
	now := make(map[pack.ID]int64, len(res.Whole))
	for _, b := range res.Whole {
		now[b.ID] = b.Time
	}
	out := make(map[pack.ID]bool, len(res.Damaged)+len(res.Gone)) // what reading them came to is known
	for i := range res.Damaged {
		out[res.Damaged[i].ID] = true
	}
	for _, id := range res.Gone {
		out[id] = true
	}
	all := l.stand(packs, now, out)
	res.Never, res.Oldest, res.Remaining = all.Never, all.Oldest, all.Remaining
	res.PackBytes, res.Days = all.Bytes, all.Days
	res.part = all
	if len(covered) < len(packs) {
		res.part = l.stand(covered, now, out)
	}
}

// stand says how packs stand, but for those that are left out, when some were read now.
func (l ledger) stand(packs []repo.IndexedPack, now map[pack.ID]int64, out map[pack.ID]bool) standing {
	var t standing
	var oldest *int64
	days := map[int64]uint64{}
	for i := range packs {
		p := &packs[i]
		if out[p.ID] {
			continue
		}
		t.Packs++
		t.Bytes += uint64(p.Size)
		at, read := now[p.ID]
		known := read
		if !read {
			t.Remaining += uint64(p.Size)
			at, known = l[p.ID]
		}
		if !known {
			t.Never++
			continue
		}
		days[dayOf(at)] += uint64(p.Size)
		if oldest == nil || at < *oldest {
			oldest = &at
		}
	}
	t.Days = listDays(days)
	if oldest != nil && t.Never == 0 {
		at := time.Unix(0, *oldest).UTC()
		t.Oldest = &at
	}
	return t
}

// dayOf returns the midnight before a time, both in nanoseconds.
func dayOf(at int64) int64 { return time.Unix(0, at).UTC().Truncate(24 * time.Hour).UnixNano() }

// listDays returns the newest days, newest first.
func listDays(days map[int64]uint64) []verify.ReadDay {
	var out []verify.ReadDay
	for _, at := range slices.Backward(slices.Sorted(maps.Keys(days))) {
		if len(out) < verify.MaxDays {
			out = append(out, verify.ReadDay{At: time.Unix(0, at).UTC(), Bytes: days[at]})
		}
	}
	return out
}

// packs returns how many of the packs a budget of bytes has room for: one at least, so that each run gets on.
func (b Budget) packs(chosen []repo.IndexedPack) int {
	if b.bytes == 0 {
		return len(chosen)
	}
	sum := uint64(0)
	for i := range chosen {
		if sum += uint64(chosen[i].Size); i > 0 && sum > uint64(b.bytes) {
			return i
		}
	}
	return len(chosen)
}

// begin returns the next pack that is to be read; nil: none is left, or the budget is used up.
func (rb *reader) begin() *repo.IndexedPack {
	rb.mu.Lock()
	defer rb.mu.Unlock()
	if rb.begun == len(rb.chosen) || rb.usedUp {
		return nil
	}
	late := rb.o.Budget.time > 0 && rb.o.Now().Sub(rb.o.Began) >= rb.o.Budget.time
	if rb.begun == rb.most || late && rb.begun > 0 {
		rb.usedUp = true
		return nil
	}
	rb.begun++
	return &rb.chosen[rb.begun-1]
}

// spent says how far the budget went; nil: there was none.
func (rb *reader) spent(l ledger) *verify.Budget {
	if rb.o.Budget.IsZero() {
		return nil
	}
	left := l.stand(rb.chosen[rb.begun:], nil, nil)
	return &verify.Budget{Limit: rb.o.Budget.String(), UsedUp: rb.usedUp, LeftPacks: left.Packs, LeftBytes: left.Remaining, LeftNever: left.Never, LeftOldest: left.Oldest}
}
