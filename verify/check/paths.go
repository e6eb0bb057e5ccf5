package check

import (
	"context"
	"slices"
	"strings"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// pathList are some of the paths that a snapshot loses.
type pathList struct {
	list  []string
	bytes int
}

func (l *pathList) full() bool { return len(l.list) >= maxPaths || l.bytes >= maxPathBytes }

// add adds a path, unless it is there: a folder loses several of its pages.
func (l *pathList) add(path string) {
	if !l.full() && !slices.Contains(l.list, path) {
		l.list = append(l.list, path)
		l.bytes += len(path)
	}
}

// folder returns the path of a folder with a slash at its end.
func folder(path string) string {
	if strings.HasSuffix(path, "/") {
		return path
	}
	return path + "/"
}

// pathsOf lists what a snapshot loses, as far as there is room. All its parts were walked: only those that lose something are read again.
func (w *costWalk) pathsOf(ctx context.Context, s *repo.Snapshot, to *pathList) error {
	for i := range s.Roots {
		if err := w.entryPaths(ctx, s.Roots[i].Path, &s.Roots[i].Entry, to); err != nil {
			return err
		}
	}
	return nil
}

func (w *costWalk) entryPaths(ctx context.Context, path string, e *tree.Entry, to *pathList) error {
	switch e.Type {
	case tree.Directory:
		return w.dirPaths(ctx, path, e.Content, "", 0, to)
	case tree.File:
		met, err := w.file(ctx, e.Content, 0)
		if err != nil {
			return err
		}
		for _, how := range met {
			if how == lost {
				to.add(path)
				break
			}
		}
	}
	return nil
}

func (w *costWalk) dirPaths(ctx context.Context, path string, els []tree.Element, limit string, depth int, to *pathList) error {
	for i := range els {
		p := part{el: els[i], limit: tree.Limit(els, i, limit), kind: tree.Directory, depth: depth}
		s := w.shares[w.c.pages.claimOf(&p)]
		if s == nil || s.losing == 0 || to.full() {
			continue
		}
		if s.here {
			to.add(folder(path))
		}
		if err := w.partPaths(ctx, path, &p, to); err != nil {
			return err
		}
	}
	return nil
}

func (w *costWalk) partPaths(ctx context.Context, path string, p *part, to *pathList) error {
	if p.el.IsNode() {
		els, err := tree.ReadNode(ctx, w.c.trees, &p.el, tree.Directory, p.depth)
		if err != nil {
			return known(err)
		}
		return w.dirPaths(ctx, path, els, p.limit, p.depth+1, to)
	}
	if err := tree.ReadPage(ctx, w.c.trees, &p.el, p.limit, &w.page); err != nil {
		return known(err)
	}
	type inner struct {
		path    string
		content []tree.Element
	}
	var dirs []inner // the page is not held while they are walked
	for i := range w.page.Entries {
		e := &w.page.Entries[i]
		switch {
		case to.full():
			return nil
		case e.Type != tree.Directory:
			if err := w.entryPaths(ctx, folder(path)+e.Name, e, to); err != nil {
				return err
			}
		case len(e.Content) > 0 && len(dirs) < maxPaths:
			if w.loses(e.Content) {
				dirs = append(dirs, inner{folder(path) + e.Name, e.Content})
			}
		}
	}
	for _, d := range dirs {
		if err := w.dirPaths(ctx, d.path, d.content, "", 0, to); err != nil {
			return err
		}
	}
	return nil
}

// loses reports whether a folder with this content loses something.
func (w *costWalk) loses(els []tree.Element) bool {
	for i := range els {
		p := part{el: els[i], limit: tree.Limit(els, i, ""), kind: tree.Directory}
		if s := w.shares[w.c.pages.claimOf(&p)]; s != nil && s.losing > 0 {
			return true
		}
	}
	return false
}

// known returns an error that is not about a part of a tree: what is wrong with those was charged.
func known(err error) error {
	if isDamage(err) || repo.Unread(err) {
		return nil
	}
	return err
}
