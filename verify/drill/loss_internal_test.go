package drill

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/chunk"
	"savepoint/repo/source"
	"savepoint/repo/tree"
	"savepoint/verify"
)

// TestSilent has a file with other bytes than its entry. Only when nothing can have changed it since is that damage.
func TestSilent(t *testing.T) {
	dir := t.TempDir()
	is := []byte("what is there now")
	if err := os.WriteFile(filepath.Join(dir, "f"), is, 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := source.Options{}.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	m, err := root.Dir.Stat("f")
	if err != nil {
		t.Fatal(err)
	}
	key := chunk.NewKey([32]byte{1})
	entry := func(data string, change func(*tree.Entry)) *tree.Entry {
		e := &tree.Entry{Name: "f", Type: tree.File, Mode: m.Mode, UID: m.UID, GID: m.GID, Size: uint64(len(data)), MTime: m.MTime, CTime: m.CTime, Inode: m.Inode,
			Content: []tree.Element{{ID: key.Sum([]byte(data)), Length: uint64(len(data))}}}
		if change != nil {
			change(e)
		}
		return e
	}
	later := time.Unix(0, m.CTime).Add(time.Hour)
	const other = "what was there OLD"
	for _, tt := range []struct {
		name  string
		e     *tree.Entry
		since time.Time
		trust bool
		want  string
	}{
		{"the same", entry(string(is), nil), later, true, "same"},
		{"silently another", entry(other[:len(is)], nil), later, true, "damage"},
		{"a file system whose times say nothing", entry(other[:len(is)], nil), later, false, "changed"},
		{"made just before the backup", entry(other[:len(is)], nil), time.Unix(0, m.CTime).Add(time.Second), true, "changed"},
		{"the clock was set back", entry(other[:len(is)], nil), time.Time{}, true, "changed"},
		{"another ctime", entry(other[:len(is)], func(e *tree.Entry) { e.CTime-- }), later, true, "changed"},
		{"another inode", entry(other[:len(is)], func(e *tree.Entry) { e.Inode++ }), later, true, "changed"},
		{"rewritten in place", entry(other[:len(is)], func(e *tree.Entry) { e.Splitter = 8192 }), later, true, "changed"},
		{"torn when it was read", entry(other[:len(is)], func(e *tree.Entry) { e.Fault = tree.FaultTorn }), later, true, "changed"},
		{"longer in the snapshot", entry(string(is)+"more", func(e *tree.Entry) { e.CTime-- }), later, true, "changed"},
	} {
		l := &losses{key: key, since: tt.since}
		f, err := root.Dir.OpenFile("f", m)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.file(t.Context(), "/f", tt.e, f, tt.trust); err != nil {
			t.Fatal(err)
		}
		got := map[bool]string{l.loss.Same == 1: "same", l.loss.Changed == 1 && l.loss.Files == 1: "changed", l.loss.DamagedCount == 1: "damage"}[true]
		if got != tt.want || l.loss.Same+l.loss.Changed+l.loss.DamagedCount != 1 {
			t.Errorf("%s: %s, %+v; want %s", tt.name, got, l.loss, tt.want)
		}
	}
}

// TestLossListIsFair lists some of each kind, however many there are of another, and the first of each.
func TestLossListIsFair(t *testing.T) {
	l := &losses{}
	for i := range 3 * verify.MaxListed {
		l.lost(verify.LossNew, fmt.Sprintf("/a/%05d", i), 1, "is new")
	}
	for i := range 150 {
		l.lost(verify.LossChanged, fmt.Sprintf("/b/%05d", i), 2, "has changed")
	}
	l.lost(verify.LossDamaged, "/c", 3, "its list of chunks is damaged")
	l.unreadable("/d", fs.ErrPermission)
	got := l.fairly()
	n := map[verify.LossKind]int{}
	for _, f := range got {
		n[f.Kind]++
	}
	want := map[verify.LossKind]int{verify.LossNew: verify.MaxListed - 152, verify.LossChanged: 150, verify.LossDamaged: 1, verify.LossUnreadable: 1}
	if !maps.Equal(n, want) {
		t.Errorf("%v", n)
	}
	if !slices.IsSortedFunc(got, func(a, b verify.LostFile) int { return strings.Compare(a.Path, b.Path) }) || got[0].Path != "/a/00000" {
		t.Error("not the first, in order of path")
	}
	if x := l.loss; x.Files != 3*verify.MaxListed+151 || x.New != 3*verify.MaxListed || x.NewBytes != x.New || x.Changed != 150 || x.ChangedBytes != 300 || x.Bytes != x.New+303 {
		t.Errorf("%+v", x)
	}
}
