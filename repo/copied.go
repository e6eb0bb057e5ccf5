package repo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// ErrCopied is returned when a backup is asked to write into a copy of a repository that was made by other means (rsync, cp, chmod
// and chown of all files too): the times of the objects, by which sessions are judged, are those of the copy. Reading works;
// [Repo.Adopt] makes the copy a repository of its own.
var ErrCopied = errors.New("the repository is a copy made by other means, or its files were touched")

// findCopy notes in l whether the repository is a copy: config, which is older than every session of a repository that was
// written here, was stored after a session began that published one of the snapshots.
func (r *Repo) findCopy(ctx context.Context, l *Listing) error {
	if len(l.Snapshots) == 0 {
		return nil
	}
	info, err := r.st.Stat(ctx, seal.ConfigName)
	if gone(err) {
		return nil // Open has said so
	}
	if err != nil {
		return fmt.Errorf("look at config: %w", err)
	}
	for _, i := range l.Snapshots {
		m := snapshotName.FindStringSubmatch(i.Name)
		if m == nil || l.adopted[i.Name] {
			continue
		}
		if start, err := time.Parse(startLayout, m[2]); err == nil && info.Time.Sub(start) > TTL {
			l.copied = true
			return nil
		}
	}
	return nil
}

// readableCopy takes the snapshots for those of a copy when every one of them is late: so it is in a copy that was begun when the
// repository was new and then kept up.
func (r *Repo) readableCopy(l *Listing, snaps []*Snapshot) {
	if l.copied || len(snaps) == 0 {
		return
	}
	for _, s := range snaps {
		if !s.Late {
			return
		}
	}
	l.copied = true
	for _, s := range snaps {
		s.Late = false
	}
}

func (r *Repo) warnCopy(l *Listing) {
	if l.copied {
		r.o.Logger.Warn("this repository is a copy made by other means, or its files were touched: restores work, backups are refused until `store adopt`")
	}
}

// Adopted says what [Repo.Adopt] found.
type Adopted struct {
	Segments, Packs, Snapshots int
	// Already is true when nothing needed to be adopted.
	Already bool
}

// Adopt makes a copy of a repository a repository of its own: it compares the index with the packs that are there, verifies that
// every snapshot's tree is whole and every chunk of it is in a pack, and then puts a mark that declares what is listed as on
// time. It reads no data packs. Any damage is an error, which wraps ErrCorrupt and names what is missing; then
// nothing is marked. Nothing may write to the repository meanwhile.
func (r *Repo) Adopt(ctx context.Context) (*Adopted, error) {
	if r.readOnly != nil {
		return nil, r.readOnly
	}
	l, err := r.listAll(ctx)
	if err != nil {
		return nil, err
	}
	if !l.copied {
		snaps, err := r.readSnapshots(ctx, l, l.Snapshots)
		if err != nil {
			return nil, err
		}
		if r.readableCopy(l, snaps); !l.copied {
			return &Adopted{Already: true}, nil
		}
	}
	res := new(Adopted)
	data, err := r.adoptIndex(ctx, l, pack.Data, res)
	if err != nil {
		return nil, err
	}
	meta, err := r.adoptIndex(ctx, l, pack.Meta, res)
	if err != nil {
		return nil, err
	}
	snaps, err := r.readSnapshots(ctx, l, l.Snapshots)
	if err != nil {
		return nil, err
	}
	src := &strictSource{newTreeReader(r, meta), meta}
	for _, s := range snaps {
		if err := verifyRootsOf(ctx, src, data, s.Manifest); err != nil {
			if errors.Is(err, errNotLive) {
				err = corrupt(s.Name, err)
			}
			return nil, fmt.Errorf("snapshot %s: %w", s.Short(), err)
		}
	}
	res.Snapshots = len(snaps)
	return res, r.putAdopted(ctx, l, snaps)
}

// adoptIndex reads the segments of a kind and compares them with the packs that are there.
func (r *Repo) adoptIndex(ctx context.Context, l *Listing, kind pack.Kind, res *Adopted) (*view, error) {
	v, err := r.views(ctx, l, kind)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(v.damaged...); err != nil {
		return nil, err
	}
	infos, err := r.list(ctx, kind.String()+"/")
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64, len(infos))
	for _, i := range infos {
		sizes[i.Name] = i.Size
	}
	for i, s := range v.segs {
		res.Segments++
		for _, p := range s.Packs {
			name := pack.Name(kind, p.ID)
			if size, ok := sizes[name]; !v.void[i] && !v.dead[p.ID] && (!ok || size != int64(p.Size)) {
				return nil, corrupt(name, fmt.Errorf("%d bytes are there where the index says %d", size, p.Size))
			}
		}
	}
	res.Packs += len(infos)
	v.build()
	return v, nil
}

func (r *Repo) putAdopted(ctx context.Context, l *Listing, snaps []*Snapshot) error {
	m := record.Mark{Kind: record.Adopted, Reason: "adopted", HostClock: r.o.Now().UnixNano()}
	for _, infos := range [][]storage.Info{l.Segments, l.Snapshots} {
		for _, i := range infos {
			m.Objects = append(m.Objects, i.Name)
		}
	}
	payload, err := m.Encode()
	if err != nil {
		return err
	}
	_, _, err = r.putSealed(ctx, seal.Mark, "marks/"+idHex(newID()), payload)
	return err
}
