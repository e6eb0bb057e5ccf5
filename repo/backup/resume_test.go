package backup_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/corpus"
	"savepoint/repo"
	"savepoint/repo/tree"
)

// TestResume breaks backups off and looks at which files the next one opens.
func TestResume(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s *scales)
	}{
		{"a first backup", func(t *testing.T, s *scales) {
			part := s.stops(tree.Incremental, 3)
			res := s.goesOn(tree.Incremental, 0b111000, 0) // nothing is unchanged since a backup that there was not
			if res.Parent == nil || res.Parent.Name != part.Name || res.Snapshot.Parent != part.Name || res.Snapshot.Prev != part.Name || res.Snapshot.Seq != 2 {
				t.Errorf("parent %v; %s", res.Parent, nameList([]*repo.Snapshot{part, res.Snapshot}))
			}
			s.goesOn(tree.Incremental, 0, 6)
		}},
		{"an incremental one", func(_ *testing.T, s *scales) {
			s.goesOn(tree.Incremental, all, 0)
			s.change(0, 1, 4)
			s.stops(tree.Incremental, 3) // 0 and 1 are new in it, 2 was taken over
			s.goesOn(tree.Incremental, 0b010000, 3)
		}},
		{"changed again", func(_ *testing.T, s *scales) {
			s.goesOn(tree.Incremental, all, 0)
			s.change(0, 1)
			s.stops(tree.Incremental, 2)
			s.change(1, 5)
			s.goesOn(tree.Incremental, 0b100010, 3)
		}},
		{"many times", func(_ *testing.T, s *scales) {
			for n := int64(1); n < 6; n++ {
				s.stops(tree.Incremental, n)
			}
			s.goesOn(tree.Incremental, 0b100000, 0)
		}},
		{"each earlier than the one before", func(_ *testing.T, s *scales) {
			s.stops(tree.Incremental, 4)
			s.change(0, 1)
			s.stops(tree.Incremental, 2)
			s.change(0)
			s.stops(tree.Incremental, 1)
			s.goesOn(tree.Incremental, 0b110000, 0)
		}},
		{"a finished one counts more than those before", func(_ *testing.T, s *scales) {
			s.stops(tree.Incremental, 4)
			s.goesOn(tree.Incremental, 0b110000, 0)
			s.change(2)
			s.goesOn(tree.Incremental, 0b000100, 5)
		}},
		{"a full one", func(t *testing.T, s *scales) {
			s.stops(tree.Full, 4)
			res := s.goesOn(tree.Full, all, 0)
			if want := uint64(0b110000 * unit); res.Totals.DataBytes != want {
				t.Errorf("%d bytes were stored, want %d: the others were there", res.Totals.DataBytes, want)
			}
		}},
		{"an incremental one after a full one", func(_ *testing.T, s *scales) {
			s.stops(tree.Full, 4)
			s.goesOn(tree.Incremental, 0b110000, 0)
		}},
		{"a differential one", func(t *testing.T, s *scales) {
			full := s.goesOn(tree.Full, all, 0).Snapshot
			s.change(0, 4)
			part := s.stops(tree.Differential, 1)
			res := s.goesOn(tree.Differential, 0b010000, 4)
			if part.Parent != full.Name || res.Snapshot.Parent != full.Name || res.Parent.Name != full.Name {
				t.Errorf("compared with another than %s: %s", full.Name, nameList([]*repo.Snapshot{part, res.Snapshot}))
			}
			s.goesOn(tree.Differential, 0b010001, 4) // the one that went on from the interrupted one is finished
		}},
		{"a differential one without a full one", func(_ *testing.T, s *scales) {
			s.stops(tree.Differential, 4)
			s.goesOn(tree.Differential, 0b110000, 0)
		}},
		{"a differential one of an older full one", func(_ *testing.T, s *scales) {
			s.stops(tree.Differential, 4)
			s.goesOn(tree.Full, all, 0)
			s.goesOn(tree.Differential, 0, 6)
		}},
		{"a differential one of a full one that was forgotten", func(t *testing.T, s *scales) {
			s.goesOn(tree.Full, all, 0)
			s.change(1)
			full := s.goesOn(tree.Full, all, 0)
			s.change(0)
			s.stops(tree.Differential, 3)
			must(t, s.st.Delete(t.Context(), full.Snapshot.Name))
			s.goesOn(tree.Differential, 0b000011, 4)
		}},
		{"a differential one does not go on from an incremental one", func(_ *testing.T, s *scales) {
			s.goesOn(tree.Full, all, 0)
			s.change(0, 4)
			s.stops(tree.Incremental, 1)
			s.goesOn(tree.Differential, 0b010001, 4)
		}},
		{"of files that were young", func(_ *testing.T, s *scales) {
			s.ahead.Add(-int64(later))
			s.goesOn(tree.Incremental, all, 0) // by a clock at which they had just been written
			s.ahead.Add(int64(later))
			s.stops(tree.Incremental, 3)
			s.goesOn(tree.Incremental, 0b111000, 3) // which were read again, and were as they had been
		}},
		{"with the clock set back", func(_ *testing.T, s *scales) {
			s.goesOn(tree.Incremental, all, 0)
			s.ahead.Add(int64(time.Hour))
			s.change(0)
			s.stops(tree.Incremental, 3)
			s.ahead.Add(-int64(time.Hour / 2)) // later than the finished one, earlier than the interrupted one
			s.goesOn(tree.Incremental, all, 0)
		}},
		{"nothing is suspect beside an interrupted one", func(t *testing.T, s *scales) {
			s.goesOn(tree.Incremental, all, 0)
			s.change(0)
			s.stops(tree.Incremental, 1)
			must(t, os.Remove(s.path(5)))
			must(t, os.Remove(s.path(4))) // three quarters of the bytes: more than the interrupted one has, less than half of the last
			if res := s.run(t, s.mode(tree.Incremental)); !res.Snapshot.Suspect || res.Snapshot.Stats.ReadBytes != 0 {
				t.Errorf("suspect %t, %+v", res.Snapshot.Suspect, res.Snapshot.Stats)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			onScales(t, func(s *scales) { c.run(s.t, s) })
		})
	}
}

