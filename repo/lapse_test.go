package repo_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"savepoint/repo"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
)

// stage is a repository whose storage has a clock of its own, inside a bubble of synctest.
type stage struct {
	*testing.T
	c  *clock
	m  *mem.Store
	st *fault.Store
	r  *repo.Repo
}

func onStage(t *testing.T, f func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &clock{base: time.Now}
		m := mem.New(c.now)
		newRepo(t, m)
		st := fault.New(m)
		f(&stage{t, c, m, st, openRepo(t, st)})
	})
}

// sleep suspends the machine: the storage's clock goes on, the machine's does not.
func (s *stage) sleep(d time.Duration) { s.c.add(d) }

// wait lets time pass for everybody.
func (s *stage) wait(d time.Duration) {
	<-time.After(d) // the time of the bubble
	synctest.Wait()
}

// write runs a session of files and calls between before it commits.
func (s *stage) write(f files, between func(*repo.Session)) (*repo.Snapshot, error) {
	s.Helper()
	var snap *repo.Snapshot
	err := s.r.Write(s.Context(), "world", "host", func(ctx context.Context, x *repo.Session) error {
		m, err := store(ctx, s.r, x, f)
		if err != nil {
			return err
		}
		between(x)
		snap, err = x.Commit(ctx, m)
		return err
	})
	return snap, err
}

// good checks a snapshot that was published.
func (s *stage) good(snap *repo.Snapshot, err error, f files) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
	list := snapshots(s, s.r)
	i := slices.IndexFunc(list, func(x *repo.Snapshot) bool { return x.Name == snap.Name })
	if i < 0 || list[i].Late || snap.Late {
		s.Fatalf("snapshot is not listed, or late: %+v", snap)
	}
	mustLoad(s, s.r, snap, f)
}

// refused checks that a session published no snapshot, and that the next one does.
func (s *stage) refused(err error, f files) {
	s.Helper()
	if !errors.Is(err, repo.ErrLapsed) {
		s.Fatalf("Write = %v, want ErrLapsed", err)
	}
	if n := names(s.m, "snapshots/"); len(n) > 0 {
		s.Fatalf("published %q", n)
	}
	mustLoad(s, s.r, mustSave(s, s.r, "world", f), f)
}

func (s *stage) leases() map[string][]string {
	out := map[string][]string{}
	for _, n := range names(s.m, "leases/") {
		p := strings.Split(n, "/")
		out[p[1]] = append(out[p[1]], p[2])
	}
	return out
}

func (s *stage) time(name string) time.Time {
	s.Helper()
	info, err := s.m.Stat(s.Context(), name)
	if err != nil {
		s.Fatal(err)
	}
	return info.Time
}

func (s *stage) delete(name string) {
	s.Helper()
	if err := s.m.Delete(s.Context(), name); err != nil {
		s.Fatal(err)
	}
}

var two = files{"a": "one", "b": "two"}

// TestRenewalDoesNotHealAGap has a machine that sleeps and whose timer renews before it commits.
func TestRenewalDoesNotHealAGap(t *testing.T) {
	onStage(t, func(s *stage) {
		rec := condemn(s, s.m)
		var late [16]byte
		snap, err := s.write(two, func(*repo.Session) {
			s.sleep(repo.TTL + time.Minute)
			s.wait(repo.RenewEvery + time.Second)
			late = condemn(s, s.m)
		})
		s.good(snap, err, two)
		all := s.leases()
		if len(all) != 2 {
			s.Fatalf("leases are %v, want an old and a new one", all)
		}
		id := hexOf(snap.Lease)
		for other := range all {
			if other == id {
				continue
			}
			if end, began := s.time("leases/"+other+"/end"), s.time("leases/"+id+"/0"); end.Before(began) {
				s.Errorf("old lease ended at %v, before the new one began at %v", end, began)
			}
		}
		if snap.LeaseBegan != s.time("leases/"+id+"/0").UnixNano() || snap.Start().Equal(time.Unix(0, snap.LeaseBegan)) {
			s.Errorf("lease began %d, window %v", snap.LeaseBegan, snap.Window)
		}
		if !slices.Contains(snap.Seen, [16]byte(rec)) || !slices.Contains(snap.Seen, late) || len(snap.Seen) != 2 {
			s.Errorf("seen %x, want the records listed under the new lease", snap.Seen)
		}
	})
}

