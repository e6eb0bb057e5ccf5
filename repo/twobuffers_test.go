package repo_test

import (
	"context"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/storage/mem"
)

// TestTwoBuffers has blocks for both data packs and for the tree pack on their way, with memory for two packs.
func TestTwoBuffers(t *testing.T) {
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
