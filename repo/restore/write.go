package restore

import (
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// put writes what some chunks hold together into its place.
func (w *writer) put(pl *place, data []byte, chunks int32) error {
	n := w.p.nodes.at(pl.node)
	if n.flags&flagDamaged != 0 {
		return nil
	}
	if n.flags&flagParts != 0 {
		return w.part(pl, n, data, chunks)
	}
	if err := w.whole(pl.node, n, int64(pl.off), data); err != nil {
		return err
	}
	atomic.AddInt32(&n.left, -1)
	return nil
}

// create makes a file, and with grow as long as it will be. Without a descriptor and without an error the file is left out: the
// file system cannot have its name or its size, which is a problem by now.
func (w *writer) create(d *openDir, i uint32, n *node, mode uint32, grow bool) (int, error) {
	fd, err := openat(d.fd, w.p.names.get(n.name), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, mode)
	if err != nil {
		return -1, w.p.missing(i, "create", err)
	}
	if !grow {
		return fd, nil
	}
	if err := retry(func() error { return unix.Ftruncate(fd, int64(n.size)) }); err != nil {
		_ = unix.Close(fd) // it is empty
		if !unfit(err) {
			return -1, w.p.fault("set size", i, err)
		}
		return -1, errors.Join(w.p.missing(i, "set size", err), w.remove(i, n))
	}
	return fd, nil
}

// whole makes a file of one chunk, or of none, and completes it.
func (w *writer) whole(i uint32, n *node, off int64, data []byte) error {
	d, err := w.dirs.hold(n.parent)
	if err != nil {
		return err
	}
	defer w.dirs.release(d)
	mode, has := w.createMode(n)
	fd, err := w.create(d, i, n, mode, n.size != uint64(off)+uint64(len(data)))
	if err != nil || fd < 0 {
		return err
	}
	if err = pwrite(fd, data, off); err != nil {
		err = w.p.fault("write", i, err)
	} else {
		err = w.apply(object{fd: fd}, i, n, has)
	}
	if closeErr := closeFile(fd); err == nil && closeErr != nil {
		err = w.p.fault("close", i, closeErr)
	}
	if err == nil {
		w.rec.bytes.Add(uint64(len(data)))
		w.complete(n)
	}
	return err
}

// part writes a chunk into a file of several, and completes it with the last one.
func (w *writer) part(pl *place, n *node, data []byte, chunks int32) error {
	f, err := w.hold(pl.node)
	if err == nil {
		err = w.writePart(f, pl, n, data, chunks)
	}
	return errors.Join(err, w.release(f))
}

func (w *writer) writePart(f *openFile, pl *place, n *node, data []byte, chunks int32) error {
	if f.fd < 0 { // left out
		atomic.AddInt32(&n.left, -chunks)
		return nil
	}
	if err := pwrite(f.fd, data, int64(pl.off)); err != nil {
		return w.p.fault("write", pl.node, err)
	}
	w.rec.bytes.Add(uint64(len(data)))
	if atomic.AddInt32(&n.left, -chunks) > 0 {
		return nil
	}
	if err := w.apply(object{fd: f.fd}, pl.node, n, 0o600&^w.t.umask); err != nil {
		return err
	}
	w.complete(n)
	return nil
}

// complete counts a file that is whole.
func (w *writer) complete(n *node) {
	w.rec.files.Add(1)
	holes := uint64(0)
	if n.flags&flagHoles != 0 {
		holes = w.p.extra(n).holes
	}
	w.rec.holes.Add(holes)
	w.rec.whole.Add(n.size - holes)
}
