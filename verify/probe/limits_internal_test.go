package probe

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestHeld weighs this process: what it takes more is seen.
func TestHeld(t *testing.T) {
	total, left := memory()
	if total < 64<<20 || left == 0 || left > total {
		t.Fatalf("%d bytes, %d are left", total, left)
	}
	own := map[int]process{os.Getpid(): {}}
	before := held(own)
	b := make([]byte, 64<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	if after := held(own); after < before+60<<20 {
		t.Errorf("%d bytes, then %d", before, after)
	}
	if b[4096] != 1 || held(map[int]process{1 << 30: {}}) != 0 {
		t.Error("a process that is not there holds memory")
	}
}

// TestShort has a host that has little left: a probe is blamed when it has much of it.
func TestShort(t *testing.T) {
	const gib = 1 << 30
	for _, tt := range []struct {
		total, left, has uint64
		blamed           bool
	}{
		{20 * gib, 2 * gib, 15 * gib, false},
		{20 * gib, gib / 2, 15 * gib, true},
		{20 * gib, gib / 2, 2 * gib, false}, // others have it
		{0, 0, gib, false},                  // not known
	} {
		why := short(tt.total, tt.left, func() uint64 { return tt.has })
		if (why != "") != tt.blamed || tt.blamed && !strings.Contains(why, strconv.Itoa(15<<10)+" MiB") {
			t.Errorf("%+v: %q", tt, why)
		}
	}
}
