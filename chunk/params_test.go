package chunk_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/chunk"
)

// testPolynomial is irreducible and of degree 53.
const testPolynomial = 0x3DA3358B4DC173

func TestValidate(t *testing.T) {
	change := func(f func(*chunk.Params)) chunk.Params {
		p := chunk.DefaultRabin(testPolynomial)
		f(&p)
		return p
	}
	fixed := func(n uint32) chunk.Params { return chunk.Params{Kind: chunk.Fixed, Size: n} }
	for _, tt := range []struct {
		name string
		p    chunk.Params
		want string // in the message; empty: valid
	}{
		{"default", chunk.DefaultRabin(testPolynomial), ""},
		{"smallest rabin", change(func(p *chunk.Params) { p.Min, p.Max, p.Bits = 65, 65, 8 }), ""},
		{"largest rabin", change(func(p *chunk.Params) { p.Min, p.Max, p.Bits = 8<<20, 8<<20, 24 }), ""},
		{"zero", chunk.Params{}, "unknown kind 0"},
		{"unknown kind", chunk.Params{Kind: 3, Size: 512}, "unknown kind 3"},
		{"minimum is the window", change(func(p *chunk.Params) { p.Min = 64 }), "minimum of 64"},
		{"no minimum", change(func(p *chunk.Params) { p.Min = 0 }), "minimum of 0"},
		{"minimum over maximum", change(func(p *chunk.Params) { p.Min = p.Max + 1 }), "over the maximum"},
		{"maximum too large", change(func(p *chunk.Params) { p.Max = 8<<20 + 1 }), "at most 8388608"},
		{"few bits", change(func(p *chunk.Params) { p.Bits = 7 }), "7 bits"},
		{"many bits", change(func(p *chunk.Params) { p.Bits = 25 }), "25 bits"},
		{"no polynomial", chunk.DefaultRabin(0), "degree -1"},
		{"small polynomial", chunk.DefaultRabin(0x11b), "degree 8"},
		{"degree 54", chunk.DefaultRabin(testPolynomial << 1), "degree 54"},
		{"degree 63", chunk.DefaultRabin(1<<63 | 1), "degree 63"},
		{"even polynomial", chunk.DefaultRabin(testPolynomial &^ 1), "reducible"},
		{"reducible polynomial", chunk.DefaultRabin(testPolynomial ^ 2), "reducible"},
		{"rabin with a size", change(func(p *chunk.Params) { p.Size = 512 }), "fixed size of 512"},
		{"smallest fixed", fixed(512), ""},
		{"fixed, no power of two", fixed(1536), ""},
		{"largest fixed", fixed(8 << 20), ""},
		{"fixed 0", fixed(0), "size of 0"},
		{"fixed, not of sectors", fixed(8000), "size of 8000"},
		{"fixed too large", fixed(8<<20 + 512), "size of 8389120"},
		{"fixed with bits", chunk.Params{Kind: chunk.Fixed, Size: 512, Bits: 8}, "parameters of rabin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.p.Validate()
			if tt.want == "" && err != nil {
				t.Fatalf("Validate() = %v, want nil", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("Validate() = %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestParamsAreSecret(t *testing.T) {
	p := chunk.DefaultRabin(testPolynomial ^ 2)
	secret := []string{strconv.FormatUint(p.Polynomial, 10), strconv.FormatUint(p.Polynomial, 16)}
	for _, s := range []string{p.String(), p.Validate().Error(), fmt.Sprint(p), fmt.Sprintf("%+v", p)} {
		for _, number := range secret {
			if strings.Contains(strings.ToLower(s), number) {
				t.Errorf("the polynomial is in %q", s)
			}
		}
	}
}

func TestParseParams(t *testing.T) {
	rabin := chunk.DefaultRabin(0)
	logs := chunk.Params{Kind: chunk.Rabin, Min: 512 << 10, Max: 8 << 20, Bits: 20}
	for _, tt := range []struct {
		in   string
		want chunk.Params
		text string // of String
	}{
		{"rabin", rabin, "rabin"},
		{"rabin:96KiB/15/1MiB", rabin, "rabin"},
		{"rabin:512KiB/20/8MiB", logs, "rabin:512KiB/20/8MiB"},
		{"rabin:65/8/4097", chunk.Params{Kind: chunk.Rabin, Min: 65, Max: 4097, Bits: 8}, "rabin:65/8/4097"},
		{"fixed:8KiB", chunk.Params{Kind: chunk.Fixed, Size: 8192}, "fixed:8KiB"},
		{"fixed:65536", chunk.Params{Kind: chunk.Fixed, Size: 65536}, "fixed:64KiB"},
		{"fixed:1536", chunk.Params{Kind: chunk.Fixed, Size: 1536}, "fixed:1536"},
		{"fixed:8MiB", chunk.Params{Kind: chunk.Fixed, Size: 8 << 20}, "fixed:8MiB"},
	} {
		got, err := chunk.ParseParams(tt.in)
		if err != nil {
			t.Errorf("ParseParams(%q): %v", tt.in, err)
			continue
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("ParseParams(%q), -want +got:\n%s", tt.in, d)
		}
		if got.String() != tt.text {
			t.Errorf("ParseParams(%q).String() = %q, want %q", tt.in, got, tt.text)
		}
	}
}

func TestParseParamsRefuses(t *testing.T) {
	for _, s := range []string{
		"", "rabbin", "Rabin", " rabin", "rabin:", "rabin:96KiB", "rabin:96KiB/15", "rabin:96KiB/15/1MiB/1",
		"rabin:96KiB/x/1MiB", "rabin:96KiB/271/1MiB", "rabin:64/15/1MiB", "rabin:1MiB/15/96KiB", "rabin:96KiB/7/1MiB",
		"rabin:/15/1MiB", "rabin:96KiB/15/",
		"fixed", "fixed:", "fixed:0", "fixed:100", "fixed:8KB", "fixed:8kib", "fixed:+8KiB", "fixed:-8KiB", "fixed: 8KiB",
		"fixed:8 KiB", "fixed:0x1000", "fixed:1_024", "fixed:9MiB", "fixed:4097MiB", "fixed:4294967295MiB", "fixed:4294967296",
		"fixed:99999999999999999999", "fixed:KiB", "unknown:1", ":", "fixed:8KiB:", strings.Repeat("x", 1<<20),
	} {
		p, err := chunk.ParseParams(s)
		if err == nil || p != (chunk.Params{}) {
			t.Errorf("ParseParams(%.40q) = %+v, %v; want an error", s, p, err)
			continue
		}
		if len(err.Error()) > 300 {
			t.Errorf("ParseParams(%.40q): message of %d bytes", s, len(err.Error()))
		}
	}
}

func TestRandomPolynomial(t *testing.T) {
	seen := map[uint64]bool{}
	for range 5 {
		pol, err := chunk.RandomPolynomial()
		if err != nil {
			t.Fatal(err)
		}
		if err := chunk.DefaultRabin(pol).Validate(); err != nil {
			t.Errorf("polynomial %#x: %v", pol, err)
		}
		seen[pol] = true
	}
	if len(seen) != 5 {
		t.Errorf("5 draws gave %d polynomials", len(seen))
	}
}