// TestNewLeaseIsRenewed goes on after a snapshot under a second lease.
func TestNewLeaseIsRenewed(t *testing.T) {
	onStage(t, func(s *stage) {
		err := s.r.Write(s.Context(), "world", "host", func(ctx context.Context, x *repo.Session) error {
			m, err := store(ctx, s.r, x, two)
			if err != nil {
				return err
			}
			s.sleep(repo.TTL + time.Minute)
			first, err := x.Commit(ctx, m)
			if err != nil {
				return err
			}
			s.wait(2 * repo.TTL)
			before := s.leases()
			if n := len(before[hexOf(first.Lease)]); n < 7 {
				s.Errorf("%d objects of the new lease after an hour", n)
			}
			for id, list := range before {
				if id != hexOf(first.Lease) && len(list) > 3 {
					s.Errorf("the old lease goes on: %q", list)
				}
			}
			second, err := x.Commit(ctx, m)
			if err == nil && (second.Lease != first.Lease || second.Seq != 2 || first.Seq != 1) {
				s.Errorf("second manifest: lease %x after %x, seq %d after %d", second.Lease, first.Lease, second.Seq, first.Seq)
			}
			return err
		})
		if err != nil {
			s.Fatal(err)
		}
	})
}

// TestLongCheckLapses has a lease that lapses while the root is verified under it.
func TestLongCheckLapses(t *testing.T) {
	onStage(t, func(s *stage) {
		gate := fault.NewGate()
		go func() {
			<-gate.Reached // the lists under the second lease
			s.sleep(repo.TTL + time.Minute)
			gate.Release <- struct{}{}
		}()
		snap, err := s.write(two, func(*repo.Session) {
			s.sleep(repo.TTL + time.Minute)
			s.st.Arm(fault.Rule{Op: fault.List, Prefix: "snapshots/", Do: fault.Freeze, Gate: gate})
		})
		s.good(snap, err, two)
		if n := len(s.leases()); n != 3 {
			s.Errorf("%d leases, want a third after the second lapsed", n)
		}
	})
}

// TestLateManifest freezes a manifest on its way, while the machine sleeps and while only the store is slow.
func TestLateManifest(t *testing.T) {
	for _, awake := range []bool{false, true} {
		onStage(t, func(s *stage) {
			gate := fault.NewGate()
			go func() {
				<-gate.Reached
				if awake {
					s.wait(repo.TTL + time.Minute) // renewals come meanwhile
				} else {
					s.sleep(repo.TTL + time.Minute)
				}
				gate.Release <- struct{}{}
			}()
			snap, err := s.write(two, func(*repo.Session) {
				s.st.Arm(fault.Rule{Op: fault.Put, Prefix: "snapshots/", Do: fault.Freeze, Gate: gate})
			})
			s.good(snap, err, two)
			list := snapshots(s, s.r)
			i := slices.IndexFunc(list, func(x *repo.Snapshot) bool { return x.Late })
			if len(list) != 2 || i < 0 {
				s.Fatalf("awake %t: %d manifests, late is number %d", awake, len(list), i)
			}
			void := list[i]
			if snap.Seq != void.Seq+1 || snap.Prev != void.Name || snap.Lease == void.Lease {
				s.Errorf("put again with seq %d after %d, previous %q, lease %x after %x", snap.Seq, void.Seq, snap.Prev, snap.Lease, void.Lease)
			}
			if c, err := repo.Select(list, repo.Query{}); err != nil || c.Name != snap.Name || c.Before != nil || c.After != nil {
				s.Errorf("Select = %+v, %v", c, err)
			}
			if _, err := repo.Select([]*repo.Snapshot{void}, repo.Query{}); !errors.Is(err, repo.ErrNoSnapshot) {
				s.Errorf("Select of a late one = %v", err)
			}
			s.delete(snap.Name)
			err = s.r.Write(s.Context(), "world", "host", func(ctx context.Context, x *repo.Session) error {
				if p, err := x.Parent(ctx); p != nil || err != nil {
					s.Errorf("a late manifest is parent: %v", err)
				}
				return nil
			})
			if err != nil {
				s.Error(err)
			}
		})
	}
}

// TestStoreTooSlowForManifests gives up in the end.
func TestStoreTooSlowForManifests(t *testing.T) {
	onStage(t, func(s *stage) {
		_, err := s.write(two, func(*repo.Session) {
			s.st.Arm(fault.Rule{Op: fault.Put, Prefix: "snapshots/", Count: fault.Forever, Do: fault.Delay,
				Wait: func(context.Context, fault.Op, string) error { s.sleep(repo.TTL + time.Second); return nil }})
		})
		if !errors.Is(err, repo.ErrLapsed) {
			s.Errorf("Write = %v", err)
		}
	})
}

