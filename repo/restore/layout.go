package restore

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// item is one thing to restore: at is its path below the target, empty when it is the target itself.
type item struct {
	origin string // in the snapshot
	at     []string
	entry  *tree.Entry
}

// Landing is a root of a snapshot and the place where it lands.
type Landing struct {
	Origin string      // its path in the snapshot
	At     []string    // its path below the target, name by name; none for a root that becomes the target itself
	Entry  *tree.Entry // without a name
}

// Layout says where the roots of a snapshot land when all of it is restored. The error wraps ErrSelection. It reads nothing.
func Layout(ctx context.Context, snap *repo.Snapshot) ([]Landing, error) {
	items, err := Selection{}.items(ctx, nil, snap)
	if err != nil {
		return nil, err
	}
	out := make([]Landing, len(items))
	for i, it := range items {
		out[i] = Landing{Origin: it.origin, At: it.at, Entry: it.entry}
	}
	return out, nil
}

// all returns the counts of a snapshot of which nothing is left out; nil of another.
func (s Selection) all(snap *repo.Snapshot) *tree.Stats {
	if s.Sub != "" || s.Want != nil || s.Root != "" && len(snap.Roots) > 1 {
		return nil
	}
	return &snap.Stats
}

// items finds what is wanted and says where it lands.
func (s Selection) items(ctx context.Context, src tree.Source, snap *repo.Snapshot) ([]item, error) {
	if s.Root == "" && len(snap.Roots) != 1 {
		if s.Sub != "" {
			return nil, fmt.Errorf("%w: %q below which of its %d roots?", ErrSelection, s.Sub, len(snap.Roots))
		}
		return spread(snap.Roots)
	}
	for i := range snap.Roots {
		if root := &snap.Roots[i]; s.Root == "" || root.Path == s.Root {
			return s.single(ctx, src, root)
		}
	}
	return nil, fmt.Errorf("%w: it has no root %q", ErrSelection, s.Root)
}

func (s Selection) single(ctx context.Context, src tree.Source, root *tree.Root) ([]item, error) {
	e, err := tree.Lookup(ctx, src, &root.Entry, s.Sub)
	if errors.Is(err, tree.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w below %q", ErrSelection, err, root.Path)
	}
	if err != nil {
		return nil, err
	}
	it := item{origin: path.Join(root.Path, s.Sub), entry: e}
	if e.Type != tree.Directory {
		if it.at = elements(path.Base(it.origin)); it.at == nil {
			return nil, fmt.Errorf("%w: %q has no name to land under", ErrSelection, it.origin)
		}
	}
	return []item{it}, nil
}

// spread lays several roots out in one target.
func spread(roots []tree.Root) ([]item, error) {
	if len(roots) == 0 {
		return nil, fmt.Errorf("%w: it has no roots", ErrSelection)
	}
	whole := false
	bases := map[string]bool{}
	for _, r := range roots {
		base := path.Base(r.Path)
		whole = whole || bases[base] || elements(base) == nil
		bases[base] = true
	}
	var out []item
	for i := range roots {
		r := &roots[i]
		it := item{origin: r.Path, entry: &r.Entry, at: elements(path.Base(r.Path))}
		if whole {
			it.at = elements(strings.TrimPrefix(r.Path, "/"))
			for _, other := range roots[:i] {
				if other.Path == r.Path || strings.HasPrefix(r.Path, strings.TrimSuffix(other.Path, "/")+"/") {
					return nil, fmt.Errorf("%w: the roots %q and %q would land in one place: restore one root at a time", ErrSelection, other.Path, r.Path)
				}
			}
		}
		if it.at == nil {
			return nil, fmt.Errorf("%w: %q is no path to land under", ErrSelection, r.Path)
		}
		out = append(out, it)
	}
	return out, nil
}

// elements splits a path without a leading slash into names, nil when one is no name of a file.
func elements(p string) []string {
	names := strings.Split(p, "/")
	for _, n := range names {
		if !validName(n) {
			return nil
		}
	}
	return names
}

// validName reports whether a name is one that names a file in its directory and nothing else.
func validName(s string) bool {
	return s != "" && len(s) <= tree.MaxName && s != "." && s != ".." && strings.IndexByte(s, '/') < 0 && strings.IndexByte(s, 0) < 0
}

// markerFor returns a name for the marker that none of the items takes.
func markerFor(ctx context.Context, src tree.Source, items []item) string {
	name := IncompleteMarker
	for n := 1; taken(ctx, src, items, name); n++ {
		name = fmt.Sprintf("%s-%d", IncompleteMarker, n)
	}
	return name
}

func taken(ctx context.Context, src tree.Source, items []item, name string) bool {
	for _, it := range items {
		if len(it.at) > 0 {
			if it.at[0] == name {
				return true
			}
			continue
		}
		// A page that cannot be read has no entry that could be restored.
		if _, err := tree.Find(ctx, src, it.entry.Content, name); err == nil {
			return true
		}
	}
	return false
}
