package repo_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"savepoint/internal/adapt/linktest"
	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
)

// hollow is a store that forgets the bytes of data packs, so that many fit into a test.
type hollow struct {
	storage.Store

	mu    sync.Mutex
	sizes map[string]int64
}

func (s *hollow) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	if !strings.HasPrefix(name, "data/") {
		return s.Store.Put(ctx, name, body, size, o)
	}
	s.mu.Lock()
	s.sizes[name] = size
	s.mu.Unlock()
	return s.Store.Put(ctx, name, strings.NewReader("-"), 1, o)
}

func (s *hollow) Stat(ctx context.Context, name string) (storage.Info, error) {
	info, err := s.Store.Stat(ctx, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if size := s.sizes[name]; size > 0 {
		info.Size = size
	}
	return info, err
}

func (s *hollow) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return s.Store.List(ctx, prefix, after)
}

// patient repeats what the store was too busy for, and counts that.
type patient struct {
	storage.Store
	slow atomic.Uint64
}

func (s *patient) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	for {
		err := s.Store.Put(ctx, name, body, size, o)
		if !errors.Is(err, storage.ErrSlowDown) {
			return err
		}
		s.slow.Add(1)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// TestUploads stores many packs over slow lines: how long that takes beside two uploads at a time.
func TestUploads(t *testing.T) {
	if testing.Short() {
		t.Skip("seals gigabytes")
	}
	size := float64(pack.Target)
	slow := linktest.Line{Latency: 80 * time.Millisecond, Each: 10 << 20}
	for _, tt := range []struct {
		name    string
		line    linktest.Line
		buffers int
		packs   int
		two     float64 // seconds for two packs at a time
		gain    float64
		most    int // uploads at a time
	}{
		{"each is slow, 16 buffers", slow, 16, 32, 2*0.08 + size/slow.Each, 2.5, 16},
		{"each is slow, 4 buffers", slow, 4, 12, 2*0.08 + size/slow.Each, 1.35, 4},
		{"each is slow, the fewest buffers", slow, 2, 6, 2*0.08 + size/slow.Each, 0.9, 3},
		{"one fills the line", linktest.Line{Latency: time.Millisecond, All: 20 << 20}, 16, 12, 2 * size / (20 << 20), 0.95, 4},
		{"the server has enough of four", linktest.Line{Latency: 80 * time.Millisecond, Each: 10 << 20, Refuse: 4}, 16, 16, 2*0.08 + size/slow.Each, 0.8, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				link := linktest.New(&hollow{Store: mem.New(nil), sizes: map[string]int64{}}, linktest.Line{})
				newRepo(t, link)
				st := &patient{Store: link}
				r, err := repo.Open(t.Context(), st, secret, repo.Options{Sealers: 2, PackBuffers: tt.buffers, SlowDowns: st.slow.Load})
				if err != nil {
					t.Fatal(err)
				}
				link.Puts.Set(tt.line)
				link.Gets.Set(linktest.Line{Latency: tt.line.Latency})
				link.Puts.Most()
				began := time.Now()
				err = r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
					var wg sync.WaitGroup
					errs := make([]error, 4)
					for i := range errs {
						wg.Go(func() { errs[i] = bulk(ctx, s, byte(i), tt.packs*31/4) })
					}
					wg.Wait()
					return errors.Join(errs...)
				})
				if err != nil {
					t.Fatal(err)
				}
				took, fixed := time.Since(began).Seconds(), tt.two*float64(tt.packs)/2
				most := link.Puts.Most()
				t.Logf("%d packs in %.1f s, two at a time %.1f s; %d at a time at most, %d refused", tt.packs, took, fixed, most, st.slow.Load())
				if took*tt.gain > fixed {
					t.Errorf("%.2f times as fast, want %.2f", fixed/took, tt.gain)
				}
				if most > tt.most {
					t.Errorf("%d at a time, want %d at most", most, tt.most)
				}
				if n := st.slow.Load(); n > uint64(tt.packs/2) || n > 0 != (tt.line.Refuse > 0) {
					t.Errorf("%d refused", n)
				}
			})
		})
	}
}

// TestFewestBuffers has blocks for both data packs and for the tree pack on their way, with as little memory as can be asked for.
func TestFewestBuffers(t *testing.T) {
	m := mem.New(nil)
	newRepo(t, m)
	r, err := repo.Open(t.Context(), m, secret, repo.Options{Sealers: 2, Host: "host", PackBuffers: 2})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- r.Write(t.Context(), "world", "host", func(ctx context.Context, s *repo.Session) error {
			a, b, meta := s.NewStream(repo.Data), s.NewStream(repo.Data), s.NewStream(repo.Meta)
			for i, w := range []*repo.Stream{a, b, meta} {
				if _, err := w.Put(ctx, []byte{byte(i), 1, 2, 3}); err != nil {
					return err
				}
				if err := w.Flush(ctx); err != nil {
					return err
				}
			}
			return s.Settle(ctx)
		})
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the session hangs")
	}
}
