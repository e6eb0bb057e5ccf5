package repo_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/tree"
)

// TestOldLeaseThatCannotEnd is no reason to fail.
func TestOldLeaseThatCannotEnd(t *testing.T) {
	onStage(t, func(s *stage) {
		snap, err := s.write(two, func(*repo.Session) {
			s.sleep(repo.TTL + time.Minute)
			old := ""
			for id := range s.leases() {
				old = id
			}
			s.st.Arm(fault.Rule{Op: fault.Put, Prefix: "leases/" + old + "/end"})
		})
		s.good(snap, err, two)
	})
}

// TestRenewalFails tries again soon, and the session lives on.
func TestRenewalFails(t *testing.T) {
	onStage(t, func(s *stage) {
		snap, err := s.write(two, func(*repo.Session) {
			s.st.Arm(fault.Rule{Op: fault.Put, Prefix: "leases/", Count: 15})
			s.wait(repo.TTL - time.Minute)
			s.st.Arm()
		})
		s.good(snap, err, two)
		if n := len(s.leases()); n != 1 {
			s.Errorf("%d leases", n)
		}
	})
}

// TestReaderLease is renewed and ended, and is not needed.
func TestReaderLease(t *testing.T) {
	onStage(t, func(s *stage) {
		mine := errors.New("mine")
		err := s.r.Read(s.Context(), "world", func(context.Context) error {
			s.wait(35 * time.Minute)
			return mine
		})
		if !errors.Is(err, mine) {
			s.Error(err)
		}
		for id, list := range s.leases() {
			if !slices.Equal(list, []string{"0", "1", "2", "3", "end"}) {
				s.Errorf("lease %s has %q", id, list)
			}
		}
		s.st.Arm(fault.Rule{Op: fault.Put, Count: fault.Forever, Err: storage.ErrUnsupported})
		ran := false
		if err := s.r.Read(s.Context(), "world", func(context.Context) error { ran = true; return nil }); err != nil || !ran {
			s.Errorf("without a lease: %v, ran %t", err, ran)
		}
	})
}

// TestStoreAfterALapse stores more under the second lease.
func TestStoreAfterALapse(t *testing.T) {
	onStage(t, func(s *stage) {
		var snap *repo.Snapshot
		more := files{"a": "one", "b": "two", "c": "three"}
		err := s.r.Write(s.Context(), "world", "host", func(ctx context.Context, x *repo.Session) error {
			m, err := store(ctx, s.r, x, two)
			if err != nil {
				return err
			}
			s.sleep(repo.TTL + time.Minute)
			m.Completeness = tree.Interrupted
			if _, err := x.Commit(ctx, m); err != nil {
				return err
			}
			if m, err = store(ctx, s.r, x, more); err != nil {
				return err
			}
			snap, err = x.Commit(ctx, m)
			return err
		})
		s.good(snap, err, more)
		if n := len(names(s.m, "data/")); n != 2 {
			s.Errorf("%d data packs, want no chunk twice", n)
		}
	})
}
