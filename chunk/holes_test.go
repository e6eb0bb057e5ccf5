package chunk_test

import (
	"bytes"
	"crypto/subtle"
	"math/rand/v2"
	"testing"

	"github.com/restic/chunker"

	"savepoint/chunk"
)

// A table as databases store it: pages of 8 KiB, each with line pointers that
// grow from the front, rows that grow from the back, and a hole between them.
const (
	pageSize    = 8192
	pageHeader  = 24
	pagePointer = 4
	pageRow     = 128
	pages       = 4096
	freshRows   = 50 // of the 61 that have room
)

type table struct {
	data []byte
	rows []int
	rng  *rand.ChaCha8
	r    *rand.Rand
}

func newTable(seed, fill byte) *table {
	rng := rand.NewChaCha8([32]byte{seed})
	t := &table{
		data: bytes.Repeat([]byte{fill}, pages*pageSize),
		rows: make([]int, pages), rng: rng, r: rand.New(rng),
	}
	for i := range t.rows {
		t.setRows(i, freshRows)
	}
	return t
}

// setRows writes page i anew with n rows; its hole becomes that much smaller.
func (t *table) setRows(i, n int) {
	t.rows[i] = n
	page := t.data[i*pageSize:][:pageSize]
	_, _ = t.rng.Read(page[:pageHeader+pagePointer*n])
	_, _ = t.rng.Read(page[pageSize-pageRow*n:])
}

// update changes one page in fifty: new versions of some rows join the old.
func (t *table) update() {
	for range pages / 50 {
		i := t.r.IntN(pages)
		t.setRows(i, min(t.rows[i]+1+t.r.IntN(4), 61))
	}
}

// storedAgain returns the share of the second version that is in chunks that
// the first did not have.
func storedAgain(seed, fill byte, cut func([]byte) int) float64 {
	t := newTable(seed, fill)
	old := map[string]bool{}
	for _, c := range splitBy(t.data, cut) {
		old[string(c)] = true
	}
	t.update()
	fresh := 0
	for _, c := range splitBy(t.data, cut) {
		if !old[string(c)] {
			fresh += len(c)
		}
	}
	return float64(fresh) / float64(len(t.data))
}

// masked cuts by p as the library does when it is shown the data XOR mask.
func masked(p chunk.Params, mask byte) func([]byte) int {
	masks, scratch := bytes.Repeat([]byte{mask}, int(p.Max)), make([]byte, p.Max)
	return func(data []byte) int {
		c := chunker.NewBase(chunker.Pol(p.Polynomial),
			chunker.WithBaseBoundaries(uint(p.Min), uint(p.Max)),
			chunker.WithBaseAverageBits(int(p.Bits)))
		if n := c.NextSplitPoint(scratch[:subtle.XORBytes(scratch, data[:min(len(data), len(masks))], masks)]); n >= 0 {
			return n
		}
		return min(len(data), int(p.Max))
	}
}

func cutting(p chunk.Params) func([]byte) int {
	c := chunk.NewCutter(p)
	return func(data []byte) int { return c.Cut(data, true) }
}

// TestStoredAgain holds the figures of docs/decisions/0002-chunking.md: what a
// second version stores again where one page in fifty has changed. A chunk of
// 128 KiB touches 16 pages or more, so 28% is the least that can be hoped for.
func TestStoredAgain(t *testing.T) {
	def := chunk.DefaultRabin(testPolynomial)
	page := chunk.Params{Kind: chunk.Fixed, Size: pageSize}
	// The bad case: every page has a cut in its hole, so a cut falls at the
	// minimum after the last one, and once two versions differ they do not meet.
	const good, bad = 0.45, 0.55
	for _, tt := range []struct {
		name     string
		fill     byte
		cut      func([]byte) int
		from, to float64
	}{
		{"rabin, holes of 0x00", 0, cutting(def), 0.25, good},
		{"rabin, holes of 0xFF", 0xFF, cutting(def), 0.25, good},
		{"rabin, holes of 0xA7", 0xA7, cutting(def), bad, 1},
		{"fixed, holes of 0x00", 0, cutting(page), 0.01, 0.02},
		{"fixed, holes of 0xFF", 0xFF, cutting(page), 0.01, 0.02},
		{"fixed, holes of 0xA7", 0xA7, cutting(page), 0.01, 0.02},
		// Why the mask is what it is.
		{"rabin on the data as it is, holes of 0x00", 0, masked(def, 0), bad, 1},
		{"rabin on the data as it is, holes of 0xFF", 0xFF, masked(def, 0), 0.25, good},
		{"rabin on the complement, holes of 0x00", 0, masked(def, 0xFF), 0.25, good},
		{"rabin on the complement, holes of 0xFF", 0xFF, masked(def, 0xFF), bad, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := storedAgain(1, tt.fill, tt.cut)
			t.Logf("%.1f%% stored again", 100*got)
			if got < tt.from || got > tt.to {
				t.Errorf("%.1f%% stored again, want %.0f%% to %.0f%%", 100*got, 100*tt.from, 100*tt.to)
			}
		})
	}
}
