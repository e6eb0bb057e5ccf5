package index

import (
	"io/fs"
	"path/filepath"
)

// Stats says how large an index is.
type Stats struct {
	Base, Delta int64 // chunks in each; one that is in both counts twice
	Segments    int64 // that were applied
	Packs       int64 // that these name
	Bytes       int64 // on disk, of all processes that share the folder
}

// Stats returns how large the index is.
func (x *Index) Stats() Stats {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var s Stats
	if x.base != nil {
		s = Stats{Base: x.base.entries, Segments: x.base.segments, Packs: x.base.packs}
	}
	if x.delta != nil {
		s.Delta, s.Segments, s.Packs = x.delta.entries, s.Segments+x.delta.segments, s.Packs+x.delta.packs
	}
	filepath.WalkDir(x.dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil // it may have gone meanwhile
		}
		if fi, err := e.Info(); err == nil {
			s.Bytes += fi.Size()
		}
		return nil
	})
	return s
}
