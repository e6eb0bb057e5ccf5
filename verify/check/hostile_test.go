package check_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/check"
)

// What follows is made with the repository's own keys, by somebody who wants verification to fail, to hang or to be wrong.

// forger puts trees together as no backup does.
type forger struct {
	t          *testing.T
	ctx        context.Context
	data, meta *repo.Stream
}

// published publishes a snapshot whose root has the content that make returns.
func published(t *testing.T, st *mem.Store, make func(f *forger) []tree.Element) *repo.Snapshot {
	t.Helper()
	r := open(t, st)
	var last *repo.Snapshot
	err := r.Write(t.Context(), "forged", "host", func(ctx context.Context, s *repo.Session) error {
		f := &forger{t, ctx, s.NewStream(repo.Data), s.NewStream(repo.Meta)}
		content := make(f)
		if err := errors.Join(f.data.Flush(ctx), f.meta.Flush(ctx)); err != nil {
			return err
		}
		var err error
		last, err = s.Commit(ctx, &tree.Manifest{Mode: tree.Full, Completeness: tree.Complete,
			Roots: []tree.Root{{Path: "/srv", Entry: tree.Entry{Type: tree.Directory, Mode: 0o755, Content: content}}}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

func (f *forger) chunk(text string) tree.Element {
	put, err := f.data.Put(f.ctx, []byte(text))
	if err != nil {
		f.t.Fatal(err)
	}
	return tree.Element{ID: put.ID, Length: uint64(len(text))}
}

func (f *forger) put(b []byte, err error) chunk.ID {
	if err != nil {
		f.t.Fatal(err)
	}
	id, err := f.meta.PutTree(f.ctx, b)
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

func (f *forger) page(entries ...tree.Entry) tree.Element {
	return tree.Element{ID: f.put(tree.EncodePage(&tree.Page{Entries: entries})), Length: uint64(len(entries)), First: entries[0].Name}
}

// node returns a node of elements, of a file.
func (f *forger) node(els ...tree.Element) tree.Element {
	el := tree.Element{ID: f.put(tree.EncodeNode(&tree.Node{Kind: tree.File, Elements: els}))}
	for _, e := range els {
		el.Length += e.Length
		el.Count += max(e.Count, 1)
	}
	return el
}

func fileOf(name string, els ...tree.Element) tree.Entry {
	e := tree.Entry{Name: name, Type: tree.File, Mode: 0o644, Content: els}
	for _, el := range els {
		e.Size += el.Length
	}
	return e
}

func dirOf(name string, els ...tree.Element) tree.Entry {
	return tree.Entry{Name: name, Type: tree.Directory, Mode: 0o755, Content: els}
}

func emptyRepo(t *testing.T) *mem.Store {
	st := mem.New(nil)
	initRepo(t, st)
	return st
}

// TestOtherLength has a file that says of a chunk that it is longer than it is, or shorter: a restore loses it.
func TestOtherLength(t *testing.T) {
	for _, by := range []int{1, -1, 1000} {
		st := emptyRepo(t)
		published(t, st, func(f *forger) []tree.Element {
			el := f.chunk("what is eleven words long is longer than it says")
			el.Length = uint64(int(el.Length) + by)
			return []tree.Element{f.page(fileOf("a", f.chunk("whole")), fileOf("b", el), fileOf("c", f.chunk("whole too")))}
		})
		before := st.Clone()
		d := verified(t, st, check.Options{})
		holdCodes(t, d, 4, "tree-damaged loss")
		if len(d.Hit) != 1 || !slices.Equal(d.Hit[0].Paths, []string{"/srv/b"}) {
			t.Errorf("hit %+v", d.Hit)
		}
		sameHits(t, before, d)
	}
}

// TestTwoDepths has a node that is reached at a depth that is allowed, and at one that is not.
func TestTwoDepths(t *testing.T) {
	for _, first := range []bool{true, false} {
		st := emptyRepo(t)
		published(t, st, func(f *forger) []tree.Element {
			node := f.node(f.chunk("one"), f.chunk("two"))
			deep := node
			for range tree.MaxDepth {
				deep = f.node(deep)
			}
			names := map[bool][2]string{true: {"a", "b"}, false: {"b", "a"}}[first]
			entries := []tree.Entry{fileOf(names[0], node), fileOf(names[1], deep)}
			slices.SortFunc(entries, func(a, b tree.Entry) int { return strings.Compare(a.Name, b.Name) })
			return []tree.Element{f.page(entries...)}
		})
		before := st.Clone()
		d := verified(t, st, check.Options{})
		holdCodes(t, d, 4, "tree-damaged loss")
		sameHits(t, before, d)
	}
}

// TestTwoKinds has a page that is a folder's at one place, and a node of a file at another.
func TestTwoKinds(t *testing.T) {
	st := emptyRepo(t)
	published(t, st, func(f *forger) []tree.Element {
		page := f.page(fileOf("x", f.chunk("x")))
		return []tree.Element{f.page(dirOf("dir", page), fileOf("file", tree.Element{ID: page.ID, Length: 1, Count: 1}))}
	})
	before := st.Clone()
	d := verified(t, st, check.Options{})
	holdCodes(t, d, 4, "tree-damaged loss")
	sameHits(t, before, d)
}

// TestBomb has folders that lie in each other 60 deep, eight of the same in each: 8^60 files, of which each loses something. Another snapshot
// says of a folder that it has 2^63-1 entries.
func TestBomb(t *testing.T) {
	st := emptyRepo(t)
	published(t, st, func(f *forger) []tree.Element {
		el := f.page(fileOf("file", f.chunk("what all of them have")))
		for range 60 {
			var entries []tree.Entry
			for i := range 8 {
				entries = append(entries, dirOf(fmt.Sprint("dir-", i), el))
			}
			el = f.page(entries...)
		}
		return []tree.Element{el}
	})
	published(t, st, func(f *forger) []tree.Element {
		el := f.page(fileOf("file", f.chunk("another")))
		el.Length = math.MaxInt64
		return []tree.Element{f.page(dirOf("a", el), dirOf("b", el), dirOf("c", el))}
	})
	for _, name := range names(st, "data/") {
		remove(t, st, name)
	}
	began := time.Now()
	d := verified(t, st, check.Options{})
	if d.ExitCode != 4 || d.HitCount != 2 || d.FilesHit != math.MaxInt64 || time.Since(began) > 20*time.Second {
		t.Errorf("%s, %+v", time.Since(began), d)
	}
	for _, h := range d.Hit {
		if h.FileCount != math.MaxInt64 || len(h.Paths) == 0 {
			t.Errorf("hit %d files, %d paths", h.FileCount, len(h.Paths))
		}
	}
}

// TestDeep has folders that lie in each other deeper than damage is followed: that is said.
func TestDeep(t *testing.T) {
	st := emptyRepo(t)
	published(t, st, func(f *forger) []tree.Element {
		el := f.page(fileOf("file", f.chunk("deep down")))
		for range 3000 {
			el = f.page(dirOf("d", el))
		}
		return []tree.Element{el}
	})
	healthy(t, verified(t, st, wholly))
	remove(t, st, names(st, "data/")[0])
	d := verified(t, st, check.Options{})
	holdCodes(t, d, 4, "pack-missing risk", "tree-too-deep unknown")
	if !strings.Contains(d.Findings[0].Message, "not found out") || len(d.Marked) != 1 {
		t.Errorf("%+v", d.Findings)
	}
}

// TestContradiction has two segments that say different things of a pack: one of them is wrong, whichever is read first.
func TestContradiction(t *testing.T) {
	for _, later := range []time.Duration{-time.Second, 0, time.Second} {
		for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
			w := newWorld(t)
			old, seg := segmentOf(t, w.st, kind.String())
			p := seg.Directories()[0]
			p.Entries = slices.Clone(p.Entries)
			p.Entries[0].Chunk = chunk.ID{1, 2, 3} // a backup that meets this chunk would not store it
			payload, err := record.EncodeSegment(kind, seg.Session, nil, []record.SegmentPack{p})
			name := forge(t, w.st, seal.Segment, "index/00000000/"+kind.String()+"/"+newName(), payload, err)
			info, err := w.st.Stat(t.Context(), old)
			if err != nil {
				t.Fatal(err)
			}
			w.st.SetTime(name, info.Time.Add(max(later, 0)))
			w.st.SetTime(old, info.Time.Add(max(-later, 0)))
			for _, o := range []check.Options{{}, wholly} {
				st := w.st.Clone()
				d := verified(t, st, o)
				want := pack.Name(kind, p.ID)
				if f := d.Findings; len(f) != 1 || f[0].Object != want || f[0].Harm != verify.Risk || !slices.Equal(d.Marked, []string{want}) || d.ExitCode != 4 {
					t.Errorf("%s later, %s: marked %q, %+v", later, kind, d.Marked, f)
				}
				if testing.Short() {
					continue
				}
				if left := needed(t, st); len(left) > 0 {
					t.Errorf("a restore misses %v", left)
				}
				again := verified(t, st, o)
				if len(again.Marked) != 0 || len(names(st, "marks/")) != 1 {
					t.Errorf("marked again: %q", again.Marked)
				}
			}
		}
	}
}

// TestForgedSegments has segments whose entries lie outside of blocks, packs or the segment.
func TestForgedSegments(t *testing.T) {
	w := newWorld(t)
	_, seg := segmentOf(t, w.st, "data")
	good, err := record.EncodeSegment(pack.Data, seg.Session, nil, seg.Directories())
	if err != nil {
		t.Fatal(err)
	}
	entry := len(good) - 46 // the last
	put := func(at int, n uint32) []byte {
		b := bytes.Clone(good)
		binary.BigEndian.PutUint32(b[at:], n)
		return b
	}
	for what, b := range map[string][]byte{
		"block":  put(entry+34, 7),
		"offset": put(entry+38, math.MaxUint32),
		"length": put(entry+42, math.MaxUint32),
		"pack":   put(entry+30, math.MaxUint32),
		"head":   put(0, math.MaxUint32),
		"cut":    good[:len(good)-1],
		"empty":  {},
	} {
		st := w.st.Clone()
		name := forge(t, st, seal.Segment, "index/00000000/data/"+newName(), b, nil)
		d := verified(t, st, wholly)
		if f := d.Findings; len(f) != 1 || f[0].Object != name || f[0].Code != check.CodeSegment || f[0].Harm != verify.Risk || len(d.Marked) != 1 {
			t.Errorf("%s: %+v", what, f)
		}
	}
}

// TestSwappedEnds exchanges the directories at the ends of two packs.
func TestSwappedEnds(t *testing.T) {
	w := newWorld(t)
	packs := names(w.st, "data/")
	a, b := object(t, w.st, packs[0]), object(t, w.st, packs[1])
	ends := func(b []byte) int { return len(b) - 200 }
	w.st.Replace(packs[0], append(bytes.Clone(a[:ends(a)]), b[ends(b):]...))
	w.st.Replace(packs[1], append(bytes.Clone(b[:ends(b)]), a[ends(a):]...))
	before := w.st.Clone()
	d := verified(t, w.st, check.Options{})
	if got := objectsOf(d, verify.Loss, verify.Risk); !slices.Equal(got, packs[:2]) || !slices.Equal(d.Marked, packs[:2]) {
		t.Errorf("found %q, marked %q", got, d.Marked)
	}
	sameHits(t, before, d)
}

// TestLongNames has paths, hosts and roots as long as they can be in all snapshots: the report is stored.
func TestLongNames(t *testing.T) {
	st := emptyRepo(t)
	r := open(t, st)
	long := strings.Repeat("/"+strings.Repeat("\x1b[31m\u202e", 30), 40)
	const most = 150
	for i := range most {
		err := r.Write(t.Context(), fmt.Sprint(i, long), "host\x1b]0;owned\a", func(ctx context.Context, s *repo.Session) error {
			f := &forger{t, ctx, s.NewStream(repo.Data), s.NewStream(repo.Meta)}
			var entries []tree.Entry
			for j := range 200 {
				entries = append(entries, fileOf(fmt.Sprintf("%03d%s", j, strings.Repeat("\x07", 250)), f.chunk("content")))
			}
			el := f.page(entries...)
			if err := errors.Join(f.data.Flush(ctx), f.meta.Flush(ctx)); err != nil {
				return err
			}
			m := &tree.Manifest{Mode: tree.Full, Completeness: tree.Complete}
			for j := range 20 {
				m.Roots = append(m.Roots, tree.Root{Path: fmt.Sprintf("/%03d%s", j, long), Entry: tree.Entry{Type: tree.Directory, Content: []tree.Element{el}}})
			}
			_, err := s.Commit(ctx, m)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names(st, "data/") {
		remove(t, st, name)
	}
	d := verified(t, st, check.Options{})
	if d.ExitCode != 4 || d.HitCount != most {
		t.Errorf("exit %d, %d hit", d.ExitCode, d.HitCount)
	}
	reps, err := r.Reports(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if doc, err := verify.DecodeCheck(reps[len(reps)-1].Document); err != nil || doc.HitCount != d.HitCount || len(doc.Findings) == 0 {
		t.Errorf("the report has %+v, %v", doc, err)
	}
}
