package backup

import (
	"context"
	"slices"
	"time"

	"savepoint/repo"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

// maxResumed is how many interrupted snapshots a run takes files over from, at most.
const maxResumed = 3

// base is an earlier snapshot of the source from which unchanged files are taken over.
type base struct {
	*repo.Snapshot
	finished bool      // it is of a run that was not interrupted: what counts as changed is told by it
	since    time.Time // its start by this host's clock
	unlooked bool      // chunks of its files need no lookup
}

// chooseBases finds what files are compared with, by the mode.
//
// An incremental backup is compared with the newest finished snapshot and, before that, with the interrupted ones that are newer: what
// runs that were broken off had read is not read again, nor what they had not reached. A differential one is compared with the last full one, and
// goes on from interrupted differential ones that were. A full one reads every byte in its own window, also those that an interrupted
// full one had read: what was stored then is not uploaded again.
func (b *run) chooseBases(ctx context.Context) error {
	due, err := b.fullDue(ctx)
	if err != nil {
		return err
	}
	if due {
		b.o.Mode = tree.Full
	}
	if b.o.Mode == tree.Full {
		return nil
	}
	mine, err := b.s.Source(ctx)
	if err != nil {
		return err
	}
	var last *repo.Snapshot // finished
	if b.o.Mode == tree.Differential {
		last, err = b.s.LastFull(ctx)
		b.parent = last
	} else {
		i := slices.IndexFunc(mine, (*repo.Snapshot).Restorable)
		if i >= 0 {
			last = mine[i]
		}
		b.parent, err = b.s.Parent(ctx)
	}
	if err != nil {
		return err
	}
	chosen := resumable(mine, func(s *repo.Snapshot) bool {
		return b.o.Mode == tree.Incremental || s.Mode == tree.Differential && s.Parent == nameOf(last)
	})
	if last != nil {
		b.spot.left = last.Stats.FileBytes / 100
		chosen = append(chosen, last)
	}
	now := b.r.Options().Now()
	for _, s := range chosen {
		since := source.Reference(time.Unix(0, s.HostClock), now)
		if since.IsZero() { // the clock was set back: it is no judge of older ones either
			b.bases = nil
			return nil
		}
		b.bases = append(b.bases, &base{Snapshot: s, finished: s == last, since: since, unlooked: b.s.Unlooked(s.Manifest)})
	}
	if len(b.bases) == 0 {
		return nil
	}
	for _, old := range mine {
		b.seq = max(b.seq, old.Seq+1)
	}
	b.trees, err = b.s.Trees(ctx)
	return err
}

// fullDue reports whether no full backup has begun since one was wanted. One that was interrupted has not read everything.
func (b *run) fullDue(ctx context.Context) (bool, error) {
	if b.o.FullSince.IsZero() || b.o.Mode == tree.Full {
		return false, nil
	}
	last, err := b.s.LastFull(ctx)
	if err != nil {
		return false, err
	}
	return last == nil || time.Unix(0, last.HostClock).Before(b.o.FullSince), nil
}

// resumable returns the interrupted snapshots that fit and came after every finished one, newest first. All runs go through a source
// in one order, so an older one has something to add only when it had come further.
func resumable(mine []*repo.Snapshot, fits func(*repo.Snapshot) bool) []*repo.Snapshot {
	var out []*repo.Snapshot
	furthest := uint64(0)
	for _, s := range mine {
		if s.Restorable() {
			break
		}
		if n := s.Stats.Files + s.Stats.Directories + s.Stats.Others; !s.Late && fits(s) && n > furthest {
			out, furthest = append(out, s), n
		}
	}
	if n := len(out); n > maxResumed { // the newest ones, and the one that came furthest
		out = append(out[:maxResumed-1], out[n-1])
	}
	return out
}

func nameOf(s *repo.Snapshot) string {
	if s == nil {
		return ""
	}
	return s.Name
}

// pick returns the item called name. was has what the bases, newest first, hold under that name: the first that is no directory is what the
// object is compared with. When none of them but an older one knows it as it is now, it is read.
func (b *run) pick(name string, was []*tree.Entry) item {
	it := item{name: name}
	for i, e := range was {
		switch {
		case e == nil || e.Type == tree.Directory:
		case it.parent == nil:
			it.parent, it.from, it.same = e, b.bases[i], b.bases[i].finished
		case b.bases[i].finished:
			it.same = alike(it.parent, e)
		}
	}
	return it
}

// alike reports whether two snapshots hold one object with one content.
func alike(a, b *tree.Entry) bool {
	return a.Type == b.Type && a.Size == b.Size && a.Inode == b.Inode && a.MTime == b.MTime && a.CTime == b.CTime && slices.Equal(a.Content, b.Content)
}