// TestResumeWithConflicts lets names be files in one of the snapshots and directories in the other, or in one only.
func TestResumeWithConflicts(t *testing.T) {
	replace := func(s *scales, path, file string) {
		must(s.t, os.RemoveAll(filepath.Join(s.dir, path)))
		write(s.t, filepath.Join(s.dir, file), file)
	}
	onScales(t, func(s *scales) {
		s.goesOn(tree.Incremental, all, 0)
		must(s.t, os.Rename(filepath.Join(s.dir, "d"), filepath.Join(s.dir, "..", "kept")))
		replace(s, "a", "a")
		replace(s, "b", "b/inside")
		write(s.t, filepath.Join(s.dir, "d"), "now a file")
		write(s.t, filepath.Join(s.dir, "c/new"), "only in the interrupted one")
		o := s.mode(tree.Incremental)
		parts := s.breakOff(s.t, s.st, o, 5) // a, b/inside, c/3, c/new, d
		if len(parts) != 1 || parts[0].Stats.Files != 5 {
			s.t.Fatal(nameList(parts))
		}
		partOfSource(s.t, readBack(s.t, s.open(s.t, s.st), parts[0]), s.dir)
		replace(s, "a", "a/0")
		replace(s, "b", "b")
		must(s.t, os.Remove(filepath.Join(s.dir, "d")))
		must(s.t, os.Rename(filepath.Join(s.dir, "..", "kept"), filepath.Join(s.dir, "d")))
		must(s.t, os.Rename(filepath.Join(s.dir, "c"), filepath.Join(s.dir, "c2"))) // in neither under this name
		o.AllowShrink = true
		res := s.clean(s.t, o)
		s.asFromScratch(res)
		// d/e/4 was renamed away and back, with its directory, so nothing about it is new; c2 is new though its files are not.
		want := uint64(len("a/0")+len("b")+len("only in the interrupted one")) + unit<<3
		if st := res.Snapshot.Stats; st.ReadBytes-want > 2 || st.UnchangedFiles != 2 {
			s.t.Errorf("%d bytes read, want %d; %+v", st.ReadBytes, want, st)
		}
	})
}

