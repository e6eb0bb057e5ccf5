package check

import (
	"strings"
	"testing"
)

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]Amount{
		"all": {all: true}, "5%": {share: 5_000_000}, "1%": {share: 1_000_000}, "100%": {share: 100_000_000}, "2.5%": {share: 2_500_000},
		"0.5%": {share: 500_000}, "0.000001%": {share: 1}, "33.333333%": {share: 33_333_333}, "1.000000%": {share: 1_000_000}, "10GiB": {bytes: 10 << 30}, "500MB": {bytes: 500_000_000},
		"4096B": {bytes: 4096}, "1b": {bytes: 1}, "7EiB": {bytes: 7 << 60}, "1.5 KiB": {bytes: 1536},
	} {
		if got, err := ParseAmount(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "%", "0", "0%", "0.0%", "0.0000001%", "100.000001%", "101%", "256%", "1000%", "-5%", "+5%", "5 %", "5.%", ".5%", "1.2345678%", "1.5.5%",
		"1e1%", "5.-1%", "5.+1%", "All", "ALL", "all ", "nothing", "-1", "10GiB/s", "0.1", "0KiB", "5%%", "NaN%", "9EiB", "4096", "5", "1.5", ".", "0B", "0.5B", "99999999999999999999YiB"} {
		if got, err := ParseAmount(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
	if s := (Amount{}).String(); s != "" || !(Amount{}).IsZero() || All().IsZero() {
		t.Errorf("nothing is %q", s)
	}
}

// TestAmountRefused says of what is refused why, and what to write.
func TestAmountRefused(t *testing.T) {
	for text, want := range map[string]string{
		"5": "5%, or a unit such as 5GiB", "0.5": "0.5%, or a unit such as 0.5GiB", "9EiB": "no repository has so many bytes", "99999999999999999999": "a percentage or a size?",
		"0%": "more than 0%", "0.0000001%": "at most 6 digits", "200%": "at most 100%", "much": "a size such as 10GiB",
	} {
		if _, err := ParseAmount(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"all", "5%", "2.500001%", "100%", "10GiB", "500MB", "12345B", "10000000000", "0.5%", "0%", "1.%", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAmount(s)
		if err != nil {
			return
		}
		if back, err := ParseAmount(a.String()); err != nil || back != a || a.IsZero() {
			t.Fatalf("%q is %+v, and comes back from %q as %+v, %v", s, a, a, back, err)
		}
		if !a.takes(0, 1<<63, 1<<64-1) || !a.all && a.takes(1<<64-1, 1, 1<<64-1) {
			t.Fatalf("%q takes no first pack, or one too many", s)
		}
	})
}

func TestAmountTakes(t *testing.T) {
	for _, tt := range []struct {
		amount               string
		already, size, total uint64
		want                 bool
	}{
		{"all", 0, 10, 100, true}, {"all", 90, 10, 100, true},
		{"5%", 0, 10, 100, true}, {"5%", 4, 10, 100, true}, {"5%", 5, 10, 100, false}, {"5%", 5, 1, 101, true}, {"5%", 6, 1, 101, false},
		{"100%", 99, 1, 100, true}, {"1%", 0, 1000, 1000, true}, {"1%", 1 << 57, 1, 1<<64 - 1, true}, {"1%", 1 << 58, 1, 1<<64 - 1, false},
		{"50B", 0, 50, 100, true}, {"50B", 0, 51, 100, true}, {"50B", 20, 30, 100, true}, {"50B", 20, 31, 100, false}, {"50B", 51, 0, 100, false},
		{"7EiB", 1, 1<<64 - 1, 1<<64 - 1, false},
	} {
		a, err := ParseAmount(tt.amount)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.takes(tt.already, tt.size, tt.total); got != tt.want {
			t.Errorf("%s after %d of %d, and %d more: %v", tt.amount, tt.already, tt.total, tt.size, got)
		}
	}
	if (Amount{}).takes(0, 1, 1) {
		t.Error("nothing takes a pack")
	}
}
