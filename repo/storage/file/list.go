package file

import (
	"context"
	"iter"
	"os"
	"slices"
	"strings"

	"savepoint/repo/storage"
)

// List implements storage.Store. It reads one directory at a time, and only those
// that can hold names with the prefix behind after.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		l := lister{ctx: ctx, prefix: prefix, after: after, yield: yield}
		l.start(s)
	}
}

// lister is one iteration. Its methods return false when it is over.
type lister struct {
	ctx           context.Context
	prefix, after string
	yield         func(storage.Info, error) bool
}

// entry sorts by key, which is the name, with a slash for a directory: then the
// order of the keys is that of the full names, "a-b" before "a/b".
type entry struct {
	name, key string
	dir       bool
}

// start goes straight to the directory in which the prefix ends.
func (l *lister) start(s *Store) {
	rel, _ := split(l.prefix)
	base := l.prefix[:strings.LastIndexByte(l.prefix, '/')+1]
	if base != "" && (!storage.ValidName(rel) || reserved(rel)) {
		return
	}
	if err := l.ctx.Err(); err != nil {
		l.fail(err)
		return
	}
	d, err := s.openDir(rel)
	if absent(err) {
		return
	}
	if err != nil {
		l.fail(err)
		return
	}
	defer d.close()
	l.walk(d, base)
}

func (l *lister) walk(d dir, base string) bool {
	entries, err := l.read(d, base)
	if absent(err) {
		return true
	}
	if err != nil {
		return l.fail(err)
	}
	for _, e := range entries {
		if err := l.ctx.Err(); err != nil {
			return l.fail(err)
		}
		if e.dir {
			if !l.descend(d, e, base) {
				return false
			}
			continue
		}
		st, err := d.lstat(e.name)
		switch {
		case absent(err), err == nil && !isObject(&st):
		case err != nil:
			return l.fail(err)
		case !l.yield(info(base+e.key, &st), nil):
			return false
		}
	}
	return true
}

func (l *lister) descend(d dir, e entry, base string) bool {
	child, err := d.open(e.name)
	if absent(err) {
		return true
	}
	if err != nil {
		return l.fail(err)
	}
	defer child.close()
	return l.walk(child, base+e.key)
}

// read returns the entries of d that matter, in the order of their full names.
func (l *lister) read(d dir, base string) ([]entry, error) {
	again, err := d.open(".") // reading moves the offset of a descriptor
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(again.fd), d.join(""))
	defer f.Close()
	found, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(found))
	for _, de := range found {
		e := entry{name: de.Name(), key: de.Name(), dir: de.IsDir()}
		if e.dir {
			e.key += "/"
		} else if !de.Type().IsRegular() {
			continue
		}
		if l.wants(base+e.key, e.dir) && storage.ValidName(base+e.name) && !reserved(base+e.name) {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	return entries, nil
}

// wants reports whether the object, or anything in the directory (whose key ends
// with a slash), is to be yielded. It is asked only where the prefix has no slash
// beyond the directory being read.
func (l *lister) wants(key string, isDir bool) bool {
	return strings.HasPrefix(key, l.prefix) && (key > l.after || isDir && strings.HasPrefix(l.after, key))
}

func (l *lister) fail(err error) bool {
	l.yield(storage.Info{}, opError("list", l.prefix, err))
	return false
}
