package drill

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/repo/restore"
)

// guardEvery is how often a drill looks at what is free where it writes.
const guardEvery = time.Second

// errGuard is why a drill ended that would have taken what others on its disk need.
var errGuard = errors.New("the drill was ended, and what it wrote is removed")

// guard ends a drill before the file system of its scratch folder is full, whoever fills it, and before it has written far more than it restores.
// What is left to others is half of what checkSpace wants beside the restore: a restore that goes as planned does not get there. A probe
// may write as much as was restored, a first backup from it too, and 1 GiB.
type guard struct {
	o    Options
	s    *scratch
	tick <-chan time.Time
	stop func() // of the ticks

	mu     sync.Mutex
	least  uint64 // bytes that stay free
	most   uint64 // bytes that the drill may write; 0: nothing is planned yet
	weigh  uint64 // below so many free bytes what it wrote is weighed
	inodes uint64 // that stay free, where they are counted
}

// probeRoom is what may be written beside what is restored, and stepWeighed how much less must be free until what was written is weighed again.
const (
	probeRoom   = 1 << 30
	stepWeighed = 256 << 20
)

// guarded returns a context that ends, with errGuard as its cause, when the drill must; and what ends the watch.
func (x *run) guarded(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	g := &guard{o: x.o, s: x.scratch, least: spareBytes / 2, inodes: spareInodes / 2}
	g.tick, g.stop = x.o.ticks()
	x.guard = g
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-g.tick:
			}
			if err := g.look(); err != nil {
				cancel(err)
				return
			}
		}
	}()
	return ctx, sync.OnceFunc(func() {
		cancel(nil)
		<-done
		g.stop()
	})
}

// ticker returns when to look.
func ticker() (<-chan time.Time, func()) {
	t := time.NewTicker(guardEvery)
	return t.C, t.Stop
}

// approve says no to a restore for which there is no room, and notes what it needs.
func (g *guard) approve(p restore.Plan) error {
	if err := g.o.checkSpace(g.s.path, p); err != nil {
		return err
	}
	st, err := g.o.statfs(g.s.path)
	if err != nil {
		return err
	}
	need := needed(p, st)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.least = (need/spareShare + spareBytes) / 2
	g.most = saturated(saturated(need, 3, '*'), g.o.probeRoom, '+')
	g.weigh = free(st) - min(free(st), g.most)
	return nil
}

// look returns why the drill must end, or nil. What cannot be looked at is no reason: the next write will say.
func (g *guard) look() error {
	st, err := g.o.statfs(g.s.path)
	if err != nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch left := free(st); {
	case left < g.least:
		return fmt.Errorf("%w: %s are free where the scratch folder %s is, and it leaves %s to others; make room, or name another folder with --scratch",
			errGuard, sizeText(left), g.s.path, sizeText(g.least))
	case st.Files > 0 && st.Ffree < g.inodes:
		return fmt.Errorf("%w: the file system of the scratch folder %s can take %d more files, and it leaves %d to others; name another folder with --scratch",
			errGuard, g.s.path, st.Ffree, g.inodes)
	case g.most > 0 && left < g.weigh:
		g.weigh = left - min(left, stepWeighed)
		if wrote := g.wrote(); wrote > g.most {
			return fmt.Errorf("%w: what is in the scratch folder %s has grown to %s, where what is restored, a probe and a backup of it may have %s; see what the probe writes",
				errGuard, g.s.path, sizeText(wrote), sizeText(g.most))
		}
	}
	return nil
}

// wrote returns how much what was restored takes, and what was made of it, as far as that can be read.
func (g *guard) wrote() uint64 {
	sum := uint64(0)
	for _, dir := range []string{g.s.restored(), g.s.probe(), g.s.resumed()} {
		_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return nil // it may be gone by now
			}
			if info, err := e.Info(); err == nil {
				if st, ok := info.Sys().(*syscall.Stat_t); ok {
					sum = saturated(sum, uint64(max(0, st.Blocks))*512, '+')
				}
			}
			return nil
		})
	}
	return sum
}

// free returns how many bytes are free for who is not root.
func free(st unix.Statfs_t) uint64 { return saturated(st.Bavail, uint64(max(st.Frsize, 1)), '*') }
