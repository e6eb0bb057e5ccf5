package repo

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// Inspection is one look at all of a repository, for who verifies it: every listed object is read from the store, never from a cache, and
// comes with what is wrong with it. An error of its methods is the store's or the context's; damage never is an error, but the
// Damage of what was looked at. What seems damaged was read twice; what is deleted in the meantime is left out. An object that the store
// does not give, though it gives others, is no error either, but Unread, and is not asked for again.
//
// Backups and prunes go on beside it. Everything is listed in the reverse of the order in which a writer makes it durable, so that what a
// listed object needs is listed as well: condemned records and marks, snapshots, index segments, packs. A merge may take segments
// away while they are read; then the index is listed again, and holds what they held.
//
// Its exported fields must not be changed. Methods may be called by several goroutines.
type Inspection struct {
	// Began is the storage time at which the lease began under which all this happens. Leased is false when no lease could be written:
	// then it is the host's time, and prune's grace stands in.
	Began  time.Time
	Leased bool

	Condemned []Inspected[record.Condemned]
	Gone      []Inspected[record.Gone]
	Marks     []Inspected[record.Mark]
	Snapshots []Inspected[Snapshot] // in no order

	r       *Repo
	st      *patientStore
	list    *Listing
	marked  map[pack.ID]bool
	copyErr error                    // why it is not known whether this is a copy
	stored  map[record.PackRef]int64 // sizes of listed packs

	mu        sync.Mutex
	condemned map[pack.ID]bool
	segments  []storage.Info
	version   int // of segments
	strays    []string
}

// Object is what lies under a name.
type Object struct {
	Name   string
	Stored time.Time
	Size   int64 // bytes
	// Damage says why it cannot be used. It wraps ErrCorrupt or ErrNewer; nil: it is as it was stored, or nothing is known of it.
	Damage error
	// Unread says why the store does not give it: then nothing is known of it.
	Unread error
}

// Inspected is an object and what it says; Value is nil when it is damaged or could not be read.
type Inspected[T any] struct {
	Object
	Value *T
}

// Inspect calls fn with an inspection of the repository, holding a reader's lease if one can be written.
func (r *Repo) Inspect(ctx context.Context, fn func(context.Context, *Inspection) error) error {
	st := newPatientStore(r.st)
	x := &Inspection{r: r.through(st), st: st, list: newListing(), marked: map[pack.ID]bool{}, condemned: map[pack.ID]bool{}, stored: map[record.PackRef]int64{}}
	run := func(ctx context.Context) error { return fn(ctx, x) }
	l, err := r.newLease(ctx, record.Reader, "", nil)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		r.o.Logger.Warn("no lease could be written; a prune in the next days may take what is being read", "err", err)
		x.Began = r.o.Now()
		return run(ctx)
	}
	x.Began, x.Leased = l.began, true
	return r.reading(ctx, l, run)
}

