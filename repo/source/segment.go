package source

import (
	"io"

	"golang.org/x/sys/unix"
)

// MinHole is the length in bytes of the shortest hole that stays one. Shorter ones are read as the zeros they stand
// for: they would cost more in lists and cut chunks than they save.
const MinHole = 64 << 10

// Segment is a stretch of a file that is data throughout or a hole throughout.
type Segment struct {
	Offset, Length int64 // in bytes; Length is never 0
	Hole           bool
}

// gaps says whether a file is asked for its holes.
type gaps uint8

const (
	gapsUnknown gaps = iota
	gapsNone
	gapsAsk
)

// Next returns the segment after the last one, in order and without gaps from 0 to the size at open, data and holes in
// turn; then io.EOF. What Read left of the last segment is passed over. Where the file system cannot tell holes all is
// data. An empty file has no segment.
func (f *File) Next() (Segment, error) {
	size := int64(f.meta.Size)
	off := f.end
	if off >= size || f.short {
		return Segment{}, io.EOF
	}
	start, end, err := f.nextHole(off, size)
	if err == nil && start == off && f.hole {
		start, end, err = f.nextHole(end, size) // it was punched meanwhile; two holes must not touch
	}
	if err != nil {
		return Segment{}, err
	}
	if f.hole = start == off; f.hole {
		f.pos, f.end = end, end
	} else {
		f.pos, f.end = off, start
	}
	return Segment{Offset: off, Length: f.end - off, Hole: f.hole}, nil
}

// nextHole returns the first hole that is kept in [off, size), or size twice.
func (f *File) nextHole(off, size int64) (start, end int64, err error) {
	if f.gaps == gapsUnknown {
		f.gaps = gapsNone
		// One with a block for each of its bytes has no hole worth a call.
		if f.meta.Size >= MinHole && f.meta.Blocks < int64((f.meta.Size+511)/512) && tellsHoles(f.fd) {
			f.gaps = gapsAsk
		}
	}
	if f.gaps == gapsNone {
		return size, size, nil
	}
	grain := int64(max(f.fixed, 1))
	for at := off; at < size; {
		if start, err = f.seek(at, size, unix.SEEK_HOLE); err != nil {
			return 0, 0, err
		}
		if end, err = f.seek(start, size, unix.SEEK_DATA); err != nil {
			return 0, 0, err
		}
		if end <= at {
			f.gaps = gapsNone // a file system that contradicts itself
			break
		}
		at = end
		start = (start + grain - 1) / grain * grain
		if end < size {
			end = end / grain * grain
		}
		if end-start >= MinHole {
			return start, end, nil
		}
	}
	return size, size, nil
}

// seek returns where, from off on, the file's next hole or data begins, size if none does before.
func (f *File) seek(off, size int64, whence int) (int64, error) {
	if off >= size {
		return size, nil
	}
	at, err := retry(func() (int64, error) { return unix.Seek(f.fd, off, whence) })
	switch {
	case err == nil:
		return min(max(at, off), size), nil
	case err == unix.ENXIO: // no data from here on, or the file became shorter
		return size, nil
	case err == unix.EINVAL || err == unix.EOPNOTSUPP: // holes are unknown here: all that is left is data
		f.gaps = gapsNone
		return size, nil
	}
	return 0, newError("find holes in", f.Path(), err)
}