func TestClockGoesBack(t *testing.T) {
	onStage(t, func(s *stage) {
		snap, err := s.write(two, func(*repo.Session) { s.sleep(-time.Minute) })
		s.good(snap, err, two)
		if n := len(s.leases()); n != 2 {
			s.Errorf("%d leases", n)
		}
	})
}

func TestNoSessionOutlivesAWeek(t *testing.T) {
	onStage(t, func(s *stage) {
		snap, err := s.write(two, func(*repo.Session) { s.wait(repo.MaxSession + time.Minute) })
		s.good(snap, err, two)
		if began := time.Unix(0, snap.LeaseBegan); snap.Stored.Sub(began) > time.Hour || snap.End().Sub(snap.Start()) < repo.MaxSession {
			s.Errorf("published under a lease that began %v before; window %v", snap.Stored.Sub(began), snap.End().Sub(snap.Start()))
		}
	})
}

// TestLateSegment has the packs of a late segment named again.
func TestLateSegment(t *testing.T) {
	for _, kind := range []string{"data", "meta"} {
		onStage(t, func(s *stage) {
			s.st.Arm(fault.Rule{Op: fault.Put, Prefix: "index/00000000/" + kind, Do: fault.Delay,
				Wait: func(context.Context, fault.Op, string) error { s.sleep(repo.TTL + time.Second); return nil }})
			snap, err := s.write(two, func(*repo.Session) {})
			s.good(snap, err, two)
			if n := len(names(s.m, "index/00000000/"+kind)); n != 2 {
				s.Errorf("%d segments of %s, want the late one and another", n, kind)
			}
			if n := len(names(s.m, kind+"/")); n != 1 {
				s.Errorf("%d packs of %s", n, kind)
			}
		})
	}
}

// TestSegmentOfASessionThatFails is late, and the next run finds its packs all the same.
func TestSegmentOfASessionThatFails(t *testing.T) {
	onStage(t, func(s *stage) {
		s.st.Arm(fault.Rule{Op: fault.Put, Prefix: "index/", Do: fault.Delay,
			Wait: func(context.Context, fault.Op, string) error { s.sleep(repo.TTL + time.Second); return nil }})
		mine := errors.New("mine")
		err := s.r.Write(s.Context(), "world", "host", func(ctx context.Context, x *repo.Session) error {
			if _, err := store(ctx, s.r, x, two); err != nil {
				return err
			}
			return mine
		})
		if !errors.Is(err, mine) {
			s.Fatal(err)
		}
		if s.isNew("one") {
			s.Error("what a late segment named is stored again")
		}
	})
}

// isNew reports whether a new session would store text.
func (s *stage) isNew(text string) bool {
	s.Helper()
	var isNew bool
	err := s.r.Write(s.Context(), "other", "host", func(ctx context.Context, x *repo.Session) error {
		w := x.NewStream(repo.Data)
		put, err := w.Put(ctx, []byte(text))
		isNew = put.New
		return errors.Join(err, w.Flush(ctx))
	})
	if err != nil {
		s.Fatal(err)
	}
	return isNew
}

// TestPackPrunedBeforeItsSegment has a pack in the store that no segment names yet. The session sleeps, is renewed, and the pack is
// gone: a segment that names it would look on time.
func TestPackPrunedBeforeItsSegment(t *testing.T) {
	for _, what := range []string{"kept", "deleted", "condemned", "marked"} {
		onStage(t, func(s *stage) {
			gate := fault.NewGate()
			s.st.Arm(fault.Rule{Op: fault.Put, Prefix: "meta/", Do: fault.Freeze, Gate: gate})
			go func() {
				<-gate.Reached
				synctest.Wait() // the data pack is stored
				s.sleep(repo.TTL + time.Minute)
				s.wait(repo.RenewEvery + time.Second)
				name := one(s, s.m, "data/")
				switch what {
				case "deleted":
					s.delete(name)
				case "condemned":
					condemn(s, s.m, name)
				case "marked":
					damage(s, s.m, name)
				}
				gate.Release <- struct{}{}
			}()
			snap, err := s.write(two, func(*repo.Session) {})
			if what == "kept" {
				s.good(snap, err, two)
				return
			}
			s.refused(err, two)
			if what == "deleted" && len(names(s.m, "data/")) != 1 {
				s.Errorf("packs %q", names(s.m, "data/"))
			}
		})
	}
}

