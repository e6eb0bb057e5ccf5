package restore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/restore"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/file"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

// formats holds one frozen repository for each version of the format: a folder vN with the repository, the machine key that opens
// it, and the listing of what is in its snapshots. They are never made again: a program that does not read them has
// broken the format.
const formats = "../../testdata/formats"

var makeFormat = flag.Bool("make-format", false, "make the frozen repository of a format version that has none yet")

func TestFormats(t *testing.T) {
	current := filepath.Join(formats, fmt.Sprintf("v%d", seal.Version))
	if *makeFormat {
		freeze(t, current)
	}
	folders, err := filepath.Glob(filepath.Join(formats, "v*"))
	if err != nil {
		t.Fatal(err)
	}
	if seal.Version > 0 && !slices.Contains(folders, current) {
		t.Errorf("%s is missing", current)
	}
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join(dir, "listing"))
			if err != nil {
				t.Fatal(err)
			}
			if got := listing(t, openFrozen(t, dir, inFolder(t, dir))); got != string(want) {
				t.Errorf("what is restored is listed as\n%s\nwant\n%s", got, want)
			}
			adoptFrozen(t, dir)
		})
	}
}

func inFolder(t *testing.T, dir string) storage.Store {
	t.Helper()
	st, err := file.Open(filepath.Join(dir, "repository"))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func openFrozen(t *testing.T, dir string, st storage.Store) *repo.Repo {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := repo.Open(t.Context(), st, repo.Secret{MachineKey: string(key)}, repo.Options{Host: "frozen"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// adoptFrozen makes a copy of the frozen repository, an hour younger at least, one that takes backups, and backs up into it.
func adoptFrozen(t *testing.T, dir string) {
	t.Helper()
	copied := mem.New(func() time.Time { return time.Now().Add(time.Hour) })
	frozen := os.DirFS(filepath.Join(dir, "repository"))
	err := fs.WalkDir(frozen, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(frozen, name)
		if err != nil {
			return err
		}
		return copied.Put(t.Context(), name, bytes.NewReader(b), int64(len(b)), storage.PutOptions{})
	})
	if err != nil {
		t.Fatal(err)
	}
	r := openFrozen(t, dir, copied)
	if a, err := r.Adopt(t.Context()); err != nil || a.Already || a.Snapshots != 2 {
		t.Fatalf("adopt: %+v, %v", a, err)
	}
	source := t.TempDir()
	write(t, filepath.Join(source, "new"), []byte("new"))
	res, err := backup.Run(t.Context(), r, backup.Options{Dataset: "world", Host: "frozen", Paths: []string{source}, AllowShrink: true})
	if err != nil || res.Snapshot.Seq != 3 {
		t.Errorf("backup into the adopted copy: %+v, %v", res, err)
	}
}

// listing restores every snapshot and lists it: what the tree says of each entry, and the hash of what was restored.
func listing(t *testing.T, r *repo.Repo) string {
	t.Helper()
	snaps, err := r.Snapshots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	trees, err := r.Trees(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer trees.Close()
	var out strings.Builder
	for _, s := range snaps {
		target := filepath.Join(t.TempDir(), "target")
		if _, err := restore.Run(t.Context(), r, s, restore.Selection{}, restore.Options{Target: target}); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "snapshot %s seq %d window %d %d of %s class %s tags %q faults %d\n", s.ID(), s.Seq, s.Window[0], s.Window[1], s.Source(), s.Class, s.Tags, s.FaultCount)
		for i := range s.Roots {
			fmt.Fprintf(&out, "root %q owner %q\n", s.Roots[i].Path, s.Roots[i].Entry.User)
			listEntry(t, &out, trees, &s.Roots[i].Entry, "", target)
		}
	}
	return out.String()
}

func listEntry(t *testing.T, out *strings.Builder, trees tree.Source, e *tree.Entry, path, target string) {
	t.Helper()
	fmt.Fprintf(out, "%q type %d mode %04o size %d mtime %d target %q xattrs %q link %v splitter %d", path, e.Type, e.Mode, e.Size, e.MTime, e.Target,
		e.Xattrs, e.Link != nil, e.Splitter)
	if e.Type == tree.File {
		b, err := os.ReadFile(filepath.Join(target, path))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		fmt.Fprintf(out, " sha256 %s", hex.EncodeToString(sum[:8]))
	}
	out.WriteByte('\n')
	if e.Type != tree.Directory {
		return
	}
	below := new(strings.Builder)
	n := 0
	for child, err := range tree.Entries(t.Context(), trees, e.Content, "") {
		if err != nil {
			t.Fatal(err)
		}
		listEntry(t, below, trees, child, filepath.Join(path, child.Name), target)
		n++
	}
	if n > 1000 { // too many to write down
		fmt.Fprintf(out, "%d entries, their listing has sha256 %x\n", n, sha256.Sum256([]byte(below.String())))
		return
	}
	out.WriteString(below.String())
}

// freeze makes the folder of a version: two snapshots of a small tree in which everything occurs that the format knows.
func freeze(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(dir); err == nil || seal.Version == 0 {
		t.Fatalf("%s is there, or the format is not declared: frozen repositories are never made again", dir)
	}
	secret, public, err := seal.NewMachineKey()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "key"), []byte(secret+"\n"))
	st, err := file.Create(filepath.Join(dir, "repository"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := repo.Init(t.Context(), st, []repo.NewSlot{
		{Kind: repo.SlotMachine, Label: "frozen", Recipient: public},
		{Kind: repo.SlotPassphrase, Label: "frozen", Passphrase: "frozen"},
	}, repo.Options{Host: "frozen", Version: "frozen"})
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(t.TempDir(), "world")
	frozenSource(t, source)
	o := backup.Options{Dataset: "world", Class: "state", Host: "frozen", User: "frozen", Paths: []string{source}, Tags: []string{"frozen"}}
	for range 2 {
		if _, err := backup.Run(t.Context(), r, o); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(source, "players", "0007"), []byte("changed"))
	}
	write(t, filepath.Join(dir, "listing"), []byte(listing(t, openFrozen(t, dir, inFolder(t, dir)))))
}

func frozenSource(t *testing.T, dir string) {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 400<<10)
	_, _ = random.Read(noise) // never fails
	write(t, filepath.Join(dir, "noise"), noise)
	pages := []byte("SQLite format 3\x00\x10\x00")
	for i := range 300 {
		pages = fmt.Appendf(pages, "page %d %s", i, strings.Repeat("x", 4000))
	}
	write(t, filepath.Join(dir, "pages.db"), pages[:len(pages)/4096*4096])
	write(t, filepath.Join(dir, "empty"), nil)
	write(t, filepath.Join(dir, "odd \xff\nname"), []byte("odd"))
	for i := range 20 {
		write(t, filepath.Join(dir, "players", fmt.Sprintf("%04d", i)), fmt.Appendf(nil, "player %d", i))
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for i := range 4000 {
		if err := os.MkdirAll(at("many"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(strings.Repeat("t", 60), at(fmt.Sprintf("many/%05d", i))); err != nil {
			t.Fatal(err)
		}
	}
	sparse, err := os.Create(at("sparse"))
	if err != nil {
		t.Fatal(err)
	}
	defer sparse.Close()
	for _, off := range []int64{1 << 20, 3 << 20} {
		if _, err := sparse.WriteAt([]byte("data"), off); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		sparse.Truncate(8 << 20), os.Link(at("noise"), at("noise-too")), os.Symlink("../nowhere", at("dangling")),
		unix.Mkfifo(at("fifo"), 0o640), unix.Setxattr(at("empty"), "user.kind", []byte("none\x00"), 0),
		os.Chmod(at("players"), 0o2750), os.Chtimes(at("empty"), time.Time{}, time.Unix(-1234567, 89)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}
