package index

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/repo/record"
)

// Listed is a segment that is listed.
type Listed struct {
	ID   record.ID
	Size int64 // of the object, in bytes; it says about how many entries there are
}

// Reader reads a listed segment. It returns nil and no error to leave one out that cannot be read, of which the caller
// keeps account. Up to four calls run at once; their results are applied in the order of the list.
type Reader func(ctx context.Context, id record.ID) (*record.Segment, error)

const (
	// entryGuess is how many bytes an entry takes in a base, or for a while in a delta.
	entryGuess = 72
	// segmentEntry is how many bytes an entry takes in a segment.
	segmentEntry = 46
	// smallDelta is how many entries a delta may hold however small its base is.
	smallDelta = 128 << 10
)

// Sync brings the index to a listing: segments that were not applied yet are read and applied, those that are not
// listed any more are forgotten. When one is gone that no listed segment supersedes, or has another size, the index is
// built again from nothing, unless another process built it within the last hour: it may have seen a later listing. An
// error of read ends it and is returned as it is; what was applied until then stays usable. SetLive says what of it is
// live; until then nothing new is.
//
// It may change what ordinals mean: Pack answers ErrStale for older ones.
func (x *Index) Sync(ctx context.Context, listed []Listed, read Reader) error {
	x.applying.Lock()
	defer x.applying.Unlock()
	if x.closed {
		return ErrClosed
	}
	x.listed = make(map[record.ID]bool, len(listed))
	for _, l := range listed {
		x.listed[l.ID] = true
	}
	for try := 0; ; try++ {
		err := x.bring(ctx, listed, read)
		if !errors.Is(err, ErrDamaged) || try == 2 {
			return err
		}
		x.o.Logger.Warn("local index is damaged", "err", err)
		x.doubt()
	}
}

// doubt takes all parts for damaged when it is not known which one is.
func (x *Index) doubt() {
	for _, d := range x.parts() {
		if d.bad.Load() {
			return
		}
	}
	for _, d := range x.parts() {
		d.bad.Store(true)
	}
}

// bring does what Sync says, once. After ErrDamaged the part that is damaged is known.
func (x *Index) bring(ctx context.Context, listed []Listed, read Reader) error {
	if err := x.dropDamaged(); err != nil {
		return err
	}
	if err := x.load(); err != nil {
		return err
	}
	x.disown(listed)
	if err := x.takeIn(ctx, listed, read); err != nil {
		return err
	}
	if !x.lost() || x.newer() {
		return nil
	}
	x.o.Logger.Warn("an index segment is gone that none supersedes; the local index is built again")
	lock, err := x.lockBuild()
	if err != nil || lock == nil {
		return err
	}
	defer lock.Close()
	return x.build(ctx, listed, read, fromNothing)
}

// disown takes a listed segment that does not have the size with which it was applied for one that is gone: objects are never
// edited, so it is damaged, and who has no index cannot read it.
func (x *Index) disown(listed []Listed) {
	for _, l := range listed {
		if g := x.segs[l.ID]; g != nil && g.size != l.Size {
			x.o.Logger.Warn("an index segment has another size than it had", "segment", hex.EncodeToString(l.ID[:]), "bytes", l.Size, "before", g.size)
			delete(x.listed, l.ID)
		}
	}
}

// takeIn applies what is new, by building a base or by adding to the delta.
func (x *Index) takeIn(ctx context.Context, listed []Listed, read Reader) error {
	fresh := x.fresh(listed)
	if !x.wantsBuild(fresh) {
		return x.applyAll(ctx, fresh, read)
	}
	lock, err := x.lockBuild()
	if err != nil {
		return err
	}
	if lock == nil { // another process builds: nobody waits for it
		return x.applyAll(ctx, fresh, read)
	}
	defer lock.Close()
	changed, err := x.adopt()
	if err != nil {
		return err
	}
	if changed {
		if err := x.load(); err != nil {
			return err
		}
		if fresh = x.fresh(listed); !x.wantsBuild(fresh) {
			return x.applyAll(ctx, fresh, read)
		}
	}
	return x.build(ctx, fresh, read, fromBase)
}

