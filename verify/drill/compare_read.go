package drill

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"

	"savepoint/repo/source"
)

const (
	hugePage = 2 << 20
	maxAlign = 64 << 10 // bytes; whatever wants more is read through the page cache
)

// buffer is memory in huge pages where there are such: a request of the disk has room for more of them than of small ones.
type buffer struct {
	mapped, b []byte
}

// room returns n bytes that begin at a huge page's boundary. What was in them is undefined.
func (b *buffer) room(n int) ([]byte, error) {
	if n <= len(b.b) {
		return b.b[:n], nil
	}
	if err := b.free(); err != nil {
		return nil, err
	}
	size := (max(n, pieceSize+2*maxAlign) + hugePage - 1) / hugePage * hugePage
	m, err := unix.Mmap(-1, 0, size+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(m)))) & (hugePage - 1)
	b.mapped, b.b = m, m[skip:skip+size]
	_ = unix.Madvise(b.b, unix.MADV_HUGEPAGE) // small ones do as well
	return b.b[:n], nil
}

func (b *buffer) free() error {
	if b.mapped == nil {
		return nil
	}
	err := unix.Munmap(b.mapped)
	*b = buffer{}
	return err
}

// direct turns the page cache off for an open file. It returns to what multiple of bytes reads must be aligned then; 0 if the file system
// does not say that it reads this file past the page cache, as those that do as if they did do not.
func direct(fd int) int64 {
	var st unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &st) != nil || st.Mask&unix.STATX_DIOALIGN == 0 {
		return 0
	}
	align := st.Dio_offset_align
	if align == 0 || align > maxAlign || align&(align-1) != 0 || st.Dio_mem_align == 0 || st.Dio_mem_align > hugePage {
		return 0
	}
	if setDirect(fd, true) != nil {
		return 0
	}
	return int64(align)
}

func setDirect(fd int, on bool) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	if flags &^= unix.O_DIRECT; on {
		flags |= unix.O_DIRECT
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
	return err
}

// read reads n bytes at off, fewer where the file ends before. They are in the worker's buffer. An error comes with what was read before.
func (f *bigFile) read(w *worker, off uint64, n int) ([]byte, error) {
	align := uint64(max(f.align.Load(), 1))
	start := off &^ (align - 1)
	skip := int(off - start)
	buf, err := w.large.room((skip + n + int(align) - 1) &^ (int(align) - 1))
	if err != nil {
		return nil, err
	}
	if align == 1 {
		f.willNeed(off, n)
	}
	got, err := readAll(f.fd, buf, skip+n, int64(start))
	if err == unix.EINVAL && align > 1 {
		// The file system has changed its mind. What is in memory may be what the restore wrote.
		f.align.Store(0)
		if err = setDirect(f.fd, false); err == nil {
			f.c.drop(f.fd, f.size)
			got, err = readAll(f.fd, buf, skip+n, int64(start))
		}
	}
	return buf[skip:max(skip, min(got, skip+n))], err
}

// willNeed lets the kernel read ahead: it does so at once for a part of what it is asked for, so it is asked for parts.
func (f *bigFile) willNeed(off uint64, n int) {
	const step = 512 << 10
	for end := off + uint64(n); off < end; off += step {
		_ = unix.Fadvise(f.fd, int64(off), int64(min(step, end-off)), unix.FADV_WILLNEED)
	}
}

// readAll reads into b until it holds n bytes, or the file ends.
func readAll(fd int, b []byte, n int, off int64) (int, error) {
	done := 0
	for done < n {
		got, err := unix.Pread(fd, b[done:], off+int64(done))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return done, err
		case got == 0:
			return done, nil
		default:
			done += got
		}
	}
	return done, nil
}

// drop takes the first size bytes of a file out of the page cache, and notes if any stays there. What the kernel was just looking at may go
// at the second time.
func (c *comparer) drop(fd int, size int64) {
	stays := c.stays(fd, size)
	if stays {
		stays = c.stays(fd, size)
	}
	if stays {
		c.cached.Store(true)
	}
	if c.o.dropped != nil {
		c.o.dropped(fd)
	}
}

// stays drops a file, and reports whether any of it was left.
func (c *comparer) stays(fd int, size int64) bool {
	err := unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED)
	// mincore(2), which old kernels are asked with, needs memory for what it looks at.
	const step = 1 << 30
	for off := int64(0); off < size && err == nil && !c.cached.Load(); off += step {
		var is bool
		if is, err = source.Cached(fd, off, min(step, size-off)); is && err == nil {
			err = errors.ErrUnsupported
		}
	}
	return err != nil
}
