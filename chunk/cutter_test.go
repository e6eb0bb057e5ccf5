package chunk_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/restic/chunker"
	"pgregory.net/rapid"

	"savepoint/chunk"
)

// small makes chunks of about 400 bytes, so that little data has many cuts.
var small = chunk.Params{Kind: chunk.Rabin, Min: 150, Max: 1500, Bits: 8, Polynomial: testPolynomial}

func random(seed byte, n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(p)
	return p
}

// cutAll returns the chunks of data, as cut with all the rest in view.
func cutAll(p chunk.Params, data []byte) [][]byte {
	c := chunk.NewCutter(p)
	return splitBy(data, func(b []byte) int { return c.Cut(b, true) })
}

func splitBy(data []byte, cut func([]byte) int) (chunks [][]byte) {
	for len(data) > 0 {
		n := cut(data)
		chunks = append(chunks, data[:n])
		data = data[n:]
	}
	return chunks
}

func lengths(chunks [][]byte) (n []int) {
	for _, c := range chunks {
		n = append(n, len(c))
	}
	return n
}

// drawData draws bytes that mix noise with runs of one value.
func drawData(t *rapid.T) []byte {
	var data []byte
	for i := range rapid.IntRange(0, 12).Draw(t, "runs") {
		n := rapid.IntRange(0, 2000).Draw(t, "length")
		if rapid.Bool().Draw(t, "noise") {
			data = append(data, random(byte(i)^rapid.Byte().Draw(t, "seed"), n)...)
		} else {
			data = append(data, bytes.Repeat([]byte{rapid.SampledFrom([]byte{0, 0xFF, 0xA7, 'x'}).Draw(t, "fill")}, n)...)
		}
	}
	return data
}

func drawParams(t *rapid.T) chunk.Params {
	if rapid.Bool().Draw(t, "fixed") {
		return chunk.Params{Kind: chunk.Fixed, Size: 512 * rapid.Uint32Range(1, 4).Draw(t, "sectors")}
	}
	return drawRabin(t)
}

func drawRabin(t *rapid.T) chunk.Params {
	low := rapid.Uint32Range(65, 1000).Draw(t, "min")
	return chunk.Params{
		Kind: chunk.Rabin, Min: low, Max: low + rapid.Uint32Range(0, 6000).Draw(t, "above"),
		Bits: rapid.Uint8Range(8, 11).Draw(t, "bits"), Polynomial: testPolynomial,
	}
}

func minimum(p chunk.Params) int {
	if p.Kind == chunk.Fixed {
		return int(p.Size)
	}
	return int(p.Min)
}

// reference says where the first chunk ends, by the definition: at the first
// length from Min where the remainder of the last 64 bytes, each XOR 0xA7, as a
// polynomial has its low bits zero; at Max; or at the end.
func reference(p chunk.Params, data []byte) int {
	data = data[:min(len(data), int(p.Max))]
	for n := int(p.Min); n < len(data); n++ {
		var h chunker.Pol
		for _, b := range data[n-64 : n] {
			h = (h<<8 | chunker.Pol(b^0xA7)).Mod(chunker.Pol(p.Polynomial))
		}
		if h&(1<<p.Bits-1) == 0 {
			return n
		}
	}
	return len(data)
}

func TestCutMatchesDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, data := drawRabin(t), drawData(t)
		if got, want := chunk.NewCutter(p).Cut(data, true), reference(p, data); got != want {
			t.Fatalf("Cut = %d, want %d", got, want)
		}
	})
}

// TestCutFrozen holds the cuts of the default parameters. They never change:
// a repository finds its own chunks again only if they are cut alike.
func TestCutFrozen(t *testing.T) {
	got := lengths(cutAll(chunk.DefaultRabin(testPolynomial), random(7, 2<<20)))
	want := []int{
		109117, 116222, 143378, 122260, 214729, 120414, 117990, 98689, 133599,
		111993, 101263, 99834, 134682, 121974, 129975, 114034, 106999,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lengths of chunks, -want +got:\n%s", d)
	}
}

func TestCutProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, data := drawParams(t), drawData(t)
		chunks := cutAll(p, data)
		if !bytes.Equal(slices.Concat(chunks...), data) {
			t.Fatal("the chunks joined are not the data")
		}
		low, high := minimum(p), chunk.NewCutter(p).Max()
		for i, c := range chunks {
			if len(c) > high || len(c) < low && i < len(chunks)-1 {
				t.Fatalf("chunk %d of %d has %d bytes, want %d to %d", i, len(chunks), len(c), low, high)
			}
		}
	})
}

