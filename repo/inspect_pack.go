package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/storage"
)

// packRanges is how many ranges of names the packs of a kind are listed in, at once. Together they leave no name out.
const packRanges = 16

// lookPacks lists the packs of both kinds.
func (x *Inspection) lookPacks(ctx context.Context) error {
	x.stored = map[record.PackRef]int64{}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
		for n := range packRanges {
			g.Go(func() error {
				from, upto := rangeStart(kind, n), rangeStart(kind, n+1)
				for i, err := range x.r.st.List(ctx, kind.String()+"/", from) {
					if err != nil {
						return err
					}
					if upto != "" && i.Name > upto {
						break
					}
					mu.Lock()
					x.addPack(i)
					mu.Unlock()
				}
				return nil
			})
		}
	}
	return g.Wait()
}

// rangeStart returns the name after which a range begins: the first is before all names, and what follows the last is "".
func rangeStart(kind pack.Kind, n int) string {
	switch n {
	case 0:
		return kind.String() + "/"
	case packRanges:
		return ""
	}
	return fmt.Sprintf("%s/%02x/", kind, n*256/packRanges)
}

func (x *Inspection) addPack(i storage.Info) {
	m := packName.FindStringSubmatch(i.Name)
	if m == nil || m[2] != m[3][:2] {
		x.stray(i.Name)
		return
	}
	id, err := pack.ParseID(m[3])
	if err != nil {
		x.stray(i.Name)
		return
	}
	kind := pack.Data
	if m[1] == pack.Meta.String() {
		kind = pack.Meta
	}
	x.stored[record.PackRef{Kind: kind, ID: id}] = i.Size
}

// Packs calls each for every listed pack, in no order, until it returns false.
func (x *Inspection) Packs(each func(p record.PackRef, size int64) bool) {
	for p, size := range x.stored {
		if !each(p, size) {
			return
		}
	}
}

// MarkedDamaged reports whether a mark says that a pack is damaged. IsCondemned reports whether a record of prune names it: it may be
// deleted at any time.
func (x *Inspection) MarkedDamaged(id pack.ID) bool { return x.marked[id] }

// IsCondemned is explained at MarkedDamaged.
func (x *Inspection) IsCondemned(id pack.ID) bool { return x.condemned[id] }

// CheckDirectory compares a pack with what an index segment says of it: its size, and the directory at its end, for which it reads that
// alone. Damage is a *CorruptError that names the pack, and wraps storage.ErrNotExist when it is not there; every other error is the store's, or
// says that the pack needs a newer program. What is not as it should be was asked for a second time.
func (x *Inspection) CheckDirectory(ctx context.Context, kind pack.Kind, p *record.SegmentPack) error {
	if x.stored[record.PackRef{Kind: kind, ID: p.ID}] != int64(p.Size) {
		if err := x.CheckSize(ctx, kind, p.ID, p.Size); err != nil {
			return err
		}
	}
	err := x.readDirectory(ctx, kind, p)
	if unreadable(err) {
		if err := x.CheckSize(ctx, kind, p.ID, p.Size); err != nil {
			return err
		}
		err = x.readDirectory(ctx, kind, p)
	}
	return err
}

// CheckSize asks the store whether a pack is there, with its size. Errors are those of CheckDirectory.
func (x *Inspection) CheckSize(ctx context.Context, kind pack.Kind, id pack.ID, size uint32) error {
	name := pack.Name(kind, id)
	info, err := x.r.st.Stat(ctx, name)
	if gone(err) {
		return &CorruptError{Object: name, Err: fmt.Errorf("it is missing: %w", storage.ErrNotExist)}
	}
	if err == nil && info.Size != int64(size) {
		err = &CorruptError{Object: name, Err: fmt.Errorf("%d bytes long where the index says %d", info.Size, size)}
	}
	return err
}

