package record

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"savepoint/chunk"
	"savepoint/repo/pack"
)

func random(seed uint64, n int) []byte {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(s).Read(b)
	return b
}

// idOf returns 32 bytes that are as good as random, fast (SplitMix64).
func idOf(seed uint64) (id [32]byte) {
	for i := range 4 {
		seed += 0x9e3779b97f4a7c15
		z := (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.BigEndian.PutUint64(id[8*i:], z^z>>31)
	}
	return id
}

// fromHex reads hex digits with spaces between them.
func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ofKind fails unless err is of one of the two kinds that decoders return.
func ofKind(t testing.TB, what string, err error) {
	t.Helper()
	if errors.Is(err, ErrMalformed) == errors.Is(err, ErrNewer) {
		t.Fatalf("%s: %v; want ErrMalformed or ErrNewer", what, err)
	}
}

// packOf returns a pack with blocks of these numbers of chunks. No two seeds below 2^20 have a chunk in common.
func packOf(seed uint64, blocks ...int) SegmentPack {
	p := SegmentPack{ID: pack.ID(idOf(seed)), Salt: idOf(seed + 1<<60)}
	at := uint32(52)
	for i, n := range blocks {
		info := pack.BlockInfo{Offset: at, Codec: 1, Plain: 4}
		pos := uint32(0)
		for j := range n {
			e := pack.Entry{Block: uint32(i), Offset: pos, Length: uint32(j%50 + 1)}
			e.Chunk = chunk.ID(idOf(1<<62 | seed<<40 | uint64(i)<<20 | uint64(j)))
			p.Entries = append(p.Entries, e)
			pos += e.Length
			info.Plain += e.Length + 4
		}
		info.Stored = info.Plain + 9
		p.Blocks = append(p.Blocks, info)
		at = uint32(info.End())
	}
	p.Size = uint32(pack.Size(p.Blocks, len(p.Entries)))
	return p
}

func samePack(a, b SegmentPack) bool {
	return a.ID == b.ID && a.Size == b.Size && a.Salt == b.Salt && slices.Equal(a.Blocks, b.Blocks) && slices.Equal(a.Entries, b.Entries)
}

func testSession() Session {
	return Session{Lease: ID(random(1, 16)), Began: 1_700_000_000_000_000_000, Renewed: 1_700_000_600_000_000_000}
}

func mustSegment(t testing.TB, kind pack.Kind, s Session, supersedes []ID, packs []SegmentPack) []byte {
	t.Helper()
	b, err := EncodeSegment(kind, s, supersedes, packs)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
