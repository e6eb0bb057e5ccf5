package s3

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
)

func TestCheckRange(t *testing.T) {
	tests := []struct {
		said           string
		off, n, length int64
		size           int64 // 0: an error
	}{
		{"bytes 0-9/10", 0, -1, 10, 10},
		{"bytes 0-9/10", 0, 10, 10, 10},
		{"bytes 0-9/10", 0, 20, 10, 10}, // cut off at the end
		{"bytes 5-9/10", 5, -1, 5, 10},
		{"bytes 5-6/10", 5, 2, 2, 10},
		{"bytes 5-6/10", 5, 2, -1, 10}, // a body of unknown length
		{"", 0, -1, 10, 10},            // the whole object
		{"", 0, 10, 10, 10},
		{"", 0, 20, 10, 10},

		{"", 0, -1, 0, 0},
		{"", 0, -1, -1, 0},
		{"", 1, -1, 10, 0},
		{"", 0, 5, 10, 0},
		{"bytes 0-8/10", 0, -1, 9, 0}, // less than asked for
		{"bytes 0-8/10", 0, 10, 9, 0},
		{"bytes 0-9/10", 0, 5, 10, 0}, // more
		{"bytes 1-9/10", 0, -1, 9, 0}, // elsewhere
		{"bytes 5-9/10", 5, -1, 6, 0}, // another length
		{"bytes 5-9/9", 5, -1, 5, 0},
		{"bytes 5-4/10", 5, -1, 0, 0},
		{"bytes 5-9/*", 5, -1, 5, 0},
		{"bytes */10", 5, -1, 5, 0},
		{"bytes -5/10", 5, -1, 5, 0},
		{"lines 5-9/10", 5, -1, 5, 0},
		{"bytes", 5, -1, 5, 0},
		{"bytes 5-99999999999999999999/999999999999999999999", 5, -1, 5, 0},
	}
	for _, tt := range tests {
		h := http.Header{}
		if tt.said != "" {
			h.Set("Content-Range", tt.said)
		}
		size, err := checkRange(h, tt.off, tt.n, tt.length)
		if size != tt.size || (err == nil) != (tt.size > 0) {
			t.Errorf("checkRange(%q, %d, %d, %d) = %d, %v, want %d", tt.said, tt.off, tt.n, tt.length, size, err, tt.size)
		}
	}
}

// TestGrowth has a server that claims what it does not send.
func TestGrowth(t *testing.T) {
	for _, n := range []int64{-1, 1 << 40} {
		g := getting{n: n, want: 1 << 40, start: 4, out: []byte("kept")}
		err := g.read(io.LimitReader(zeros{}, 10_000_000))
		if _, ok := errors.AsType[*brokenError](err); !ok || g.done() != 10_000_000 {
			t.Errorf("read = %v after %d bytes", err, g.done())
		}
		if most := 2 * askedGrowth; cap(g.out) > most {
			t.Errorf("%d bytes of memory for 10,000,000", cap(g.out))
		}
		if !bytes.HasPrefix(g.out, []byte("kept")) {
			t.Error("what dst held is lost")
		}
	}
	g := getting{n: -1, want: 10}
	if err := g.read(io.LimitReader(zeros{}, 11)); err == nil {
		t.Error("a body that is longer than announced is accepted")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestListingBounds(t *testing.T) {
	for prefix, want := range map[string]bool{"": true, "a": true, "a/": true, "a.": true, "..": true, ".": true, "/": false, "a//": false, "../": false, "a/./": false, "ä": false, "a b": false} {
		if begins(prefix) != want {
			t.Errorf("begins(%q) = %v", prefix, !want)
		}
	}
	for after, want := range map[string]string{"": "", "a/b": "a/b", "a/b~c": "a/b", "a//b": "a/", "~": "", "a/../b": "a/..", "a\x00": "a"} {
		if got := floor(after); got != want {
			t.Errorf("floor(%q) = %q, want %q", after, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	long := bytes.Repeat([]byte("ä"), 1000)
	if got := plain(string(long)); len(got) > 310 {
		t.Errorf("%d bytes of a long message are left", len(got))
	}
	if got := plain("a\nb\x1b[31mc\x00\td"); got != "a b[31mc d" {
		t.Errorf("plain = %q", got)
	}
}
