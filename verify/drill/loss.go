package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/source"
	"savepoint/repo/tree"
	"savepoint/verify"
)

// losses looks for what of the live source a restore of one snapshot would not bring back. It reads all of
// the source, with the code that backs up, so that no times change. A file is unchanged when a backup would take it for that.
//
// One goroutine walks; others, one for each core, read files, of which each has a buffer of one chunk.
type losses struct {
	src   tree.Source
	key   *chunk.Key
	since time.Time // start of the snapshot by the clock of the source's host
	files *errgroup.Group

	mu     sync.Mutex
	loss   verify.LossSet
	listed map[verify.LossKind][]verify.LostFile // MaxListed of each at most
}

// lossOf compares a snapshot with its source on this host. Errors are those of the storage and of the context; what of the source cannot be
// read is in the result.
func lossOf(ctx context.Context, r *repo.Repo, snap *repo.Snapshot) (*verify.LossSet, error) {
	src, err := r.Trees(ctx)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	began := r.Options().Now()
	l := &losses{src: src, key: r.ChunkKey(pack.Data), since: source.Reference(time.Unix(0, snap.HostClock), began)}
	l.loss.Damaged = []verify.LostFile{}
	var readers context.Context
	l.files, readers = errgroup.WithContext(ctx)
	l.files.SetLimit(runtime.GOMAXPROCS(0))
	for i := range snap.Roots {
		if err = l.root(readers, &snap.Roots[i]); err != nil {
			break
		}
	}
	if err := errors.Join(l.files.Wait(), err); err != nil {
		return nil, fmt.Errorf("compare snapshot %s with its source: %w", snap.Short(), err)
	}
	l.loss.Listed = l.fairly()
	slices.SortFunc(l.loss.Damaged, func(a, b verify.LostFile) int { return cmp.Compare(a.Path, b.Path) }) // goroutines found them
	l.loss.Seconds = r.Options().Now().Sub(began).Seconds()
	return &l.loss, nil
}

// against notes what of the live source would be lost, if that is wanted. It is no part of a recovery.
func (x *run) against(ctx context.Context, s *repo.Snapshot) error {
	if !x.o.AgainstSource {
		return nil
	}
	defer x.watch.lap("")
	loss, err := lossOf(ctx, x.opened.Repo, s)
	if errors.Is(err, repo.ErrCorrupt) && ctx.Err() == nil {
		x.lost("", err)
		return nil
	}
	x.doc.Loss = loss
	return err
}

func (l *losses) root(ctx context.Context, root *tree.Root) error {
	live, err := source.Options{}.OpenRoot(root.Path)
	if errors.Is(err, fs.ErrNotExist) {
		l.note(func(x *verify.LossSet) { x.Gone++ })
		return nil
	}
	if err != nil {
		l.unreadable(root.Path, err)
		return nil
	}
	defer live.Close()
	switch e := &root.Entry; {
	case live.Meta.Type != e.Type:
		l.lost(verify.LossChanged, root.Path, 0, fmt.Sprintf("is %s, was %s", typeWord(live.Meta.Type), typeWord(e.Type)))
	case e.Type == tree.Directory:
		return l.dir(ctx, live.Dir, e.Content, root.Path)
	case e.Type == tree.File:
		f, err := live.OpenFile()
		if err != nil {
			l.unreadable(root.Path, err)
			return nil
		}
		return l.file(ctx, root.Path, e, f, false)
	}
	return nil
}

// dir compares a folder. Names and entries are both in order.
func (l *losses) dir(ctx context.Context, d *source.Dir, content []tree.Element, at string) error {
	names, err := d.Names(ctx)
	if err != nil {
		l.unreadable(at, err)
		return ctx.Err()
	}
	trust := source.TrustTimes(d)
	next := 0
	for e, err := range tree.Entries(ctx, l.src, content, "") {
		if err != nil {
			return err
		}
		for ; next < names.Len() && names.Name(next) < e.Name; next++ {
			if err := l.added(ctx, d, names.Name(next), at); err != nil {
				return err
			}
		}
		if next == names.Len() || names.Name(next) != e.Name {
			l.note(func(x *verify.LossSet) { x.Gone++ })
			continue
		}
		next++
		if err := l.both(ctx, d, e, path.Join(at, e.Name), trust); err != nil {
			return err
		}
	}
	for ; next < names.Len(); next++ {
		if err := l.added(ctx, d, names.Name(next), at); err != nil {
			return err
		}
	}
	return nil
}

