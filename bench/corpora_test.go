package main

import (
	"bytes"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"savepoint/internal/corpus"
	"savepoint/internal/corpus/world"
)

// writeTree makes files of the given lengths.
func writeTree(t testing.TB, dir string, files map[string]int) {
	t.Helper()
	for name, n := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Repeat([]byte("a line of text\n"), n/15+1)[:n], 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPick(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]int{"a/1": 100, "a/2": 100, "b": 100_000, "c": 100, "d": 100, "e": 100_000})
	for _, tt := range []struct {
		name              string
		after             string
		have, want, limit extent
		paths             string
		rest              string
	}{
		{"the first half", "", extent{}, extent{Files: 2}, extent{Files: 4, Bytes: 1000}, "a/1 a/2", "a/2"},
		{"goes on after it", "a/2", extent{Files: 2, Bytes: 200}, extent{Files: 4, Bytes: 1000}, extent{Files: 4, Bytes: 1000}, "b c", "c"},
		{"only small files once there are bytes enough", "", extent{Bytes: 1000}, extent{Files: 4, Bytes: 1000}, extent{Files: 4, Bytes: 1000}, "a/1 a/2 c d", "d"},
		{"goes on for bytes", "", extent{}, extent{Files: 1, Bytes: 100_100}, extent{Files: 1, Bytes: 100_100}, "a/1 a/2 b", "b"},
		{"has no more", "d", extent{}, extent{Files: 9}, extent{Files: 9, Bytes: 1}, "e", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, rest, err := pick(dir, tt.after, tt.have, tt.want, tt.limit)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(p.paths, " "); got != tt.paths || rest != tt.rest {
				t.Errorf("picked %q, rest %q; want %q, %q", got, rest, tt.paths, tt.rest)
			}
		})
	}
}

func TestCopyFiles(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	writeTree(t, from, map[string]int{"a/with space": 10, "-dash": 20, "a/\xff'\n": 30, "left": 1})
	if err := os.Symlink("nowhere", filepath.Join(from, "a/link")); err != nil {
		t.Fatal(err)
	}
	if err := copyFiles(t.Context(), from, []string{"-dash", "a/\xff'\n", "a/link", "a/with space"}, to); err != nil {
		t.Fatal(err)
	}
	found, err := corpus.Compare(from, to)
	if err != nil {
		t.Fatal(err)
	}
	// Times of the folders are those of the copying.
	found = slices.DeleteFunc(found, func(s string) bool { return strings.HasPrefix(s, ".: ") || strings.HasPrefix(s, "a: time") })
	if want := []string{"left: only in the first"}; !slices.Equal(found, want) {
		t.Errorf("differences %q, want %q", found, want)
	}
}

// onlyIn counts the files that one of two trees has alone.
func onlyIn(t testing.TB, a, b string) (gone, added int) {
	t.Helper()
	found, err := corpus.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range found {
		switch {
		case strings.HasSuffix(line, ": only in the first"):
			gone++
		case strings.HasSuffix(line, ": only in the second"):
			added++
		}
	}
	return gone, added
}

func TestChangeTree(t *testing.T) {
	live, kept := filepath.Join(t.TempDir(), "live"), filepath.Join(t.TempDir(), "kept")
	files := make(map[string]int)
	for i := range 400 {
		files[filepath.Join(string(rune('a'+i%7)), string(rune('a'+i/20))+string(rune('a'+i%20)))] = 10 * i
	}
	writeTree(t, live, files)
	if err := os.CopyFS(kept, os.DirFS(live)); err != nil {
		t.Fatal(err)
	}
	if err := changeTree(live); err != nil {
		t.Fatal(err)
	}
	if gone, added := onlyIn(t, kept, live); gone != 2 || added != 2 {
		t.Errorf("%d gone and %d added of 400, want 2 and 2", gone, added)
	}
	if n := contentChanges(t, kept, live); n != 4 {
		t.Errorf("the content of %d of 400 files has changed, want 4", n)
	}
}

