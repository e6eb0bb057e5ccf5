package backup_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/corpus"
	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/restore"
	"savepoint/repo/storage/fault"
	"savepoint/repo/tree"
)

// often lets a checkpoint be due whenever the assembler looks.
const often = time.Nanosecond

// TestCheckpointsLeaveNoTrace: with as many as there can be, the root is that of a run without any, whatever the number of workers.
// Each holds what it says, and they form a chain.
func TestCheckpointsLeaveNoTrace(t *testing.T) {
	for seed := range seeds(2) {
		dir := filepath.Join(t.TempDir(), "tree")
		must(t, corpus.Tree(dir, corpus.TreeOptions{Seed: seed, Files: 60, MaxSize: 64 << 10, Depth: 8, Skip: corpus.Sparse}))
		write(t, filepath.Join(dir, "large"), noise(byte(seed), 9<<20))
		l := newLab(t)
		never := options(dir)
		never.Checkpoint = -1
		want, _ := rootsOf(t, l, l.st, never)
		for _, workers := range []int{1, 2, 3, 8} {
			st := l.st.Clone()
			o := options(dir)
			o.Workers, o.Checkpoint = workers, often
			var parts []*repo.Snapshot
			o.Events.Checkpoint = func(s *repo.Snapshot) { parts = append(parts, s) }
			res, err := runIn(t, l.open(t, st), o)
			must(t, err)
			if diff := cmp.Diff(want, res.Snapshot.Roots); diff != "" || res.Faulty() {
				t.Errorf("seed %d, %d workers: %s", seed, workers, diff)
			}
			t.Logf("seed %d, %d workers: %d checkpoints", seed, workers, len(parts))
			if len(parts) < 2 {
				t.Errorf("seed %d, %d workers: %d checkpoints", seed, workers, len(parts))
			}
			r := l.open(t, st)
			chained(t, l.snapshots(t, r), append(parts, res.Snapshot))
			for i, p := range parts {
				if i%32 == 5 || i == len(parts)-1 {
					holds(t, r, p, dir)
				}
			}
			sameAsSource(t, readBack(t, r, res.Snapshot), dir)
		}
	}
}

// chained checks that the listed snapshots are those of one run, in order.
func chained(t *testing.T, listed, run []*repo.Snapshot) {
	t.Helper()
	prev, files, end := "", uint64(0), run[0].Window[1]
	for i, s := range run {
		if s.Seq != uint64(i+1) || s.Prev != prev || s.Parent != "" || s.Window[0] != run[0].Window[0] || s.Window[1] < end || s.HostClock != run[0].HostClock {
			t.Errorf("snapshot %d does not follow: seq %d, prev %q, parent %q, window %v", i, s.Seq, s.Prev, s.Parent, s.Window)
		}
		if last := i == len(run)-1; (s.Completeness == tree.Interrupted) == last || s.Stats.Files < files || s.Late {
			t.Errorf("snapshot %d of %d: completeness %d, %d files after %d, late %t", i, len(run), s.Completeness, s.Stats.Files, files, s.Late)
		}
		if !slices.ContainsFunc(listed, func(x *repo.Snapshot) bool { return x.Name == s.Name && cmp.Equal(x.Roots, s.Roots) }) {
			t.Errorf("snapshot %d is not listed as it was told", i)
		}
		prev, files, end = s.Name, s.Stats.Files, s.Window[1]
	}
	if len(listed) != len(run) {
		t.Errorf("%d snapshots are listed, want %d", len(listed), len(run))
	}
}

// holds checks that a snapshot is a part of the source, and has as much as its statistics say.
func holds(t *testing.T, r *repo.Repo, s *repo.Snapshot, dir string) {
	t.Helper()
	got := readBack(t, r, s)
	partOfSource(t, got, dir)
	var n tree.Stats
	for _, e := range got {
		switch e.Type {
		case tree.File:
			n.Files++
			n.FileBytes += e.Size
		case tree.Directory:
			n.Directories++
		default:
			n.Others++
		}
	}
	if n != (tree.Stats{Files: s.Stats.Files, Directories: s.Stats.Directories, Others: s.Stats.Others, FileBytes: s.Stats.FileBytes}) {
		t.Errorf("snapshot holds %+v, says %+v", n, s.Stats)
	}
}

// stopsInside returns events that hold the reading of a file up once, for d in a bubble, when n bytes of it are read.
func stopsInside(n uint64, d time.Duration) backup.Events {
	var read, once atomic.Uint64
	return backup.Events{Progress: func(p backup.Progress) {
		if p.Entries == 0 && read.Add(p.Bytes) >= n && once.Add(1) == 1 {
			<-time.After(d)
		}
	}}
}

