package tree

import "context"

// IsNode reports whether el is a node of a list, and not a hole, a chunk or a page.
func (el *Element) IsNode() bool { return el.isNode() }

// ReadNode returns the elements of the node el of a list of the kind, which lies in depth nodes. What it reads must be what el says. Errors
// are those of the source, or wrap [ErrCorrupt] or [ErrNewer].
func ReadNode(ctx context.Context, src Source, el *Element, kind Type, depth int) ([]Element, error) {
	f := fetcher{ctx, src}
	return f.node(el, kind, depth)
}

// ReadPage reads the page el of a directory into p, whose memory it uses again. The page must be what el says, and its names lie before
// limit, unless that is empty. Errors are those of ReadNode; p is not to be used then.
func ReadPage(ctx context.Context, src Source, el *Element, limit string, p *Page) error {
	f := fetcher{ctx, src}
	return f.page(el, limit, p)
}

// Limit returns the name that all names of element i of a directory's list are before: the first of the next one, or that of the list.
func Limit(els []Element, i int, limit string) string { return nextFirst(els, i, limit) }
