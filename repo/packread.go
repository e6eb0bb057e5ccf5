package repo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/zeebo/blake3"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
)

// IndexedPack is what an index segment says of a pack, in little memory: its directory is a hash.
type IndexedPack struct {
	Kind pack.Kind
	ID   pack.ID
	Size uint32 // bytes
	// Directory is the hash of the pack's salt, blocks and chunks.
	Directory [32]byte
}

// NewIndexedPack returns what a segment of the kind says of p.
func NewIndexedPack(kind pack.Kind, p *record.SegmentPack) IndexedPack {
	return IndexedPack{Kind: kind, ID: p.ID, Size: p.Size, Directory: directoryHash(p.Salt, &p.Directory)}
}

// Name returns the pack's object name.
func (p *IndexedPack) Name() string { return pack.Name(p.Kind, p.ID) }

// directoryHash returns one value for each directory that a pack with this salt can have.
func directoryHash(salt [32]byte, d *pack.Directory) [32]byte {
	h := blake3.New()
	write := func(b []byte) { _, _ = h.Write(b) } // never fails
	write(salt[:])
	write(binary.BigEndian.AppendUint32(nil, uint32(len(d.Blocks))))
	write(pack.AppendBlocks(nil, d.Blocks))
	var b [44]byte
	for i := range d.Entries {
		e := &d.Entries[i]
		copy(b[:], e.Chunk[:])
		binary.BigEndian.PutUint32(b[32:], e.Block)
		binary.BigEndian.PutUint32(b[36:], e.Offset)
		binary.BigEndian.PutUint32(b[40:], e.Length)
		write(b[:])
	}
	return [32]byte(h.Sum(nil))
}

// UnsteadyError says that a pack is whole, but that it took more than one reading to see it: what lies between the repository and this
// program gave other bytes before.
type UnsteadyError struct {
	Object string
	Err    error // what was wrong with the first reading
}

// Error names the object.
func (e *UnsteadyError) Error() string {
	return fmt.Sprintf("%s is whole, but was first read with other bytes; test the disk, network and memory in between: %v", e.Object, e.Err)
}

// errDiffers says, of a damaged pack, that no two readings were alike.
var errDiffers = errors.New("each reading gave other bytes; test the disk, network and memory in between")

// readings is how often a pack is read at most until something is said of it.
const readings = 3

// ReadPack reads a whole pack into the memory of buf and checks everything about it: FetchPack and CheckPack. It returns how many chunks
// the pack holds.
func (r *Repo) ReadPack(ctx context.Context, p *IndexedPack, buf []byte) (chunks int, err error) {
	b, err := r.FetchPack(ctx, p, buf)
	return r.CheckPack(ctx, p, b, err)
}

// FetchPack reads a whole pack into the memory of dst, from its beginning, and returns that memory: dst when there is an error. A pack that is
// not there, or not as long as the index says, is a *CorruptError. It is not final before CheckPack has looked again.
func (r *Repo) FetchPack(ctx context.Context, p *IndexedPack, dst []byte) ([]byte, error) {
	name := p.Name()
	info, err := r.st.Stat(ctx, name)
	if err != nil {
		return dst, r.readError(name, err)
	}
	if info.Size != int64(p.Size) {
		return dst, &CorruptError{Object: name, Err: fmt.Errorf("%d bytes long where the index says %d", info.Size, p.Size)}
	}
	b, err := r.st.Get(ctx, name, 0, info.Size, dst[:0])
	if err != nil {
		return dst, r.readError(name, err)
	}
	if len(b) != int(p.Size) {
		return dst, &CorruptError{Object: name, Err: fmt.Errorf("the store gave %d bytes of %d", len(b), p.Size)}
	}
	return b, nil
}

// CheckPack checks what FetchPack returned: that the pack's name is the hash of its bytes, that it was sealed for this repository, that each
// block opens and each chunk has its ID, and that its directory is the one that the index has. It reads a pack that seems damaged again,
// into the memory of b, until two readings are alike, or three are not.
//
// A pack that is damaged or gone is a *CorruptError that names it. A pack of which a later reading was whole is an *UnsteadyError, and the
// chunks count. Every other error is the store's or the context's, or says that the pack needs a newer program: nothing is
// known of the pack then.
func (r *Repo) CheckPack(ctx context.Context, p *IndexedPack, b []byte, fetchErr error) (chunks int, err error) {
	var first error
	var before packReading
	for n := 1; ; n++ {
		chunks, err = r.checkPack(p, b, fetchErr)
		switch {
		case err == nil && first == nil:
			return chunks, nil
		case err == nil:
			return chunks, &UnsteadyError{Object: p.Name(), Err: first}
		case !errors.Is(err, ErrCorrupt):
			return 0, err
		}
		now := readingOf(b, fetchErr)
		if first != nil && now == before {
			return 0, err
		}
		if n == readings {
			return 0, &CorruptError{Object: p.Name(), Err: fmt.Errorf("%w: %w", errDiffers, err)}
		}
		if first == nil {
			first = err
		}
		before = now
		b, fetchErr = r.FetchPack(ctx, p, b)
	}
}

// packReading tells readings apart.
type packReading struct {
	sum  [32]byte // of the bytes
	fail string   // or why there are none
}

func readingOf(b []byte, fetchErr error) packReading {
	if fetchErr != nil {
		return packReading{fail: fetchErr.Error()}
	}
	return packReading{sum: blake3.Sum256(b)}
}

// checkPack is CheckPack for one reading.
func (r *Repo) checkPack(p *IndexedPack, b []byte, fetchErr error) (chunks int, err error) {
	if fetchErr != nil {
		return 0, fetchErr
	}
	d, err := pack.Check(r.ring, r.codec, p.Kind, r.key(p.Kind), b)
	if blake3.Sum256(b) != p.ID {
		wrong := errors.New("its name is not the hash of its bytes")
		if err != nil { // says where; that it needs another program, say, is not to be believed
			wrong = fmt.Errorf("%w: %v", wrong, err)
		}
		return 0, &CorruptError{Object: p.Name(), Err: wrong}
	}
	if err != nil {
		return 0, corrupt(p.Name(), err)
	}
	h, err := seal.ParseHeader(b, p.Kind.Seal())
	if err != nil {
		return 0, corrupt(p.Name(), err)
	}
	if directoryHash(h.Salt, &d) != p.Directory {
		return 0, &CorruptError{Object: p.Name(), Err: errors.New("its directory is not the one that the index has")}
	}
	return len(d.Entries), nil
}

// CondemnedPacks returns the packs that listed records of prune name: those may be deleted at any time, and are no damage when they are
// gone. Records that cannot be read are logged and left out.
func (r *Repo) CondemnedPacks(ctx context.Context) (map[pack.ID]bool, error) {
	l := newListing()
	if err := r.listCondemned(ctx, l); err != nil {
		return nil, err
	}
	return l.dead, nil
}
