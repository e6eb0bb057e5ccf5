package index

import (
	"maps"
	"slices"

	"savepoint/repo/record"
)

// Standing returns the listed segments that are applied, not late and not superseded by one that is neither, in no
// order: those of which SetLive takes the packs.
func (x *Index) Standing(late func(id record.ID, s record.Session) bool) []record.ID {
	x.applying.Lock()
	defer x.applying.Unlock()
	return slices.Collect(maps.Keys(x.standing(late)))
}

// standing does what Standing says. A nil late finds nothing late. applying must be held.
func (x *Index) standing(late func(id record.ID, s record.Session) bool) map[record.ID]*segment {
	out := maps.Clone(x.segs)
	maps.DeleteFunc(out, func(id record.ID, g *segment) bool {
		return !x.listed[id] || late != nil && late(id, g.session)
	})
	superseded := map[record.ID]bool{}
	for _, g := range out {
		for _, old := range g.supersedes {
			superseded[old] = true
		}
	}
	maps.DeleteFunc(out, func(id record.ID, _ *segment) bool { return superseded[id] })
	return out
}

// Behind returns how many of the listed segments are not applied yet, and their bytes: what a Sync would read. All are
// when the index is empty or damaged.
func (x *Index) Behind(listed []Listed) (segments int, bytes int64) {
	x.applying.Lock()
	defer x.applying.Unlock()
	if !x.closed && x.load() != nil {
		x.segs = nil
	}
	for _, l := range x.fresh(listed) {
		segments++
		bytes += l.Size
	}
	return segments, bytes
}
