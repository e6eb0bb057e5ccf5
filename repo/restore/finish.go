package restore

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// finish does what comes after the last chunk: removes what is not whole, makes what has no content, links names and completes
// directories, the deepest first.
func (w *writer) finish(ctx context.Context, workers int) error {
	if err := w.closeAll(); err != nil {
		return err
	}
	if err := w.discard(); err != nil {
		return err
	}
	if err := w.each(ctx, workers, w.plain); err != nil {
		return err
	}
	if err := w.each(ctx, workers, w.link); err != nil {
		return err
	}
	return w.directories(ctx)
}

// each calls fn for every node but the target, in parallel.
func (w *writer) each(ctx context.Context, workers int, fn func(uint32, *node) error) error {
	const step = 256
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	n := int64(w.p.nodes.n)
	for range max(1, min(int64(workers), n/step)) {
		g.Go(func() error {
			for from := next.Add(step) - step; from < n; from = next.Add(step) - step {
				if err := ctx.Err(); err != nil {
					return err
				}
				for i := max(from, 1); i < min(from+step, n); i++ {
					if err := fn(uint32(i), w.p.nodes.at(uint32(i))); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// discard removes files that lack a chunk. Such a file is damaged, whatever else is known of it.
func (w *writer) discard() error {
	for i := range w.p.nodes.n {
		n := w.p.nodes.at(i)
		if n.kind != tree.File || n.left <= 0 || n.flags&flagLink != 0 {
			continue
		}
		if w.rec.lost(i) == nil {
			w.p.damage(i, &repo.CorruptError{Object: "file", Err: fmt.Errorf("%d of its chunks were not read", n.left)})
		}
		if n.flags&flagParts == 0 {
			continue // such files are made whole or not at all
		}
		if err := w.remove(i, n); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) remove(i uint32, n *node) error {
	d, err := w.dirs.hold(n.parent)
	if err != nil {
		return err
	}
	defer w.dirs.release(d)
	err = retry(func() error { return unix.Unlinkat(d.fd, w.p.names.get(n.name), 0) })
	if err != nil && err != unix.ENOENT {
		return w.p.fault("remove", i, err)
	}
	return nil
}

// plain makes what has no content: empty files, those that are one hole, and everything else but directories.
func (w *writer) plain(i uint32, n *node) error {
	if n.kind == tree.Directory || n.flags&flagLink != 0 {
		return nil
	}
	if n.kind == tree.File && n.size > 0 && (n.flags&flagHoles == 0 || n.extra == 0 || w.p.extra(n).holes != n.size) {
		return nil // written, or damaged
	}
	if w.rec.lost(i) != nil {
		return nil
	}
	if n.kind == tree.File {
		return w.whole(i, n, 0, nil)
	}
	d, err := w.dirs.hold(n.parent)
	if err != nil {
		return err
	}
	defer w.dirs.release(d)
	name := w.p.names.get(n.name)
	has := uint32(0)
	if n.kind == tree.Symlink {
		err = retry(func() error { return unix.Symlinkat(w.p.extra(n).target, d.fd, name) })
	} else {
		var mode uint32
		var dev uint64
		if n.extra != 0 {
			dev = unix.Mkdev(w.p.extra(n).rdev[0], w.p.extra(n).rdev[1])
		}
		mode, has = w.createMode(n)
		err = retry(func() error { return unix.Mknodat(d.fd, name, fileType(n.kind)|mode, int(dev)) })
	}
	if err != nil {
		return w.p.missing(i, "create "+word(n.kind), err)
	}
	w.rec.others.Add(1)
	return w.apply(object{d.fd, name}, i, n, has)
}

// link makes another name of an entry.
func (w *writer) link(i uint32, n *node) error {
	if n.flags&flagLink == 0 {
		return nil
	}
	first := w.p.extra(n).first
	if reasons := w.rec.lost(first); reasons != nil {
		w.rec.damage(i, reasons[0], false)
		return nil
	}
	if w.rec.skipped(first) {
		return w.p.missing(i, "link", unix.EOPNOTSUPP)
	}
	f := w.p.nodes.at(first)
	from, err := w.dirs.hold(f.parent)
	if err != nil {
		return err
	}
	defer w.dirs.release(from)
	to, err := w.dirs.hold(n.parent)
	if err != nil {
		return err
	}
	defer w.dirs.release(to)
	err = retry(func() error { return unix.Linkat(from.fd, w.p.names.get(f.name), to.fd, w.p.names.get(n.name), 0) })
	if err == unix.EMLINK || err == unix.EXDEV {
		err = unix.EOPNOTSUPP
	}
	if err != nil {
		return w.p.missing(i, "link", err)
	}
	w.rec.links.Add(1)
	return nil
}

// directories completes all directories but the target. One that lies in another has the higher number.
func (w *writer) directories(ctx context.Context) error {
	has := uint32(0o700)
	if !w.t.private {
		has = noMode // a setgid bit of the target that could not be taken off is passed on
	}
	for i := w.p.nodes.n - 1; i > 0; i-- {
		n := w.p.nodes.at(i)
		if n.kind != tree.Directory || n.flags&(flagKeep|flagDamaged) != 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		d, err := w.dirs.hold(i)
		if err != nil {
			return err
		}
		err = w.apply(object{fd: d.fd}, i, n, has)
		w.dirs.done(d)
		if err != nil {
			return err
		}
		w.rec.dirs.Add(1)
	}
	return nil
}

// root completes the target.
func (w *writer) root() error {
	n := w.p.nodes.at(0)
	if n.flags&flagKeep != 0 {
		return w.t.giveBack()
	}
	w.rec.dirs.Add(1)
	return w.apply(object{fd: w.t.fd()}, 0, n, noMode)
}

func fileType(k tree.Type) uint32 {
	switch k {
	case tree.Fifo:
		return unix.S_IFIFO
	case tree.Socket:
		return unix.S_IFSOCK
	case tree.CharDevice:
		return unix.S_IFCHR
	}
	return unix.S_IFBLK
}

// word names a type for messages.
func word(k tree.Type) string {
	switch k {
	case tree.Symlink:
		return "symbolic link"
	case tree.Fifo:
		return "fifo"
	case tree.Socket:
		return "socket"
	}
	return "device"
}
