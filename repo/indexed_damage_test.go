package repo_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/chunk"
	"savepoint/internal/needtest"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

// crowd forges a segment of 4,000 packs, so that an index has more than a few blocks.
func crowd(t testing.TB, m *mem.Store) []record.SegmentPack {
	t.Helper()
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
	return packs
}

// flipInIndex flips a bit where the base of the data index in a cache folder knows a pack.
func flipInIndex(t testing.TB, cache string, id pack.ID) {
	t.Helper()
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
}

// TestDamagedIndexAndCondemnedPack flips one bit in the index of this host, where it knows a pack that is condemned: a snapshot that is made then must not need the pack.
func TestDamagedIndexAndCondemnedPack(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	mustSave(t, r, "world", files{"a": "precious"})
	victim := one(t, m, "data/")
	crowd(t, m)
	cache := t.TempDir()
	mustSave(t, openIn(t, m, cache), "world", files{"own": "one"}) // builds the index
	flipInIndex(t, cache, packID(t, victim))
	condemn(t, m, victim)
	f := files{"a": "precious"}
	snap := mustSave(t, openIn(t, m, cache), "world", f)
	if err := m.Delete(t.Context(), victim); err != nil { // as prune does, three days later
		t.Fatal(err)
	}
	mustLoad(t, openIn(t, m, ""), snap, f)
}

// TestUnreadableSegmentAndDamagedIndex has an index segment that cannot be read, and the index of this host damaged where it knows packs: backups go on.
func TestUnreadableSegmentAndDamagedIndex(t *testing.T) {
	m := mem.New(nil)
	r := newRepo(t, m)
	mustSave(t, r, "world", version1)
	bad := one(t, m, "index/00000000/data/")
	packs := crowd(t, m)
	cache := t.TempDir()
	mustSave(t, openIn(t, m, cache), "world", files{"own": "one"})

	m.Replace(bad, flip(object(t, m, bad), 200))
	flipInIndex(t, cache, packs[2000].ID)
	// Another host's segment in the index of this one before it went bad is applied, so it is another one that is new and bad.
	now := time.Now().UnixNano()
	b, err := record.EncodeSegment(pack.Data, record.Session{Lease: record.ID{2}, Began: now, Renewed: now}, nil, packs[:1])
	id := forge(t, m, seal.Segment, "index/00000000/data/", b, err)
	name := "index/00000000/data/" + hexOf(id)
	m.Replace(name, flip(object(t, m, name), 200))
	for i := range 2 {
		if _, err := save(t.Context(), openIn(t, m, cache), "world", files{"own": fmt.Sprint("two", i)}); err != nil {
			t.Errorf("run %d: %v", i, err)
		}
	}
}

// TestIndexFailsWhileSegmentsAreRead has the index fail to write, as on a full disk, while other segments are on their way: the backup goes on with the
// segments in memory, as it does when the index fails at any other time.
func TestIndexFailsWhileSegmentsAreRead(t *testing.T) {
	if !needtest.Alone(t) {
		return
	}
	m := mem.New(nil)
	newRepo(t, m)
	here, there := t.TempDir(), t.TempDir()
	run := 0
	add := func(cache string) {
		t.Helper()
		run++
		mustSave(t, openIn(t, m, cache), "world", files{"own": fmt.Sprint("run ", run)})
	}
	add(here)
	add(there)
	add(here) // builds a base
	known := names(m, "index/00000000/data/")
	for range 6 {
		add(there)
	}
	first := "" // of those that are new here
	for _, name := range names(m, "index/00000000/data/") {
		if !slices.Contains(known, name) && (first == "" || name < first) {
			first = name
		}
	}
	st := fault.New(m)
	r := openIn(t, st, here)

	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	low := old
	low.Cur = 1 << 20
	var over atomic.Bool
	st.Arm(fault.Rule{Op: fault.Get, Prefix: "index/00000000/data/", Count: fault.Forever, Do: fault.Delay, Wait: func(ctx context.Context, _ fault.Op, name string) error {
		if name != first && !over.Load() {
			<-ctx.Done() // the first one is applied, which fails, before the others arrive
			over.Store(true)
			return context.Cause(ctx)
		}
		return nil
	}})
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &low); err != nil {
		t.Fatal(err)
	}
	f := files{"own": "new"}
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		_, err = save(t.Context(), r, "world", f)
	}()
	<-done
	if e := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); e != nil {
		t.Fatal(e)
	}
	if err != nil {
		t.Errorf("the backup failed with the index: %s", strings.SplitN(err.Error(), "\n", 2)[0])
	}
}
