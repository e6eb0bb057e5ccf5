package repo_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/storage/fault"
)

// TestFirstTreeChunkWhileSessionMoves has the first tree chunk of a session come while it goes on under another lease, and lists again.
func TestFirstTreeChunkWhileSessionMoves(t *testing.T) {
	onStage(t, func(s *stage) {
		listing, goOn := make(chan struct{}), make(chan struct{})
		err := s.r.Write(s.Context(), "world", "host", func(ctx context.Context, x *repo.Session) error {
			data, meta := x.NewStream(repo.Data), x.NewStream(repo.Meta)
			rnd := rand.NewChaCha8([32]byte{1})
			fill := func() error {
				b := make([]byte, 1<<20)
				for range 70 {
					_, _ = rnd.Read(b)
					if _, err := data.Put(ctx, b); err != nil {
						return err
					}
				}
				return data.Flush(ctx)
			}
			if err := fill(); err != nil {
				return err
			}
			s.sleep(repo.TTL + time.Minute)
			s.wait(repo.RenewEvery + time.Minute) // notes that it has lapsed
			s.st.Arm(fault.Rule{Op: fault.List, Prefix: "condemned/", Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
				close(listing)
				<-goOn
				return nil
			}})
			if err := fill(); err != nil {
				return err
			}
			<-listing
			func() {
				defer func() {
					if r := recover(); r != nil {
						s.Errorf("panic: %v", r)
					}
				}()
				if _, err := meta.Put(ctx, []byte("page")); err != nil {
					s.Error(err)
				}
			}()
			close(goOn)
			return meta.Flush(ctx)
		})
		if err != nil {
			s.Fatal(err)
		}
	})
}
