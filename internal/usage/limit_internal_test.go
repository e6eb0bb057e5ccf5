package usage

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLimitOf(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name   string
		wall   time.Duration
		cpu    time.Duration
		cores  int
		waited Waits
		want   Resource
	}{
		{"all cores at work", 10 * s, 19 * s, 2, Waits{}, CPU},
		{"one of two cores at work, and nothing else to wait for", 10 * s, 10 * s, 2, Waits{Storage: s}, CPU},
		{"one of four cores at work", 10 * s, 10 * s, 4, Waits{}, Unclear},
		{"all cores at work while files are read from memory", 10 * s, 19 * s, 2, Waits{Source: 9 * s}, CPU},
		{"a slow storage", 10 * s, 2 * s, 2, Waits{Storage: 8 * s}, Storage},
		{"a slow source", 10 * s, 2 * s, 2, Waits{Source: 8 * s, Storage: s}, Source},
		{"a slow target", 10 * s, 2 * s, 2, Waits{Target: 6 * s, Storage: s}, Target},
		{"a limit", 10 * s, 2 * s, 2, Waits{Limit: 9 * s, Storage: s}, Limit},
		{"exactly half", 10 * s, 0, 2, Waits{Storage: 5 * s, Source: 3 * s}, Storage},
		{"less than half", 10 * s, 0, 2, Waits{Storage: 49 * s / 10}, Unclear},
		{"two at once", 10 * s, 0, 2, Waits{Storage: 6 * s, Source: 5 * s}, Unclear},
		{"a wait, and a core at work", 10 * s, 10 * s, 2, Waits{Storage: 9 * s}, Unclear},
		{"nothing of all that", 10 * s, s, 2, Waits{}, Unclear},
		{"over at once", 99 * time.Millisecond, 0, 2, Waits{Storage: 99 * time.Millisecond}, Unclear},
		{"no time", 0, 0, 0, Waits{}, Unclear},
		{"more than there was", s, 0, 1, Waits{Target: 3 * s}, Target},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := limitOf(&Usage{Wall: tt.wall, User: tt.cpu, Cores: tt.cores, Waited: tt.waited}); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestLimitIsNoGuess holds that what is named took half of the time, and that nothing else took as much.
func TestLimitIsNoGuess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := func(name string) time.Duration { return time.Duration(rapid.Int64Range(0, 2e10).Draw(t, name)) }
		u := Usage{Wall: d("wall"), User: d("user"), System: d("system"), Cores: rapid.IntRange(0, 64).Draw(t, "cores"),
			Waited: Waits{Storage: d("storage"), Source: d("source"), Target: d("target"), Limit: d("limit")}}
		took := map[Resource]float64{CPU: u.CPU()}
		for r, w := range map[Resource]time.Duration{Storage: u.Waited.Storage, Source: u.Waited.Source, Target: u.Waited.Target, Limit: u.Waited.Limit} {
			took[r] = min(1-u.CPU(), ratio(w, u.Wall))
		}
		got := limitOf(&u)
		if got == Unclear {
			return
		}
		for r, share := range took {
			if took[got] < 0.5 || r != got && share >= took[got] {
				t.Fatalf("%s of %v", got, took)
			}
		}
	})
}

func TestHighWater(t *testing.T) {
	for _, tt := range []struct {
		status string
		want   uint64
	}{
		{"Name:\tstore\nVmPeak:\t  300 kB\nVmHWM:\t   181 kB\nVmRSS:\t 10 kB\n", 181 << 10},
		{"VmHWM:\t181 kB", 181 << 10},
		{"VmRSS:\t10 kB\n", 0},
		{"VmHWM:\tmuch kB\n", 0},
		{"VmHWM:\t18446744073709551615 kB\n", 0},
		{"", 0},
	} {
		if got := highWater([]byte(tt.status)); got != tt.want {
			t.Errorf("%q: %d, want %d", tt.status, got, tt.want)
		}
	}
	if peakMemory() < 1<<20 {
		t.Errorf("this process has had %d bytes", peakMemory())
	}
}
