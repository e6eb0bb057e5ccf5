package repo_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage/mem"
)

// TestDamagedIndexAndCondemnedPack flips one bit in the index of this host, where it knows a pack that is condemned: a snapshot that is made then must not need the pack.
func TestDamagedIndexAndCondemnedPack(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	mustSave(t, r, "world", files{"a": "precious"})
	victim := one(t, m, "data/")
	var packs []record.SegmentPack
	for i := range 4000 { // so that the index has more than a few blocks
		p := record.SegmentPack{ID: pack.ID(sha256.Sum256(fmt.Append(nil, "pack", i))), Salt: sha256.Sum256([]byte{byte(i)})}
		p.Blocks = []pack.BlockInfo{{Offset: seal.HeaderLen, Stored: 108 + seal.TagLen, Plain: 108}}
		p.Entries = []pack.Entry{{Chunk: chunk.ID(sha256.Sum256(fmt.Append(nil, "chunk", i))), Length: 100}}
		p.Size = uint32(pack.Size(p.Blocks, len(p.Entries)))
		packs = append(packs, p)
	}
	now := time.Now().UnixNano()
	b, err := record.EncodeSegment(pack.Data, record.Session{Lease: record.ID{1}, Began: now, Renewed: now}, nil, packs)
	forge(t, m, seal.Segment, "index/00000000/data/", b, err)
	cache := t.TempDir()
	mustSave(t, openIn(t, m, cache), "world", files{"own": "one"}) // builds the index
	id := packID(t, victim)
	tables, _ := filepath.Glob(filepath.Join(cache, "*", "index", "data", "base-*", "*.sst"))
	hit := false
	for _, name := range tables {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(b, id[3:]); at >= 0 {
			b[at+10] ^= 1
			hit = true
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !hit {
		t.Fatalf("nothing to damage in %q", tables)
	}
	condemn(t, m, victim)
	f := files{"a": "precious"}
	snap := mustSave(t, openIn(t, m, cache), "world", f)
	if err := m.Delete(t.Context(), victim); err != nil { // as prune does, three days later
		t.Fatal(err)
	}
	mustLoad(t, openIn(t, m, ""), snap, f)
}
