package restore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"

	"golang.org/x/sys/unix"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/tree"
)

// walker notes everything beneath the items and makes the directories.
type walker struct {
	p    *plan
	dirs *dirs
	src  tree.Source
	want func(*tree.Entry) bool // as of Selection
	// entries is tree.Entries of src; tests put others in its place.
	entries func(ctx context.Context, content []tree.Element, after string) iter.Seq2[*tree.Entry, error]
	stack   []pending
}

// pending is a directory that was made and not yet read.
type pending struct {
	node    uint32
	content []tree.Element
}

func newWalker(p *plan, d *dirs, src tree.Source) *walker {
	return &walker{p: p, dirs: d, src: src, entries: func(ctx context.Context, content []tree.Element, after string) iter.Seq2[*tree.Entry, error] {
		return tree.Entries(ctx, src, content, after)
	}}
}

var (
	errName  = fmt.Errorf("it has an entry whose name is not one of a file: %w", tree.ErrCorrupt)
	errOrder = fmt.Errorf("it has an entry twice, or out of order: %w", tree.ErrCorrupt)
	errKind  = fmt.Errorf("its type is not known: %w", tree.ErrCorrupt)
	errSize  = fmt.Errorf("its content does not have its size: %w", tree.ErrCorrupt)
	errChunk = fmt.Errorf("it has a chunk that no program writes: %w", tree.ErrCorrupt)
)

