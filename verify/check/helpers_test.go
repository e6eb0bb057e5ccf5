package check_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/restore"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/verify"
	"savepoint/verify/check"
)

const password = "correct horse"

var secret = repo.Secret{Passphrase: password}

func initRepo(t testing.TB, st storage.Store) {
	t.Helper()
	_, public := machineKey(t)
	_, err := repo.Init(t.Context(), st, []repo.NewSlot{
		{Kind: repo.SlotPassphrase, Label: "test", Passphrase: password, WorkFactor: 1},
		{Kind: repo.SlotMachine, Label: "cron", Recipient: public},
	}, repo.Options{Sealers: 2})
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, st storage.Store) *repo.Repo {
	t.Helper()
	return openIn(t, st, "")
}

func openIn(t testing.TB, st storage.Store, cache string) *repo.Repo {
	t.Helper()
	r, err := repo.Open(t.Context(), st, secret, repo.Options{Sealers: 2, Host: "checker", Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// source is a folder that is backed up as a dataset of its own name on a host of its own.
type source struct {
	dir, dataset, host string
	cache              string
	rng                *rand.Rand
}

func newSource(t testing.TB, dataset string) *source {
	var seed [32]byte
	copy(seed[:], dataset)
	return &source{dir: quickFolder(t), cache: quickFolder(t), dataset: dataset, host: "host-of-" + dataset, rng: rand.New(rand.NewChaCha8(seed))}
}

// put writes files of random content.
func (s *source) put(t testing.TB, size int, names ...string) {
	t.Helper()
	for _, name := range names {
		b := make([]byte, size)
		for i := 0; i+8 <= len(b); i += 8 {
			binary.LittleEndian.PutUint64(b[i:], s.rng.Uint64())
		}
		path := filepath.Join(s.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *source) backup(t testing.TB, st storage.Store) *repo.Snapshot {
	t.Helper()
	res, err := backup.Run(t.Context(), openIn(t, st, s.cache), backup.Options{Dataset: s.dataset, Host: s.host, Paths: []string{s.dir}})
	if err != nil {
		t.Fatal(err)
	}
	return res.Snapshot
}

// world is a small repository: two sources, three snapshots of one and one of the other.
type world struct {
	st          *mem.Store
	game, users *source
	snaps       []*repo.Snapshot // of the game, oldest first
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{st: mem.New(nil), game: newSource(t, "game"), users: newSource(t, "users")}
	initRepo(t, w.st)
	w.game.put(t, 700, "plain", "world/region-1", "world/region-2", "world/deep/er/region-3")
	w.game.put(t, 3<<20, "world/large")
	var many []string
	for i := range 90 {
		many = append(many, fmt.Sprintf("many/player-%03d", i))
	}
	w.game.put(t, 64, many...)
	w.users.put(t, 900, "a", "b/c", "b/d")
	w.snaps = append(w.snaps, w.game.backup(t, w.st))
	w.users.backup(t, w.st)
	w.game.put(t, 800, "world/region-2", "new")
	w.snaps = append(w.snaps, w.game.backup(t, w.st))
	w.game.put(t, 800, "world/region-1")
	w.snaps = append(w.snaps, w.game.backup(t, w.st))
	return w
}

// verified runs a check, which must come to an end.
func verified(t testing.TB, st storage.Store, o check.Options) *verify.CheckDocument {
	t.Helper()
	d, err := check.Run(t.Context(), open(t, st), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wholly reads everything back.
var wholly = check.Options{ReadData: check.All()}

// healthy fails the test when a document has any finding.
func healthy(t testing.TB, d *verify.CheckDocument) {
	t.Helper()
	if d.ExitCode != 0 || d.FindingCnt != 0 || d.HitCount != 0 {
		t.Fatalf("exit %d, findings %+v, hits %+v", d.ExitCode, d.Findings, d.Hit)
	}
}

// objectsOf returns the objects of findings with one of the harms, each once.
func objectsOf(d *verify.CheckDocument, harms ...verify.Harm) []string {
	found := map[string]bool{}
	for _, f := range d.Findings {
		if slices.Contains(harms, f.Harm) {
			found[f.Object] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// needed returns, for every snapshot that can be listed, what a restore cannot bring back.
func needed(t *testing.T, st storage.Store) map[string][]string {
	t.Helper()
	r := open(t, st)
	snaps, err := r.Snapshots(t.Context())
	if err != nil && !errors.Is(err, repo.ErrCorrupt) {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, s := range snaps {
		target := filepath.Join(quickFolder(t), "back")
		res, err := restore.Run(t.Context(), r, s, restore.Selection{}, restore.Options{Target: target})
		if err != nil && !errors.Is(err, repo.ErrCorrupt) {
			t.Fatal(err)
		}
		if res == nil {
			out[s.ID()] = []string{"all"}
			continue
		}
		for _, d := range res.Damaged {
			out[s.ID()] = append(out[s.ID()], d.Path)
		}
		slices.Sort(out[s.ID()])
		out[s.ID()] = slices.Compact(out[s.ID()])
		if err := os.RemoveAll(target); err != nil {
			t.Fatal(err)
		}
	}
	maps.DeleteFunc(out, func(_ string, paths []string) bool { return len(paths) == 0 })
	return out
}

// quickFolder returns a folder in memory, if there is such a thing: a restore waits for its disk.
func quickFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "check-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// hits returns what a document says of the same.
func hits(d *verify.CheckDocument) map[string][]string {
	out := map[string][]string{}
	for _, h := range d.Hit {
		if len(h.Paths) == 0 {
			continue // the manifest itself
		}
		var paths []string
		for _, p := range h.Paths {
			paths = append(paths, strings.TrimSuffix(p, "/"))
		}
		slices.Sort(paths)
		out[h.Snapshot] = slices.Compact(paths)
	}
	return out
}

// sameHits compares what verification says with what a restore meets.
func sameHits(t *testing.T, st storage.Store, d *verify.CheckDocument) {
	t.Helper()
	if diff := cmp.Diff(needed(t, st), hits(d)); diff != "" {
		t.Errorf("restore misses (-) other than verification says (+):\n%s", diff)
	}
}

func object(t testing.TB, st storage.Store, name string) []byte {
	t.Helper()
	b, err := st.Get(t.Context(), name, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// names returns the objects beneath a prefix.
func names(st *mem.Store, prefix string) []string {
	return slices.DeleteFunc(st.Objects(), func(n string) bool { return !strings.HasPrefix(n, prefix) })
}

func remove(t testing.TB, st storage.Store, name string) {
	t.Helper()
	if err := st.Delete(context.WithoutCancel(t.Context()), name); err != nil {
		t.Fatal(err)
	}
}