// added counts what the snapshot does not have, with all beneath it.
func (l *losses) added(ctx context.Context, d *source.Dir, name, at string) error {
	at = path.Join(at, name)
	m, err := d.Stat(name)
	if err != nil {
		l.unreadable(at, err)
		return nil
	}
	switch m.Type {
	case tree.File:
		l.lost(verify.LossNew, at, m.Size, "is new")
	case tree.Directory:
		below, err := d.Open(name)
		if err != nil {
			l.unreadable(at, err)
			return nil
		}
		defer below.Close()
		return l.dir(ctx, below, nil, at)
	default:
		l.note(func(x *verify.LossSet) { x.Others++ })
	}
	return ctx.Err()
}

// both compares what the snapshot and the source have under one name. Trust says that times on this file system tell of changes.
func (l *losses) both(ctx context.Context, d *source.Dir, e *tree.Entry, at string, trust bool) error {
	m, err := d.Stat(e.Name)
	if err != nil {
		l.unreadable(at, err)
		return nil
	}
	switch {
	case m.Type != e.Type:
		if m.Type == tree.Directory || m.Type == tree.File {
			return l.added(ctx, d, e.Name, path.Dir(at))
		}
		l.note(func(x *verify.LossSet) { x.Others++ })
	case e.Type == tree.Directory:
		below, err := d.Open(e.Name)
		if err != nil {
			l.unreadable(at, err)
			return nil
		}
		defer below.Close()
		return l.dir(ctx, below, e.Content, at)
	case e.Type == tree.File:
		f, err := d.OpenFile(e.Name, m)
		if err != nil {
			l.unreadable(at, err)
			return nil
		}
		is := *e // the iterator uses the entry again
		is.Content = slices.Clone(e.Content)
		l.files.Go(func() error { return l.file(ctx, at, &is, f, trust && m.Dev == d.Meta().Dev) })
	}
	return ctx.Err()
}

func (l *losses) note(fn func(*verify.LossSet)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn(&l.loss)
}

// lost notes a file of which so many bytes would not come back.
func (l *losses) lost(kind verify.LossKind, path string, bytes uint64, what string) {
	l.note(func(x *verify.LossSet) {
		x.Files++
		x.Bytes += bytes
		switch kind {
		case verify.LossNew:
			x.New++
			x.NewBytes += bytes
		case verify.LossChanged:
			x.Changed++
			x.ChangedBytes += bytes
		}
		l.list(verify.LostFile{Path: path, Kind: kind, Bytes: bytes, What: what})
	})
}

// list keeps a file for the list, which has room for every kind. It is called under the lock.
func (l *losses) list(f verify.LostFile) {
	if l.listed == nil {
		l.listed = map[verify.LossKind][]verify.LostFile{}
	}
	if of := l.listed[f.Kind]; len(of) < verify.MaxListed {
		l.listed[f.Kind] = append(of, f)
	}
}

// fairly returns up to MaxListed of what is kept, in order of path. Of each kind there are at least 100, or all: thousands of new files must
// not hide one that has changed.
func (l *losses) fairly() []verify.LostFile {
	const least = 100
	kinds := []verify.LossKind{verify.LossDamaged, verify.LossChanged, verify.LossUnreadable, verify.LossNew}
	byPath := func(a, b verify.LostFile) int { return cmp.Compare(a.Path, b.Path) }
	room, out := verify.MaxListed, []verify.LostFile{}
	for _, k := range kinds {
		slices.SortFunc(l.listed[k], byPath)
		room -= min(least, len(l.listed[k]))
	}
	for _, k := range kinds {
		of := l.listed[k]
		n := min(least, len(of))
		more := min(room, len(of)-n)
		room -= more
		out = append(out, of[:n+more]...)
	}
	slices.SortFunc(out, byPath)
	return out
}

// unreadable notes what could not be compared. What vanished meanwhile is gone.
func (l *losses) unreadable(path string, err error) {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, source.ErrReplaced) {
		l.note(func(x *verify.LossSet) { x.Moving++ })
		return
	}
	l.note(func(x *verify.LossSet) {
		x.Unreadable++
		l.list(verify.LostFile{Path: path, Kind: verify.LossUnreadable, What: "cannot be read: " + cause(err).Error()})
	})
}
