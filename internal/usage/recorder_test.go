package usage_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/usage"
)

// host is one whose clock and processors go on when they are told to.
type host struct {
	now  time.Time
	cpu  time.Duration
	used *usage.Recorder
}

func newHost() *host {
	h := &host{now: time.Unix(1_800_000_000, 0), cpu: time.Hour} // of the time before
	h.used = usage.New(usage.Options{Now: func() time.Time { return h.now }, CPU: func() (time.Duration, time.Duration) { return h.cpu - h.cpu/4, h.cpu / 4 }})
	return h
}

// pass lets seconds pass, and the processors work for some of them.
func (h *host) pass(wall, cpu float64) {
	h.now = h.now.Add(time.Duration(wall * float64(time.Second)))
	h.cpu += time.Duration(cpu * float64(time.Second))
}

func TestWaits(t *testing.T) {
	const s = time.Second
	for name, tt := range map[string]struct {
		run  func(h *host, u *usage.Recorder)
		want usage.Waits
	}{
		"one request after the other": {func(h *host, u *usage.Recorder) {
			for range 3 {
				u.Calling(1)
				h.pass(2, 0)
				u.Calling(-1)
				h.pass(1, 1)
			}
		}, usage.Waits{Storage: 6 * s}},
		"requests side by side": {func(h *host, u *usage.Recorder) {
			u.Calling(1)
			h.pass(1, 0)
			u.Calling(1)
			h.pass(1, 0)
			u.Calling(-1)
			h.pass(1, 0)
			u.Calling(-1)
		}, usage.Waits{Storage: 3 * s}},
		"requests beside work that nobody told of": {func(h *host, u *usage.Recorder) {
			u.Calling(1)
			h.pass(4, 3)
			u.Calling(-1)
		}, usage.Waits{Storage: s}},
		"requests beside more work than one core can do": {func(h *host, u *usage.Recorder) {
			u.Calling(1)
			h.pass(4, 7)
			u.Calling(-1)
		}, usage.Waits{}},
		"a pipeline that goes on": {func(h *host, u *usage.Recorder) {
			u.Join(2)
			u.Calling(1)
			u.Idle()
			h.pass(5, 5)
			u.Busy()
			u.Calling(-1)
			u.Leave(2)
		}, usage.Waits{}},
		"a pipeline in which all wait for a while": {func(h *host, u *usage.Recorder) {
			u.Join(2)
			u.Calling(1)
			u.Idle()
			h.pass(5, 5)
			u.Idle()
			h.pass(3, 3) // whoever worked then, it was none of those without whom nothing goes on
			u.Busy()
			h.pass(1, 1)
			u.Busy()
			u.Calling(-1)
			u.Leave(2)
		}, usage.Waits{Storage: 3 * s}},
		"all wait, and not for the storage": {func(h *host, u *usage.Recorder) {
			u.Join(1)
			u.Idle()
			h.pass(5, 0)
			u.Busy()
			u.Leave(1)
		}, usage.Waits{}},
		"work before and after a pipeline": {func(h *host, u *usage.Recorder) {
			h.pass(2, 2)
			u.Calling(1)
			h.pass(2, 0)
			u.Join(1)
			h.pass(9, 20)
			u.Leave(1)
			h.pass(2, 0)
			u.Calling(-1)
		}, usage.Waits{Storage: 4 * s}},
		"a limit": {func(h *host, u *usage.Recorder) {
			u.Calling(1)
			h.pass(1, 0)
			u.Held(1)
			h.pass(6, 0)
			u.Held(-1)
			u.Calling(-1)
		}, usage.Waits{Storage: s, Limit: 6 * s}},
		"a limit that holds up nobody": {func(h *host, u *usage.Recorder) {
			u.Join(1)
			u.Calling(1)
			u.Held(1)
			h.pass(6, 6)
			u.Held(-1)
			u.Calling(-1)
			u.Leave(1)
		}, usage.Waits{}},
		"a limit beside work that nobody told of": {func(h *host, u *usage.Recorder) {
			u.Calling(1)
			h.pass(2, 4)
			u.Held(1)
			h.pass(6, 0)
			u.Held(-1)
			u.Calling(-1)
		}, usage.Waits{Storage: s, Limit: 3 * s}},
		"readers of a slow disk": {func(h *host, u *usage.Recorder) {
			c := u.Readers(2)
			c.Spent(8 * s)
			c.Spent(6 * s)
			h.pass(10, 4)
			c.End()
		}, usage.Waits{Source: 7 * s}},
		"readers of files in memory": {func(h *host, u *usage.Recorder) {
			c := u.Readers(2)
			c.Spent(16 * s)
			h.pass(10, 19)
			c.End()
		}, usage.Waits{Source: s / 2}},
		"one of four readers has something to do": {func(h *host, u *usage.Recorder) {
			c := u.Readers(4)
			c.Idle()
			c.Idle()
			c.Idle()
			c.Spent(9 * s)
			h.pass(10, 1)
			c.End()
		}, usage.Waits{Source: 9 * s}},
		"a walk that is slower than the readers": {func(h *host, u *usage.Recorder) {
			c, w := u.Readers(2), u.Walker()
			c.Spent(2 * s)
			w.Spent(8 * s)
			h.pass(10, 1)
			w.End()
			c.End()
		}, usage.Waits{Source: 8 * s}},
		"writers, and what follows": {func(h *host, u *usage.Recorder) {
			c := u.Writers(2)
			c.Spent(8 * s)
			h.pass(10, 2)
			c.End()
			end := u.Writing()
			h.pass(5, 1)
			end()
		}, usage.Waits{Target: 4*s + 4*s}},
		"a person who types": {func(h *host, u *usage.Recorder) {
			u.Calling(1)
			h.pass(1, 0)
			resume := u.Pause()
			h.pass(100, 0)
			resume()
			h.pass(1, 0)
			u.Calling(-1)
		}, usage.Waits{Storage: 2 * s}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost()
			tt.run(h, h.used)
			got := h.used.Usage()
			if diff := cmp.Diff(tt.want, got.Waited); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again := h.used.Usage(); !cmp.Equal(got.Waited, again.Waited) {
				t.Errorf("asked again: %+v", again.Waited)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	h := newHost()
	h.pass(8, 4)
	resume := h.used.Pause()
	h.pass(50, 0)
	resume()
	u := h.used.Usage()
	if u.Wall != 8*time.Second || u.User != 3*time.Second || u.System != time.Second || u.Cores < 1 || u.PeakMemory == 0 || u.Requests != nil {
		t.Errorf("%+v", u)
	}
	resume = h.used.Pause()
	h.pass(50, 0)
	if u = h.used.Usage(); u.Wall != 8*time.Second { // while it pauses
		t.Errorf("%+v", u)
	}
	resume()
}

// TestProcess measures this process.
func TestProcess(t *testing.T) {
	r := usage.New(usage.Options{})
	sum := 0
	for r.Usage().User+r.Usage().System < 20*time.Millisecond {
		for i := range 1_000_000 {
			sum += i * i
		}
	}
	if u := r.Usage(); u.Wall <= 0 || u.CPU() <= 0 || u.CPU() > 1 {
		t.Errorf("%+v (%d)", u, sum)
	}
}

// TestNil holds that who has no recorder need not care.
func TestNil(t *testing.T) {
	var r *usage.Recorder
	r.Join(1)
	r.Idle()
	r.Busy()
	r.Leave(1)
	r.Calling(1)
	r.Held(1)
	r.Pause()()
	r.Writing()()
	c := r.Readers(1)
	c.Idle()
	c.Busy()
	c.Spent(c.Clock())
	c.End()
	if u := r.Usage(); u.Limit != usage.Unclear || u.Wall != 0 {
		t.Errorf("%+v", u)
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	r := usage.New(usage.Options{})
	c := r.Readers(4)
	r.Join(4)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				r.Calling(1)
				r.Held(1)
				r.Idle()
				c.Idle()
				began := c.Clock()
				c.Spent(c.Clock() - began)
				c.Busy()
				r.Busy()
				r.Held(-1)
				r.Calling(-1)
				r.Usage()
			}
		})
	}
	wg.Wait()
	r.Leave(4)
	c.End()
	if u := r.Usage(); u.Waited.Storage+u.Waited.Limit > u.Wall {
		t.Errorf("%+v", u)
	}
}

func BenchmarkCalling(b *testing.B) {
	r := usage.New(usage.Options{})
	for b.Loop() {
		r.Calling(1)
		r.Calling(-1)
	}
}

func BenchmarkSpent(b *testing.B) {
	c := usage.New(usage.Options{}).Readers(2)
	for b.Loop() {
		began := c.Clock()
		c.Spent(c.Clock() - began)
	}
}
