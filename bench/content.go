package main

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// assetReader makes blobs of 64 KiB with a small header and bytes that hardly compress, as textures and sounds do.
type assetReader struct {
	random *rand.ChaCha8
	buf    []byte
}

func (r *assetReader) Read(p []byte) (int, error) {
	if len(r.buf) == 0 {
		r.buf = make([]byte, 64<<10)
		_, _ = r.random.Read(r.buf) // never fails
		copy(r.buf, "ASSET\x00\x01\x00"+strings.Repeat("\x00\x00\x80\x3f", 60))
		for i := 256; i < len(r.buf); i++ {
			r.buf[i] &= 0x7f
		}
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}

// dumpReader makes lines as pg_dump does.
type dumpReader struct {
	rng *rand.Rand
	row int
	buf []byte
}

func (r *dumpReader) Read(p []byte) (int, error) {
	if len(r.buf) == 0 {
		items := []string{"sword", "shield", "potion", "bow", "helmet", "ring"}
		for range 256 {
			r.row++
			r.buf = fmt.Appendf(r.buf, "%d\tplayer_%d\t%d\t%s\t2026-11-%02d %02d:%02d:%02d.%06d+00\t%x\tt\t\\N\n", r.row, r.rng.IntN(200_000),
				r.rng.IntN(5000), items[r.rng.IntN(len(items))], 1+r.rng.IntN(28), r.rng.IntN(24), r.rng.IntN(60), r.rng.IntN(60), r.rng.IntN(1_000_000), r.rng.Uint32())
		}
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}

// textReader reads the source text of this machine, one file after the other. When all has been read it starts over
// with other letters in place of the letters: as compressible, but never the same bytes twice.
type textReader struct {
	files []string
	next  int
	rng   *rand.Rand
	table *[256]byte // nil in the first pass
	buf   []byte
}

func newTextReader(ctx context.Context) (*textReader, error) {
	roots, err := sourceTrees(ctx)
	if err != nil {
		return nil, err
	}
	t := &textReader{rng: rand.New(rand.NewPCG(seed, 3))}
	for _, root := range roots[:3] {
		err := filepath.WalkDir(root.dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && slices.Contains([]string{".go", ".h", ".c", ".s", ".md", ".txt"}, filepath.Ext(path)) {
				t.files = append(t.files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(t.files) == 0 {
		return nil, fmt.Errorf("no source text beneath %s", roots[0].dir)
	}
	return t, nil
}

func (t *textReader) Read(p []byte) (int, error) {
	for len(t.buf) == 0 {
		if t.next == len(t.files) {
			t.next, t.table = 0, substitution(t.rng)
		}
		data, err := os.ReadFile(t.files[t.next])
		if err != nil {
			return 0, err
		}
		t.next++
		for i := 0; t.table != nil && i < len(data); i++ {
			data[i] = t.table[data[i]]
		}
		t.buf = data
	}
	n := copy(p, t.buf)
	t.buf = t.buf[n:]
	return n, nil
}

// substitution returns a table that permutes the letters.
func substitution(rng *rand.Rand) *[256]byte {
	var table [256]byte
	for i := range table {
		table[i] = byte(i)
	}
	for _, first := range []byte{'a', 'A'} {
		letters := table[first : int(first)+26]
		rng.Shuffle(len(letters), func(i, j int) { letters[i], letters[j] = letters[j], letters[i] })
	}
	return &table
}