func contentChanges(t testing.TB, a, b string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(a, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(a, path)
		before, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if after, err := os.ReadFile(filepath.Join(b, rel)); err == nil && !bytes.Equal(before, after) {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestChangeProfiles(t *testing.T) {
	live, kept := t.TempDir(), t.TempDir()
	for _, dir := range []string{live, kept} {
		if err := world.Profiles(dir, seed, 300); err != nil {
			t.Fatal(err)
		}
	}
	if err := changeProfiles(live); err != nil {
		t.Fatal(err)
	}
	if n := contentChanges(t, kept, live); n != 3 {
		t.Errorf("%d of 300 profiles have changed, want 3", n)
	}
}

func TestBigFile(t *testing.T) {
	const size = 3 << 20
	made := func() []byte {
		var b bytes.Buffer
		if err := fillBig(t.Context(), &b, size, strings.NewReader(strings.Repeat("some text\n", size/8))); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	first := made()
	if len(first) != size {
		t.Errorf("%d bytes, want %d", len(first), size)
	}
	if !bytes.Equal(first, made()) {
		t.Error("two files of one seed differ")
	}
	for _, part := range []string{"some text\n", "ASSET", "\tplayer_"} {
		if !bytes.Contains(first, []byte(part)) {
			t.Errorf("no run with %q", part)
		}
	}
}

func TestChangeBigFile(t *testing.T) {
	live := filepath.Join(t.TempDir(), "live")
	writeTree(t, live, map[string]int{bigName: 1 << 20})
	path := filepath.Join(live, bigName)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := changeBigFile(live, 20); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("it is another file now")
	}
	fresh, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(old, fresh) {
		t.Error("nothing has changed")
	}
	if left, _ := filepath.Glob(filepath.Dir(live) + "/*"); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
}

// TestEdits holds that edits stay within the file and do not overlap, and that as many bytes come out as they say.
func TestEdits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(rapid.Byte(), 1, 100_000).Draw(t, "in")
		size := int64(len(in))
		edits := drawEdits(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), size, rapid.IntRange(1, 50).Draw(t, "n"))
		at, want := int64(0), size
		for _, e := range edits {
			if e.off < at || e.off+e.cut > size || e.cut < 0 || e.put > 64<<10 {
				t.Fatalf("edit %+v after byte %d of %d", e, at, size)
			}
			at = e.off + e.cut
			want += e.put - e.cut
		}
		var out bytes.Buffer
		if err := applyEdits(&out, bytes.NewReader(in), size, edits); err != nil {
			t.Fatal(err)
		}
		if int64(out.Len()) != want {
			t.Fatalf("%d bytes came out, want %d", out.Len(), want)
		}
		if first := edits[0].off; !bytes.Equal(out.Bytes()[:first], in[:first]) {
			t.Fatal("bytes before the first edit have changed")
		}
		if tail := in[at:]; !bytes.HasSuffix(out.Bytes(), tail) {
			t.Fatal("bytes after the last edit have changed")
		}
	})
}

func TestTextReader(t *testing.T) {
	dir := t.TempDir()
	text := "func Quick(brown fox) { jumps(); over() } // the lazy dog, 0123456789\n"
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r := &textReader{files: []string{filepath.Join(dir, "a.go")}, rng: rand.New(rand.NewPCG(1, 1))}
	got := make([]byte, 3*len(text))
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	one, two, three := string(got[:len(text)]), string(got[len(text):2*len(text)]), string(got[2*len(text):])
	if one != text {
		t.Errorf("the first pass reads %q", one)
	}
	if two == one || three == two || three == one {
		t.Error("two passes read the same")
	}
	if two[strings.Index(text, "012"):] != "0123456789\n" {
		t.Errorf("the second pass changed more than letters: %q", two)
	}
}

func TestEntries(t *testing.T) {
	live := filepath.Join(t.TempDir(), "live")
	if err := makeEntries(t.Context(), live, 40); err != nil {
		t.Fatal(err)
	}
	e, err := warm(live)
	if err != nil {
		t.Fatal(err)
	}
	size, err := treeSize(live)
	if err != nil {
		t.Fatal(err)
	}
	if e.Files != 40 || e.Bytes != size || size == 0 {
		t.Errorf("%+v, and %d bytes by stat", e, size)
	}
}
