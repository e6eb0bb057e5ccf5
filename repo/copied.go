package repo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/tree"
)

// ErrCopied is returned when a backup is asked to write into a copy of a repository that was made by other means (rsync, cp, chmod
// and chown of all files too): the times of the objects, by which sessions are judged, are those of the copy. Reading works;
// [Repo.Adopt] makes the copy a repository of its own.
var ErrCopied = errors.New("the repository is a copy made by other means, or its files were touched")

// findCopy notes in l whether the repository is a copy: when one of the late manifests among snaps is late only because the
// times of the objects are another's.
func (r *Repo) findCopy(ctx context.Context, l *Listing, snaps []*Snapshot) error {
	for _, s := range snaps {
		if !s.Late || l.copied {
			continue
		}
		var err error
		if l.copied, err = r.foreignTimes(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// foreignTimes reports whether a late manifest was stored, where it is now, by something else than the session that wrote it. The session's
// lease says so: its storage time is on record in the manifest. When the lease is gone, config does, which is older than every
// session of a repository that was written in place.
func (r *Repo) foreignTimes(ctx context.Context, s *Snapshot) (bool, error) {
	info, err := r.st.Stat(ctx, "leases/"+idHex(s.Lease)+"/0")
	if err == nil {
		return info.Time.Sub(time.Unix(0, s.LeaseBegan)).Abs() > time.Second, nil
	}
	if gone(err) {
		if info, err = r.st.Stat(ctx, seal.ConfigName); err == nil {
			return info.Time.After(time.Unix(0, s.LeaseBegan)), nil
		}
	}
	if gone(err) {
		return false, nil // Open has said what is the matter
	}
	return false, fmt.Errorf("look whether this is a copy: %w", err)
}

// refuseCopy returns ErrCopied when the source's newest snapshot, or the newest of all when it has none, shows that the repository is a
// copy: one small object is read for that.
func (s *Session) refuseCopy(ctx context.Context) error {
	prefix := s.sourcePrefix()
	var newest storage.Info
	for _, i := range s.list.Snapshots {
		mine, best := strings.HasPrefix(i.Name, prefix), strings.HasPrefix(newest.Name, prefix)
		if snapshotName.MatchString(i.Name) && (mine && !best || mine == best && i.Time.After(newest.Time)) {
			newest = i
		}
	}
	if newest.Name == "" {
		return nil
	}
	snaps, err := s.r.readSnapshots(ctx, s.list, []storage.Info{newest})
	if err != nil && !unreadable(err) {
		return err
	}
	if err := s.r.findCopy(ctx, s.list, snaps); err != nil {
		return err
	}
	return s.list.writable()
}

// Adopted says what [Repo.Adopt] found.
type Adopted struct {
	Segments, Packs, Snapshots int
	// Already is true when nothing needed to be adopted.
	Already bool
}

// Adopt makes a copy of a repository a repository of its own: it compares the index with the packs that are there, verifies that
// every snapshot's tree is whole and every chunk of it is in a pack, and then puts a mark that declares these snapshots, and the segments that
// are whole, as on time. Reports of this host begin new chains then. It reads no data packs. A snapshot that is not whole is an error, which wraps ErrCorrupt and names what is missing;
// then nothing is marked. Interrupted ones that are not whole are left out. Nothing else may write to the repository meanwhile.
func (r *Repo) Adopt(ctx context.Context) (*Adopted, error) {
	if r.readOnly != nil {
		return nil, r.readOnly
	}
	lease, err := r.newLease(ctx, record.Writer, "", nil)
	if err != nil {
		return nil, err
	}
	res, err := r.adopt(ctx)
	if endErr := lease.end(context.WithoutCancel(ctx)); err == nil {
		err = endErr
	}
	return res, err
}

func (r *Repo) adopt(ctx context.Context) (*Adopted, error) {
	l, err := r.listAll(ctx)
	if err == nil {
		err = l.writable()
	}
	if err != nil {
		return nil, err
	}
	snaps, err := r.readSnapshots(ctx, l, l.Snapshots)
	if err != nil {
		return nil, err
	}
	if err := r.findCopy(ctx, l, snaps); err != nil {
		return nil, err
	}
	if !l.copied {
		return &Adopted{Already: true}, nil
	}
	res := new(Adopted)
	mark := record.Mark{Kind: record.Adopted, Reason: "adopted", HostClock: r.o.Now().UnixNano()}
	data, err := r.adoptIndex(ctx, l, pack.Data, res, &mark)
	if err != nil {
		return nil, err
	}
	meta, err := r.adoptIndex(ctx, l, pack.Meta, res, &mark)
	if err != nil {
		return nil, err
	}
	src := &strictSource{newTreeReader(r, meta), meta}
	for _, s := range snaps {
		err := verifyRootsOf(ctx, src, data, s.Manifest)
		if err != nil && s.Completeness == tree.Interrupted && (errors.Is(err, errNotLive) || errors.Is(err, ErrCorrupt)) {
			continue
		}
		if errors.Is(err, errNotLive) {
			err = corrupt(s.Name, err)
		}
		if err != nil {
			return nil, fmt.Errorf("snapshot %s: %w", s.Short(), err)
		}
		res.Snapshots++
		mark.Objects = append(mark.Objects, s.Name)
	}
	payload, err := mark.Encode()
	if err != nil {
		return nil, err
	}
	_, _, err = r.putSealed(ctx, seal.Mark, "marks/"+idHex(newID()), payload)
	if err == nil {
		r.forgetChains()
	}
	return res, err
}

// adoptIndex reads the segments of a kind and compares them with the packs that are there. Those of which a pack is missing, as
// of a session that prune overtook, count for nothing; the others are noted in the mark.
func (r *Repo) adoptIndex(ctx context.Context, l *Listing, kind pack.Kind, res *Adopted, mark *record.Mark) (*view, error) {
	infos, err := r.list(ctx, kind.String()+"/")
	if err != nil {
		return nil, err
	}
	res.Packs += len(infos)
	sizes := make(map[string]int64, len(infos))
	for _, i := range infos {
		sizes[i.Name] = i.Size
	}
	v := &view{dead: l.dead, blind: l.blind}
	for _, i := range segmentsOf(l.Segments, kind) {
		s, err := r.readSegment(ctx, i, kind)
		if unreadable(err) {
			continue // what only it locates shows below
		}
		if err != nil {
			return nil, err
		}
		whole := true
		for _, p := range s.Packs {
			size, ok := sizes[pack.Name(kind, p.ID)]
			whole = whole && (l.dead[p.ID] || ok && size == int64(p.Size))
		}
		if whole {
			v.segs, v.void = append(v.segs, s), append(v.void, false)
			mark.Objects = append(mark.Objects, i.Name)
			res.Segments++
		}
	}
	v.build()
	return v, nil
}
