package drill

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"savepoint/repo"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

const (
	smallSize = 1 << 20  // bytes; larger files are read in pieces
	mostAhead = 128      // small files that a worker has open
	mostBytes = 16 << 20 // of these
)

// smallFile is an open file that the kernel reads into its page cache.
type smallFile struct {
	in      *folder // held
	entry   tree.Entry
	fd      int
	size    int64 // to be read
	blocks  int64
	reasons []reason
}

func (f *smallFile) close() error {
	return errors.Join(unix.Close(f.fd), f.in.release())
}

// file compares a file, or makes it ready to.
func (w *worker) file(ctx context.Context, in *folder, e *tree.Entry) error {
	c := w.c
	fd, err := c.openFile(in.dir.FD(), e.Name)
	if err != nil {
		return c.other(in, e, err)
	}
	f := &smallFile{in: in.hold(), entry: *e, fd: fd.fd}
	m, err := source.Stat(f.fd)
	if err != nil || m.Type != tree.File {
		return errors.Join(c.other(in, e, err), f.close())
	}
	if fd.locked {
		m.Mode = fd.mode
	}
	attrs, attrsErr := source.Attributes(f.fd)
	f.reasons = c.metadata(e, m, attrs, attrsErr)
	again := false
	if e.Link != nil || m.Nlink > 1 {
		var linked []reason
		again, linked = c.links.note(in, e, m)
		f.reasons = append(f.reasons, linked...)
	}
	if m.Size != e.Size {
		f.reasons = append(f.reasons, reason{"", fmt.Sprintf("is %d bytes long, was %d", m.Size, e.Size)})
	}
	c.entries.Add(1)
	c.files.Add(1)
	f.size, f.blocks = int64(min(m.Size, e.Size)), m.Blocks
	switch {
	case again || f.size == 0:
		c.differ(in, e.Name, f.reasons)
		return f.close()
	case f.size > smallSize:
		return w.big(ctx, f)
	}
	c.drop(f.fd, f.size)
	_ = unix.Fadvise(f.fd, 0, f.size, unix.FADV_WILLNEED) // advice: what refuses it reads as well
	w.ahead = append(w.ahead, f)
	w.bytes += f.size
	for len(w.ahead) > c.ahead || w.bytes > mostBytes {
		if err := w.oldest(ctx); err != nil {
			return err
		}
	}
	return nil
}

// opened is a file that was opened. The mode is its own if it was unlocked.
type opened struct {
	fd     int
	mode   uint32
	locked bool
}

// openFile opens a file beneath a directory for reading. It never waits for a fifo.
func (c *comparer) openFile(dir int, name string) (opened, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	o := opened{}
	var err error
	o.fd, err = openAt(dir, name, flags|unix.O_NOATIME)
	if err == unix.EPERM { // somebody else's
		o.fd, err = openAt(dir, name, flags)
	}
	if o.mode, o.locked = c.unlock(dir, name, err, 0o400); !o.locked {
		return o, err
	}
	if o.fd, err = openAt(dir, name, flags); err == nil {
		_ = unix.Fchmod(o.fd, o.mode)
	}
	return o, err
}

func openAt(dir int, name string, flags int) (int, error) {
	for {
		if fd, err := unix.Openat(dir, name, flags, 0); err != unix.EINTR {
			return fd, err
		}
	}
}

// unlock gives the owner of an object, if that is who runs this, the rights in bits when err says that they are missing. It returns the
// mode that is to be given back, and whether it did anything: root needs no rights, and users restore what only root could read.
func (c *comparer) unlock(dir int, name string, err error, bits uint32) (uint32, bool) {
	if c.root || !errors.Is(err, unix.EACCES) {
		return 0, false
	}
	fd, err := openAt(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	m, err := source.Stat(fd)
	if err != nil || m.UID != c.uid || m.Type != tree.File && m.Type != tree.Directory {
		return 0, false
	}
	return m.Mode, unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), m.Mode|bits) == nil
}

