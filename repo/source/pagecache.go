package source

import "golang.org/x/sys/unix"

const (
	stretchBits = 20
	stretch     = 1 << stretchBits // bytes that are kept or dropped together

	// lookahead is how many stretches ahead of the reader the cache is examined: further than the kernel reads ahead,
	// or pages that reading brought would pass for pages that had been there.
	lookahead = 64
)

// residency reports whether the page cache holds any of the n bytes at off, or that it cannot be told.
type residency func(fd int, off, n int64) (bool, error)

// dropper takes out of the page cache what reading a file brought there, so that a backup does not push out what the
// host's programs work with. A stretch of which anything was there before is left alone. The zero value does nothing.
type dropper struct {
	fd       int
	size     int64 // of the file, in bytes; 0: nothing is dropped
	resident residency
	was      uint64 // bit i: stretch of number ≡ i mod 64 was resident, or is not known not to have been
	known    int64  // stretches below it have been examined
	dropped  int64  // stretches below it are done with
	run      int64  // stretches from it to dropped were not resident, and are not now
}

func newDropper(fd int, size int64, r residency) dropper {
	return dropper{fd: fd, size: size, resident: r}
}

// before is called before n bytes at off are read. What lies between the last read and off, a hole, needs no look.
func (d *dropper) before(off, n int64) {
	if d.size == 0 {
		return
	}
	first := off >> stretchBits
	if first >= d.known { // bits of passed stretches are in use until they are dropped
		d.drop(d.known)
		d.known = first
		d.dropped, d.run = first, first
	}
	// Stretches from dropped on hold their bits: no more than lookahead of them.
	limit := min((off+n)>>stretchBits+lookahead/2, d.dropped+lookahead, (d.size+stretch-1)>>stretchBits)
	for ; d.known < limit; d.known++ {
		bit := uint64(1) << (d.known % lookahead)
		d.was |= bit
		at := d.known << stretchBits
		if there, err := d.resident(d.fd, at, min(stretch, d.size-at)); err != nil {
			d.size = 0 // it cannot be told here: all stays
			return
		} else if !there {
			d.was &^= bit
		}
	}
}

// after is called when all below off has been read. It lets some stretches come together: a call costs more than a page.
func (d *dropper) after(off int64) {
	const together = 4
	if done := min(off>>stretchBits, d.known); d.size != 0 && done >= d.dropped+together {
		d.drop(done)
	}
}

// finish drops what was read of the last stretches, and what the kernel read ahead.
func (d *dropper) finish() {
	if d.size != 0 {
		d.drop(d.known)
	}
}

// drop drops the stretches below limit that were not there before, in runs, and each run from some way before where it
// goes on: the kernel keeps a folio that a range does not hold as a whole, and reads ahead in folios of 2 MiB and more.
func (d *dropper) drop(limit int64) {
	const back = 8
	for ; d.dropped < limit; d.dropped++ {
		if d.was&(1<<(d.dropped%lookahead)) == 0 {
			continue
		}
		d.dropRun(d.dropped)
		d.run = d.dropped + 1
	}
	d.dropRun(limit)
	d.run = max(d.run, limit-back)
}

// dropRun drops the stretches from run to end. Only pages that are clean and mapped by nobody go; a failure leaves them
// where they are.
func (d *dropper) dropRun(end int64) {
	if n := end - d.run; n > 0 {
		_ = unix.Fadvise(d.fd, d.run<<stretchBits, n<<stretchBits, unix.FADV_DONTNEED)
	}
}

// cached asks cachestat(2), since Linux 6.5, and where that is missing or forbidden mincore(2), which tells only whoever
// could write to the file and calls everything resident to others.
func cached(fd int, off, n int64) (bool, error) {
	var st unix.Cachestat_t
	r := unix.CachestatRange{Off: uint64(off), Len: uint64(n)}
	if err := unix.Cachestat(uint(fd), &r, &st, 0); err == nil {
		return st.Cache > 0, nil
	}
	return mapped(fd, off, n)
}

// mapped is cached by mincore(2); off is a multiple of the page size. The mapping is never touched, so a file that
// becomes shorter does no harm.
func mapped(fd int, off, n int64) (bool, error) {
	m, err := unix.Mmap(fd, off, int(n), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return false, err
	}
	defer unix.Munmap(m)
	pages := make([]byte, (int(n)+unix.Getpagesize()-1)/unix.Getpagesize())
	if err := mincore(m, pages); err != nil {
		return false, err
	}
	for _, p := range pages {
		if p&1 != 0 {
			return true, nil
		}
	}
	return false, nil
}
