package restore_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/internal/corpus"
	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/restore"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
)

func newRepo(t testing.TB, st storage.Store) *repo.Repo {
	t.Helper()
	r, err := repo.Init(t.Context(), st, []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "test", Passphrase: "test", WorkFactor: 4}}, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// save backs paths up.
func save(t testing.TB, r *repo.Repo, paths ...string) *repo.Snapshot {
	t.Helper()
	res, err := backup.Run(t.Context(), r, backup.Options{Dataset: "world", Host: "host", Paths: paths})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Snapshot.Faults) > 0 {
		t.Fatalf("faults in the source: %v", res.Snapshot.Faults)
	}
	return res.Snapshot
}

// saved makes a repository in memory that holds one snapshot of paths.
func saved(t testing.TB, paths ...string) (*mem.Store, *repo.Repo, *repo.Snapshot) {
	t.Helper()
	st := mem.New(nil)
	r := newRepo(t, st)
	return st, r, save(t, r, paths...)
}

// bring restores into a new directory, without an error or a problem.
func bring(t testing.TB, r *repo.Repo, snap *repo.Snapshot, sel restore.Selection, o restore.Options) (string, *restore.Result) {
	t.Helper()
	if o.Target == "" {
		o.Target = filepath.Join(t.TempDir(), "restored")
	}
	res, err := restore.Run(t.Context(), r, snap, sel, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Problems) > 0 || len(res.Damaged) > 0 {
		t.Fatalf("problems %v, damage %v", res.Problems, res.Damaged)
	}
	return o.Target, res
}

// same fails the test unless the two trees are equal.
func same(t testing.TB, want, got string) {
	t.Helper()
	diff, err := corpus.Compare(want, got)
	if err != nil {
		t.Fatal(err)
	}
	if len(diff) > 0 {
		t.Errorf("%s and %s differ:\n%s", want, got, strings.Join(diff, "\n"))
	}
}

// write makes a file, and the directories above it.
func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// noise returns n bytes that cannot be compressed.
func noise(seed uint64, n int) []byte {
	rng := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 77})
	b := make([]byte, n)
	rng.Read(b)
	return b
}

func objects(st *mem.Store, prefix string) []string {
	var out []string
	for _, n := range st.Objects() {
		if strings.HasPrefix(n, prefix) {
			out = append(out, n)
		}
	}
	return out
}

// requires skips the test for a reason, or fails it where everything must run.
func cannot(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("STORE_REQUIRE") == "all" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
