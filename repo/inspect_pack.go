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
	kind, id, ok := pack.ParseName(i.Name)
	if !ok {
		x.stray(i.Name)
		return
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
func (x *Inspection) IsCondemned(id pack.ID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.condemned[id]
}

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
	b, err := x.r.getRange(ctx, name, from, size-from, make([]byte, 0, size-from))
	if err != nil {
		return err
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

// Salvage says which chunks of a pack, of the entries that the segment has, can still be read. It reads blocks that seem damaged twice.
// An *UnreadError says that it is not known of all; any other error is the store's or the context's.
func (x *Inspection) Salvage(ctx context.Context, kind pack.Kind, p *record.SegmentPack) (good []bool, err error) {
	good = make([]bool, len(p.Entries))
	info := record.SegmentPackInfo{ID: p.ID, Size: p.Size, Salt: p.Salt, Blocks: p.Blocks}
	packed := &Packed{Kind: kind, SegmentPackInfo: &info}
	rest := 0
	var f Fetch
	for i := range p.Blocks {
		first := rest
		for rest < len(p.Entries) && p.Entries[rest].Block == uint32(i) {
			rest++
		}
		if err := x.salvageBlock(ctx, packed, i, p.Entries[first:rest], good[first:rest], &f); err != nil {
			return good, err
		}
	}
	return good, nil
}

// salvageBlock sets good for each chunk of a block that one of two readings gives.
func (x *Inspection) salvageBlock(ctx context.Context, p *Packed, block int, entries []pack.Entry, good []bool, f *Fetch) error {
	for range 2 {
		lost := len(good)
		err := x.r.ReadBlocks(ctx, p, block, block, f, func(_ int, o *Opened) error {
			for i, e := range entries {
				if _, err := o.Chunk(e); err == nil {
					good[i] = true
				}
				if good[i] {
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
	if x.copyErr != nil {
		return x.copyErr
	}
	return x.list.writable()
}

// Suspicion is a pack that seems damaged.
type Suspicion struct {
	IndexedPack
	// Read is the damage that CheckPack found; nil: the pack was not read in full.
	Read error
}

// MarkedPacks is what MarkDamaged did.
type MarkedPacks struct {
	Names []string         // in order; of packs that are marked since
	Not   map[string]error // why others are not, by name; nil: there is no reason to, as reading them again found them whole
}

// marksAtOnce is how many packs one mark names at most.
const marksAtOnce = 1000

// MarkDamaged marks packs that are gone, whose bytes are not those that their names are the hash of, that do not open, or of which the index says
// what is not so: backups must rely on none of these. It reads them once more unless Read says that this was done. Packs that are marked or
// condemned already are left out. An error, which is the store's or the context's or says that nothing may be written, ended it; what was
// marked until then is marked.
func (x *Inspection) MarkDamaged(ctx context.Context, packs []Suspicion) (MarkedPacks, error) {
	out := MarkedPacks{Not: map[string]error{}}
	if err := x.Writable(); err != nil {
		return out, err
	}
	var names, reasons []string
	var buf []byte // for the longest of them
	put := func() error {
		if len(names) == 0 {
			return nil
		}
		err := x.r.putDamaged(ctx, names, strings.Join(reasons, "; "))
		if err == nil {
			out.Names = append(out.Names, names...)
		}
		names, reasons = nil, nil
		return err
	}
	for i := range packs {
		p := &packs[i]
		if x.list.dead[p.ID] || x.IsCondemned(p.ID) {
			continue
		}
		err := x.stillDamaged(ctx, p, &buf)
		switch {
		case ctx.Err() != nil, errors.Is(err, ErrStoreDown):
			return out, errors.Join(err, context.Cause(ctx), put())
		case !errors.Is(err, ErrCorrupt):
			out.Not[p.Name()] = err
			continue
		}
		names = append(names, p.Name())
		if reason := reasonOf(err); !slices.Contains(reasons, reason) && len(reasons) < 3 {
			reasons = append(reasons, reason)
		}
		if len(names) == marksAtOnce {
			if err := put(); err != nil {
				return out, err
			}
		}
	}
	return out, put()
}

// MarkSegments marks index segments that are damaged: backups then store again what only they locate, also on hosts that read them while
// they were whole. Errors are as those of MarkDamaged.
func (x *Inspection) MarkSegments(ctx context.Context, names []string) error {
	if err := x.Writable(); err != nil {
		return err
	}
	return x.r.putDamaged(ctx, names, "it does not open")
}

// stillDamaged returns what is wrong with a pack: nil, damage, or why that is not known.
func (x *Inspection) stillDamaged(ctx context.Context, p *Suspicion, buf *[]byte) error {
	if p.Read != nil && !errors.Is(p.Read, errDiffers) {
		return p.Read
	}
	if p.Size > pack.MaxSize {
		return corrupt(p.Name(), fmt.Errorf("the index says that it has %d bytes", p.Size))
	}
	*buf = slices.Grow((*buf)[:0], int(p.Size))
	_, err := x.r.ReadPack(ctx, &p.IndexedPack, *buf)
	var unsteady *UnsteadyError
	if errors.As(err, &unsteady) {
		return nil
	}
	return err
}

// reasonOf returns why a pack is damaged, without its name.
func reasonOf(err error) string {
	var c *CorruptError
	if errors.As(err, &c) && c.Err != nil {
		err = c.Err
	}
	const most = 300
	text := strings.ToValidUTF8(err.Error(), "?")
	return strings.ToValidUTF8(text[:min(most, len(text))], "")
}

// ComparePacks orders packs by kind and ID.
func ComparePacks(a, b record.PackRef) int {
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}