// TestResumeLooksUp condemns what the finished snapshot relies on, before a run that is broken off: what that looked up need not be
// looked up again, the rest must be.
func TestResumeLooksUp(t *testing.T) {
	onScales(t, func(s *scales) {
		s.goesOn(tree.Incremental, all, 0)
		condemned := s.objects("data/")
		s.condemn(s.t, condemned...)
		part := s.stops(tree.Incremental, 3)
		if len(part.Seen) != 1 {
			s.t.Errorf("%d records seen, want 1", len(part.Seen))
		}
		// The three have the times and the inodes that they had, but only the interrupted one's chunks are in live packs. They are as they
		// were in the finished one all the same.
		res := s.goesOn(tree.Incremental, 0b111000, 3)
		if want := uint64(0b111000 * unit); res.Totals.DataBytes != want {
			s.t.Errorf("%d bytes stored, want %d", res.Totals.DataBytes, want)
		}
		must(s.t, s.st.Delete(s.t.Context(), condemned...))
		sameAsSource(s.t, readBack(s.t, s.open(s.t, s.st), res.Snapshot), s.dir)
	})
}

// TestResumeWithoutItsTree loses the tree of the interrupted snapshot: the finished one still spares its files from being read.
func TestResumeWithoutItsTree(t *testing.T) {
	onScales(t, func(s *scales) {
		s.goesOn(tree.Incremental, all, 0)
		old := s.objects("index/00000000/meta/")
		s.change(0)
		s.stops(tree.Incremental, 3)
		for _, name := range s.objects("index/00000000/meta/") {
			if !strings.Contains(strings.Join(old, " "), name) {
				must(s.t, s.st.Delete(s.t.Context(), name))
			}
		}
		s.goesOn(tree.Incremental, 0b000001, 5)
	})
}

// TestSpotChecksAreOfFinishedSnapshots: files that only an interrupted run has read are not re-read to check them.
func TestSpotChecksAreOfFinishedSnapshots(t *testing.T) {
	const files, stop = 1500, 1200
	dir := t.TempDir()
	inBubble(t, func(t *testing.T, l *lab) {
		for round := range 2 {
			for i := range files {
				path := filepath.Join(dir, fmt.Sprintf("%04d", i))
				write(t, path+".new", fmt.Sprintf("%d %d", round, i))
				must(t, os.Rename(path+".new", path))
			}
			if round == 0 {
				l.clean(t, options(dir))
			}
		}
		l.breakOff(t, l.st, options(dir), stop)
		st := l.clean(t, options(dir)).Snapshot.Stats
		if st.RereadFiles != 0 || st.UnchangedFiles != 0 || st.ReadBytes != (files-stop)*uint64(len("1 1200")) {
			t.Errorf("%+v", st)
		}
		if st = l.clean(t, options(dir)).Snapshot.Stats; st.UnchangedFiles != files || st.RereadFiles == 0 {
			t.Errorf("after a finished one: %+v", st) // none is drawn once in 10^6 runs
		}
	})
}

// TestResumeOfRandomTrees breaks backups off after any number of files while the source goes on changing.
func TestResumeOfRandomTrees(t *testing.T) {
	for seed := range seeds(3) {
		dir := filepath.Join(t.TempDir(), "tree")
		must(t, corpus.Tree(dir, dense(seed)))
		inBubble(t, func(t *testing.T, l *lab) {
			for day := range uint64(4) {
				o := options(dir)
				o.AllowShrink = true
				for try := range uint64(3) {
					must(t, corpus.Mutate(dir, dense(100*seed+10*day+try)))
					for _, part := range l.breakOff(t, l.st, o, int64(1+(seed*31+day*17+try*7)%40)) {
						partOfSource(t, readBack(t, l.open(t, l.st), part), dir)
					}
				}
				full := o
				full.Mode = tree.Full
				want, _ := rootsOf(t, l, l.st, full)
				res := l.clean(t, o)
				if diff := cmp.Diff(want, res.Snapshot.Roots); diff != "" {
					t.Errorf("seed %d, day %d: other than from scratch: %s", seed, day, diff)
				}
				sameAsSource(t, readBack(t, l.open(t, l.st), res.Snapshot), dir)
			}
		})
	}
}
