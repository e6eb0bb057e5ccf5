package check

import (
	"fmt"
	"slices"
	"strings"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/verify"
)

// Scope is the part of a repository that a run looks at. The zero value is all of it.
//
// Of some snapshots, their manifests and trees are looked at, the index, and the packs that hold what they reach; all other small objects are
// only spoken of where they were met. Of a shard, everything is looked at but the packs of the other shards: those are neither looked for
// nor read, while all trees are walked and all chunks have to be located.
type Scope struct {
	// Snapshots are the beginnings of IDs, in lower case. Each has to be that of one listed snapshot.
	Snapshots []string
	// Dataset and Host leave the snapshots of other sources out; empty leaves none out. They do not go together with Snapshots.
	Dataset, Host string
	// Shard leaves the packs of other shards out.
	Shard Shard
}

// OfSnapshots reports whether some snapshots are left out.
func (s *Scope) OfSnapshots() bool { return len(s.Snapshots) > 0 || s.Dataset != "" || s.Host != "" }

// IsZero reports whether nothing is left out.
func (s *Scope) IsZero() bool { return !s.OfSnapshots() && s.Shard.IsZero() }

// names reports whether the object name of a snapshot has one of the IDs.
func (s *Scope) names(name string) bool {
	return slices.ContainsFunc(s.Snapshots, func(id string) bool { return hasID(name, id) })
}

// hasID reports whether the ID in the object name of a snapshot begins like that.
func hasID(name, id string) bool {
	return strings.HasPrefix(name[strings.LastIndexByte(name, '-')+1:], id)
}

// wantsSource reports whether snapshots of a source are looked at, as far as their IDs are not named.
func (s *Scope) wantsSource(dataset, host string) bool {
	return (s.Dataset == "" || s.Dataset == dataset) && (s.Host == "" || s.Host == host)
}

// wants reports whether a snapshot is looked at.
func (s *Scope) wants(snap *repo.Snapshot) bool {
	if len(s.Snapshots) > 0 {
		return s.names(snap.Name)
	}
	return s.wantsSource(snap.Dataset, snap.Host)
}

// mayWant reports whether a snapshot whose manifest cannot be read may be one of those that are looked at. Whose it is, others in its folder say,
// and the reports of backups; else the name of the folder, if the source that is wanted is known.
func (c *checker) mayWant(name string) bool {
	s := &c.o.Scope
	if len(s.Snapshots) > 0 {
		return s.names(name)
	}
	if source, known := c.objects.sources[folderOf(name)]; known {
		return s.wantsSource(splitSource(source))
	}
	return s.Dataset == "" || s.Host == "" || folderOf(name) == "snapshots/"+c.r.SourceTag(s.Dataset, s.Host)+"/"
}

// findScope returns an error that wraps repo.ErrNoSnapshot when a snapshot that was named is not there, or none of a source.
func (c *checker) findScope() error {
	s := &c.o.Scope
	for _, id := range s.Snapshots {
		n := 0
		for i := range c.x.Snapshots {
			if hasID(c.x.Snapshots[i].Name, id) {
				n++
			}
		}
		switch {
		case n == 0:
			return fmt.Errorf("%w: none of %d has an ID that begins with %q", repo.ErrNoSnapshot, len(c.x.Snapshots), id)
		case n > 1:
			return fmt.Errorf("%w: %d have an ID that begins with %q: give more digits", repo.ErrNoSnapshot, n, id)
		}
	}
	if len(s.Snapshots) > 0 || !s.OfSnapshots() {
		return nil
	}
	for _, snap := range c.x.Snapshots { // one that cannot be read may be of the source
		if snap.Value == nil || s.wants(snap.Value) {
			return nil
		}
	}
	return fmt.Errorf("%w: none of %d is of this source", repo.ErrNoSnapshot, len(c.x.Snapshots))
}

// covers reports whether a pack is one of those that the run looks at.
func (c *checker) covers(s *packState) bool {
	return (s.reached || !c.o.Scope.OfSnapshots()) && c.o.Scope.Shard.Has(s.ID)
}

// coversPack is covers for who knows the name alone.
func (c *checker) coversPack(kind pack.Kind, id pack.ID) bool {
	i, known := c.packs.at[record.PackRef{Kind: kind, ID: id}]
	return known && c.covers(&c.packs.states[i])
}

// beside returns a finding of a small object as it is told when only some snapshots are looked at, of which it is none.
func (c *checker) beside(f verify.Finding) verify.Finding {
	f.Harm, f.Snapshots, f.Files = verify.Note, 0, 0
	f.Message += "; it is none of what was to be looked at"
	f.Next = c.o.Command("verify") + ", which looks at all of the repository"
	return f
}

// isBeside reports whether an object that the store does not give is none of what is looked at, when only some snapshots are. Segments and
// packs were asked for because of them.
func (c *checker) isBeside(name string, t *toll) bool {
	folder, _, _ := strings.Cut(name, "/")
	switch {
	case !c.o.Scope.OfSnapshots() || t.needed():
		return false
	case folder == "snapshots":
		return !c.mayWant(name)
	}
	return folder != "index" && folder != pack.Data.String() && folder != pack.Meta.String()
}

// scopeDocument returns what the document says of the part that was looked at; nil: all of the repository.
func (c *checker) scopeDocument() *verify.Scope {
	s := &c.o.Scope
	if s.IsZero() {
		return nil
	}
	d := &verify.Scope{Dataset: s.Dataset, Host: s.Host, Shard: s.Shard.String()}
	for i := range c.x.Snapshots {
		if id := c.x.Snapshots[i].Name; len(s.Snapshots) > 0 && s.names(id) && len(d.IDs) < verify.MaxListed {
			d.IDs = append(d.IDs, id[strings.LastIndexByte(id, '-')+1:])
		}
	}
	slices.Sort(d.IDs)
	d.Snapshots = uint64(len(c.objects.snapshots))
	for i := range c.packs.states {
		if p := &c.packs.states[i]; p.standing && c.covers(p) {
			d.Packs++
			d.PackBytes += uint64(p.Size)
		}
	}
	d.Never, d.Oldest, d.Remaining = c.readBack.part.Never, c.readBack.part.Oldest, c.readBack.part.Remaining
	return d
}

// those names the snapshots that were looked at.
func (c *checker) those() string {
	if c.o.Scope.OfSnapshots() {
		return "these snapshots"
	}
	return "snapshots"
}
