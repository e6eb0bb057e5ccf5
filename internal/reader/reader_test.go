package reader_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"savepoint/internal/needtest"
	"savepoint/internal/usage"
	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/seal"
	"savepoint/repo/storage/file"
)

// python is Debian's: python3-cryptography belongs to it and to no other.
const python = "/usr/bin/python3"

// needTools skips the test, or fails it where all must run, when reader.py cannot run here.
func needTools(t testing.TB) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), python, "reader.py", "selftest").CombinedOutput()
	if err == nil {
		return
	}
	needtest.Without(t, "reader", fmt.Sprintf("reader.py needs %s with python3-cryptography, and age, zstd and b3sum: %v\n%s", python, err, out))
}

// A fixture is a repository with two snapshots of a tree.
type fixture struct {
	dir, identity, source string
	snapshots             []*backup.Result
}

func makeRepo(t *testing.T, tree func(t *testing.T, dir string)) *fixture {
	t.Helper()
	f := &fixture{dir: filepath.Join(t.TempDir(), "repo"), identity: filepath.Join(t.TempDir(), "identity"), source: filepath.Join(t.TempDir(), "world")}
	tree(t, f.source)
	secret, public, err := seal.NewMachineKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.identity, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := file.Create(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	slots := []repo.NewSlot{{Kind: repo.SlotMachine, Label: "test", Recipient: public}}
	if _, err := repo.Init(t.Context(), st, slots, repo.Options{}); err != nil {
		t.Fatal(err)
	}
	f.backup(t)
	change(t, f.source)
	f.backup(t)
	return f
}

// backup opens the repository anew, as another run of the program does.
func (f *fixture) backup(t *testing.T) {
	t.Helper()
	secret, err := os.ReadFile(f.identity)
	if err != nil {
		t.Fatal(err)
	}
	st, err := file.Open(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := repo.Open(t.Context(), st, repo.Secret{MachineKey: string(secret)}, repo.Options{Version: "test", Usage: usage.New(usage.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	res, err := backup.Run(t.Context(), r, backup.Options{
		Dataset: "world", Host: "höst", User: "tester", Class: "user", Tags: []string{"a", "b"}, Policy: []byte(`{"x":1}`),
		Paths: []string{f.source, filepath.Join(filepath.Dir(f.source), "single")},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.snapshots = append(f.snapshots, res)
}

func random(seed uint64, n int) []byte {
	data := make([]byte, n)
	src := rand.New(rand.NewPCG(seed, 1))
	for i := range data {
		data[i] = byte(src.Uint32())
	}
	return data
}

// words is n bytes that compress, and of which no two places are alike.
func words(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "row %d of the table of players\n", i)
	}
	return b.Bytes()[:n]
}

// database looks like SQLite's, so that it is cut into pages of 4 KiB.
func database(n int) []byte {
	data := random(7, n)
	copy(data, "SQLite format 3\x00\x10\x00\x01\x01\x00\x40\x20\x20")
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, data, 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func makeTree(t *testing.T, dir string) {
	t.Helper()
	in := func(name string) string { return filepath.Join(dir, name) }
	write(t, filepath.Join(filepath.Dir(dir), "single"), []byte("a root that is a file"))
	write(t, in("plain"), []byte("hello"))
	write(t, in("nothing"), nil)
	for _, name := range []string{" ", "-rf", "new\nline", "\xff\xfe not UTF-8 \x80", "größe", "\x01", strings.Repeat("long", 63), "..."} {
		write(t, in("odd/"+name), []byte("name "+name))
	}
	write(t, in("big.bin"), random(1, 21<<20))
	write(t, in("big.txt"), words(9<<20))
	write(t, in("players.db"), database(5000*4096))
	for i := range 1000 {
		write(t, in(fmt.Sprintf("region/r.%d.%d.mca", i, i*i%97)), random(uint64(i), i*7%3000))
	}
	// Entries as large as these make pages that end at their limit, and so many that there are nodes.
	must(t, os.MkdirAll(in("far"), 0o755))
	for i := range 1000 {
		must(t, os.Symlink(strings.Repeat("x/", 500+i), in(fmt.Sprintf("far/%d", i))))
	}
	must(t, os.MkdirAll(in("empty/er/est"), 0o700))
	must(t, os.Symlink("../nowhere\xff", in("odd/link")))
	must(t, os.Link(in("plain"), in("odd/second name of plain")))
	must(t, syscall.Mkfifo(in("odd/fifo"), 0o640))
	sparse(t, in("sparse"), 40<<20, map[int64][]byte{5 << 20: random(2, 200_000), 30 << 20: words(3 << 20)})
	sparse(t, in("all hole"), 3<<20, nil)
	sparse(t, in("sparse.db"), 8<<20, map[int64][]byte{0: database(40 * 4096), 4 << 20: random(3, 1<<20)})
	must(t, os.Chmod(in("plain"), 0o4751))
	must(t, os.Chtimes(in("nothing"), time.Unix(-1000, 5), time.Unix(-1000, 5)))
	if err := syscall.Setxattr(in("big.txt"), "user.note", []byte("\x00\xff"), 0); err != nil {
		t.Logf("no extended attributes here: %v", err)
	}
}

// makeSmallTree has what there are objects for, and little of it.
func makeSmallTree(t *testing.T, dir string) {
	t.Helper()
	write(t, filepath.Join(filepath.Dir(dir), "single"), []byte("a root that is a file"))
	write(t, filepath.Join(dir, "players.db"), database(100*4096))
	write(t, filepath.Join(dir, "region/r.500.31.mca"), words(300_000))
}

func sparse(t *testing.T, path string, size int64, parts map[int64][]byte) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	must(t, f.Truncate(size))
	for at, data := range parts {
		_, err := f.WriteAt(data, at)
		must(t, err)
	}
	must(t, f.Close())
}

// change makes the second snapshot differ from the first.
func change(t *testing.T, dir string) {
	t.Helper()
	write(t, filepath.Join(dir, "plain2"), []byte("new"))
	must(t, os.Remove(filepath.Join(dir, "region/r.500.31.mca")))
	write(t, filepath.Join(dir, "region/r.501.new.mca"), random(99, 5000))
	f, err := os.OpenFile(filepath.Join(dir, "players.db"), os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(random(98, 10_000), 8192)
	must(t, err)
	must(t, f.Close())
}

// reader runs reader.py; wrong is what it wrote to standard error.
func (f *fixture) reader(t *testing.T, args ...string) (out []byte, wrong string, err error) {
	t.Helper()
	args = append([]string{"reader.py", "--format-version", strconv.Itoa(seal.Version), "--repo", f.dir, "--identity", f.identity}, args...)
	cmd := exec.CommandContext(t.Context(), python, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.Bytes(), stderr.String(), err
}

func (f *fixture) must(t *testing.T, args ...string) []byte {
	t.Helper()
	out, wrong, err := f.reader(t, args...)
	if err != nil {
		t.Fatalf("reader.py %q: %v\n%s", args, err, wrong)
	}
	return out
}

// A line is what `reader.py ls` says of an entry.
type line struct {
	Path, Type, Target, SHA256  string
	Mode, UID, GID, Size, MTime int64
	Chunks, Holes               int
	Link                        []uint64
	Device                      []uint64
	XAttrs                      [][2]string
}

func lines[T any](t *testing.T, out []byte) []T {
	t.Helper()
	var all []T
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		var v T
		must(t, json.Unmarshal(s.Bytes(), &v))
		all = append(all, v)
	}
	return all
}

func TestReaderReadsARepository(t *testing.T) {
	needTools(t)
	f := makeRepo(t, makeTree)
	f.must(t, "verify")
	checkSnapshots(t, f)

	got := make(map[string]line)
	var nodes, holes int
	last := f.snapshots[1].Snapshot
	for _, l := range lines[line](t, f.must(t, "ls", "--sum", last.Name)) {
		path, err := hex.DecodeString(l.Path)
		must(t, err)
		if _, twice := got[string(path)]; twice {
			t.Errorf("%q is there twice", path)
		}
		got[string(path)] = l
		holes += l.Holes
		if l.Chunks > 300 {
			nodes++
		}
	}
	if holes < 5 || nodes < 1 {
		t.Errorf("%d holes, %d long lists: the tree does not test much", holes, nodes)
	}
	for _, root := range []string{f.source, filepath.Join(filepath.Dir(f.source), "single")} {
		must(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			must(t, err)
			compare(t, path, got[path])
			delete(got, path)
			return nil
		}))
	}
	for path := range got {
		t.Errorf("%q was not in the source", path)
	}
	for _, name := range []string{"players.db", "sparse", "odd/new\nline", "odd/\xff\xfe not UTF-8 \x80", "nothing"} {
		path := filepath.Join(f.source, name)
		want, err := os.ReadFile(path)
		must(t, err)
		if got := f.must(t, "cat", last.ID(), path); !bytes.Equal(got, want) {
			t.Errorf("cat %q: %d bytes, not the %d of the source", name, len(got), len(want))
		}
	}
}

func checkSnapshots(t *testing.T, f *fixture) {
	t.Helper()
	type snapshot struct {
		Name, Source        string
		Seq                 uint64
		Window              []int64
		Files, Completeness uint64
		Late                bool
		Roots               []string
	}
	got := make(map[string]snapshot)
	for _, s := range lines[snapshot](t, f.must(t, "snapshots")) {
		got[s.Name] = s
	}
	if len(got) != len(f.snapshots) {
		t.Errorf("%d snapshots, want %d", len(got), len(f.snapshots))
	}
	for i, res := range f.snapshots {
		s := got[res.Snapshot.Name]
		if s.Seq != uint64(i)+1 || s.Source != "world@höst" || s.Late || s.Completeness != 1 || s.Files != uint64(res.Snapshot.Stats.Files) || len(s.Roots) != 2 {
			t.Errorf("snapshot %d: %+v", i, s)
		}
		if len(s.Window) != 2 || s.Window[0] != res.Snapshot.Start().UnixNano() || s.Window[1] != res.Snapshot.End().UnixNano() {
			t.Errorf("snapshot %d: window %v, not %v to %v", i, s.Window, res.Snapshot.Start(), res.Snapshot.End())
		}
	}
}

// compare holds what the reader says of a path against the source.
func compare(t *testing.T, path string, l line) {
	t.Helper()
	info, err := os.Lstat(path)
	must(t, err)
	st := info.Sys().(*syscall.Stat_t)
	want := line{Path: hex.EncodeToString([]byte(path)), Mode: int64(st.Mode & 0o7777), UID: int64(st.Uid), GID: int64(st.Gid), MTime: info.ModTime().UnixNano()}
	// How a file was cut is the writer's affair.
	want.Chunks, want.Holes, want.XAttrs, want.Link = l.Chunks, l.Holes, l.XAttrs, l.Link
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		want.Type = "directory"
	case syscall.S_IFIFO:
		want.Type = "fifo"
	case syscall.S_IFLNK:
		want.Type = "symlink"
		target, err := os.Readlink(path)
		must(t, err)
		want.Target = hex.EncodeToString([]byte(target))
	default:
		want.Type, want.Size = "file", st.Size
		data, err := os.ReadFile(path)
		must(t, err)
		sum := sha256.Sum256(data)
		want.SHA256 = hex.EncodeToString(sum[:])
	}
	if fmt.Sprint(want) != fmt.Sprint(l) {
		t.Errorf("%q:\nreader: %+v\nsource: %+v", path, l, want)
	}
	linked := st.Nlink > 1 && !info.IsDir()
	if linked != (len(l.Link) == 2) || linked && l.Link[1] != st.Ino {
		t.Errorf("%q: link identity %v, the inode is %d with %d links", path, l.Link, st.Ino, st.Nlink)
	}
	note := make([]byte, 10)
	if n, err := syscall.Getxattr(path, "user.note", note); err == nil && fmt.Sprint(l.XAttrs) != fmt.Sprint([][2]string{{hex.EncodeToString([]byte("user.note")), hex.EncodeToString(note[:n])}}) {
		t.Errorf("%q: extended attributes %v", path, l.XAttrs)
	}
}

func TestReaderNamesWhatIsDamaged(t *testing.T) {
	needTools(t)
	if testing.Short() {
		t.Skip("runs the reader many times")
	}
	f := makeRepo(t, makeSmallTree)
	for _, pattern := range []string{"data/*/*", "meta/*/*", "index/*/data/*", "index/*/meta/*", "snapshots/*/*", "leases/*/0", "reports/*", "config", "keys/*"} {
		t.Run(pattern, func(t *testing.T) {
			found, err := filepath.Glob(filepath.Join(f.dir, pattern))
			must(t, err)
			if len(found) == 0 {
				t.Fatal("no such object")
			}
			// Of two of them one was superseded or reaches less.
			for _, path := range found {
				f.damage(t, path)
			}
		})
	}
	f.must(t, "verify")
}

// An object that stands under another one's name opens for nobody.
func TestReaderBindsObjectsToNames(t *testing.T) {
	needTools(t)
	f := makeRepo(t, makeSmallTree)
	for _, c := range []struct{ pattern, want string }{
		{"data/*/*", "another BLAKE3"},
		{"snapshots/*/*", "does not authenticate"},
		{"index/*/meta/*", "does not authenticate"},
		{"reports/*", "does not authenticate"},
		{"leases/*/0", "does not authenticate"},
	} {
		found, err := filepath.Glob(filepath.Join(f.dir, c.pattern))
		must(t, err)
		if len(found) == 0 {
			t.Fatalf("no object is called %s", c.pattern)
		}
		// The last digit, or for a lease the number.
		other := found[0][:len(found[0])-1] + "1"
		if other == found[0] {
			other = found[0][:len(found[0])-1] + "2"
		}
		data, err := os.ReadFile(found[0])
		must(t, err)
		before, err := os.ReadFile(other)
		if err != nil {
			before = nil
		}
		must(t, os.WriteFile(other, data, 0o600))
		name, err := filepath.Rel(f.dir, other)
		must(t, err)
		if _, wrong, err := f.reader(t, "verify"); err == nil || !strings.Contains(wrong, name) || !strings.Contains(wrong, c.want) {
			t.Errorf("%s as %s: %v\n%s", found[0], name, err, wrong)
		}
		must(t, os.Remove(other))
		if before != nil {
			must(t, os.WriteFile(other, before, 0o600))
		}
	}
	f.must(t, "verify")
}

func TestReaderRefusesANewerConfig(t *testing.T) {
	needTools(t)
	f := makeRepo(t, makeSmallTree)
	path := filepath.Join(f.dir, "config")
	whole, err := os.ReadFile(path)
	must(t, err)
	n := 4 + binary.BigEndian.Uint32(whole)
	head := slices.Clone(whole[4:n])
	if head[0] != 0xa3 {
		t.Fatalf("the head is no map of three: %x", head)
	}
	changed := func(change func(head []byte) []byte) []byte {
		h := change(slices.Clone(head))
		return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(h))), h, whole[n:])
	}
	for _, c := range []struct {
		what, want string
		head       func(h []byte) []byte
	}{
		{"critical key", "newer program", func(h []byte) []byte { h[0]++; return append(h, 7, 1) }},
		{"feature to refuse", "features", func(h []byte) []byte { h[0]++; return append(h, 6, 0x81, 0x61, 'x') }},
		{"feature to ignore", "not the bytes that the key slot holds", func(h []byte) []byte { h[0]++; return append(h, 4, 0x81, 0x61, 'x') }},
		{"later version", "format version 2", func(h []byte) []byte {
			at := bytes.IndexByte(h, 0x03) - 1
			h[at] = 2
			return h
		}},
	} {
		must(t, os.WriteFile(path, changed(c.head), 0o600))
		if _, wrong, err := f.reader(t, "snapshots"); err == nil || !strings.Contains(wrong, "config: ") || !strings.Contains(wrong, c.want) {
			t.Errorf("%s: %v\n%s", c.what, err, wrong)
		}
	}
	must(t, os.WriteFile(path, whole, 0o600))
	f.must(t, "snapshots")
}

func TestReaderRecomputesTheVectors(t *testing.T) {
	needTools(t)
	const vectors = "../../testdata/format/vectors.json"
	out, err := exec.CommandContext(t.Context(), python, "reader.py", "--format-version", strconv.Itoa(seal.Version), "vectors", vectors).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// damage flips single bits of an object; each time the reader must name it.
func (f *fixture) damage(t *testing.T, path string) {
	t.Helper()
	name, err := filepath.Rel(f.dir, path)
	must(t, err)
	whole, err := os.ReadFile(path)
	must(t, err)
	for _, at := range []int{9, len(whole) / 2, len(whole) - 1} {
		broken := bytes.Clone(whole)
		broken[at] ^= 1
		must(t, os.WriteFile(path, broken, 0o600))
		_, wrong, err := f.reader(t, "verify")
		if err == nil || !strings.Contains(wrong, name) || strings.Contains(wrong, "Traceback") {
			t.Errorf("%s, byte %d flipped: %v\n%s", name, at, err, wrong)
		}
	}
	must(t, os.WriteFile(path, whole, 0o600))
}