// items notes the items, and what lies beneath them.
func (w *walker) items(ctx context.Context, items []item) error {
	made := map[string]uint32{}
	for _, it := range items {
		if len(it.at) == 0 { // the only one
			*w.p.nodes.at(0) = node{mtime: it.entry.MTime, uid: it.entry.UID, gid: it.entry.GID, mode: uint16(it.entry.Mode & 0o7777), kind: tree.Directory}
			if len(it.entry.Xattrs) > 0 {
				w.p.extra(w.p.nodes.at(0)).xattrs = it.entry.Xattrs
			}
			w.p.origins[0] = it.origin
			w.p.totals.Directories++
			w.stack = append(w.stack, pending{0, it.entry.Content})
		} else if err := w.item(ctx, it, made); err != nil {
			return err
		}
		if err := w.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// item makes the directories above an item that does not land in the target itself, and adds it.
func (w *walker) item(ctx context.Context, it item, made map[string]uint32) error {
	parent := uint32(0)
	for k, name := range it.at[:len(it.at)-1] {
		key := strings.Join(it.at[:k+1], "/")
		i, ok := made[key]
		if !ok {
			err := w.within(parent, func(d *openDir) error {
				var n *node
				var err error
				if i, n, err = w.p.addNode(parent, name, &tree.Entry{Type: tree.Directory}); err != nil {
					return err
				}
				n.flags |= flagKeep
				if err := mkdir(d, name); err != nil {
					return w.p.fault("create directory", i, err)
				}
				return nil
			})
			if err != nil {
				return err
			}
			made[key] = i
		}
		parent = i
	}
	w.p.origins[w.p.nodes.n] = it.origin
	return w.within(parent, func(d *openDir) error { return w.add(ctx, d, parent, it.at[len(it.at)-1], it.entry) })
}

func (w *walker) within(dir uint32, fn func(*openDir) error) error {
	d, err := w.dirs.hold(dir)
	if err != nil {
		return err
	}
	defer w.dirs.release(d)
	return fn(d)
}

// run reads directories until none is pending, the one met last first, so that what lies together stays together.
func (w *walker) run(ctx context.Context) error {
	for len(w.stack) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		d := w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		if len(d.content) == 0 {
			continue
		}
		at := len(w.stack)
		if err := w.within(d.node, func(open *openDir) error { return w.dir(ctx, open, d) }); err != nil {
			return err
		}
		for i, j := at, len(w.stack)-1; i < j; i, j = i+1, j-1 {
			w.stack[i], w.stack[j] = w.stack[j], w.stack[i]
		}
	}
	return nil
}

// dir adds the entries of one directory. When a page cannot be read it goes on behind it.
func (w *walker) dir(ctx context.Context, open *openDir, d pending) error {
	last := ""
	add := func(e *tree.Entry) error {
		if !validName(e.Name) {
			w.p.damage(d.node, errName)
			return nil
		}
		if e.Name <= last {
			w.p.damage(d.node, errOrder)
			return nil
		}
		last = e.Name
		if e.Type == tree.File && w.want != nil && !w.want(e) {
			return nil
		}
		return w.add(ctx, open, d.node, e.Name, e)
	}
	for e, err := range w.entries(ctx, d.content, "") {
		if errors.Is(err, repo.ErrCorrupt) {
			return w.salvage(ctx, d.node, d.content, &last, add, 0)
		}
		if err != nil {
			return err
		}
		if err := add(e); err != nil {
			return err
		}
	}
	return nil
}

// salvage adds what can be read of a directory behind the entry *last, page by page.
func (w *walker) salvage(ctx context.Context, dir uint32, els []tree.Element, last *string, add func(*tree.Entry) error, depth int) error {
	for i := range els {
		if i+1 < len(els) && els[i+1].First <= *last {
			continue
		}
		if els[i].Count > 0 && depth < tree.MaxDepth {
			below, err := w.node(ctx, &els[i])
			if err == nil {
				err = w.salvage(ctx, dir, below, last, add, depth+1)
			} else if errors.Is(err, repo.ErrCorrupt) {
				w.p.damage(dir, err)
				err = nil
			}
			if err != nil {
				return err
			}
			continue
		}
		for e, err := range w.entries(ctx, els[i:i+1], *last) {
			if errors.Is(err, repo.ErrCorrupt) {
				w.p.damage(dir, err)
				break
			}
			if err == nil {
				err = add(e)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walker) node(ctx context.Context, el *tree.Element) ([]tree.Element, error) {
	b, err := w.src.TreeChunk(ctx, el.ID)
	if err != nil {
		return nil, err
	}
	n, err := tree.DecodeNode(b)
	if err != nil {
		return nil, err
	}
	return n.Elements, nil
}

// add notes one entry, whose name was checked; a directory is made at once.
func (w *walker) add(ctx context.Context, open *openDir, parent uint32, name string, e *tree.Entry) error {
	if e.Type == tree.Directory {
		i, n, err := w.p.addNode(parent, name, e)
		if err != nil {
			return err
		}
		if err := mkdir(open, name); err != nil {
			n.flags |= flagDamaged
			w.p.met.cut = true
			return w.p.missing(i, "create directory and all beneath it", err)
		}
		w.p.totals.Directories++
		w.stack = append(w.stack, pending{i, e.Content})
		return nil
	}
	i, n, err := w.p.addNode(parent, name, e)
	if err != nil {
		return err
	}
	if e.Type == tree.File {
		w.p.met.files, w.p.met.bytes = w.p.met.files+1, w.p.met.bytes+e.Size
	}
	if e.Link != nil && w.linked(i, n, e) {
		w.p.totals.HardLinks++
		return nil
	}
	switch e.Type {
	case tree.File:
		return w.file(ctx, i, n, e)
	case tree.Symlink, tree.Fifo, tree.Socket, tree.CharDevice, tree.BlockDevice:
		w.p.totals.Others++
	default:
		n.flags |= flagDamaged
		w.p.damage(i, errKind)
	}
	return nil
}

// linked reports whether the entry is another name of one met before. Two entries of different types never are.
func (w *walker) linked(i uint32, n *node, e *tree.Entry) bool {
	first, ok := w.p.links[*e.Link]
	if !ok {
		w.p.links[*e.Link] = i
		return false
	}
	if w.p.nodes.at(first).kind != e.Type {
		return false
	}
	n.flags |= flagLink
	w.p.extra(n).first = first
	return true
}

func mkdir(open *openDir, name string) error {
	return retry(func() error { return unix.Mkdirat(open.fd, name, 0o700) })
}

// file notes the chunks of a file. One whose list cannot be read is left out.
func (w *walker) file(ctx context.Context, i uint32, n *node, e *tree.Entry) error {
	if e.Fault == tree.FaultTorn {
		w.p.rec.torn = append(w.p.rec.torn, i)
	}
	var bytes, holes uint64
	for x, err := range tree.Elements(ctx, w.src, e.Content, 0) {
		switch {
		case err != nil:
		case x.Hole:
			n.flags |= flagHoles
			holes += x.Length
			continue
		case x.Length > pack.MaxChunk || n.left == math.MaxInt32 || x.Offset > math.MaxInt64-x.Length:
			err = errChunk
		default:
			if err = w.p.addPlace(i, x.ID, uint32(x.Length), x.Offset); err == nil {
				bytes += x.Length
				n.left++
				continue
			}
		}
		if !errors.Is(err, repo.ErrCorrupt) {
			return err
		}
		n.flags |= flagDamaged
		w.p.damage(i, err)
		return nil
	}
	if bytes+holes != n.size {
		n.flags |= flagDamaged
		w.p.damage(i, errSize)
		return nil
	}
	if n.left > 1 {
		n.flags |= flagParts
	}
	w.p.totals.Files++
	w.p.totals.Bytes += bytes
	w.p.totals.Holes += holes
	if holes > 0 {
		w.p.extra(n).holes = holes
	}
	return nil
}