// oldest reads and compares the file that the kernel has been asked for first.
func (w *worker) oldest(ctx context.Context) error {
	f := w.ahead[0]
	w.ahead[0] = nil
	w.ahead = w.ahead[1:]
	w.bytes -= f.size
	return errors.Join(w.readSmall(ctx, f), f.close())
}

func (w *worker) readSmall(ctx context.Context, f *smallFile) error {
	if w.small == nil {
		w.small = make([]byte, smallSize)
	}
	data := w.small[:f.size]
	n, err := readAll(f.fd, data, len(data), 0)
	if err != nil {
		f.reasons = append(f.reasons, reason{"", fmt.Sprintf("cannot be read at %s: %v", sizeWord(uint64(n)), err)})
	} else if n < len(data) {
		f.reasons = append(f.reasons, reason{"", fmt.Sprintf("ends at %s while it is read", sizeWord(uint64(n)))})
	}
	var s score
	s.damage, err = w.c.parts(ctx, &f.entry, func(x *tree.Extent) bool {
		end := x.Offset + x.Length
		if end > uint64(n) {
			return false // its length differs
		}
		s.part(w.c, &x.Element, x.Offset, data[x.Offset:end])
		return true
	})
	if err != nil {
		return err
	}
	w.c.bytes.Add(s.good)
	w.c.differ(f.in, f.entry.Name, append(f.reasons, s.words(&f.entry, f.blocks)...))
	return nil
}

// parts calls fn for the chunks and holes of a file until it returns false. It returns what of the list damage took since the restore
// has read it.
func (c *comparer) parts(ctx context.Context, e *tree.Entry, fn func(*tree.Extent) bool) (damage, err error) {
	for x, err := range tree.Elements(ctx, c.src, e.Content, 0) {
		if errors.Is(err, repo.ErrCorrupt) {
			return err, nil
		}
		if err != nil {
			return nil, err
		}
		if !fn(&x) {
			break
		}
	}
	return nil, nil
}

// score is what came of comparing a file's bytes.
type score struct {
	good   uint64 // bytes of chunks that are as they were
	isBad  bool
	bad    uint64 // where the first that is not begins
	holes  uint64 // bytes that were one
	count  uint64 // of holes
	damage error
}

// part compares the bytes of one chunk or hole at off.
func (s *score) part(c *comparer, el *tree.Element, off uint64, data []byte) {
	switch {
	case el.Hole:
		s.hole(el.Length)
		if i := nonzero(data); i >= 0 {
			s.fail(off + uint64(i))
		}
	case c.key.Sum(data) == el.ID:
		s.good += uint64(len(data))
	default:
		s.fail(off)
	}
}

func (s *score) hole(n uint64) {
	s.holes += n
	s.count++
}

func (s *score) fail(off uint64) {
	if !s.isBad || off < s.bad {
		s.isBad, s.bad = true, off
	}
}

// words says what the score amounts to. The file has so many blocks of 512 bytes on the disk.
func (s *score) words(e *tree.Entry, blocks int64) []reason {
	var out []reason
	switch {
	case s.isBad && s.bad == 0:
		out = append(out, reason{"", "has other bytes"})
	case s.isBad:
		out = append(out, reason{"", fmt.Sprintf("has other bytes from %s on", sizeWord(s.bad))})
	}
	if s.damage != nil {
		out = append(out, reason{"", fmt.Sprintf("cannot be compared in full: %v", s.damage)})
	}
	// File systems allocate in blocks, and some ahead: of what each side of a hole may take 64 KiB is plenty.
	taken, data := uint64(max(blocks, 0))*512, e.Size-min(s.holes, e.Size)
	if slack := data/16 + (s.count+1)*(64<<10); s.holes > 0 && taken > data+slack {
		out = append(out, reason{"", fmt.Sprintf("takes %s of the disk for %s of data: holes are filled", sizeWord(taken), sizeWord(data))})
	}
	return out
}

// nonzero returns where the first byte is that is not zero, -1 if there is none.
func nonzero(b []byte) int {
	if len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1]) {
		return -1
	}
	for i, v := range b {
		if v != 0 {
			return i
		}
	}
	return -1
}
