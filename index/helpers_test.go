package index_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
)

// packOf makes the directory of a pack with the chunks, each of 100 bytes, so many in a block.
func packOf(id uint64, chunks []chunk.ID, perBlock int) record.SegmentPack {
	const length = 100
	p := record.SegmentPack{ID: pack.ID(hash("pack", id)), Salt: hash("salt", id)}
	at := uint32(seal.HeaderLen)
	for i, c := range chunks {
		if i%perBlock == 0 {
			if n := len(p.Blocks); n > 0 {
				at = uint32(p.Blocks[n-1].End())
			}
			p.Blocks = append(p.Blocks, pack.BlockInfo{Offset: at, Stored: 4 + seal.TagLen, Plain: 4})
		}
		b := len(p.Blocks) - 1
		p.Entries = append(p.Entries, pack.Entry{Chunk: c, Block: uint32(b), Offset: uint32(i % perBlock * length), Length: length})
		p.Blocks[b].Plain += length + 4
		p.Blocks[b].Stored += length + 4
	}
	p.Size = uint32(pack.Size(p.Blocks, len(p.Entries)))
	return p
}

func hash(kind string, n uint64) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte(kind), n))
}

func chunkID(n uint64) chunk.ID { return chunk.ID(hash("chunk", n)) }

func segmentID(n uint64) record.ID {
	h := hash("segment", n)
	return record.ID(h[:16])
}

// encode makes a segment of packs.
func encode(t testing.TB, supersedes []record.ID, packs ...record.SegmentPack) []byte {
	t.Helper()
	b, err := record.EncodeSegment(pack.Data, record.Session{Lease: record.ID{1}}, supersedes, packs)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shelf holds the segments of a repository.
type shelf map[record.ID][]byte

func (s shelf) listed() []index.Listed {
	var out []index.Listed
	for id, b := range s {
		out = append(out, index.Listed{ID: id, Size: int64(len(b))})
	}
	return out
}

func (s shelf) read(_ context.Context, id record.ID) (*record.Segment, error) {
	return record.DecodeSegment(s[id])
}

func open(t testing.TB, dir string) *index.Index {
	t.Helper()
	x, err := index.Open(dir, index.Options{Repo: [16]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return x
}

// bring syncs and makes all live.
func bring(t testing.TB, x *index.Index, s shelf) {
	t.Helper()
	if err := x.Sync(t.Context(), s.listed(), s.read); err != nil {
		t.Fatalf("Sync: %v", err)
	}
	if err := x.SetLive(index.Judge{}); err != nil {
		t.Fatalf("SetLive: %v", err)
	}
}

func has(t testing.TB, x *index.Index, id chunk.ID) bool {
	t.Helper()
	ok, err := x.Has(&id)
	if err != nil {
		t.Fatalf("Has(%s): %v", id, err)
	}
	return ok
}

// randomSegment makes a segment of packs of random chunks, quickly: IDs come from the generator.
func randomSegment(t testing.TB, r *rand.Rand, packs, chunks int) []byte {
	t.Helper()
	all := make([]record.SegmentPack, packs)
	for i := range all {
		ids := make([]chunk.ID, chunks)
		for j := range ids {
			for k := 0; k < 32; k += 8 {
				binary.LittleEndian.PutUint64(ids[j][k:], r.Uint64())
			}
		}
		all[i] = packOf(r.Uint64(), ids, 8)
	}
	return encode(t, nil, all...)
}
