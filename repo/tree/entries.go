package tree

import (
	"context"
	"fmt"
	"iter"
	"sort"
	"strings"
)

// Entries returns the entries of a directory with this content, in order of
// name, from the first on whose name is greater than after. It reads no node
// or page that holds none of these, and what it reads must fit together: else
// the error wraps [ErrCorrupt]. It ends at the first error, whose entry is nil.
//
// An entry is valid until the next one is asked for. A copy of it stays valid.
func Entries(ctx context.Context, src Source, content []Element, after string) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		w := dirWalk{f: fetcher{ctx, src}, after: after, yield: yield}
		if _, err := checkList(content, Directory); err != nil {
			yield(nil, corrupt("read directory", err))
			return
		}
		w.list(content, "", 0)
	}
}

type dirWalk struct {
	f     fetcher
	after string
	page  Page
	yield func(*Entry, error) bool
}

// list walks elements that lie in depth nodes; all names are before limit. It
// returns false when the walk is over.
func (w *dirWalk) list(els []Element, limit string, depth int) bool {
	for i := range els {
		next := nextFirst(els, i, limit)
		if next != "" && next <= w.after {
			continue
		}
		if !els[i].isNode() {
			if !w.entries(&els[i], next) {
				return false
			}
			continue
		}
		below, err := w.f.node(&els[i], Directory, depth)
		if err != nil {
			w.yield(nil, err)
			return false
		}
		if !w.list(below, next, depth+1) {
			return false
		}
	}
	return true
}

func (w *dirWalk) entries(el *Element, limit string) bool {
	if err := w.f.page(el, limit, &w.page); err != nil {
		w.yield(nil, err)
		return false
	}
	for i := range w.page.Entries {
		if e := &w.page.Entries[i]; e.Name > w.after && !w.yield(e, nil) {
			return false
		}
	}
	return true
}

// nextFirst returns the name that all names of element i are before, or "".
func nextFirst(els []Element, i int, limit string) string {
	if i+1 < len(els) {
		return els[i+1].First
	}
	return limit
}

// Find returns the entry of a directory with this content that has a name. It
// reads one page and the nodes above it. The error wraps [ErrNotFound] if
// there is none, [ErrCorrupt] if what is read does not fit together.
func Find(ctx context.Context, src Source, content []Element, name string) (*Entry, error) {
	if _, err := checkList(content, Directory); err != nil {
		return nil, corrupt("read directory", err)
	}
	f := fetcher{ctx, src}
	limit := ""
	for depth := 0; ; depth++ {
		i := sort.Search(len(content), func(i int) bool { return content[i].First > name }) - 1
		if i < 0 {
			return nil, fmt.Errorf("%q: %w", name, ErrNotFound)
		}
		limit = nextFirst(content, i, limit)
		el := &content[i]
		if !el.isNode() {
			return findInPage(&f, el, limit, name)
		}
		var err error
		if content, err = f.node(el, Directory, depth); err != nil {
			return nil, err
		}
	}
}

func findInPage(f *fetcher, el *Element, limit, name string) (*Entry, error) {
	var p Page
	if err := f.page(el, limit, &p); err != nil {
		return nil, err
	}
	i, found := sort.Find(len(p.Entries), func(i int) int { return strings.Compare(name, p.Entries[i].Name) })
	if !found {
		return nil, fmt.Errorf("%q: %w", name, ErrNotFound)
	}
	e := p.Entries[i] // a copy, so that the others can go
	return &e, nil
}

// Lookup returns the entry at a path beneath root, elements separated by
// slashes; empty elements and "." stand for nothing, so "" is root itself. A
// path through what is no directory is not found, nor is "..".
func Lookup(ctx context.Context, src Source, root *Entry, path string) (*Entry, error) {
	e := root
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." {
			continue
		}
		if e.Type != Directory || name == ".." {
			return nil, fmt.Errorf("look up %q: %q: %w", path, name, ErrNotFound)
		}
		var err error
		if e, err = Find(ctx, src, e.Content, name); err != nil {
			return nil, fmt.Errorf("look up %q: %w", path, err)
		}
	}
	return e, nil
}
