package s3

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/minio/minio-go/v7"

	"savepoint/repo/storage"
)

// pageSize is how many objects a request lists; S3 gives no more.
const pageSize = 1000

// List implements storage.Store.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		l := lister{s: s, prefix: prefix, last: after, yield: yield}
		if err := l.run(ctx); err != nil {
			yield(storage.Info{}, err)
		}
	}
}

// lister is one iteration.
type lister struct {
	s      *Store
	prefix string
	last   string // names up to this one are not yielded, or have been
	seen   int64  // objects that the server has listed
	yield  func(storage.Info, error) bool
}

func (l *lister) run(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &storage.OpError{Op: "list", Name: l.prefix, Err: err}
	}
	beyond := l.last > l.prefix && !strings.HasPrefix(l.last, l.prefix)
	if beyond || !begins(l.prefix) {
		return nil // no object name is there, and some servers refuse the question
	}
	c := call{op: "list", name: l.prefix, repeat: true, moved: func() int64 { return l.seen }}
	return l.s.do(ctx, c, l.attempt)
}

// begins reports whether an object name can begin with the prefix.
func begins(prefix string) bool {
	return prefix == "" || storage.ValidName(prefix) || storage.ValidName(prefix+"x")
}

// listing returns the options to list names with the prefix that are greater than
// after.
func (s *Store) listing(prefix, after string, page int) minio.ListObjectsOptions {
	owner := false
	o := minio.ListObjectsOptions{Prefix: s.key(prefix), Recursive: true, MaxKeys: page, FetchOwner: &owner}
	if after = floor(after); after > prefix {
		o.StartAfter = s.key(after)
	}
	return o
}

// floor returns the longest prefix of after that an object name can begin with:
// servers refuse what cannot be a key. What is listed too much is left out here.
func floor(after string) string {
	for !begins(after) {
		after = after[:len(after)-1]
	}
	return after
}

// attempt lists from l.last on.
func (l *lister) attempt(ctx context.Context, core *minio.Core) error {
	previous := ""
	for o := range core.ListObjectsIter(ctx, l.s.config.Bucket, l.s.listing(l.prefix, l.last, pageSize)) {
		if o.Err != nil {
			return o.Err
		}
		if o.Key <= previous {
			return &decided{err: errors.New("the server does not list objects in the order of their names")}
		}
		previous = o.Key
		l.seen++
		name, ok := l.s.nameOf(o.Key)
		if !ok || o.Size < 1 || !strings.HasPrefix(name, l.prefix) || name <= l.last {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		l.last = name
		if !l.yield(storage.Info{Name: name, Size: o.Size, Time: stamp(o.LastModified)}, nil) {
			return nil
		}
	}
	return ctx.Err() // at which minio-go ends without a word
}

// nameOf returns the name of the object that has a key, if it is one of the store's.
func (s *Store) nameOf(key string) (string, bool) {
	name := key
	if s.config.Prefix != "" {
		var ok bool
		if name, ok = strings.CutPrefix(key, s.config.Prefix+"/"); !ok {
			return "", false
		}
	}
	return name, storage.ValidName(name)
}
