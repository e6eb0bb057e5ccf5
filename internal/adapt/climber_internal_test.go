package adapt

import (
	"slices"
	"testing"
)

// path returns the limits after each window.
func path(c climber, windows ...window) []int {
	var out []int
	for _, w := range windows {
		c = c.next(w)
		out = append(out, c.limit)
	}
	return out
}

// used is a window in which n transfers brought rate.
func used(n int, rate float64) window { return window{rate, float64(n)} }

func TestClimber(t *testing.T) {
	// settled holds 8 between 1 and 16, for rate, and tries next in the direction.
	settled := func(rate float64, down bool) climber {
		return climber{min: 1, max: 16, limit: 8, base: used(8, rate), pause: minPause, down: down}
	}
	for _, tt := range []struct {
		name    string
		c       climber
		windows []window
		want    []int
	}{
		{"doubles while it pays", newClimber(2, 16), []window{used(2, 20), used(4, 40), used(8, 70), used(16, 120)}, []int{4, 8, 16, 16}},
		{"doubles up to the limit", newClimber(2, 5), []window{used(2, 20), used(4, 40), used(5, 50)}, []int{4, 5, 5}},
		{"a doubling that does not pay", newClimber(2, 16), []window{used(2, 20), used(4, 25), used(2, 20)}, []int{4, 2, 2}},
		{"a doubling that pays a little", newClimber(2, 16), []window{used(2, 20), used(4, 27)}, []int{4, 8}},
		{"a doubling that hurts", newClimber(2, 16), []window{used(2, 20), used(4, 10)}, []int{4, 2}},
		{"nobody uses the second", newClimber(2, 16), []window{{20, 1.2}, {20, 0.9}, {5, 1}}, []int{2, 2, 2}},
		{"nobody uses the doubled", newClimber(2, 16), []window{{20, 1.9}, {20, 2}, used(2, 20), used(2, 20), used(4, 40)}, []int{4, 2, 2, 4, 8}},
		{"a part of the doubled is used, and pays", newClimber(2, 16), []window{used(2, 20), {30, 3}, {30, 3}}, []int{4, 4, 4}},
		{"a quarter up pays, so goes on", settled(80, false), []window{used(8, 80), used(10, 100), used(12, 118), used(15, 119)}, []int{10, 12, 15, 12}},
		{"a quarter down costs nothing, so goes on", settled(80, true), []window{used(8, 80), used(6, 80), used(5, 79), used(4, 60)}, []int{6, 5, 4, 5}},
		{"a quarter down costs", settled(80, true), []window{used(8, 80), used(6, 60), used(8, 80)}, []int{6, 8, 8}},
		{"half the rate at once", settled(80, false), []window{used(8, 30), used(4, 30), used(3, 20)}, []int{4, 3, 4}},
		{"half the rate, and half of that with half the limit", settled(80, false), []window{used(8, 30), used(4, 15), used(8, 30)}, []int{4, 8, 8}},
		{"half the rate because there is less to do", settled(80, false), []window{{30, 4}, {10, 1}, used(8, 80)}, []int{8, 8, 10}},
		{"only down from the top", climber{min: 1, max: 8, limit: 8, base: used(8, 80)}, []window{used(8, 80)}, []int{6}},
		{"only up from the bottom", climber{min: 2, max: 8, limit: 2, base: used(2, 80), down: true}, []window{used(2, 80)}, []int{3}},
		{"fixed", newClimber(3, 3), []window{used(3, 80), used(3, 8), used(3, 80)}, []int{3, 3, 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := path(tt.c, tt.windows...); !slices.Equal(got, tt.want) {
				t.Errorf("limits %v, want %v", got, tt.want)
			}
		})
	}
}

func TestClimberSlow(t *testing.T) {
	c := newClimber(2, 16)
	c.limit = 16
	var got []int
	for range 5 {
		c = c.slow()
		got = append(got, c.limit)
	}
	if want := []int{8, 4, 2, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("limits %v, want %v", got, want)
	}
	c = newClimber(2, 16)
	c.limit = 16
	c = c.slow()
	for i := range 2 * minPause {
		if c = c.next(used(8, 80)); c.limit != 8 {
			t.Fatalf("limit %d after %d windows", c.limit, i+1)
		}
	}
	if c = c.next(used(8, 80)); c.limit != 10 {
		t.Errorf("limit %d where a quarter more is tried", c.limit)
	}
	waits := []int{c.wait}
	for range 4 {
		c = c.slow()
		waits = append(waits, c.wait)
	}
	if want := []int{0, 16, 32, 64, 64}; !slices.Equal(waits, want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
}

// TestClimberRests holds that trials become rare where they bring nothing, and begin again where they do.
func TestClimberRests(t *testing.T) {
	c := newClimber(2, 16)
	trials := 0
	for range 1000 {
		c = c.next(used(c.limit, 80)) // never depends on the limit
		if c.limit != 2 {
			trials++
		}
	}
	if trials < 1000/(maxPause+3) || trials > 1000/maxPause+5 {
		t.Errorf("%d trials in 1000 windows", trials)
	}
	for range 2 * maxPause {
		c = c.next(used(c.limit, 40*float64(c.limit)))
	}
	if c.limit < 12 {
		t.Errorf("limit %d after the store became better", c.limit)
	}
}

// TestClimberStaysInside walks over every kind of window, in every order of five.
func TestClimberStaysInside(t *testing.T) {
	kinds := []window{{0.001, 0.001}, {1, 1}, {10, 4}, {100, 8}, {1000, 30}}
	var walk func(c climber, depth int)
	walk = func(c climber, depth int) {
		if c.limit < c.min || c.limit > c.max {
			t.Fatalf("limit %d of %d to %d", c.limit, c.min, c.max)
		}
		if depth == 0 {
			return
		}
		for _, w := range kinds {
			walk(c.next(w), depth-1)
		}
		walk(c.slow(), depth-1)
	}
	for low := range 4 {
		for high := max(1, low); high < 9; high++ {
			walk(newClimber(max(1, low), high), 5)
		}
	}
}
