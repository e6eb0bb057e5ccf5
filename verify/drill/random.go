package drill

import (
	"fmt"
	"time"

	"savepoint/repo"
)

// draw draws the moment of an incident and chooses what is restored then. The moments back to RandomWithin before the order are equally likely,
// but for those before the first snapshot: what a long gap between backups loses is drawn as often as it would happen.
func (x *run) draw(newest repo.Choice) (repo.Choice, error) {
	from := x.doc.Ordered.Add(-x.o.RandomWithin)
	first := newest.End()
	for _, s := range x.snaps {
		if s.Source() == newest.Source() && s.Restorable() && s.End().Before(first) {
			first = s.End()
		}
	}
	if first.After(from) {
		from = first
	}
	span := max(0, x.doc.Ordered.Sub(from))
	at := from.Add(time.Duration(x.o.random() * float64(span))).UTC()
	c, err := repo.Select(x.snaps, repo.Query{At: at, Dataset: newest.Dataset, Host: newest.Host})
	if err != nil {
		return c, fmt.Errorf("choose a snapshot for %s, which was drawn: %w", at.Format(time.RFC3339), err)
	}
	x.o.At = at
	x.doc.At, x.doc.Incident, x.doc.RandomWithin = &at, at, x.o.RandomWithin.Seconds()
	return c, nil
}