// Look lists the repository. It is called once, before anything else. After an error there is what was listed until then.
func (x *Inspection) Look(ctx context.Context) error {
	for _, step := range []func(context.Context) error{x.lookCondemned, x.lookMarks, x.lookSnapshots, x.lookIndex, x.lookPacks} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Unread returns the objects that could not be read, in order of name.
func (x *Inspection) Unread() []*UnreadError { return x.st.names() }

// Reader returns the repository as this inspection reads it, for [Repo.FetchPack], [Repo.CheckPack] and [Repo.CondemnedPacks].
func (x *Inspection) Reader() *Repo { return x.r }

func (x *Inspection) lookCondemned(ctx context.Context) error {
	infos, err := x.ours(ctx, "condemned/", condemnedName)
	if err != nil {
		return err
	}
	var records, gone []storage.Info
	for _, i := range infos {
		if strings.HasSuffix(i.Name, "-gone") {
			gone = append(gone, i)
		} else {
			records = append(records, i)
		}
	}
	err = inspectEach(ctx, x.r, gone, reading(x.r, seal.Condemned, record.DecodeGone), func(g Inspected[record.Gone]) error {
		x.Gone = append(x.Gone, g)
		return nil
	})
	if err != nil {
		return err
	}
	return inspectEach(ctx, x.r, records, reading(x.r, seal.Condemned, record.DecodeCondemned), func(c Inspected[record.Condemned]) error {
		x.Condemned = append(x.Condemned, c)
		if c.Value == nil {
			x.unreadable(c.Damage)
			return nil
		}
		for _, p := range c.Value.Packs {
			x.condemned[p.ID], x.list.dead[p.ID] = true, true
		}
		return nil
	})
}

// ListCondemnedAgain takes in the records that a prune has put since. Those that cannot be read are left out.
func (x *Inspection) ListCondemnedAgain(ctx context.Context) error {
	later, err := x.r.CondemnedPacks(ctx)
	if err != nil && !Unread(err) {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for id := range later {
		x.condemned[id] = true
	}
	return nil
}

func (x *Inspection) lookMarks(ctx context.Context) error {
	infos, err := x.ours(ctx, "marks/", markName)
	if err != nil {
		return err
	}
	marks := map[record.ID]*record.Mark{}
	err = inspectEach(ctx, x.r, infos, reading(x.r, seal.Mark, record.DecodeMark), func(m Inspected[record.Mark]) error {
		x.Marks = append(x.Marks, m)
		if m.Value == nil {
			x.unreadable(m.Damage)
			return nil
		}
		id, err := parseID(strings.TrimPrefix(m.Name, "marks/"))
		marks[id] = m.Value
		return err
	})
	before := x.list.dead
	x.list.dead = map[pack.ID]bool{}
	x.list.apply(marks)
	x.marked = x.list.dead
	x.list.dead = before
	for id := range x.marked {
		x.list.dead[id] = true
	}
	return err
}

// unreadable notes that a record or mark cannot be read: whatever it names is not known. The error is its damage, if that is why.
func (x *Inspection) unreadable(err error) {
	x.list.blind = true
	if errors.Is(err, ErrNewer) {
		x.list.newer = err
	}
}

func (x *Inspection) lookSnapshots(ctx context.Context) error {
	infos, err := x.ours(ctx, "snapshots/", snapshotName)
	if err != nil {
		return err
	}
	x.list.Snapshots = infos
	var whole []*Snapshot
	err = inspectEach(ctx, x.r, infos, func(ctx context.Context, i storage.Info) (*Snapshot, error) {
		m, err := x.r.readManifest(ctx, new(sealedCache), i)
		if err != nil {
			return nil, err
		}
		s := &Snapshot{Name: i.Name, Stored: i.Time, Manifest: m}
		s.Late = x.list.late(s.session(), i)
		return s, nil
	}, func(s Inspected[Snapshot]) error {
		x.Snapshots = append(x.Snapshots, s)
		if s.Value != nil {
			whole = append(whole, s.Value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := x.r.findCopy(ctx, x.list, whole); Unread(err) {
		x.copyErr = err
	} else if err != nil {
		return err
	}
	for _, s := range whole {
		s.Late = s.Late && !x.list.copied
	}
	return nil
}

// SnapshotFault says what is wrong with how a snapshot is stored that is not with its bytes: nil, or an error that wraps ErrCorrupt.
func (x *Inspection) SnapshotFault(s *Snapshot) error {
	m := snapshotName.FindStringSubmatch(s.Name)
	switch {
	case m == nil:
		return corrupt(s.Name, errors.New("it is not the name of a snapshot"))
	case m[1] != x.r.SourceTag(s.Dataset, s.Host):
		return corrupt(s.Name, errors.New("it lies in the folder of another source"))
	case m[2] != s.Start().UTC().Format(startLayout):
		return corrupt(s.Name, errors.New("its name tells another time than its read window"))
	}
	return nil
}

// ListedSnapshot reports whether a snapshot of that name was listed, or a tombstone says that it was forgotten.
func (x *Inspection) ListedSnapshot(name string) (listed, forgotten bool) {
	return x.list.shows(name), x.list.forgot[name]
}

// Vanished returns those of snapshots that were not listed which are still not there, and of which no tombstone says now that they were
// forgotten: one may have been put after the marks were listed. Where a mark cannot be read there are none.
func (x *Inspection) Vanished(ctx context.Context, names []string) ([]string, error) {
	return x.r.vanished(ctx, names)
}

// StillListed reports whether the store shows an object now. One that it will not show counts as there.
func (x *Inspection) StillListed(ctx context.Context, name string) (bool, error) {
	return x.r.shows(ctx, name)
}
