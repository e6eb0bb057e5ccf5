package chunk_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"savepoint/chunk"
)

// fuzzParams makes valid parameters out of anything, with chunks small enough
// for inputs of a fuzzer to hold several.
func fuzzParams(kind byte, a, b uint16, bits uint8) chunk.Params {
	if kind%2 == 0 {
		return chunk.Params{Kind: chunk.Fixed, Size: 512 * uint32(a%8+1)}
	}
	low := 65 + uint32(a%512)
	return chunk.Params{
		Kind: chunk.Rabin, Min: low, Max: low + uint32(b%4096), Bits: 8 + bits%4, Polynomial: testPolynomial,
	}
}

func FuzzCut(f *testing.F) {
	f.Add([]byte(nil), byte(1), uint16(0), uint16(0), uint8(0), uint64(0))
	f.Add(random(1, 5000), byte(1), uint16(85), uint16(1350), uint8(0), uint64(1))
	f.Add(random(2, 9000), byte(1), uint16(500), uint16(0), uint8(3), uint64(2))
	f.Add(slices.Concat(random(3, 3000), make([]byte, 3000), random(4, 3000)), byte(1), uint16(0), uint16(4095), uint8(1), uint64(3))
	f.Add(bytes.Repeat([]byte{0xFF}, 5000), byte(1), uint16(35), uint16(4095), uint8(1), uint64(4))
	f.Add(bytes.Repeat([]byte{0xA7}, 5000), byte(1), uint16(35), uint16(4095), uint8(1), uint64(4))
	f.Add(random(5, 5000), byte(0), uint16(1), uint16(0), uint8(0), uint64(5))
	f.Fuzz(func(t *testing.T, data []byte, kind byte, a, b uint16, bits uint8, seed uint64) {
		p := fuzzParams(kind, a, b, bits)
		if err := p.Validate(); err != nil {
			t.Fatalf("%+v: %v", p, err)
		}
		want := cutAll(p, data)
		high := chunk.NewCutter(p).Max()
		for i, c := range want {
			if len(c) > high || len(c) < minimum(p) && i < len(want)-1 {
				t.Fatalf("chunk %d of %d has %d bytes, want %d to %d", i, len(want), len(c), minimum(p), high)
			}
		}
		if !bytes.Equal(slices.Concat(want...), data) {
			t.Fatal("the chunks joined are not the data")
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		src := &splitReader{data: data, rng: rng, most: 1 + rng.IntN(5000)}
		got, err := readAll(chunk.NewReader(src, p, make([]byte, rng.IntN(20_000))))
		if err != io.EOF {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("lengths read %v, want %v", lengths(got), lengths(want))
		}
	})
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"", "00", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff",
		"000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1eff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := chunk.ParseID(s)
		switch {
		case err != nil && !id.IsZero():
			t.Fatalf("ParseID(%q) = %v with error %v", s, id, err)
		case err == nil && id.String() != s:
			t.Fatalf("ParseID(%q) = %v", s, id)
		}
	})
}

func FuzzParseParams(f *testing.F) {
	for _, s := range []string{"rabin", "rabin:512KiB/20/8MiB", "rabin:65/8/65", "fixed:8KiB", "fixed:65536",
		"fixed:8MiB", "fixed:4294967295MiB", "fixed:", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := chunk.ParseParams(s)
		if err != nil {
			if p != (chunk.Params{}) {
				t.Fatalf("ParseParams(%q) = %+v with error %v", s, p, err)
			}
			return
		}
		if again, err := chunk.ParseParams(p.String()); err != nil || again != p {
			t.Fatalf("ParseParams(%q) = %+v, and of its String %q: %+v, %v", s, p, p, again, err)
		}
		if p.Kind == chunk.Rabin {
			p.Polynomial = testPolynomial
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("ParseParams(%q) = %+v: %v", s, p, err)
		}
		chunk.NewCutter(p)
	})
}
