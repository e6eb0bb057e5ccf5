package backup_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
)

// newRepo makes a repository in st whose key slot costs little.
func newRepo(t testing.TB, st storage.Store) (*repo.Repo, repo.Secret) {
	t.Helper()
	secret := repo.Secret{Passphrase: "test"}
	r, err := repo.Init(t.Context(), st, []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "test", Passphrase: "test", WorkFactor: 4}}, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r, secret
}

func run(ctx context.Context, t testing.TB, r *repo.Repo, dir string) *backup.Result {
	t.Helper()
	res, err := backup.Run(ctx, r, backup.Options{Dataset: "world", Host: "host", Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestSecondBackupAddsNoPack(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"a", "b/c", "b/d/e"} {
		p := filepath.Join(dir, n)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	st := mem.New(nil)
	r, secret := newRepo(t, st)
	first := run(t.Context(), t, r, dir)
	if first.Snapshot.Stats.Files != 3 || first.Totals.DataPacks != 1 || first.Totals.MetaPacks != 1 {
		t.Errorf("first backup: %+v, %+v", first.Snapshot.Stats, first.Totals)
	}
	r, err := repo.Open(t.Context(), st, secret, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	second := run(t.Context(), t, r, dir)
	if second.Totals.DataPacks+second.Totals.MetaPacks != 0 {
		t.Errorf("second backup stored packs: %+v", second.Totals)
	}
	if second.Snapshot.Seq != 2 || second.Snapshot.Prev != first.Snapshot.Name {
		t.Errorf("seq %d, prev %q", second.Snapshot.Seq, second.Snapshot.Prev)
	}
}
