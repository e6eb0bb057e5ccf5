package drill

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"savepoint/internal/corpus"
	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/restore"
	"savepoint/repo/storage/file"
)

// userRepo names the variable that tells the test in the process of a user where root has left a repository.
const userRepo = "COMPARE_USER_REPO"

// TestCompareAsUser lets a user restore and compare what root has backed up: foreign owners, devices, files that nobody may read.
func TestCompareAsUser(t *testing.T) {
	if dir := os.Getenv(userRepo); dir != "" {
		compareAsUser(t, dir)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can make such a tree and be somebody else")
	}
	const nobody = 65534
	top, err := os.MkdirTemp("", "compare")
	must(t, err)
	defer os.RemoveAll(top)
	src := filepath.Join(t.TempDir(), "source")
	must(t, corpus.Tree(src, corpus.TreeOptions{Seed: 5, Files: 50, Depth: 5}))
	must(t, os.Mkdir(filepath.Join(top, "repo"), 0o700))
	st, err := file.Open(filepath.Join(top, "repo"))
	must(t, err)
	r, err := repo.Init(t.Context(), st, []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "test", Passphrase: "test", WorkFactor: 4}}, repo.Options{})
	must(t, err)
	_, err = backup.Run(t.Context(), r, backup.Options{Dataset: "world", Host: "host", Paths: []string{src}})
	must(t, err)
	must(t, filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	}))
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestCompareAsUser$", "-test.v")
	cmd.Env = append(os.Environ(), userRepo+"="+top, "TMPDIR="+top)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("as a user: %v\n%s", err, out)
	}
}

func compareAsUser(t *testing.T, top string) {
	st, err := file.Open(filepath.Join(top, "repo"))
	must(t, err)
	r, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: "test"}, repo.Options{})
	must(t, err)
	snaps, err := r.Snapshots(t.Context())
	must(t, err)
	b := &restored{r: r, snap: snaps[0], dir: filepath.Join(top, "restored")}
	b.res, err = restore.Run(t.Context(), r, b.snap, restore.Selection{}, restore.Options{Target: b.dir})
	must(t, err)
	if b.res.ProblemCount == 0 || b.res.OwnersSkipped == 0 {
		t.Fatalf("the restore had no problems: %+v", b.res)
	}
	modes := func() map[string]fs.FileMode {
		out := map[string]fs.FileMode{}
		for _, dir := range []string{"modes", "modes/dir0111"} {
			names, err := os.ReadDir(filepath.Join(b.dir, dir))
			if err != nil {
				continue // nobody may
			}
			for _, n := range names {
				info, err := n.Info()
				must(t, err)
				out[dir+"/"+n.Name()] = info.Mode()
			}
		}
		return out
	}
	before := modes()
	c, _ := b.compare(t, compareOptions{})
	if c.DifferenceCount > 0 || len(c.NotCompared) == 0 {
		t.Errorf("%q %q", c.Differences, c.NotCompared)
	}
	if s := b.snap.Stats; c.Files != s.Files || c.Bytes != b.res.Bytes {
		t.Errorf("compared %d of %d files, %d of %d bytes", c.Files, s.Files, c.Bytes, b.res.Bytes)
	}
	if got := modes(); fmt.Sprint(got) != fmt.Sprint(before) {
		t.Errorf("modes were %v, are %v", before, got)
	}
	poke("modes/dir1777/inside", 0)(t, b.dir)
	if c, _ = b.compare(t, compareOptions{}); c.DifferenceCount != 1 {
		t.Errorf("%q", c.Differences)
	}
}
