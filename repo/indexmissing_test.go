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

// TestUnreadableSegmentAndDamagedIndex has an index segment that cannot be read, and the index of this host damaged where it knows packs: backups go on.
func TestUnreadableSegmentAndDamagedIndex(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	mustSave(t, r, "world", version1)
	bad := one(t, m, "index/00000000/data/")
	var packs []record.SegmentPack
	for i := range 4000 {
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
	mustSave(t, openIn(t, m, cache), "world", files{"own": "one"})

	m.Replace(bad, flip(object(t, m, bad), 200))
	tables, _ := filepath.Glob(filepath.Join(cache, "*", "index", "data", "base-*", "*.sst"))
	hit := false
	for _, name := range tables {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(b, packs[2000].ID[3:]); at >= 0 {
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
	// Another host's segment in the index of this one before it went bad is applied, so it is another one that is new and bad.
	late := record.Session{Lease: record.ID{2}, Began: now, Renewed: now}
	b, err = record.EncodeSegment(pack.Data, late, nil, packs[:1])
	id := forge(t, m, seal.Segment, "index/00000000/data/", b, err)
	name := "index/00000000/data/" + hexOf(id)
	m.Replace(name, flip(object(t, m, name), 200))
	for i := range 2 {
		if _, err := save(t.Context(), openIn(t, m, cache), "world", files{"own": fmt.Sprint("two", i)}); err != nil {
			t.Errorf("run %d: %v", i, err)
		}
	}
}
