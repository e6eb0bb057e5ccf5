package repo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// Listing is what a session saw when it listed the repository: condemned records and marks first, then segments, then
// snapshots. What appears later does not exist for the session.
type Listing struct {
	Records   []record.ID // condemned records, gone or not
	Segments  []storage.Info
	Snapshots []storage.Info

	dead map[pack.ID]bool // named by a record, or marked damaged and not released
	// deleted are the packs of records that say they are all deleted: nothing else may be left out of a merged segment.
	deleted map[pack.ID]bool
	// damaged are the packs and index segments that a mark without a release says are damaged, by name, and when it was put by the clock of who did.
	damaged map[string]time.Time
	// blind is set when a record or mark could not be read: then nothing counts as stored.
	blind      bool
	unreadable []string        // names of the records and marks that cannot be read
	newer      error           // a record or mark that a newer program wrote: reading goes on, writing does not
	adopted    map[string]bool // objects that are on time by decree
	forgot     map[string]bool // snapshots with a tombstone
	replica    bool
	refuse     string      // a feature flag that this program does not know
	copied     bool        // the objects' times are those of a copy, and say nothing
	slots      []KeyChange // what marks say of key slots, and of other marks
}

func newListing() *Listing {
	return &Listing{dead: map[pack.ID]bool{}, deleted: map[pack.ID]bool{}, damaged: map[string]time.Time{}, adopted: map[string]bool{}, forgot: map[string]bool{}}
}

// listAll lists the repository in the order that Listing names.
func (r *Repo) listAll(ctx context.Context) (*Listing, error) {
	l := newListing()
	if err := r.listCondemned(ctx, l); err != nil {
		return nil, err
	}
	if err := r.listMarks(ctx, l); err != nil {
		return nil, err
	}
	var err error
	if l.Segments, err = r.listIndex(ctx, l); err != nil {
		return nil, err
	}
	l.Snapshots, err = r.list(ctx, "snapshots/")
	return l, err
}

func (r *Repo) listCondemned(ctx context.Context, l *Listing) error {
	infos, err := r.list(ctx, "condemned/")
	if err != nil {
		return err
	}
	finished := map[string]bool{}
	for _, i := range infos {
		if name, ok := strings.CutSuffix(i.Name, "-gone"); ok {
			finished[name] = true
		}
	}
	for _, i := range infos {
		name := strings.TrimPrefix(i.Name, "condemned/")
		if strings.HasSuffix(name, "-gone") {
			continue
		}
		id, err := parseID(name)
		if err != nil {
			continue // not an object of ours
		}
		l.Records = append(l.Records, id)
		c, err := readRecord(ctx, r, seal.Condemned, i, record.DecodeCondemned)
		if gone(err) {
			continue // its packs are gone, and no segment names them
		}
		if unreadable(err) {
			l.unread(r, "condemned record", i.Name, err)
			continue
		}
		if err != nil {
			return err
		}
		for _, p := range c.Packs {
			l.dead[p.ID] = true
			if finished[i.Name] {
				l.deleted[p.ID] = true
			}
		}
	}
	return nil
}

func (r *Repo) listMarks(ctx context.Context, l *Listing) error {
	infos, err := r.list(ctx, "marks/")
	if err != nil {
		return err
	}
	marks := map[record.ID]*record.Mark{}
	for _, i := range infos {
		id, err := parseID(strings.TrimPrefix(i.Name, "marks/"))
		if err != nil {
			continue
		}
		m, err := readRecord(ctx, r, seal.Mark, i, record.DecodeMark)
		if gone(err) {
			continue
		}
		if unreadable(err) {
			l.unread(r, "mark", i.Name, err)
			continue
		}
		if err != nil {
			return err
		}
		marks[id] = m
		l.slots = append(l.slots, keyChanges(m, id, i.Time)...)
	}
	l.apply(marks)
	return nil
}

// unread notes that a record or mark cannot be read.
func (l *Listing) unread(r *Repo, what, name string, err error) {
	l.unreadable = append(l.unreadable, name)
	r.o.Logger.Warn(what+" cannot be read: a backup stores everything again that it meets", "err", err)
	r.note(err)
	l.blind = true
	if errors.Is(err, ErrNewer) {
		l.newer = err
	}
}

// listIndex lists the segments, those that are marked damaged left out: what only they locate is stored again, as if they were gone.
// Without the mark a host that read one while it was whole would go on counting on it.
func (r *Repo) listIndex(ctx context.Context, l *Listing) ([]storage.Info, error) {
	infos, err := r.list(ctx, "index/")
	return slices.DeleteFunc(infos, func(i storage.Info) bool {
		_, damaged := l.damaged[i.Name]
		return damaged
	}), err
}

// late reports whether what a session stored is void, for this listing.
func (l *Listing) late(s record.Session, i storage.Info) bool {
	return late(s, i.Time) && !l.adopted[i.Name] && !l.copied
}

// apply takes the marks into account, those that another ends left out, whether that one is itself ended or not.
func (l *Listing) apply(marks map[record.ID]*record.Mark) {
	ended := map[record.ID]bool{}
	for _, m := range marks {
		if len(m.Ends) == len(record.ID{}) {
			ended[record.ID(m.Ends)] = true
		}
	}
	maps.DeleteFunc(marks, func(id record.ID, _ *record.Mark) bool { return ended[id] })
	for _, m := range marks {
		switch m.Kind {
		case record.Damaged:
			for _, name := range m.Objects {
				if at := time.Unix(0, m.HostClock); at.After(l.damaged[name]) {
					l.damaged[name] = at
				}
				if _, id, ok := pack.ParseName(name); ok {
					l.dead[id] = true
				}
			}
		case record.Tombstone:
			for _, name := range m.Objects {
				l.forgot[name] = true
			}
		case record.Adopted:
			for _, name := range m.Objects {
				l.adopted[name] = true
			}
		case record.Replica:
			l.replica = true
		case record.Features:
			l.refuse = strings.Join(m.Words, ", ")
		}
	}
	for _, m := range marks {
		if m.Kind == record.Promotion {
			l.replica = false
		}
	}
}

// writable returns why a backup must not write, or nil.
func (l *Listing) writable() error {
	if l.newer != nil {
		return l.newer
	}
	if l.refuse != "" {
		return fmt.Errorf("the repository has the features %s: %w", l.refuse, ErrNewer)
	}
	if l.copied {
		return ErrCopied
	}
	if l.replica {
		return fmt.Errorf("%w: it is a replica of another; `store promote` makes it a repository of its own", ErrReadOnly)
	}
	return nil
}

// readRecord reads, opens and decodes an object of which the store has told the name and size. Damage is a *CorruptError.
func readRecord[T any](ctx context.Context, r *Repo, kind seal.Kind, i storage.Info, decode func([]byte) (*T, error)) (*T, error) {
	b, err := r.getSealed(ctx, kind, i)
	if err != nil {
		return nil, err
	}
	v, err := decode(b)
	if err != nil {
		return nil, corrupt(i.Name, err)
	}
	return v, nil
}

// lost reports whether a mark says that an index segment is damaged: it is not among Segments.
func (l *Listing) lost() bool {
	for name := range l.damaged {
		if strings.HasPrefix(name, "index/") {
			return true
		}
	}
	return false
}
