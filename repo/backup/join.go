package backup

import (
	"context"
	"errors"
	"iter"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// join finds the parent snapshot's entries while names go up.
type join struct {
	lost func(error)
	next func() (*tree.Entry, error, bool)
	stop func()
	cur  *tree.Entry
	end  bool
}

func newJoin(ctx context.Context, b *run, parent *tree.Entry) *join {
	if parent == nil || parent.Type != tree.Directory || len(parent.Content) == 0 {
		return &join{end: true, stop: func() {}}
	}
	j := &join{lost: func(err error) {
		b.r.Options().Logger.Warn("part of the last snapshot's tree is lost; what it described is read and stored again", "err", err)
	}}
	j.next, j.stop = iter.Pull2(tree.Entries(ctx, b.trees, parent.Content, ""))
	return j
}

// find returns a copy of the entry called name, or nil. Names must go up from call to call. A page that no index segment
// locates ends the entries: whatever is stored anew has no use for it. A damaged page is an error, since equal ones would be
// taken for stored.
func (j *join) find(name string) (*tree.Entry, error) {
	for !j.end && (j.cur == nil || j.cur.Name < name) {
		e, err, ok := j.next()
		if errors.Is(err, repo.ErrUnknownChunk) {
			j.lost(err)
			ok, err = false, nil
		}
		if err != nil {
			return nil, err
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
