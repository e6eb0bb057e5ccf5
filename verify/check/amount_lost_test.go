package check_test

import (
	"testing"

	"savepoint/repo/storage/mem"
	"savepoint/verify"
)

// TestAllLost has no tree that can be read: each snapshot loses as much as its manifest says that it has.
func TestAllLost(t *testing.T) {
	w := newWorld(t)
	for _, name := range names(w.st, "meta/") {
		remove(t, w.st, name)
	}
	d := verified(t, w.st, wholly)
	sum := uint64(0)
	for _, s := range w.snaps {
		h := hitOf(t, d, s.ID())
		if !h.All || h.AtLeast || h.FileCount != s.Stats.Files || h.FileCount < 95 || h.Bytes == nil || *h.Bytes != s.Stats.FileBytes {
			t.Errorf("%+v, want %d files, %d bytes", h, s.Stats.Files, s.Stats.FileBytes)
		}
		sum += s.Stats.Files
	}
	if d.FilesHit != sum+3 || d.HitAtLeast || d.HitCount != 4 {
		t.Errorf("%d files of %d snapshots are hit, want %d", d.FilesHit, d.HitCount, sum+3)
	}
	found := uint64(0)
	for _, f := range d.Findings {
		if f.AtLeast {
			t.Errorf("%+v", f)
		}
		found = max(found, f.Files)
	}
	if found < w.snaps[0].Stats.Files {
		t.Errorf("no finding needs more than %d files: %+v", found, d.Findings)
	}
	w.st.Replace(w.snaps[0].Name, []byte("nothing"))
	if d := verified(t, w.st, wholly); !d.HitAtLeast || !hitOf(t, d, w.snaps[0].ID()).All || hitOf(t, d, w.snaps[0].ID()).Bytes != nil {
		t.Errorf("a manifest is lost, and with it how many files it had: %+v", d.Hit)
	}
}

// TestFolderLost has the pages of one folder lost, of which nobody knows how many files are beneath.
func TestFolderLost(t *testing.T) {
	st := mem.New(nil)
	initRepo(t, st)
	s := newSource(t, "game")
	s.put(t, 700, "gone/a/1", "gone/a/2", "gone/b/3")
	first := s.backup(t, st)
	old := names(st, "meta/")
	s.put(t, 700, "kept/4", "kept/5")
	newest := s.backup(t, st)
	for _, name := range old { // the root was written anew
		remove(t, st, name)
	}
	d := verified(t, st, wholly)
	if h := hitOf(t, d, first.ID()); !h.All || h.AtLeast || h.FileCount != 3 || h.Bytes == nil {
		t.Errorf("the first: %+v", h)
	}
	if h := hitOf(t, d, newest.ID()); h.All || !h.AtLeast || h.FileCount == 0 || h.FileCount > 3 || h.Bytes != nil {
		t.Errorf("the newest: %+v", h)
	}
	if !d.HitAtLeast || len(d.Findings) == 0 || !d.Findings[0].AtLeast {
		t.Errorf("%+v", d.Findings)
	}
}

func hitOf(t *testing.T, d *verify.CheckDocument, id string) verify.Hit {
	t.Helper()
	for _, h := range d.Hit {
		if h.Snapshot == id {
			return h
		}
	}
	t.Fatalf("snapshot %s is not hit: %+v", id, d.Hit)
	return verify.Hit{}
}
