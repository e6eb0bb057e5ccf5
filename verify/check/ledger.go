package check

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"savepoint/repo"
	"savepoint/repo/pack"
)

// ledger says when packs were last read back and found whole, in nanoseconds of storage time. The zero value knows of none.
type ledger map[pack.ID]int64

// newLedger collects what the reports of all hosts say. now is the storage time: what a report dates later than the store dates the report
// itself, or than now, counts as of then, so that a clock that is wrong keeps no pack from its turn.
func newLedger(reports []*repo.StoredReport, now time.Time) ledger {
	l := ledger{}
	for _, rep := range reports {
		latest := min(rep.Stored.UnixNano(), now.UnixNano())
		for _, b := range rep.ReadBack {
			at := min(b.Time, latest)
			if before, known := l[b.ID]; !known || before < at {
				l[b.ID] = at
			}
		}
	}
	return l
}

// order returns the packs in the order in which they are to be read back: those that never were, by ID, which says nothing of their age;
// then those that were, the longest ago first.
func (l ledger) order(packs []repo.IndexedPack) []repo.IndexedPack {
	type turn struct {
		pack  *repo.IndexedPack
		known bool
		at    int64
	}
	turns := make([]turn, len(packs))
	for i := range packs {
		at, known := l[packs[i].ID]
		turns[i] = turn{&packs[i], known, at}
	}
	slices.SortFunc(turns, func(a, b turn) int {
		switch {
		case a.known != b.known && b.known:
			return -1
		case a.known != b.known:
			return 1
		}
		return cmp.Or(cmp.Compare(a.at, b.at), bytes.Compare(a.pack.ID[:], b.pack.ID[:]))
	})
	out := make([]repo.IndexedPack, len(turns))
	for i, t := range turns {
		out[i] = *t.pack
	}
	return out
}

// choose returns the packs that are to be read back now, in their order.
func (l ledger) choose(packs []repo.IndexedPack, a Amount) []repo.IndexedPack {
	if a.IsZero() {
		return nil
	}
	total := sizeOf(packs)
	ordered := l.order(packs)
	sum := uint64(0)
	for i := range ordered {
		size := uint64(ordered[i].Size)
		if !a.takes(sum, size, total) {
			return ordered[:i]
		}
		sum += size
	}
	return ordered
}

func sizeOf(packs []repo.IndexedPack) uint64 {
	n := uint64(0)
	for i := range packs {
		n += uint64(packs[i].Size)
	}
	return n
}
