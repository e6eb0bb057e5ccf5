package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"savepoint/chunk"
)

// TestFrontierChunks holds that the frontier cuts all bytes, and that it tells an insertion from a page rewritten.
func TestFrontierChunks(t *testing.T) {
	dir := t.TempDir()
	data := make([]byte, 2<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	shifted := append(append([]byte(nil), data[:100]...), append([]byte("inserted"), data[100:]...)...)
	again := func(p chunk.Params, before, after []byte) int {
		t.Helper()
		known := make(map[string]bool)
		n := 0
		for i, state := range [][]byte{before, after} {
			if err := os.WriteFile(filepath.Join(dir, "file"), state, 0o644); err != nil {
				t.Fatal(err)
			}
			var all bytes.Buffer
			err := eachChunk(t.Context(), dir, p, func(c []byte) error {
				all.Write(c)
				if i == 1 && !known[string(c)] {
					n += len(c)
				}
				known[string(c)] = true
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(all.Bytes(), state) {
				t.Fatal("the chunks are not the file")
			}
		}
		return n
	}
	fixed := chunk.Params{Kind: chunk.Fixed, Size: 8 << 10}
	rabin := chunk.DefaultRabin(0x3DA3358B4DC173)
	if n := again(rabin, data, shifted); n > 1<<20+200<<10 {
		t.Errorf("rabin stores %d bytes again after an insertion", n)
	}
	if n := again(fixed, data, shifted); n != len(shifted) {
		t.Errorf("fixed stores %d bytes again after an insertion, want all %d", n, len(shifted))
	}
	page := bytes.Clone(data)
	page[1<<20]++
	if n := again(fixed, data, page); n != 8<<10 {
		t.Errorf("fixed stores %d bytes again after a page was written, want one", n)
	}
}

func TestSplittersAreValid(t *testing.T) {
	for _, name := range splitters {
		p, err := chunk.ParseParams(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Kind == chunk.Rabin {
			p.Polynomial = 0x3DA3358B4DC173
		}
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCounter(t *testing.T) {
	var n counter
	if _, err := io.CopyN(&n, bytes.NewReader(make([]byte, 1000)), 1000); err != nil || n != 1000 {
		t.Errorf("%d, %v", n, err)
	}
}