// TestOwnPackIsGone has a pack that an on-time segment of the session names deleted or condemned while it sleeps.
func TestOwnPackIsGone(t *testing.T) {
	for _, prefix := range []string{"data/", "meta/"} {
		for _, what := range []string{"deleted", "condemned"} {
			onStage(t, func(s *stage) {
				_, err := s.write(two, func(x *repo.Session) {
					if err := x.Settle(s.Context()); err != nil {
						s.Fatal(err)
					}
					s.sleep(4 * 24 * time.Hour)
					name := one(s, s.m, prefix)
					if what == "deleted" {
						s.delete(name)
					} else {
						condemn(s, s.m, name)
					}
				})
				if what == "condemned" {
					s.refused(err, two)
					return
				}
				// The segment names it still: nobody but this session can know, and it must not publish.
				if !errors.Is(err, repo.ErrLapsed) || len(names(s.m, "snapshots/")) > 0 {
					s.Errorf("%s deleted: %v", prefix, err)
				}
			})
		}
	}
}

// TestForeignChunkIsCondemned relies on a chunk of an earlier session.
func TestForeignChunkIsCondemned(t *testing.T) {
	for _, prefix := range []string{"data/", "meta/", ""} {
		onStage(t, func(s *stage) {
			old := mustSave(s, s.r, "world", two)
			packs := append(names(s.m, "data/"), names(s.m, "meta/")...)
			more := maps.Clone(two)
			if prefix == "data/" {
				more["c"] = "three" // other pages
			}
			snap, err := s.write(more, func(*repo.Session) {
				s.delete(old.Name)
				s.sleep(repo.TTL + time.Minute)
				for _, name := range packs {
					if prefix != "" && strings.HasPrefix(name, prefix) {
						condemn(s, s.m, name)
					}
				}
			})
			if prefix == "" {
				s.good(snap, err, more)
				return
			}
			s.refused(err, more)
		})
	}
}

// TestEveryRootIsVerifiedAfterALapse commits twice: what only the second root has was looked up under the first lease, too.
func TestEveryRootIsVerifiedAfterALapse(t *testing.T) {
	onStage(t, func(s *stage) {
		old := mustSave(s, s.r, "world", files{"a": "one"})
		foreign := one(s, s.m, "data/")
		err := s.r.Write(s.Context(), "world", "host", func(ctx context.Context, x *repo.Session) error {
			full, err := store(ctx, s.r, x, files{"a": "one", "b": "two"})
			if err != nil {
				return err
			}
			part, err := store(ctx, s.r, x, files{"b": "two"})
			if err != nil {
				return err
			}
			part.Completeness = tree.Interrupted
			s.delete(old.Name)
			s.sleep(repo.TTL + time.Minute)
			condemn(s, s.m, foreign)
			if _, err := x.Commit(ctx, part); err != nil {
				s.Errorf("interrupted one, which needs nothing of others: %v", err)
			}
			_, err = x.Commit(ctx, full)
			return err
		})
		if !errors.Is(err, repo.ErrLapsed) {
			s.Errorf("Write = %v, want ErrLapsed", err)
		}
		if list := snapshots(s, s.r); len(list) != 1 || list[0].Completeness != tree.Interrupted {
			s.Errorf("%d snapshots", len(list))
		}
	})
}

// TestLapseWhileCommitReads sleeps while the source's manifests are read for seq and prev, and is renewed before the new manifest.
func TestLapseWhileCommitReads(t *testing.T) {
	onStage(t, func(s *stage) {
		old := mustSave(s, s.r, "world", files{"a": "one"})
		foreign := one(s, s.m, "data/")
		gate := fault.NewGate()
		go func() {
			<-gate.Reached
			s.sleep(repo.TTL + time.Minute)
			s.wait(repo.RenewEvery + time.Second)
			s.delete(old.Name)
			condemn(s, s.m, foreign)
			close(gate.Release)
		}()
		_, err := s.write(two, func(*repo.Session) {
			s.st.Arm(fault.Rule{Op: fault.Get, Prefix: "snapshots/", Do: fault.Freeze, Gate: gate})
		})
		s.refused(err, two)
	})
}