// TestCheckpointInTheMiddleOfAFile: when the half hour is over, a run that is in the middle of a large file publishes what came before it, and
// what it has read of it is stored. The run then breaks down, and the next one uploads the rest.
func TestCheckpointInTheMiddleOfAFile(t *testing.T) {
	const large, passed = 40 << 20, 16 << 20
	dir := t.TempDir()
	for _, n := range []string{"a/1", "a/2", "b", "z"} {
		write(t, filepath.Join(dir, n), "content of "+n)
	}
	write(t, filepath.Join(dir, "large"), noise(1, large))
	inBubble(t, func(t *testing.T, l *lab) {
		f := fault.New(l.st)
		o := options(dir)
		o.Workers = 1
		o.Events = stopsInside(passed, 5*backup.CheckpointEvery+time.Minute)
		var parts []*repo.Snapshot
		o.Events.Checkpoint = func(s *repo.Snapshot) {
			parts = append(parts, s)
			f.Arm(fault.Rule{Do: fault.Stop})
		}
		if _, err := runIn(t, l.open(t, f), o); !errors.Is(err, fault.ErrStopped) {
			t.Fatalf("error %v", err)
		}
		r := l.open(t, l.st)
		if snaps := l.snapshots(t, r); len(parts) != 1 || len(snaps) != 1 || snaps[0].Completeness != tree.Interrupted {
			t.Fatal(nameList(snaps))
		}
		s := parts[0].Stats
		if s.Files != 3 || s.Directories != 2 || s.ReadBytes < passed || s.ReadBytes > large-8<<20 || s.NewBytes != s.ReadBytes {
			t.Errorf("at the checkpoint: %+v", s)
		}
		if window := parts[0].End().Sub(parts[0].Start()); window < backup.CheckpointEvery {
			t.Errorf("after %v", window)
		}
		holds(t, r, parts[0], dir)
		res := l.clean(t, options(dir))
		st := res.Snapshot.Stats
		if st.ReadBytes != large+uint64(len("content of z")) || st.NewBytes > st.ReadBytes-passed {
			t.Errorf("the run after it: %+v", st)
		}
		sameAsSource(t, readBack(t, r, res.Snapshot), dir)
	})
}

// TestCheckpointOnlyOfSomethingNew: hours go by in one file, and in a source that has not changed.
func TestCheckpointOnlyOfSomethingNew(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "first")
	write(t, filepath.Join(dir, "large"), noise(1, 40<<20))
	for _, c := range []struct {
		every time.Duration
		want  int
	}{{0, 1}, {time.Hour, 1}, {-1, 0}} {
		inBubble(t, func(t *testing.T, l *lab) {
			count := 0
			for run := range 2 {
				o := options(dir)
				o.Workers, o.Checkpoint = 1, c.every
				o.Events.Progress = func(p backup.Progress) {
					if inside := p.Entries == 0 && p.Bytes > 0; inside || run == 1 { // the large file, several times
						<-time.After(2 * time.Hour)
					}
				}
				o.Events.Checkpoint = func(*repo.Snapshot) { count++ }
				l.clean(t, o)
			}
			if count != c.want {
				t.Errorf("every %v: %d checkpoints, want %d", c.every, count, c.want)
			}
		})
	}
}

// TestInterruptedIsChosenByNameOnly: an interrupted snapshot is listed as one, no time chooses it, and its ID restores what it holds.
func TestInterruptedIsChosenByNameOnly(t *testing.T) {
	onScales(t, func(s *scales) {
		whole := s.goesOn(tree.Incremental, all, 0).Snapshot
		<-time.After(time.Minute)
		s.change(0, 2)
		part := s.stops(tree.Incremental, 4)
		r := s.open(s.t, s.st)
		snaps := s.snapshots(s.t, r)
		for _, q := range []repo.Query{{}, {ID: "latest"}, {At: part.End()}, {At: part.End().Add(time.Hour)}, {Path: s.path(0)}} {
			if c, err := repo.Select(snaps, q); err != nil || c.Name != whole.Name || c.After != nil {
				s.t.Errorf("%+v chooses %v, %v", q, c.Snapshot, err)
			}
		}
		c, err := repo.Select(snaps, repo.Query{ID: part.Short()})
		must(s.t, err)
		if c.Completeness != tree.Interrupted || c.Before.Name != whole.Name {
			s.t.Errorf("by ID: completeness %d, before it %v", c.Completeness, c.Before)
		}
		target := filepath.Join(s.t.TempDir(), "restored")
		_, err = restore.Run(s.t.Context(), r, c.Snapshot, restore.Selection{}, restore.Options{Target: target})
		must(s.t, err)
		diff, err := corpus.Compare(s.dir, target)
		must(s.t, err)
		if len(diff) == 0 {
			s.t.Error("the interrupted snapshot restores everything")
		}
		for i := range scaleNames {
			found, _ := filepath.Glob(filepath.Join(target, scaleNames[i]))
			if deep, _ := filepath.Glob(filepath.Join(target, "*", scaleNames[i])); len(found)+len(deep) != map[bool]int{true: 1}[i < 4] {
				s.t.Errorf("%s: %q %q", scaleNames[i], found, deep)
			}
		}
	})
}

