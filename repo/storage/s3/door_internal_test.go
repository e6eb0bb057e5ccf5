package s3

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestDoors(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	a, b, c := &door{host: "a"}, &door{host: "b"}, &door{host: "c"}
	ds := newDoors([]*door{a, b, c}, slog.New(slog.DiscardHandler))
	ds.now = func() time.Time { return now }
	wantNext := func(hosts string) {
		t.Helper()
		var got strings.Builder
		for range len(hosts) {
			got.WriteString(ds.pick(nil).host)
		}
		if got.String() != hosts {
			t.Errorf("doors in turn are %s, want %s", got.String(), hosts)
		}
	}
	failure := errors.New("reset")
	wantNext("abcabc")
	ds.silent(b, failure)
	wantNext("acac")
	if got := ds.pick([]*door{a}).host; got != "c" {
		t.Errorf("beside a, %s is picked, want c", got)
	}
	if !ds.wellBeside([]*door{a}) || ds.wellBeside([]*door{a, c}) {
		t.Error("wellBeside counts doors that rest, or none")
	}
	now = now.Add(firstRest - 1)
	wantNext("acac")
	now = now.Add(1)
	wantNext("abcabc")

	// The next rest is twice as long, however many calls failed together, and so on up
	// to the longest.
	for _, rest := range []time.Duration{2 * firstRest, 4 * firstRest, maxRest, maxRest} {
		for range 5 {
			ds.silent(b, failure)
		}
		now = now.Add(rest - 1)
		wantNext("acac")
		now = now.Add(1)
		wantNext("abcabc")
	}
	ds.silent(a, failure)
	now = now.Add(time.Second)
	ds.silent(b, failure)
	now = now.Add(time.Second)
	ds.silent(c, failure)
	if got := ds.pick(nil).host; got != "a" {
		t.Errorf("when all rest, %s is picked, want a, which does so longest", got)
	}
	ds.answered(c)
	wantNext("ccc")
	ds.silent(c, failure)
	now = now.Add(firstRest)
	if got := ds.pick([]*door{a, b}).host; got != "c" {
		t.Errorf("%s is picked, want c, whose rests began anew", got)
	}
}
