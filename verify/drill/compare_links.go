package drill

import (
	"fmt"
	"slices"
	"sync"

	"savepoint/repo/source"
	"savepoint/repo/tree"
)

// links are the files that have several names, in the snapshot or on the disk. Each of the former is to be one of the latter.
type links struct {
	mu       sync.Mutex
	inTree   map[tree.Link]*group
	onDisk   map[inode]*group
	contents map[inode][]contentOf
}

type inode struct{ dev, ino uint64 }

// group is a file, by the name of it that was met first.
type group struct {
	in   *folder // for its path alone
	name string
}

func (g *group) path() string { return g.in.path(g.name) }

// contentOf is a content that a file is being compared with.
type contentOf struct {
	size uint64
	els  []tree.Element
}

func (l *links) init() {
	l.inTree, l.onDisk, l.contents = map[tree.Link]*group{}, map[inode]*group{}, map[inode][]contentOf{}
}

// note meets a name of such a file. It reports whether the content of that file is being compared with that of the entry already, and in
// what the file's names differ.
func (l *links) note(in *folder, e *tree.Entry, m source.Meta) (again bool, out []reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := inode{m.Dev, m.Inode}
	var was *group
	if e.Link != nil {
		was = l.inTree[*e.Link]
	}
	is := l.onDisk[at]
	switch {
	case was == is: // both new, or the same
	case is == nil:
		out = append(out, reason{"link", fmt.Sprintf("is a file of its own, was one with %q", was.path())})
	case was == nil:
		out = append(out, reason{"link", fmt.Sprintf("is one file with %q, was another", is.path())})
	default:
		out = append(out, reason{"link", fmt.Sprintf("is one file with %q, was one with %q", is.path(), was.path())})
	}
	if is == nil {
		is = &group{in, e.Name}
		l.onDisk[at] = is
	}
	if was == nil && e.Link != nil {
		l.inTree[*e.Link] = is
	}
	if e.Type == tree.File {
		again = slices.ContainsFunc(l.contents[at], func(c contentOf) bool { return c.size == e.Size && slices.Equal(c.els, e.Content) })
		if !again {
			l.contents[at] = append(l.contents[at], contentOf{e.Size, e.Content})
		}
	}
	return again, out
}
