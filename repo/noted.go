package repo

import (
	"errors"
	"maps"
	"slices"
	"sync"
)

// notes keeps the damage that reading went on after, by object.
type notes struct {
	mu sync.Mutex
	by map[string]error
}

// note remembers damage that whoever met it goes on after. What is no damage, or names no object, is not remembered.
func (r *Repo) note(err error) {
	var c *CorruptError
	if !errors.As(err, &c) {
		return
	}
	r.notes.mu.Lock()
	defer r.notes.mu.Unlock()
	if r.notes.by == nil {
		r.notes.by = map[string]error{}
	}
	r.notes.by[c.Object] = c
}

// Noted returns the names of the objects that were found damaged and done without since the repository was opened: index segments,
// manifests, marks and condemned records. What was done is right all the same; what else it costs is for a verification to say.
func (r *Repo) Noted() []string {
	r.notes.mu.Lock()
	defer r.notes.mu.Unlock()
	return slices.Sorted(maps.Keys(r.notes.by))
}
