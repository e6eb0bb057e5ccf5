package corpus_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/internal/corpus"
	"savepoint/internal/needtest"
)

// small keeps the tests quick; everything unusual is in it.
func small(seed uint64) corpus.TreeOptions {
	return corpus.TreeOptions{Seed: seed, Files: 60, MaxSize: 64 << 10, Boundaries: []int64{1, 4096}, Depth: 12}
}

func tree(t testing.TB, o corpus.TreeOptions) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	if err := corpus.Tree(dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

func compare(t testing.TB, a, b string) []string {
	t.Helper()
	diff, err := corpus.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	return diff
}

func TestTreeIsDeterministic(t *testing.T) {
	a, b := tree(t, small(7)), tree(t, small(7))
	if diff := compare(t, a, b); len(diff) != 0 {
		t.Errorf("one seed, two trees:\n%s", strings.Join(diff, "\n"))
	}
	if diff := compare(t, a, tree(t, small(8))); len(diff) == 0 {
		t.Error("two seeds, one tree")
	}
	for _, dir := range []string{a, b} {
		if err := corpus.Mutate(dir, small(9)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := compare(t, a, b); len(diff) != 0 {
		t.Errorf("one seed, two changes:\n%s", strings.Join(diff, "\n"))
	}
	if diff := compare(t, tree(t, small(7)), a); len(diff) < 14 {
		t.Errorf("Mutate made %d differences:\n%s", len(diff), strings.Join(diff, "\n"))
	}
}

// TestTreeHolds counts what a tree promises to hold.
func TestTreeHolds(t *testing.T) {
	dir := tree(t, small(1))
	seen := make(map[string]int)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		seen[d.Type().String()]++
		count := func(what string, is bool) {
			if is {
				seen[what]++
			}
		}
		regular := d.Type().IsRegular()
		count("newline", strings.Contains(d.Name(), "\n"))
		count("255 bytes", len(d.Name()) == 255)
		count("empty", regular && st.Size == 0)
		count("linked", regular && st.Nlink > 1)
		count("sparse", regular && st.Blocks*512+1<<20 < st.Size)
		count("setuid", st.Mode&unix.S_ISUID != 0)
		count("sticky", st.Mode&unix.S_ISVTX != 0)
		count("before 1970", st.Mtim.Sec < 0)
		count("nanoseconds", st.Mtim.Nsec%1000 != 0)
		if os.Geteuid() == 0 {
			count("no permission", st.Mode&0o7777 == 0)
			count("foreign owner", st.Uid != 0)
		}
		n, err := unix.Llistxattr(path, nil)
		count("attributes", err == nil && n > 0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"newline", "255 bytes", "empty", "linked", "sparse", "setuid", "sticky", "before 1970", "nanoseconds",
		"----------", "d---------", "L---------", "p---------"}
	if os.Geteuid() == 0 {
		want = append(want, "no permission", "foreign owner")
	}
	for _, what := range want {
		if seen[what] == 0 {
			t.Errorf("no %s in the tree", what)
		}
	}
	t.Logf("%v", seen)
}

func TestTreeSkips(t *testing.T) {
	o := small(1)
	o.Skip = ^corpus.Kind(0)
	dir := tree(t, o)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !d.Type().IsRegular() {
			t.Errorf("%s is a %s", path, d.Type())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCompareAgreesWithRsync holds Compare to a judge that we did not write:
// where it sees no difference rsync sees none, and where one is made both do.
func TestCompareAgreesWithRsync(t *testing.T) {
	if _, err := exec.LookPath("rsync"); err != nil {
		needtest.Without(t, "rsync", "rsync is missing")
	}
	o := small(3)
	o.Skip = corpus.Devices
	a := tree(t, o)
	b := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("rsync", "-aHAXS", a+"/", b).CombinedOutput(); err != nil {
		t.Fatalf("rsync: %v\n%s", err, out)
	}
	for _, d := range compare(t, a, b) {
		// It makes holes of zeros.
		if !strings.Contains(d, "holes differ") {
			t.Errorf("after rsync: %s", d)
		}
	}
	if err := corpus.Mutate(b, o); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("rsync", "-aHAXn", "--checksum", "--delete", "-i", a+"/", b).Output()
	if err != nil {
		t.Fatal(err)
	}
	changed := make(map[string]bool)
	for _, d := range compare(t, a, b) {
		changed[d] = true
	}
	if lines := bytes.Count(out, []byte("\n")); lines == 0 || len(changed) == 0 {
		t.Errorf("rsync sees %d differences, Compare %d", lines, len(changed))
	}
}

func TestLongPath(t *testing.T) {
	o := corpus.TreeOptions{Seed: 1, Files: 3, Depth: 2, Boundaries: []int64{1}, LongPath: true, Skip: ^corpus.Kind(0)}
	a, b := tree(t, o), tree(t, o)
	if diff := compare(t, a, b); len(diff) != 0 {
		t.Fatalf("%d differences, the first: %s", len(diff), diff[0])
	}
	// A Root goes step by step, so it reaches what a path cannot.
	root, err := os.OpenRoot(b)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	file := strings.Repeat(strings.Repeat("p", 255)+"/", unix.PathMax/255+2) + "file"
	f, err := root.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	diff := compare(t, a, b)
	if len(diff) == 0 || !strings.Contains(diff[0], file) {
		t.Errorf("a change at the end of a long path is not seen: %q", diff)
	}
}
