package restore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"savepoint/internal/adapt/linktest"
	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
)

// What is restored over slow lines.
const (
	farFiles = 24
	farSize  = 8 << 20
)

// distant saves noise in memory and opens the repository at the other end of a line.
func distant(t *testing.T, line linktest.Line) (*watched, *repo.Repo, *repo.Snapshot, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "source")
	for i := range farFiles {
		write(t, filepath.Join(dir, fmt.Sprint(i)), noise(uint64(i), farSize))
	}
	m, _, snap := saved(t, dir)
	st := &watched{Store: linktest.New(m, linktest.Line{}), seen: map[*byte]bool{}}
	r, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: "test"}, repo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	st.Gets.Set(line)
	return st, r, snap, dir
}

// watched counts the different pieces of memory that requests read into.
type watched struct {
	*linktest.Store

	mu   sync.Mutex
	seen map[*byte]bool // those of 1 MiB or more
}

var _ storage.Store = (*watched)(nil)

func (s *watched) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	out, err := s.Store.Get(ctx, name, off, n, dst)
	if cap(out) >= 1<<20 {
		s.mu.Lock()
		s.seen[&out[:1][0]] = true // and so it stays where it is
		s.mu.Unlock()
	}
	return out, err
}

// timed restores and returns how long fetching and writing took, and how many requests.
func timed(t *testing.T, r *repo.Repo, snap *repo.Snapshot, dir string, o restore.Options) (time.Duration, int) {
	t.Helper()
	var requests int
	planned := o.Events.Planned
	o.Events.Planned = func(p restore.Plan) {
		requests = int(p.Requests)
		if planned != nil {
			planned(p)
		}
	}
	got, res := bring(t, r, snap, restore.Selection{}, o)
	same(t, dir, got)
	for _, p := range res.Phases {
		if p.Name == "transfer" {
			return p.Duration, requests
		}
	}
	t.Fatal("no phase of that name")
	return 0, 0
}

// TestDownloads restores over slow lines: how long that takes beside two requests at a time, and how much memory.
func TestDownloads(t *testing.T) {
	if testing.Short() {
		t.Skip("restores a gigabyte")
	}
	const workers = 2
	for _, tt := range []struct {
		name string
		line linktest.Line
		gain float64
		most int // requests at a time, at most
		low  int // at least
	}{
		{"latency", linktest.Line{Latency: 50 * time.Millisecond}, 2.5, 16, 12},
		{"each is slow", linktest.Line{Latency: 50 * time.Millisecond, Each: 25 << 20}, 2.5, 16, 12},
		{"one fills the line", linktest.Line{Latency: time.Millisecond, All: 20 << 20}, 0.97, 4, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st, r, snap, dir := distant(t, tt.line)
				fixed, requests := timed(t, r, snap, dir, restore.Options{Workers: workers, Fetches: 2})
				if most := st.Gets.Most(); most != 2 {
					t.Errorf("%d at a time, want 2", most)
				}
				if n := len(st.seen); n > 2+workers {
					t.Errorf("%d pieces of memory for 2 requests at a time", n)
				}
				clear(st.seen)
				took, _ := timed(t, r, snap, dir, restore.Options{Workers: workers})
				most := st.Gets.Most()
				t.Logf("%d requests in %v, two at a time %v; %d at a time at most, %d pieces of memory", requests, took, fixed, most, len(st.seen))
				if took.Seconds()*tt.gain > fixed.Seconds() {
					t.Errorf("%.2f times as fast, want %.2f", fixed.Seconds()/took.Seconds(), tt.gain)
				}
				if most > tt.most || most < tt.low {
					t.Errorf("%d at a time, want %d to %d", most, tt.low, tt.most)
				}
				if n := len(st.seen); n > most+workers {
					t.Errorf("%d pieces of memory", n)
				}
			})
		})
	}
}

// TestSlowTarget: where writing is what takes the time, no more is fetched ahead than two requests, or four where the first
// ones, which the workers take at once, look as if more would pay.
func TestSlowTarget(t *testing.T) {
	if testing.Short() {
		t.Skip("restores 200 MiB")
	}
	synctest.Test(t, func(t *testing.T) {
		st, r, snap, dir := distant(t, linktest.Line{Latency: 50 * time.Millisecond})
		slow := restore.Events{Progress: func(restore.Progress) { <-time.After(time.Second) }}
		timed(t, r, snap, dir, restore.Options{Workers: 2, Events: slow})
		if most := st.Gets.Most(); most > 4 {
			t.Errorf("%d requests at a time", most)
		}
		if n := len(st.seen); n > 4+2 {
			t.Errorf("%d pieces of memory", n)
		}
	})
}

// TestFetchFails: an error of the store ends the restore, whoever waits for what.
func TestFetchFails(t *testing.T) {
	for _, fetches := range []int{1, 2, 16} {
		synctest.Test(t, func(t *testing.T) {
			dir, _ := hoard(t)
			m := mem.New(nil)
			snap := save(t, newRepo(t, m), dir)
			link := linktest.New(m, linktest.Line{})
			r, err := repo.Open(t.Context(), link, repo.Secret{Passphrase: "test"}, repo.Options{})
			if err != nil {
				t.Fatal(err)
			}
			o := restore.Options{Target: filepath.Join(t.TempDir(), "t"), Fetches: fetches}
			o.Events.Planned = func(restore.Plan) { link.Gets.Set(linktest.Line{Refuse: 1}) }
			if _, err := restore.Run(t.Context(), r, snap, restore.Selection{}, o); !errors.Is(err, storage.ErrSlowDown) {
				t.Errorf("%d requests at a time: %v", fetches, err)
			}
		})
	}
}