// TestCancelWithoutAStore: a cancelled run whose store does not answer ends within the time that a session has.
func TestCancelWithoutAStore(t *testing.T) {
	onScales(t, func(s *scales) {
		f := fault.New(s.st)
		ctx, cancel := cancellable(s.t)
		o := s.mode(tree.Incremental)
		o.Workers = 1
		var cancelled time.Time
		o.Events = after(3, func() {
			f.Arm(fault.Rule{Op: fault.Put, Count: fault.Forever, Do: fault.Delay, Wait: func(ctx context.Context, _ fault.Op, _ string) error {
				<-ctx.Done()
				return context.Cause(ctx)
			}})
			cancelled = time.Now()
			cancel()
			<-time.After(time.Second)
		})
		r := s.open(s.t, f)
		if _, err := backup.Run(ctx, r, o); !errors.Is(err, context.Canceled) {
			s.t.Errorf("error %v", err)
		}
		if took := time.Since(cancelled); took > time.Minute {
			s.t.Errorf("it took %v to end", took)
		}
		f.Arm()
		s.goesOn(tree.Incremental, all, 0)
	})
}

// TestLapseInACheckpoint lets this machine sleep while a checkpoint is published: it is put under another lease, or the source is read again when
// what it relied on is gone.
func TestLapseInACheckpoint(t *testing.T) {
	for name, lose := range map[string]bool{"nothing is lost": false, "packs are lost": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			small(t, dir)
			l, jump := newSleepyLab(t)
			attempts := 0
			var parts []*repo.Snapshot
			o := options(dir)
			o.Workers, o.Checkpoint = 1, often
			o.Events.Parent = func(*repo.Snapshot) { attempts++ }
			o.Events.Checkpoint = func(s *repo.Snapshot) { parts = append(parts, s) }
			st := jump(time.Hour, func() {
				if lose {
					must(t, l.st.Delete(t.Context(), l.objects("data/")...))
				}
			})
			res, err := runIn(t, l.open(t, st), o)
			must(t, err)
			if want := map[bool]int{false: 1, true: 2}[lose]; attempts != want || len(parts) == 0 {
				t.Errorf("%d attempts, %d checkpoints, want %d attempts", attempts, len(parts), want)
			}
			for _, s := range append(parts, res.Snapshot) {
				holds(t, l.open(t, l.st), s, dir)
			}
			chained(t, l.snapshots(t, l.open(t, l.st)), append(parts, res.Snapshot))
		})
	}
}

// TestCheckpointsUnderLoad publishes all the time while eight workers read, and looks whether anything stands still.
func TestCheckpointsUnderLoad(t *testing.T) {
	dir := t.TempDir()
	for i := range 40 {
		for j := range 60 {
			write(t, filepath.Join(dir, fmt.Sprint(i), fmt.Sprint(j)), noise(byte(i*j), 100+i*j))
		}
	}
	for i := range byte(6) {
		write(t, filepath.Join(dir, fmt.Sprint(i), "large"), noise(i, 10<<20))
	}
	l := newLab(t)
	for _, every := range []time.Duration{often, 3 * time.Millisecond} {
		o := options(dir)
		o.Dataset = every.String()
		o.Workers, o.Checkpoint = 8, every
		before := runningNow()
		n := 0
		o.Events.Checkpoint = func(*repo.Snapshot) { n++ }
		l.clean(t, o)
		before.gone(t)
		t.Logf("every %v: %d checkpoints", every, n)
		if n == 0 {
			t.Errorf("every %v: no checkpoint", every)
		}
	}
}