func (x *Inspection) readDirectory(ctx context.Context, kind pack.Kind, p *record.SegmentPack) error {
	name, size := pack.Name(kind, p.ID), int64(p.Size)
	from := p.Blocks[len(p.Blocks)-1].End() // where the directory begins, if it is that of the segment
	b, err := x.r.st.Get(ctx, name, from, size-from, make([]byte, 0, size-from))
	if err != nil {
		return x.r.readError(name, err)
	}
	if int64(len(b)) != size-from {
		return &CorruptError{Object: name, Err: fmt.Errorf("the store gave %d bytes of %d", len(b), size-from)}
	}
	off, n, err := pack.ParseTrailer(b, size)
	if err != nil {
		return corrupt(name, err)
	}
	if off != from || n > int64(len(b)) {
		return corrupt(name, errors.New("its directory is longer or shorter than the index says"))
	}
	o, err := pack.NewOpener(x.r.ring, x.r.codec, kind, p.Salt)
	if err != nil {
		return corrupt(name, err)
	}
	d, err := o.Directory(off, b[:n])
	if err != nil {
		return corrupt(name, err)
	}
	if !slices.Equal(d.Blocks, p.Blocks) || !slices.Equal(d.Entries, p.Entries) {
		return corrupt(name, errors.New("its directory is not the one that the index has"))
	}
	return nil
}

// Salvage says which chunks of a pack, of the entries that the segment has, cannot be read any more. It reads blocks that seem
// damaged twice. An error is the store's.
func (x *Inspection) Salvage(ctx context.Context, kind pack.Kind, p *record.SegmentPack) (bad []bool, err error) {
	bad = make([]bool, len(p.Entries))
	info := record.SegmentPackInfo{ID: p.ID, Size: p.Size, Salt: p.Salt, Blocks: p.Blocks}
	packed := &Packed{Kind: kind, SegmentPackInfo: &info}
	rest := 0
	var f Fetch
	for i := range p.Blocks {
		first := rest
		for rest < len(p.Entries) && p.Entries[rest].Block == uint32(i) {
			rest++
		}
		if err := x.salvageBlock(ctx, packed, i, p.Entries[first:rest], bad[first:rest], &f); err != nil {
			return nil, err
		}
	}
	return bad, nil
}

// salvageBlock sets bad for each chunk of a block that two readings do not give.
func (x *Inspection) salvageBlock(ctx context.Context, p *Packed, block int, entries []pack.Entry, bad []bool, f *Fetch) error {
	for range 2 {
		for i := range bad {
			bad[i] = true
		}
		lost := len(bad)
		err := x.r.ReadBlocks(ctx, p, block, block, f, func(_ int, o *Opened) error {
			for i, e := range entries {
				if _, err := o.Chunk(e); err == nil {
					bad[i] = false
					lost--
				}
			}
			return nil
		})
		if err != nil && !unreadable(err) {
			return err
		}
		if lost == 0 {
			return nil
		}
	}
	return nil
}

// Writable returns why nothing may be marked in the repository, or nil.
func (x *Inspection) Writable() error {
	if x.r.readOnly != nil {
		return x.r.readOnly
	}
	return x.list.writable()
}

// marksAtOnce is how many packs one mark names at most.
const marksAtOnce = 1000

// MarkDamaged reads packs once more and marks those that are gone or whose bytes are not those that their names are the hash of, as
// [Repo.MarkDamaged] does. It returns the names of those marked. Packs that are marked or condemned already are left out. After an
// error the names are those that are marked all the same.
func (x *Inspection) MarkDamaged(ctx context.Context, packs []record.PackRef) ([]string, error) {
	if err := x.Writable(); err != nil {
		return nil, err
	}
	var done []string
	for some := range slices.Chunk(packs, marksAtOnce) {
		var names, reasons []string
		for _, p := range some {
			if x.list.dead[p.ID] {
				continue
			}
			reason, err := x.r.damageOf(ctx, pack.Name(p.Kind, p.ID), p.ID)
			if err != nil {
				return done, err
			}
			if reason != "" {
				names = append(names, pack.Name(p.Kind, p.ID))
				if !slices.Contains(reasons, reason) && len(reasons) < 3 {
					reasons = append(reasons, reason)
				}
			}
		}
		if len(names) == 0 {
			continue
		}
		if err := x.r.putDamaged(ctx, names, strings.Join(reasons, "; ")); err != nil {
			return done, err
		}
		done = append(done, names...)
	}
	return done, nil
}

// ComparePacks orders packs by kind and ID.
func ComparePacks(a, b record.PackRef) int {
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}
