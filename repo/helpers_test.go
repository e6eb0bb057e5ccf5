package repo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

const password = "correct horse"

var secret = repo.Secret{Passphrase: password}

func slots() []repo.NewSlot {
	return []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "test", Passphrase: password, WorkFactor: 1}}
}

func newRepo(t testing.TB, st storage.Store) *repo.Repo {
	t.Helper()
	r, err := repo.Init(t.Context(), st, slots(), repo.Options{Sealers: 2, Host: "host", Cache: cache(t)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func openRepo(t testing.TB, st storage.Store) *repo.Repo {
	t.Helper()
	return openIn(t, st, cache(t))
}

// openIn opens a repository on a host with a cache folder of its own; empty: with none.
func openIn(t testing.TB, st storage.Store, cache string) *repo.Repo {
	t.Helper()
	r, err := repo.Open(t.Context(), st, secret, repo.Options{Sealers: 2, Host: "host", Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// withIndex in the environment gives every test a cache folder, in which repositories keep their index.
const withIndex = "STORE_TEST_WITH_INDEX"

var caches sync.Map // of tests

// cache returns the test's cache folder, or none.
func cache(t testing.TB) string {
	if os.Getenv(withIndex) == "" {
		return ""
	}
	d, ok := caches.Load(t)
	if !ok {
		d = t.TempDir()
		caches.Store(t, d)
	}
	return d.(string)
}

// TestWithIndex runs the tests of this package once more, with an index in a cache folder in place of segments in memory. The walks of
// crashes are left out: they are about the store.
func TestWithIndex(t *testing.T) {
	if os.Getenv(withIndex) != "" {
		return // this is that run
	}
	if testing.Short() {
		t.Skip("takes long")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^Test", "-test.skip=Crash|WithIndex|AboveAThousand", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), withIndex+"=1")
	if _, err := os.Stat("/dev/shm"); err == nil {
		cmd.Env = append(cmd.Env, "TMPDIR=/dev/shm") // an index waits for its disk
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// clock is a storage clock: another one plus what it was set forward. A process that is suspended sees the storage's clock
// jump while its own timers stand still.
type clock struct {
	base func() time.Time

	mu   sync.Mutex
	plus time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base().Add(c.plus)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plus += d
}

// files are the content of a source: one chunk each.
type files map[string]string

// store puts files through streams of their own and returns a manifest of them.
func store(ctx context.Context, r *repo.Repo, s *repo.Session, f files) (*tree.Manifest, error) {
	data, meta := s.NewStream(repo.Data), s.NewStream(repo.Meta)
	dir := tree.NewDirBuilder(meta, r.Cutter())
	for _, name := range slices.Sorted(maps.Keys(f)) {
		put, err := data.Put(ctx, []byte(f[name]))
		if err != nil {
			return nil, err
		}
		n := uint64(len(f[name]))
		e := &tree.Entry{Name: name, Type: tree.File, Size: n, Content: []tree.Element{{ID: put.ID, Length: n}}}
		if err := dir.Add(ctx, e); err != nil {
			return nil, err
		}
	}
	content, err := dir.Finish(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(data.Flush(ctx), meta.Flush(ctx)); err != nil {
		return nil, err
	}
	return manifest(content), nil
}

func manifest(content []tree.Element) *tree.Manifest {
	return &tree.Manifest{Mode: tree.Incremental, Completeness: tree.Complete,
		Roots: []tree.Root{{Path: "/srv", Entry: tree.Entry{Type: tree.Directory, Content: content}}}}
}

// save backs files up.
func save(ctx context.Context, r *repo.Repo, dataset string, f files) (*repo.Snapshot, error) {
	var snap *repo.Snapshot
	err := r.Write(ctx, dataset, "host", func(ctx context.Context, s *repo.Session) error {
		m, err := store(ctx, r, s, f)
		if err == nil {
			snap, err = s.Commit(ctx, m)
		}
		return err
	})
	return snap, err
}

func mustSave(t testing.TB, r *repo.Repo, dataset string, f files) *repo.Snapshot {
	t.Helper()
	snap, err := save(t.Context(), r, dataset, f)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

type spot struct {
	*repo.Packed
	pack.Entry
}

// load reads a snapshot back: every chunk from the first of its places, the best first, that gives it.
func load(ctx context.Context, r *repo.Repo, snap *repo.Snapshot) (files, error) {
	trees, err := r.Trees(ctx)
	if err != nil {
		return nil, err
	}
	defer trees.Close()
	places := map[chunk.ID][]spot{}
	if err := r.Locate(ctx, func(p *repo.Packed, e pack.Entry) { places[e.Chunk] = append(places[e.Chunk], spot{p, e}) }); err != nil {
		return nil, err
	}
	out := files{}
	for e, err := range tree.Entries(ctx, trees, snap.Roots[0].Entry.Content, "") {
		if err != nil {
			return nil, err
		}
		id := e.Content[0].ID
		list := places[id]
		slices.SortStableFunc(list, func(a, b spot) int { return a.Rank - b.Rank })
		err = &repo.CorruptError{Object: "chunk " + id.String(), Err: repo.ErrUnknownChunk}
		for _, p := range list {
			var b []byte
			if b, err = read(ctx, r, p); err == nil {
				out[e.Name] = string(b)
				break
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func read(ctx context.Context, r *repo.Repo, p spot) ([]byte, error) {
	var out []byte
	var f repo.Fetch
	err := r.ReadBlocks(ctx, p.Packed, int(p.Block), int(p.Block), &f, func(_ int, o *repo.Opened) error {
		b, err := o.Chunk(p.Entry)
		out = bytes.Clone(b)
		return err
	})
	return out, err
}

func mustLoad(t testing.TB, r *repo.Repo, snap *repo.Snapshot, want files) {
	t.Helper()
	got, err := load(t.Context(), r, snap)
	if err != nil {
		t.Fatalf("snapshot %s does not read: %v", snap.Name, err)
	}
	if !maps.Equal(got, want) {
		t.Fatalf("snapshot %s has %d files, other than the %d stored", snap.Name, len(got), len(want))
	}
}

func snapshots(t testing.TB, r *repo.Repo) []*repo.Snapshot {
	t.Helper()
	list, err := r.Snapshots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// names returns the objects beneath a prefix.
func names(st *mem.Store, prefix string) []string {
	var out []string
	for _, n := range st.Objects() {
		if strings.HasPrefix(n, prefix) {
			out = append(out, n)
		}
	}
	return out
}

func one(t testing.TB, st *mem.Store, prefix string) string {
	t.Helper()
	list := names(st, prefix)
	if len(list) != 1 {
		t.Fatalf("%d objects beneath %s, want one", len(list), prefix)
	}
	return list[0]
}

func object(t testing.TB, st storage.Store, name string) []byte {
	t.Helper()
	b, err := st.Get(t.Context(), name, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func putObject(t testing.TB, st storage.Store, name string, b []byte) {
	t.Helper()
	if err := st.Put(t.Context(), name, bytes.NewReader(b), int64(len(b)), storage.PutOptions{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
}

// ringOf opens a key slot as a program without this package would.
func ringOf(t testing.TB, st *mem.Store) *seal.Ring {
	t.Helper()
	id, err := seal.PassphraseIdentity(password)
	if err != nil {
		t.Fatal(err)
	}
	slot, err := seal.OpenSlot(object(t, st, names(st, "keys/")[0]), id)
	if err != nil {
		t.Fatal(err)
	}
	key, err := slot.Primary()
	if err != nil {
		t.Fatal(err)
	}
	return seal.NewRing(slot.Repo, key)
}

var lastID byte // of objects that tests forge; tests of this package do not run in parallel

func forge(t testing.TB, st *mem.Store, kind seal.Kind, folder string, payload []byte, err error) record.ID {
	t.Helper()
	lastID++
	id := record.ID{0xff, lastID}
	if err != nil {
		t.Fatal(err)
	}
	name := folder + fmt.Sprintf("%x", id[:])
	b, err := ringOf(t, st).Seal(kind, name, payload, nil)
	if err != nil {
		t.Fatal(err)
	}
	putObject(t, st, name, b)
	return id
}

// condemn puts a record that names packs.
func condemn(t testing.TB, st *mem.Store, packs ...string) record.ID {
	t.Helper()
	var c record.Condemned
	for _, name := range packs {
		c.Packs = append(c.Packs, record.PackRef{Kind: kindOf(name), ID: packID(t, name)})
	}
	b, err := c.Encode()
	return forge(t, st, seal.Condemned, "condemned/", b, err)
}

func kindOf(name string) pack.Kind {
	if strings.HasPrefix(name, "meta/") {
		return pack.Meta
	}
	return pack.Data
}

func packID(t testing.TB, name string) pack.ID {
	t.Helper()
	id, err := pack.ParseID(name[strings.LastIndexByte(name, '/')+1:])
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func mark(t testing.TB, st *mem.Store, m record.Mark) record.ID {
	t.Helper()
	b, err := m.Encode()
	return forge(t, st, seal.Mark, "marks/", b, err)
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// damage marks packs as damaged.
func damage(t testing.TB, st *mem.Store, packs ...string) record.ID {
	t.Helper()
	return mark(t, st, record.Mark{Kind: record.Damaged, Objects: packs})
}

func hexOf(id [16]byte) string { return fmt.Sprintf("%x", id[:]) }
