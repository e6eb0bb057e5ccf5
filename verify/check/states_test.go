package check_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/check"
)

// ringOf opens the passphrase's key slot as a program without package repo would.
func ringOf(t testing.TB, st *mem.Store) *seal.Ring {
	t.Helper()
	id, err := seal.PassphraseIdentity(password)
	if err != nil {
		t.Fatal(err)
	}
	slot, err := seal.OpenSlot(object(t, st, names(st, "keys/passphrase")[0]), id)
	if err != nil {
		t.Fatal(err)
	}
	key, err := slot.Primary()
	if err != nil {
		t.Fatal(err)
	}
	return seal.NewRing(slot.Repo, key)
}

// forge puts an object that the repository's keys sealed.
func forge(t testing.TB, st *mem.Store, kind seal.Kind, name string, payload []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b, err := ringOf(t, st).Seal(kind, name, payload, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Put(context.WithoutCancel(t.Context()), name, strings.NewReader(string(b)), int64(len(b)), storage.PutOptions{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	return name
}

// newName returns what no other object is called.
func newName() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func condemn(t testing.TB, st *mem.Store, packs ...string) string {
	t.Helper()
	var c record.Condemned
	for _, name := range packs {
		c.Packs = append(c.Packs, refOf(t, name))
	}
	b, err := c.Encode()
	return forge(t, st, seal.Condemned, "condemned/"+newName(), b, err)
}

func putMark(t testing.TB, st *mem.Store, m record.Mark) string {
	t.Helper()
	b, err := m.Encode()
	return forge(t, st, seal.Mark, "marks/"+newName(), b, err)
}

func refOf(t testing.TB, name string) record.PackRef {
	t.Helper()
	id, err := pack.ParseID(name[strings.LastIndexByte(name, '/')+1:])
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(name, "meta/") {
		return record.PackRef{Kind: pack.Meta, ID: id}
	}
	return record.PackRef{Kind: pack.Data, ID: id}
}

// holdCodes compares the codes and harms of all findings.
func holdCodes(t *testing.T, d *verify.CheckDocument, exit int, want ...string) {
	t.Helper()
	var got []string
	for _, f := range d.Findings {
		got = append(got, string(f.Code)+" "+string(f.Harm))
	}
	if !slices.Equal(got, want) || d.ExitCode != exit {
		t.Errorf("exit %d, findings %q, want %d, %q\n%+v", d.ExitCode, got, exit, want, d.Findings)
	}
}

// TestHeal has backups store again what a damaged pack held: then every snapshot restores, and verification says so.
func TestHeal(t *testing.T) {
	w := newWorld(t)
	for _, prefix := range []string{"data/", "meta/"} {
		for _, name := range names(w.st, prefix) {
			w.st.Replace(name, flip(object(t, w.st, name), 70))
		}
	}
	before := w.st.Clone()
	d := verified(t, w.st, wholly)
	if d.ExitCode != 4 || len(d.Marked) != 8 || len(names(w.st, "marks/")) != 1 {
		t.Fatalf("exit %d, marked %q", d.ExitCode, d.Marked)
	}
	sameHits(t, before, d)
	again := verified(t, w.st, check.Options{})
	if again.ExitCode != 4 || len(again.Marked) != 0 {
		t.Errorf("a second time: exit %d, marked %q", again.ExitCode, again.Marked)
	}
	w.users.backup(t, w.st)
	w.game.backup(t, w.st)
	d = verified(t, w.st, check.Options{})
	for _, h := range d.Hit { // what the game had in between is lost
		if !strings.HasPrefix(h.Dataset, "game") {
			t.Errorf("hit %+v", h)
		}
	}
	sameHits(t, w.st, d)
	for _, s := range w.snaps { // they are forgotten
		remove(t, w.st, s.Name)
		putMark(t, w.st, record.Mark{Kind: record.Tombstone, Objects: []string{s.Name}})
	}
	d = verified(t, w.st, wholly)
	if d.ExitCode != 0 || d.FindingCnt != 8 || len(objectsOf(d, verify.Note)) != 8 || d.Findings[0].Code != check.CodePackMarked {
		t.Errorf("healed: exit %d, findings %+v", d.ExitCode, d.Findings)
	}
	if left := needed(t, w.st); len(left) > 0 {
		t.Errorf("a restore misses %v", left)
	}
}

func TestKeySlots(t *testing.T) {
	w := newWorld(t)
	name := names(w.st, "keys/machine")[0]
	whole := object(t, w.st, name)
	for how, b := range map[string][]byte{"no version": flip(whole, 3), "no recipient": flip(whole, 26), "cut": whole[:bytes.Index(whole, []byte("\n---"))+80],
		"of another kind": object(t, w.st, names(w.st, "keys/passphrase")[0]), "long": make([]byte, seal.MaxSlot+1)} {
		st := w.st.Clone()
		st.Replace(name, b)
		d := verified(t, st, check.Options{})
		if f := d.Findings; len(f) != 1 || f[0].Object != name || f[0].Code != check.CodeKeySlot || f[0].Harm != verify.Risk || d.ExitCode != 4 {
			t.Errorf("%s: %+v", how, f)
		}
	}
}

func TestCondemned(t *testing.T) {
	w := newWorld(t)
	packs := names(w.st, "data/")
	record := condemn(t, w.st, packs[0])
	d := verified(t, w.st, wholly)
	holdCodes(t, d, 0, "needs-condemned note")
	if d.Findings[0].Snapshots == 0 || d.Findings[0].Files == 0 {
		t.Errorf("finding %+v", d.Findings[0])
	}
	gone := w.st.Clone()
	remove(t, gone, packs[0])
	d = verified(t, gone, wholly)
	holdCodes(t, d, 4, "pack-missing loss")
	sameHits(t, gone, d)

	st := w.st.Clone()
	for _, s := range w.snaps {
		remove(t, st, s.Name)
		putMark(t, st, recordMark(s.Name))
	}
	for _, s := range names(st, "snapshots/") {
		remove(t, st, s)
		putMark(t, st, recordMark(s))
	}
	condemn(t, st, packs...)
	for _, p := range packs {
		remove(t, st, p)
	}
	healthy(t, verified(t, st, wholly))
	st = w.st.Clone()
	st.Replace(record, flip(object(t, st, record), 60))
	holdCodes(t, verified(t, st, wholly), 4, "condemned-damaged risk")
	mark := putMark(t, st, recordMark("snapshots/00000000/x"))
	st.Replace(mark, flip(object(t, st, mark), 60))
	holdCodes(t, verified(t, st, wholly), 4, "condemned-damaged risk", "mark-damaged risk")
}

func recordMark(name string) record.Mark {
	return record.Mark{Kind: record.Tombstone, Objects: []string{name}}
}

// TestLate has what came after its lease's time: it protects nothing, and nobody needs it.
func TestLate(t *testing.T) {
	w := newWorld(t)
	later := func(st *mem.Store, name string) {
		info, err := st.Stat(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		st.SetTime(name, info.Time.Add(2*time.Hour))
	}
	st := w.st.Clone()
	for _, name := range names(st, "index/00000000/data/") {
		later(st, name)
	}
	holdCodes(t, verified(t, st, check.Options{}), 4, "needs-void-index risk")

	st = w.st.Clone()
	last := w.snaps[2]
	later(st, last.Name)
	healthy(t, verified(t, st, check.Options{}))
	for _, name := range names(st, "data/") { // what only the late snapshot needs
		try := st.Clone()
		remove(t, try, name)
		if lost := needed(t, try); len(lost) == 1 && lost[last.ID()] != nil {
			holdCodes(t, verified(t, try, check.Options{}), 0, "pack-missing note")
			return
		}
	}
	t.Error("no pack is needed by the last snapshot alone")
}

// TestCopy has a repository that was copied by other means: it reads, and nothing may be marked.
func TestCopy(t *testing.T) {
	w := newWorld(t)
	for _, name := range w.st.Objects() {
		w.st.SetTime(name, time.Now().Add(5*time.Hour))
	}
	healthy(t, verified(t, w.st, check.Options{}))
	lost := names(w.st, "data/")[0]
	remove(t, w.st, lost)
	d := verified(t, w.st, check.Options{})
	holdCodes(t, d, 4, "pack-missing loss")
	if len(d.Marked) != 0 || !strings.Contains(d.NotMarked, "copy") || len(names(w.st, "marks/")) != 0 {
		t.Errorf("marked %q, %q", d.Marked, d.NotMarked)
	}
}

func TestReplica(t *testing.T) {
	w := newWorld(t)
	putMark(t, w.st, record.Mark{Kind: record.Replica})
	healthy(t, verified(t, w.st, check.Options{}))
	remove(t, w.st, names(w.st, "meta/")[0])
	d := verified(t, w.st, check.Options{})
	if d.ExitCode != 4 || len(d.Marked) != 0 || !strings.Contains(d.NotMarked, "replica") {
		t.Errorf("exit %d, marked %q, %q", d.ExitCode, d.Marked, d.NotMarked)
	}
}

// TestNotOurs has names that no program of this project gives.
func TestNotOurs(t *testing.T) {
	w := newWorld(t)
	id := strings.Repeat("ab", 32)
	want := []string{"README.txt", "data/" + id, "data/zz/x", "data/cd/" + id, "lost/found", "index/00000001/data/" + id[:32], "leases/x", "reports/x", "zoo", "condemned/y", "snapshots/a"}
	for _, name := range want {
		if err := w.st.Put(t.Context(), name, strings.NewReader("x"), 1, storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	d := verified(t, w.st, wholly)
	slices.Sort(want)
	if got := objectsOf(d, verify.Note); !slices.Equal(got, want) || d.ExitCode != 0 || len(d.Findings) != len(want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// TestFork has two machines with one chain of reports.
func TestFork(t *testing.T) {
	w := newWorld(t)
	caches := []string{t.TempDir(), t.TempDir()}
	run := func(cache string) *verify.CheckDocument {
		d, err := check.Run(t.Context(), openIn(t, w.st, cache), check.Options{Host: "checker"})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	healthy(t, run(caches[0]))
	if err := os.CopyFS(caches[1], os.DirFS(caches[0])); err != nil {
		t.Fatal(err)
	}
	healthy(t, run(caches[0]))
	healthy(t, run(caches[1])) // its report is the fork
	holdCodes(t, run(caches[0]), 0, "report-fork note")
}

// TestReportGone takes reports away from the middle and the end of a chain.
func TestReportGone(t *testing.T) {
	w := newWorld(t)
	cache := t.TempDir()
	for range 3 {
		if d, err := check.Run(t.Context(), openIn(t, w.st, cache), check.Options{Host: "checker"}); err != nil || d.FindingCnt != 0 {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	reps, err := open(t, w.st).Reports(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, rep := range reps {
		st := w.st.Clone()
		remove(t, st, rep.Name)
		d := verified(t, st, check.Options{})
		named := rep.Kind == record.BackupReport && rep.Dataset == "game" && rep.Seq < 3 || rep.Kind == record.VerifyReport && rep.Seq < 3
		if want := map[bool]int{true: 1}[named]; len(d.Findings) != want || d.ExitCode != 0 || len(d.Findings) > 0 && d.Findings[0].Code != check.CodeReportGone {
			t.Errorf("%s of %s, number %d: %+v", rep.Host, rep.Dataset, rep.Seq, d.Findings)
		}
		st = w.st.Clone()
		st.Replace(rep.Name, []byte("damaged")) // it is there, but nobody can tell what it was
		holdCodes(t, verified(t, st, check.Options{}), 4, "report-damaged risk")
	}
}

// TestShapes has holes, files of several nodes, a folder of many pages, and an interrupted snapshot.
func TestShapes(t *testing.T) {
	st := mem.New(nil)
	initRepo(t, st)
	r := open(t, st)
	var last *repo.Snapshot
	for round, completeness := range []tree.Completeness{tree.Complete, tree.Interrupted} {
		err := r.Write(t.Context(), "shapes", "host", func(ctx context.Context, s *repo.Session) error {
			m, err := shapes(ctx, r, s, fmt.Sprint(round))
			if err != nil {
				return err
			}
			m.Completeness = completeness
			last, err = s.Commit(ctx, m)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	d := verified(t, st, wholly)
	healthy(t, d)
	if d.Structure.Snapshots != 2 || d.Structure.Files < 800 || d.Structure.TreeChunks < 10 {
		t.Errorf("structure %+v", d.Structure)
	}
	for _, name := range append(names(st, "data/"), names(st, "meta/")...) {
		size := len(object(t, st, name))
		for _, at := range []int{60, size / 3, size / 2} {
			try := st.Clone()
			try.Replace(name, flip(object(t, st, name), at))
			d := verified(t, try.Clone(), wholly)
			if got := objectsOf(d, verify.Loss, verify.Risk); len(got) != 1 || got[0] != name {
				t.Errorf("%s at %d: found %q", name, at, got)
			}
			lost := needed(t, try)
			if len(lost) != int(d.HitCount) {
				t.Errorf("%s at %d: a restore misses something in %d snapshots, %d hit", name, at, len(lost), d.HitCount)
			}
		}
	}
	if last.Completeness != tree.Interrupted {
		t.Error("the last snapshot is not an interrupted one")
	}
}

// TestWrongCount has a snapshot that says of a page which others have too that it has more entries than it has.
func TestWrongCount(t *testing.T) {
	for _, wrong := range []int{0, 1, 2} {
		st := mem.New(nil)
		initRepo(t, st)
		r := open(t, st)
		var last *repo.Snapshot
		for round := range 3 {
			err := r.Write(t.Context(), "shapes", "host", func(ctx context.Context, s *repo.Session) error {
				data, meta := s.NewStream(repo.Data), s.NewStream(repo.Meta)
				dir := tree.NewDirBuilder(meta, r.Cutter())
				put, err := data.Put(ctx, []byte("content"))
				if err == nil {
					err = dir.Add(ctx, &tree.Entry{Name: "file", Type: tree.File, Size: 7, Content: []tree.Element{{ID: put.ID, Length: 7}}})
				}
				if err != nil {
					return err
				}
				content, err := dir.Finish(ctx)
				if err = errors.Join(err, data.Flush(ctx), meta.Flush(ctx)); err != nil {
					return err
				}
				if round == wrong {
					content[0].Length++
				}
				snap, err := s.Commit(ctx, &tree.Manifest{Mode: tree.Full, Completeness: tree.Complete,
					Roots: []tree.Root{{Path: "/srv", Entry: tree.Entry{Type: tree.Directory, Content: content}}}})
				if round == wrong {
					last = snap
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		d := verified(t, st, check.Options{})
		holdCodes(t, d, 4, "tree-damaged loss")
		if len(d.Hit) != 1 || d.Hit[0].Snapshot != last.ID() || d.Structure.TreeChunks != 1 {
			t.Errorf("snapshot %d is wrong, hit %+v", wrong, d.Hit)
		}
		for _, name := range names(st, "data/") { // what the page holds is missed in all that have it
			remove(t, st, name)
		}
		if d = verified(t, st, check.Options{}); d.HitCount != 3 {
			t.Errorf("snapshot %d is wrong, and the data is gone: hit %+v", wrong, d.Hit)
		}
	}
}

// shapes stores a folder of 400 files, one of them of 500 chunks and holes.
func shapes(ctx context.Context, r *repo.Repo, s *repo.Session, text string) (*tree.Manifest, error) {
	data, meta := s.NewStream(repo.Data), s.NewStream(repo.Meta)
	dir := tree.NewDirBuilder(meta, r.Cutter())
	file := func(name string, chunks int) error {
		list, size := tree.NewListBuilder(meta, r.Cutter()), uint64(0)
		for i := range chunks {
			b := fmt.Appendf(nil, "%s %s %d", text, name, i)
			if chunks > 1 && i%100 > 0 {
				b = fmt.Appendf(nil, "%s %d", name, i)
			}
			put, err := data.Put(ctx, b)
			if err == nil {
				err = list.Add(ctx, tree.Element{ID: put.ID, Length: uint64(len(b))})
			}
			if err == nil && i%50 == 7 {
				size += 4096
				err = list.Add(ctx, tree.Element{Hole: true, Length: 4096})
			}
			if err != nil {
				return err
			}
			size += uint64(len(b))
		}
		content, err := list.Finish(ctx)
		if err != nil {
			return err
		}
		return dir.Add(ctx, &tree.Entry{Name: name, Type: tree.File, Size: size, Mode: 0o644, Content: content})
	}
	for i := range 400 {
		if err := file(fmt.Sprintf("file-%03d", i), map[bool]int{true: 500, false: 1}[i == 77]); err != nil {
			return nil, err
		}
	}
	content, err := dir.Finish(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(data.Flush(ctx), meta.Flush(ctx)); err != nil {
		return nil, err
	}
	return &tree.Manifest{Mode: tree.Full, Completeness: tree.Complete,
		Roots: []tree.Root{{Path: filepath.Join("/srv", "shapes"), Entry: tree.Entry{Type: tree.Directory, Mode: 0o755, Content: content}}}}, nil
}
