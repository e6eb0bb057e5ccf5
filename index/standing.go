package index

import (
	"slices"

	"savepoint/repo/record"
)

// Standing returns the listed segments that are applied, not late and not superseded by one that is neither, in no
// order: those of which SetLive takes the packs.
func (x *Index) Standing(late func(id record.ID, s record.Session) bool) []record.ID {
	x.applying.Lock()
	defer x.applying.Unlock()
	var out []record.ID
	void := map[record.ID]bool{}
	for id, g := range x.segs {
		if !x.listed[id] || late(id, g.session) {
			continue
		}
		out = append(out, id)
		for _, old := range g.supersedes {
			void[old] = true
		}
	}
	return slices.DeleteFunc(out, func(id record.ID) bool { return void[id] })
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