// TestCutIsPure asks about growing buffers, with one Cutter for all: the
// answer is 0 or the one that a fresh Cutter gives for all of the data.
func TestCutIsPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, data := drawParams(t), drawData(t)
		want := chunk.NewCutter(p).Cut(data, true)
		c := chunk.NewCutter(p)
		for _, n := range slices.Sorted(slices.Values(
			rapid.SliceOfN(rapid.IntRange(0, len(data)), 1, 20).Draw(t, "sizes"))) {
			got := c.Cut(data[:n], false)
			if got != 0 && got != want {
				t.Fatalf("Cut of the first %d bytes = %d, want 0 or %d", n, got, want)
			}
			if got == 0 && (n >= c.Max() || n > want) {
				t.Fatalf("Cut of the first %d bytes = 0, want %d", n, want)
			}
		}
		if got := c.Cut(data, true); got != want {
			t.Fatalf("Cut after others = %d, want %d", got, want)
		}
	})
}

// TestCutEdges walks every length around the limits, on data without a cut and
// on data that cuts at once.
func TestCutEdges(t *testing.T) {
	plain, cuts := bytes.Repeat([]byte{'x'}, 2000), bytes.Repeat([]byte{0xA7}, 2000)
	fixed := chunk.Params{Kind: chunk.Fixed, Size: 1024}
	for _, tt := range []struct {
		name  string
		p     chunk.Params
		data  []byte
		n     int
		atEOF bool
		want  int
	}{
		{"rabin, nothing", small, plain, 0, false, 0},
		{"rabin, nothing at the end", small, plain, 0, true, 0},
		{"rabin, one byte", small, plain, 1, false, 0},
		{"rabin, one byte at the end", small, plain, 1, true, 1},
		{"rabin, below the minimum", small, cuts, 149, false, 0},
		{"rabin, below the minimum at the end", small, cuts, 149, true, 149},
		{"rabin, cut at the minimum", small, cuts, 150, false, 150},
		{"rabin, minimum at the end", small, plain, 150, true, 150},
		{"rabin, cut at the minimum of more", small, cuts, 2000, false, 150},
		{"rabin, below the maximum", small, plain, 1499, false, 0},
		{"rabin, below the maximum at the end", small, plain, 1499, true, 1499},
		{"rabin, maximum", small, plain, 1500, false, 1500},
		{"rabin, over the maximum", small, plain, 2000, false, 1500},
		{"rabin, over the maximum at the end", small, plain, 2000, true, 1500},
		{"fixed, nothing at the end", fixed, plain, 0, true, 0},
		{"fixed, below", fixed, plain, 1023, false, 0},
		{"fixed, below at the end", fixed, plain, 1023, true, 1023},
		{"fixed, exactly", fixed, plain, 1024, false, 1024},
		{"fixed, over", fixed, plain, 2000, true, 1024},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := chunk.NewCutter(tt.p).Cut(tt.data[:tt.n], tt.atEOF); got != tt.want {
				t.Errorf("Cut of %d bytes = %d, want %d", tt.n, got, tt.want)
			}
		})
	}
}

// TestCutResync inserts bytes into noise: past the insertion the chunks are
// soon the old ones again.
func TestCutResync(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := random(rapid.Byte().Draw(t, "seed"), 100_000)
		at := rapid.IntRange(0, 50_000).Draw(t, "at")
		extra := random(rapid.Byte().Draw(t, "extra"), rapid.IntRange(1, 3000).Draw(t, "length"))
		old := map[string]bool{}
		for _, c := range cutAll(small, data) {
			old[string(c)] = true
		}
		fresh := 0
		for _, c := range cutAll(small, slices.Insert(slices.Clone(data), at, extra...)) {
			if !old[string(c)] {
				fresh += len(c)
			}
		}
		// A dozen chunks at most until two cuts meet, beside the insertion.
		if limit := len(extra) + 12*400; fresh > limit {
			t.Fatalf("%d bytes in new chunks after %d were inserted, want at most %d", fresh, len(extra), limit)
		}
	})
}

func TestAverageSize(t *testing.T) {
	data := random(3, 32<<20)
	for _, p := range []chunk.Params{
		chunk.DefaultRabin(testPolynomial),
		{Kind: chunk.Rabin, Min: 32 << 10, Max: 1 << 20, Bits: 14, Polynomial: testPolynomial},
	} {
		chunks := cutAll(p, data)
		got, want := len(data)/len(chunks), int(p.Min)+1<<p.Bits
		if got < want*8/10 || got > want*12/10 {
			t.Errorf("%v %v: %d bytes a chunk on average, want %d within 20%%", p, p.Bits, got, want)
		}
	}
}

func TestCutAllocates(t *testing.T) {
	data := random(4, 4<<20)
	c := chunk.NewCutter(chunk.DefaultRabin(testPolynomial))
	if n := testing.AllocsPerRun(5, func() { cutThrough(c, data) }); n != 0 {
		t.Errorf("cutting 4 MiB allocates %v times, want 0", n)
	}
}

func cutThrough(c *chunk.Cutter, data []byte) {
	for len(data) > 0 {
		data = data[c.Cut(data, true):]
	}
}

func TestNewCutterRefuses(t *testing.T) {
	for name, p := range map[string]chunk.Params{
		"zero":          {},
		"no polynomial": chunk.DefaultRabin(0),
		"bad size":      {Kind: chunk.Fixed, Size: 100},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("NewCutter took it")
				}
			}()
			chunk.NewCutter(p)
		})
	}
}
