package drill_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/verify"
)

// TestLoss changes a source in every way after its backup, and drills on its own host.
func TestLoss(t *testing.T) {
	w := newWorld(t)
	for i := range 40 {
		w.file(fmt.Sprintf("players/old-%d", i), fmt.Append(nil, "player", i))
	}
	w.file("log", noise(3, 1<<20))
	w.file("players/gone", []byte("x"))
	w.file("becomes-folder", []byte("x"))
	w.backup("spare")

	w.file("players/1", []byte("a PLAYER"))                    // 8 bytes that differ
	w.file("log", append(noise(3, 1<<20), "one line more"...)) // 13 bytes
	w.file("new/below/deep", noise(4, 1000))                   // 1000 bytes
	if err := os.Remove(filepath.Join(w.source, "players/gone")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(w.source, "becomes-folder")); err != nil {
		t.Fatal(err)
	}
	w.file("becomes-folder/f", []byte("12345"))
	if err := os.Symlink("nowhere", filepath.Join(w.source, "link")); err != nil {
		t.Fatal(err)
	}
	o := w.options()
	o.Dataset, o.Host, o.AgainstSource = "world", "spare", true
	o.Select = selectSource("spare")
	d, err := w.run(o, verify.Restored, 0)
	if err != nil || d.Loss == nil {
		t.Fatal(err, d)
	}
	l := d.Loss
	if l.Files != 4 || l.New != 2 || l.Changed != 2 || l.Bytes != 8+13+1000+5 || l.Same != 41 || l.Gone != 1 || l.Others != 1 || l.Unreadable != 0 || l.DamagedCount != 0 {
		t.Errorf("%+v", *l)
	}
	var listed []string
	for _, f := range l.Listed {
		listed = append(listed, strings.TrimPrefix(f.Path, w.source+"/")+" "+fmt.Sprint(f.Bytes))
	}
	if got := strings.Join(listed, ", "); got != "becomes-folder/f 5, log 13, new/below/deep 1000, players/1 8" {
		t.Errorf("listed %s", got)
	}
	if _, stored := w.report(); stored.Loss == nil || stored.Loss.Bytes != l.Bytes {
		t.Errorf("reported %+v", stored.Loss)
	}

	// A source that is gone altogether is no loss of a restore; and on another host nothing is compared.
	if err := os.RemoveAll(w.source); err != nil {
		t.Fatal(err)
	}
	if d, _ := w.run(o, verify.Restored, 0); d.Loss.Files != 0 || d.Loss.Gone != 1 {
		t.Errorf("%+v", *d.Loss)
	}
	o = w.options()
	o.AgainstSource, o.Select = true, selectSource("world-1")
	if _, err := w.run(o, verify.CouldNotRun, 1); err == nil || !strings.Contains(err.Error(), "this host is spare, the source is on world-1") {
		t.Errorf("%v", err)
	}
}
