package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"savepoint/chunk"
	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/restore"
	"savepoint/repo/source"
	"savepoint/repo/tree"
	"savepoint/verify"
)

// How the comparison works, in files compare*.go. It trusts nothing of the restore but its list of what it could not do:
//
//	snapshot ─▶ entries of a folder ─┬─▶ metadata, hard links
//	target ───▶ its names, sorted ───┴─▶ files ─▶ drop from the page cache ─▶ read ahead ─▶ read, chunk IDs
//
// Workers, two for each core since most of them wait for the disk, share a stack of work: folders, batches of files of a folder that is
// large, pieces of files that are. Everything is reached from descriptors of folders, one name at a time, and nothing through a symbolic
// link. A folder that somebody changes meanwhile has differences, or gives an error.
//
// Small files are read through the page cache, after they were dropped from it: each worker has up to 128 of them open, for which the
// kernel is reading already, so that the disk has as many requests at a time. Large ones are read past the page cache where the file
// system says that it can (STATX_DIOALIGN), into huge pages.
//
// Memory: for each worker a buffer of 1 MiB and one of 4 MiB (10 MiB where chunks have 8); 128 small files, of 16 MiB in
// all in the page cache; a page of the tree and a batch of 32 entries. For each folder that waits for its turn its entry, 300 bytes and
// its content list; for a folder that is being compared its names and 6 bytes for each; for each file with several names, in the snapshot
// or on the disk, about 250 bytes. The reader of tree chunks has its blocks beside that. Descriptors: one for each folder that
// has something left beneath it, and those of the open files, a quarter of what the process may have at most.

// compareOptions say what is known already, and how to work. The zero value is usable.
type compareOptions struct {
	Restored *restore.Result // what the restore could not bring back is no difference; nil: it brought everything
	Workers  int             // 0: two for each core

	Want func(*tree.Entry) bool // of files in folders, which were restored; nil: all

	buffered bool          // as where nothing can be read past the page cache
	dropped  func(fd int)  // tests look at a file whose pages were dropped
	walked   func(*folder) // tests change a folder whose names were listed
}

// comparer compares one snapshot with one folder.
type comparer struct {
	src    tree.Source
	key    *chunk.Key
	o      compareOptions
	root   bool // owners are compared
	uid    uint32
	ahead  int // open files of a worker
	known  known
	work   stack
	links  links
	cached atomic.Bool // something stayed in the page cache
	part   atomic.Bool // not all of the tree could be walked

	entries, files, bytes atomic.Uint64 // compared
	tally                 tally

	mu    sync.Mutex
	count uint64
	found []verify.Difference
}

// tally counts what the tree holds, as the manifest does.
type tally struct{ files, dirs, others, bytes atomic.Uint64 }

func (t *tally) add(e *tree.Entry) {
	switch e.Type {
	case tree.File:
		t.files.Add(1)
		t.bytes.Add(e.Size)
	case tree.Directory:
		t.dirs.Add(1)
	default:
		t.others.Add(1)
	}
}

// compare reads the folder target, into which all of a snapshot was restored, and says in what it differs from the snapshot; dropped
// says that every byte came from the disk and not from memory. It returns an error only if it could not compare: of storage, of the
// context, of a process without descriptors or memory. The target must not be changed meanwhile, and is not, but for the modes of what
// its owner may not read, which are given back.
func compare(ctx context.Context, r *repo.Repo, snap *repo.Snapshot, target string, o compareOptions) (verify.Comparison, bool, error) {
	landings, err := restore.Layout(ctx, snap)
	if err != nil {
		return verify.Comparison{}, false, err
	}
	src, err := r.Trees(ctx)
	if err != nil {
		return verify.Comparison{}, false, err
	}
	defer src.Close()
	c := newComparer(src, r.ChunkKey(pack.Data), o)
	began := r.Options().Now()
	if err := c.run(ctx, target, landings); err != nil {
		return verify.Comparison{}, false, fmt.Errorf("compare %q with snapshot %s: %w", target, snap.Short(), err)
	}
	c.stats(&snap.Stats)
	out := c.result()
	out.Seconds = r.Options().Now().Sub(began).Seconds()
	return out, !c.cached.Load(), nil
}

func newComparer(src tree.Source, key *chunk.Key, o compareOptions) *comparer {
	o.Workers = cmp.Or(o.Workers, 2*runtime.GOMAXPROCS(0))
	c := &comparer{src: src, key: key, o: o, root: os.Geteuid() == 0, uid: uint32(os.Geteuid()), known: whatIsKnown(o.Restored)}
	c.ahead = mostAhead
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err == nil {
		c.ahead = int(max(1, min(mostAhead, files.Cur/4/uint64(o.Workers))))
	}
	c.work.init(o.Workers)
	c.links.init()
	return c
}

// run compares everything.
func (c *comparer) run(ctx context.Context, target string, landings []restore.Landing) error {
	root, err := source.Options{Sequential: 1 << 62}.OpenRoot(target)
	if err != nil {
		return err
	}
	if root.Dir == nil {
		return fmt.Errorf("%q is not a folder", target)
	}
	top := &folder{dir: root.Dir}
	top.users.Store(1)
	// What is not on the disk cannot be dropped from memory. The restore has synced; there is little left.
	if err := unix.Syncfs(root.Dir.FD()); err != nil {
		return errors.Join(fmt.Errorf("sync %q: %w", target, err), top.release())
	}
	if err := c.begin(ctx, top, landings); err != nil {
		return errors.Join(err, top.release())
	}
	g, ctx := errgroup.WithContext(ctx)
	for range c.o.Workers {
		g.Go(func() error {
			w := &worker{c: c}
			err := w.run(ctx)
			return errors.Join(err, w.close())
		})
	}
	err = g.Wait()
	return errors.Join(err, c.work.discard())
}

// differ notes what an entry differs in, if it is anything that the restore does not know of. It returns whether it did.
func (c *comparer) differ(at *folder, name string, reasons []reason) bool {
	if len(reasons) == 0 {
		return false
	}
	path := at.path(name)
	what := c.known.unknown(path, reasons)
	if what == "" {
		return false
	}
	c.note(path, what)
	return true
}

func (c *comparer) note(path, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	if len(c.found) < verify.MaxListed {
		c.found = append(c.found, verify.Difference{Path: cmp.Or(path, "/"), What: what})
	}
}

// stats compares what the tree holds with what the manifest says that it does. What was found to differ so far says the rest.
func (c *comparer) stats(want *tree.Stats) {
	if c.part.Load() {
		return
	}
	for _, n := range []struct {
		what      string
		has, want uint64
	}{
		{"files", c.tally.files.Load(), want.Files},
		{"directories", c.tally.dirs.Load(), want.Directories},
		{"other entries", c.tally.others.Load(), want.Others},
		{"bytes in files", c.tally.bytes.Load(), want.FileBytes},
	} {
		if n.has != n.want {
			c.note("/", fmt.Sprintf("has %d %s, the manifest says %d", n.has, n.what, n.want))
		}
	}
}

// result returns what was found, in order of path.
func (c *comparer) result() verify.Comparison {
	slices.SortStableFunc(c.found, func(a, b verify.Difference) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.What, b.What))
	})
	out := verify.Comparison{
		Entries: c.entries.Load(), Files: c.files.Load(), Bytes: c.bytes.Load(),
		DifferenceCount: c.count, Differences: append([]verify.Difference{}, c.found...), NotCompared: []string{},
	}
	if !c.root {
		out.NotCompared = append(out.NotCompared, "owners and groups, which only root can restore")
	}
	out.NotCompared = append(out.NotCompared, c.known.beyond()...)
	return out
}