// fresh returns the listed segments that are not applied.
func (x *Index) fresh(listed []Listed) []Listed {
	var fresh []Listed
	for _, l := range listed {
		if x.segs[l.ID] == nil {
			fresh = append(fresh, l)
		}
	}
	return fresh
}

// wantsBuild reports whether what is new is large against the base.
func (x *Index) wantsBuild(fresh []Listed) bool {
	entries := guessEntries(fresh)
	if x.delta != nil {
		entries += x.delta.entries
	}
	if x.base == nil {
		return len(fresh) > 0 || entries > x.few
	}
	return entries > max(x.few, x.base.entries/10)
}

func guessEntries(segments []Listed) int64 {
	n := int64(0)
	for _, l := range segments {
		n += l.Size/segmentEntry + 1
	}
	return n
}

func (x *Index) lockBuild() (*os.File, error) {
	lock, err := tryLock(x.path(buildLock), os.O_RDWR|os.O_CREATE, unix.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("lock the index: %w", err)
	}
	return lock, nil
}

// applyAll adds segments to the delta, one after the other.
func (x *Index) applyAll(ctx context.Context, fresh []Listed, read Reader) error {
	return readAhead(ctx, fresh, read, func(l Listed, s *record.Segment) error {
		return x.apply(l, s)
	})
}

// lost reports whether an applied segment is gone that no listed one supersedes.
func (x *Index) lost() bool {
	superseded := map[record.ID]bool{}
	var note func(g *segment)
	note = func(g *segment) {
		for _, old := range g.supersedes {
			if !superseded[old] {
				superseded[old] = true
				if g := x.segs[old]; g != nil {
					note(g) // what went before it did has gone for good reason too
				}
			}
		}
	}
	for id, g := range x.segs {
		if x.listed[id] {
			note(g)
		}
	}
	for id := range x.segs {
		if !x.listed[id] && !superseded[id] {
			return true
		}
	}
	return false
}

// otherBase is for how long the base of another process may know more than the listing that a Sync was given.
const otherBase = time.Hour

// newer reports whether another process may have built the base from a later listing than ours. What we miss is not
// lost then, and building from nothing would undo its work. Nothing of it is live meanwhile.
func (x *Index) newer() bool {
	return x.base != nil && x.baseID != x.built && time.Since(x.base.made).Abs() < otherBase
}

// dropDamaged sets aside the parts in which damage was met.
func (x *Index) dropDamaged() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	baseBad := x.base != nil && x.base.bad.Load()
	if !baseBad && (x.delta == nil || !x.delta.bad.Load()) {
		return nil
	}
	x.renumber()
	err := x.dropDelta()
	if !baseBad {
		x.next = 0
		if x.base != nil {
			x.next = x.base.next
		}
		return err
	}
	old := x.base
	x.setBase(nil, nil)
	if cerr := x.closeBase(old); cerr != nil {
		x.o.Logger.Debug("close what is set aside", "path", old.dir, "err", cerr)
	}
	return errors.Join(err, x.setAside(old.name(), ErrDamaged))
}

// renumber makes the ordinals that were given out stale. mu must be held.
func (x *Index) renumber() {
	x.tag++
	x.live, x.segs = nil, nil
}

// adopt goes on with the base that another process has built, if there is one. What the delta holds is read again.
// The lock of builders must be held, or the base could be removed before it is open.
func (x *Index) adopt() (bool, error) {
	name, err := x.current()
	if err != nil || name == "" || x.base != nil && x.base.name() == name {
		return false, nil
	}
	base, s, err := x.openBase()
	if err != nil || base == nil {
		return false, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.renumber()
	return true, x.replaceBase(base, s)
}

// replaceBase goes on with a base in place of the one before, and without the delta, which belonged to that. The caller
// holds the lock.
func (x *Index) replaceBase(base *database, s *seal) error {
	err := x.dropDelta()
	if x.base != nil {
		old := x.base
		err = errors.Join(err, x.closeBase(old))
		x.removeUnused(old.name())
	}
	x.setBase(base, s)
	return err
}
