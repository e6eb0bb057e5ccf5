package restore

import (
	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

const (
	setuid   = unix.S_ISUID
	setgid   = unix.S_ISGID
	noMode   = ^uint32(0) // the mode that an object has is not known
	specials = unix.S_ISUID | unix.S_ISGID | unix.S_ISVTX
)

// writer puts entries into the target. It is safe for concurrent use.
type writer struct {
	p     *plan
	t     *target
	rec   *outcome
	dirs  *dirs
	files *files
}

// createMode returns the mode to create a file with, so that it need not be changed if possible, and what the file has then.
func (w *writer) createMode(n *node) (create, has uint32) {
	want := uint32(n.mode)
	if w.t.private && want&(w.t.umask|specials) == 0 && n.flags&flagParts == 0 && len(w.p.xattrs(n)) == 0 {
		return want, want
	}
	return 0o600, 0o600 &^ w.t.umask
}

// apply sets all metadata of a node on o, which has the mode has and is owned by the process. The order matters: a change of
// owner takes away capabilities and setuid bits, and nothing may change the time afterwards.
func (w *writer) apply(o object, i uint32, n *node, has uint32) error {
	want, has, err := w.own(o, i, n, has)
	if err != nil {
		return err
	}
	for _, x := range w.p.xattrs(n) {
		has = noMode // an access control list is a mode
		if err := o.setxattr(x); err != nil {
			if err := w.try(i, "set attribute "+x.Name, attrError(err)); err != nil {
				return err
			}
		}
	}
	if n.kind != tree.Symlink && want != has {
		if err := w.try(i, "set mode", o.chmod(want)); err != nil {
			return err
		}
	}
	return w.try(i, "set time", o.setTime(n.mtime))
}

// own sets the owner if it is to be another. It returns the mode to set: without a bit that would give rights of the wrong user
// or group to others.
func (w *writer) own(o object, i uint32, n *node, has uint32) (want, now uint32, err error) {
	want = uint32(n.mode)
	uid, gid := w.t.uid, w.t.gid
	if i == 0 { // the target was there before, perhaps somebody else's
		uid, gid = w.t.was.Uid, w.t.was.Gid
	}
	if n.uid == uid && n.gid == gid {
		return want, has, nil
	}
	if w.t.owners {
		err := o.chown(int(n.uid), int(n.gid))
		if err == nil {
			return want, has, nil
		}
		if err := w.try(i, "set owner", err); err != nil {
			return 0, 0, err
		}
	} else {
		w.rec.owners.Add(1)
	}
	if n.kind == tree.Directory {
		return want, has, nil
	}
	if n.uid != uid {
		want &^= setuid
	}
	if n.gid != gid {
		want &^= setgid
	}
	return want, has, nil
}

// try makes a problem of an error that concerns one entry only, and returns others.
func (w *writer) try(i uint32, op string, err error) error {
	if err == nil {
		return nil
	}
	if refused(err) {
		w.rec.problem(Problem{Path: w.p.origin(i), Op: op, Err: err})
		return nil
	}
	return w.p.fault(op, i, err)
}

// attrError returns err as one that is refused if it says that one attribute is too large: ext4 calls that a full disk.
func attrError(err error) error {
	switch err {
	case unix.ENOSPC, unix.E2BIG, unix.ERANGE, unix.ENODATA:
		return unix.EOPNOTSUPP
	}
	return err
}
