package restore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
)

// harm does something to one object of a repository; other is another repository with the same source.
type harm struct {
	name string
	do   func(t *testing.T, st, other *mem.Store, object string)
}

func harms() []harm {
	flip := func(part int) func(*testing.T, *mem.Store, *mem.Store, string) {
		return func(t *testing.T, st, _ *mem.Store, name string) {
			b := object(t, st, name)
			b[len(b)*part/8] ^= 0x10
			st.Replace(name, b)
		}
	}
	return []harm{
		{"flip at the start", flip(0)}, {"flip in the middle", flip(4)}, {"flip towards the end", flip(7)},
		{"truncate", func(t *testing.T, st, _ *mem.Store, name string) {
			b := object(t, st, name)
			st.Replace(name, b[:len(b)/2+1])
		}},
		{"delete", func(t *testing.T, st, _ *mem.Store, name string) { mustDo(t, st.Delete(t.Context(), name)) }},
		{"swap", func(t *testing.T, st, _ *mem.Store, name string) {
			for _, twin := range objects(st, folderOf(name)) {
				if twin != name {
					a, b := object(t, st, name), object(t, st, twin)
					st.Replace(name, b)
					st.Replace(twin, a)
					return
				}
			}
		}},
		{"rename", func(t *testing.T, st, _ *mem.Store, name string) {
			b := object(t, st, name)
			mustDo(t, st.Delete(t.Context(), name))
			renamed := name[:len(name)-4] + "0000"
			mustDo(t, st.Put(t.Context(), renamed, bytes.NewReader(b), int64(len(b)), storage.PutOptions{}))
		}},
		{"replay", func(t *testing.T, st, other *mem.Store, name string) {
			st.Replace(name, object(t, other, objects(other, folderOf(name))[0]))
		}},
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// folderOf returns what the names of objects of one kind begin with.
func folderOf(name string) string {
	folder, _, _ := strings.Cut(name, "/")
	if folder == "index" {
		return name[:strings.LastIndexByte(name, '/')+1]
	}
	return folder
}

// TestDamageWalk harms every object of a repository in every way. Whatever a restore then calls good is equal to the source, byte for
// byte; everything else is an error, and the snapshots that do not need the object restore.
func TestDamageWalk(t *testing.T) {
	dir, states := t.TempDir(), map[string]string{} // copies of the source by seq
	source := filepath.Join(dir, "source")
	st, other := mem.New(nil), mem.New(nil)
	r, foreign := newRepo(t, st), newRepo(t, other)
	write(t, filepath.Join(source, "a/large"), noise(1, 400_000))
	for day := range 2 {
		write(t, filepath.Join(source, "b", fmt.Sprint(day)), noise(uint64(day+2), 3000))
		snap := save(t, r, source)
		save(t, foreign, source)
		states[fmt.Sprint(snap.Seq)] = filepath.Join(dir, fmt.Sprint("state", day))
		mustDo(t, os.CopyFS(states[fmt.Sprint(snap.Seq)], os.DirFS(source)))
	}
	needed := 0
	for _, name := range objects(st, "") {
		for _, h := range harms() {
			t.Run(h.name+" "+name, func(t *testing.T) {
				c := st.Clone()
				h.do(t, c, other.Clone(), name)
				good, err := restoreAll(t, c, states)
				want := len(states)
				if h.name == "delete" && folderOf(name) == "snapshots" {
					want-- // what is not listed was forgotten, for all that anybody can tell here
				}
				if err == nil && good != want {
					t.Errorf("%d of %d snapshots restored, and no error", good, len(states))
				}
				if err != nil {
					needed++
				}
			})
		}
	}
	if needed == 0 {
		t.Error("no damage was noticed at all")
	}
}

// restoreAll restores every snapshot that is listed, compares those that restore without an error with the source, and
// returns how many were right, and all errors.
func restoreAll(t *testing.T, st *mem.Store, states map[string]string) (good int, failed error) {
	t.Helper()
	r, err := repo.Open(context.Background(), st, repo.Secret{Passphrase: "test"}, repo.Options{})
	if err != nil {
		return 0, err
	}
	snaps, err := r.Snapshots(t.Context())
	failed = err
	for _, s := range snaps {
		target := filepath.Join(t.TempDir(), "target")
		_, err := restore.Run(t.Context(), r, s, restore.Selection{}, restore.Options{Target: target})
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		good++
		want := os.DirFS(states[fmt.Sprint(s.Seq)])
		for _, name := range []string{"a/large", "b/0", "b/1"} {
			w, wantErr := fs.ReadFile(want, name)
			g, gotErr := os.ReadFile(filepath.Join(target, name))
			if !bytes.Equal(w, g) || (wantErr == nil) != (gotErr == nil) {
				t.Errorf("snapshot %d was restored without an error, and %s is wrong: %v", s.Seq, name, gotErr)
			}
		}
	}
	return good, failed
}
