package bytesize_test

import (
	"math"
	"strings"
	"testing"

	"github.com/dustin/go-humanize"

	"savepoint/internal/bytesize"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "1b": 1, "1.9": 1, "50MiB": 50 << 20, "800kB": 800_000, "800 KB": 800_000, "1k": 1000, "1Ki": 1024,
		"10GiB": 10 << 30, "1.5 MB": 1_500_000, ".5g": 500_000_000, "2.TiB": 2 << 40, "1e": 1e18, "7.5EiB": 15 << 59,
		"9223372036854775807": math.MaxInt64, "0.0000001EB": 100_000_000_000,
	} {
		if got, err := bytesize.Parse(text); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "GiB", "-1", "+1", "1 2", "1x", "1kk", "1ib", "1bb", "1mgb", "1,000", "1.2.3", ".", "1e9", "1/3", "1_000", "0x10", "8EiB",
		"9223372036854775808", "10%", "1\u00a0k\x00", strings.Repeat("1", 41), "٣"} {
		if got, err := bytesize.Parse(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestFormat(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 1: "1", 1000: "1kB", 1024: "1KiB", 1025: "1025", 10 << 30: "10GiB", 500_000_000: "500MB", 10_000_000_000: "10GB",
		1536 << 20: "1536MiB", 1_500_000: "1500kB", 7 << 60: "7EiB", 1e18: "1EB"} {
		if got := bytesize.Format(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
		if back, err := bytesize.Parse(bytesize.Format(n)); err != nil || back != n {
			t.Errorf("%d comes back as %d, %v", n, back, err)
		}
	}
}

// FuzzParse holds sizes against those of the library that prints them, which calculates with floating point.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "10GiB", "1.5 MB", "4096", "0.1k", "7.99EiB", "1e", "1..2", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := bytesize.Parse(s)
		if err != nil {
			return
		}
		if back, err := bytesize.Parse(bytesize.Format(n)); n < 0 || err != nil || back != n {
			t.Fatalf("%q: %d comes back as %d, %v", s, n, back, err)
		}
		if other, err := humanize.ParseBytes(s); err != nil || math.Abs(float64(other)-float64(n)) > 1+float64(n)/(1<<50) {
			t.Fatalf("%q: %d here, %d, %v there", s, n, other, err)
		}
	})
}
