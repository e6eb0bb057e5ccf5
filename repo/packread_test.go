package repo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/zeebo/blake3"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

// indexedPacks returns what the segments of a repository say of its packs.
func indexedPacks(t testing.TB, st *mem.Store) []repo.IndexedPack {
	t.Helper()
	var out []repo.IndexedPack
	ring := ringOf(t, st)
	for _, name := range names(st, "index/") {
		payload, err := ring.Open(seal.Segment, name, object(t, st, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		seg, err := record.DecodeSegment(payload)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range seg.Directories() {
			out = append(out, repo.NewIndexedPack(seg.Kind, &p))
		}
	}
	return out
}

// corruptNamed fails the test unless err is damage of that object alone.
func corruptNamed(t testing.TB, what, name string, err error) {
	t.Helper()
	var c *repo.CorruptError
	var u *repo.UnsteadyError
	if !errors.As(err, &c) || c.Object != name || !errors.Is(err, repo.ErrCorrupt) || errors.As(err, &u) || errors.Is(err, repo.ErrNewer) {
		t.Errorf("%s: %v", what, err)
	}
}

func twoPacks(t testing.TB) (*mem.Store, []repo.IndexedPack) {
	t.Helper()
	st := mem.New(nil)
	r := newRepo(t, st)
	mustSave(t, r, "world", files{"a": "one", "b": "two", "c": strings.Repeat("gold ", 20)})
	mustSave(t, r, "world", files{"d": "three"})
	packs := indexedPacks(t, st)
	if len(packs) != 4 {
		t.Fatalf("%d packs", len(packs))
	}
	return st, packs
}

func TestReadPack(t *testing.T) {
	st, packs := twoPacks(t)
	r := openIn(t, st, "")
	buf := make([]byte, 0, pack.MaxSize)
	chunks := 0
	for i := range packs {
		n, err := r.ReadPack(t.Context(), &packs[i], buf)
		if err != nil {
			t.Error(err)
		}
		chunks += n
		b, err := r.FetchPack(t.Context(), &packs[i], buf)
		if err != nil || &b[0] != &buf[:1][0] || !bytes.Equal(b, object(t, st, packs[i].Name())) {
			t.Errorf("%s does not lie in the buffer, %v", packs[i].Name(), err)
		}
		dirty := []byte("what lay there before")
		if b, err = r.FetchPack(t.Context(), &packs[i], dirty); err != nil || len(b) != int(packs[i].Size) {
			t.Errorf("into a small buffer in use: %d bytes, %v", len(b), err)
		}
	}
	if chunks != 6 {
		t.Errorf("%d chunks", chunks)
	}
}

// TestReadPackFlips flips every bit of a pack of each kind.
func TestReadPackFlips(t *testing.T) {
	st, packs := twoPacks(t)
	for i := range packs[:3] {
		name := packs[i].Name()
		whole := object(t, st, name)
		m := st.Clone()
		r := openIn(t, m, "")
		for bit := range 8 * len(whole) {
			b := bytes.Clone(whole)
			b[bit/8] ^= 1 << (bit % 8)
			m.Replace(name, b)
			n, err := r.ReadPack(t.Context(), &packs[i], nil)
			corruptNamed(t, fmt.Sprintf("%s with bit %d flipped", name, bit), name, err)
			if n != 0 {
				t.Errorf("%d chunks in spite of damage", n)
			}
		}
	}
}

func TestReadPackDamage(t *testing.T) {
	st, packs := twoPacks(t)
	foreign, others := twoPacks(t)
	p := &packs[0]
	name := p.Name()
	whole := object(t, st, name)
	harm := map[string][]byte{"gone": nil, "cut": whole[:len(whole)-1], "one byte": whole[:1], "longer": append(bytes.Clone(whole), 0),
		"twice": append(bytes.Clone(whole), whole...), "of another repository": object(t, foreign, others[0].Name())}
	for _, other := range packs[1:] {
		harm["swapped with "+other.Name()] = object(t, st, other.Name())
	}
	for what, b := range harm {
		m := st.Clone()
		m.Replace(name, b)
		_, err := openIn(t, m, "").ReadPack(t.Context(), p, nil)
		corruptNamed(t, what, name, err)
		if gone := errors.Is(err, storage.ErrNotExist); gone != (what == "gone") {
			t.Errorf("%s: that it is gone: %v", what, gone)
		}
	}
	long := st.Clone()
	long.Replace(name, harm["longer"])
	_, err := openIn(t, fault.New(long, fault.Rule{Op: fault.Get, Prefix: name, Count: fault.Forever}), "").ReadPack(t.Context(), p, nil)
	corruptNamed(t, "longer, so that reading it may take any memory", name, err)

	r := openIn(t, st, "")
	renamed := *p
	renamed.ID[5]++
	putObject(t, st, renamed.Name(), whole)
	_, err = r.ReadPack(t.Context(), &renamed, nil)
	corruptNamed(t, "whole, but under another name", renamed.Name(), err)
	for what, change := range map[string]func(*repo.IndexedPack){
		"the index has another directory": func(p *repo.IndexedPack) { p.Directory[3]++ },
		"the index has another length":    func(p *repo.IndexedPack) { p.Size++ },
	} {
		p := *p
		change(&p)
		_, err := r.ReadPack(t.Context(), &p, nil)
		corruptNamed(t, what, name, err)
	}
}

// sealed returns a pack that somebody with the key wrote, who says of data that it is the chunk id.
func sealed(t testing.TB, ring *seal.Ring, id chunk.ID, data string) *pack.Finished {
	t.Helper()
	codec, err := pack.NewCodec(1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pack.NewBuilder(ring, pack.Data, make([]byte, pack.BufferLen))
	if err != nil {
		t.Fatal(err)
	}
	b := &pack.Block{}
	b.Add(id, []byte(data))
	b.Compress(codec)
	p.Add(b)
	return p.Finish()
}

// TestReadPackRightName has packs whose name is the hash of their bytes, which are wrong all the same.
func TestReadPackRightName(t *testing.T) {
	st, packs := twoPacks(t)
	foreign, others := twoPacks(t)
	ring := ringOf(t, st)
	r := openIn(t, st, "")
	store := func(b []byte, directory [32]byte) *repo.IndexedPack {
		p := &repo.IndexedPack{Kind: pack.Data, ID: blake3.Sum256(b), Size: uint32(len(b)), Directory: directory}
		putObject(t, st, p.Name(), b)
		return p
	}
	indexed := func(f *pack.Finished) *repo.IndexedPack {
		p := repo.NewIndexedPack(f.Kind, &record.SegmentPack{ID: f.ID, Size: uint32(len(f.Bytes)), Salt: f.Salt, Directory: f.Directory})
		putObject(t, st, p.Name(), f.Bytes)
		return &p
	}
	right := chunk.NewKey(ring.DataID).Sum([]byte("gold"))
	good := indexed(sealed(t, ring, right, "gold"))
	if n, err := r.ReadPack(t.Context(), good, nil); n != 1 || err != nil {
		t.Fatalf("a pack as it should be: %d chunks, %v", n, err)
	}
	forged := indexed(sealed(t, ring, right, "lead"))
	_, err := r.ReadPack(t.Context(), forged, nil)
	corruptNamed(t, "a chunk with another ID", forged.Name(), err)

	stranger := store(object(t, foreign, others[0].Name()), others[0].Directory)
	_, err = r.ReadPack(t.Context(), stranger, nil)
	corruptNamed(t, "a pack of another repository", stranger.Name(), err)

	meta := store(object(t, st, packs[len(packs)-1].Name()), packs[len(packs)-1].Directory)
	_, err = r.ReadPack(t.Context(), meta, nil)
	corruptNamed(t, "a pack of the other kind", meta.Name(), err)

	b := bytes.Clone(object(t, st, packs[0].Name()))
	b[9]++ // the version
	newer := store(b, packs[0].Directory)
	if _, err = r.ReadPack(t.Context(), newer, nil); !errors.Is(err, repo.ErrNewer) || errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("a pack that a later program wrote: %v", err)
	}
}

// TestReadPackUnsteady has the way to the store give wrong bytes, once or more often.
func TestReadPackUnsteady(t *testing.T) {
	m, packs := twoPacks(t)
	p := &packs[0]
	flips := func(at, bit int) fault.Rule {
		return fault.Rule{Op: fault.Get, Prefix: p.Name(), At: at, Do: fault.Flip, N: int64(bit)}
	}
	fails := func(op fault.Op, at int) fault.Rule {
		return fault.Rule{Op: op, Prefix: p.Name(), At: at, Do: fault.Fail}
	}
	for what, tt := range map[string]struct {
		rules                     []fault.Rule
		damage, unsteady, storage bool
	}{
		"a bit once":                         {rules: []fault.Rule{flips(0, 900)}, unsteady: true},
		"a bit twice, another one each time": {rules: []fault.Rule{flips(0, 900), flips(1, 901)}, unsteady: true},
		"another bit each time":              {rules: []fault.Rule{flips(0, 900), flips(1, 901), flips(2, 902)}, damage: true},
		"the same bit twice":                 {rules: []fault.Rule{flips(0, 900), flips(1, 900)}, damage: true},
		"less than asked for, once":          {rules: []fault.Rule{{Op: fault.Get, Prefix: p.Name(), Do: fault.Truncate, N: 1}}, unsteady: true},
		"gone once":                          {rules: []fault.Rule{{Op: fault.Stat, Prefix: p.Name(), Err: storage.ErrNotExist}}, unsteady: true},
		"gone twice":                         {rules: []fault.Rule{{Op: fault.Stat, Prefix: p.Name(), Count: 2, Err: storage.ErrNotExist}}, damage: true},
		"gone between two requests":          {rules: []fault.Rule{{Op: fault.Get, Prefix: p.Name(), Count: 2, Err: storage.ErrNotExist}}, damage: true},
		"shorter between two requests":       {rules: []fault.Rule{{Op: fault.Get, Prefix: p.Name(), Count: 2, Err: storage.ErrRange}}, damage: true},
		"an error":                           {rules: []fault.Rule{fails(fault.Get, 0)}, storage: true},
		"an error of stat":                   {rules: []fault.Rule{fails(fault.Stat, 0)}, storage: true},
		"a bit, then an error":               {rules: []fault.Rule{flips(0, 900), fails(fault.Get, 1)}, storage: true},
		"gone, then an error":                {rules: []fault.Rule{{Op: fault.Get, Prefix: p.Name(), Err: storage.ErrNotExist}, fails(fault.Stat, 1)}, storage: true},
	} {
		st := fault.New(m, tt.rules...)
		n, err := openIn(t, st, "").ReadPack(t.Context(), p, nil)
		var u *repo.UnsteadyError
		if damage := errors.Is(err, repo.ErrCorrupt); damage != tt.damage || errors.As(err, &u) != tt.unsteady || errors.Is(err, fault.ErrInjected) != tt.storage {
			t.Errorf("%s: %v", what, err)
		}
		if (n > 0) != tt.unsteady || tt.unsteady && u.Object != p.Name() {
			t.Errorf("%s: %d chunks, %v", what, n, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := openIn(t, m, "").ReadPack(ctx, p, nil); !errors.Is(err, context.Canceled) || errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestCondemnedPacks(t *testing.T) {
	m, packs := twoPacks(t)
	condemn(t, m, packs[0].Name(), packs[1].Name())
	damage(t, m, packs[2].Name())
	st := fault.New(m)
	r := openIn(t, st, "")
	got, err := r.CondemnedPacks(t.Context())
	if err != nil || len(got) != 2 || !got[packs[0].ID] || !got[packs[1].ID] {
		t.Errorf("%v, %v", got, err)
	}
	st.Arm(fault.Rule{Op: fault.List, Prefix: "condemned/", Do: fault.Fail})
	if _, err := r.CondemnedPacks(t.Context()); err == nil {
		t.Error("no error where the records cannot be listed")
	}
}
