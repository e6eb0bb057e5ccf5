package backup

import (
	"context"
	"errors"
	"iter"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// join finds one base's entries in a directory while names go up.
type join struct {
	lost func(error) bool
	next func() (*tree.Entry, error, bool)
	stop func()
	cur  *tree.Entry
	end  bool
}

func newJoin(ctx context.Context, b *run, parent *tree.Entry) *join {
	if parent == nil || parent.Type != tree.Directory || len(parent.Content) == 0 {
		return &join{end: true, stop: func() {}}
	}
	j := &join{lost: b.lost}
	j.next, j.stop = iter.Pull2(tree.Entries(ctx, b.trees, parent.Content, ""))
	return j
}

// joins are the joins of all bases.
type joins struct {
	each []*join
	was  []*tree.Entry
}

func newJoins(ctx context.Context, b *run, parents []*tree.Entry) *joins {
	js := &joins{was: make([]*tree.Entry, len(parents))}
	for _, p := range parents {
		js.each = append(js.each, newJoin(ctx, b, p))
	}
	return js
}

// find returns the entry called name, or nil, of each base. The slice is valid until the next call.
func (js *joins) find(name string) (was []*tree.Entry, err error) {
	for i, j := range js.each {
		if js.was[i], err = j.find(name); err != nil {
			return nil, err
		}
	}
	return js.was, nil
}

func (js *joins) stop() {
	for _, j := range js.each {
		j.stop()
	}
}

// find returns a copy of the entry called name, or nil. Names must go up from call to call. A page that is lost ends the
// entries.
func (j *join) find(name string) (*tree.Entry, error) {
	for !j.end && (j.cur == nil || j.cur.Name < name) {
		e, err, ok := j.next()
		if err != nil && !j.lost(err) {
			return nil, err
		}
		if err != nil {
			ok = false
		}
		if j.cur = e; !ok {
			j.cur, j.end = nil, true
		}
	}
	if j.cur == nil || j.cur.Name != name {
		return nil, nil
	}
	e := *j.cur
	return &e, nil
}

// lost reports whether an error in reading the parent's tree is no matter: no index segment locates the page, or the session does
// not count on the pack that it lies in, so whatever is stored anew has no use for it. Another damaged page is one: an equal one would be
// taken for stored.
func (b *run) lost(err error) bool {
	if !errors.Is(err, repo.ErrUnknownChunk) && !b.s.Distrusts(err) {
		return false
	}
	b.r.Options().Logger.Warn("part of the last snapshot's tree is lost; what it described is read and stored again", "err", err)
	return true
}
