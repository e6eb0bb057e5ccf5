package health

import (
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
)

// settling is how long ago the report that shows a gap must have been stored: who lists reports while others come in sees gaps.
const settling = 5 * time.Minute

// writer is what is known of the reports of one writer.
type writer struct {
	there map[uint64]bool
	top   uint64 // the highest number that there must be
}

// missing returns how many reports are gone. Those of one writer are numbered, and manifests name the last one of their host. Who can delete
// objects can hide what a report said, but not that it was there; for the last of a writer that shows with the next. unread reports, which
// cannot be read, may be the ones.
func missing(reports []*repo.StoredReport, snaps []*repo.Snapshot, now time.Time, unread uint64) uint64 {
	writers := map[record.ID]*writer{}
	of := func(id record.ID) *writer {
		if writers[id] == nil {
			writers[id] = &writer{there: map[uint64]bool{}}
		}
		return writers[id]
	}
	for _, r := range reports {
		w := of(r.Writer)
		w.there[r.Seq] = true
		if now.Sub(r.Stored) > settling {
			w.top = max(w.top, r.Seq)
		}
	}
	for _, s := range snaps {
		for _, c := range s.Chains {
			w := of(c.Writer)
			w.top = max(w.top, c.Seq)
		}
	}
	sum := uint64(0)
	for _, w := range writers {
		gone := w.top
		for seq := range w.there {
			if seq <= w.top {
				gone--
			}
		}
		sum = min(sum+min(gone, maxCount), maxCount) // numbers are what a writer says
	}
	return sum - min(sum, unread)
}
