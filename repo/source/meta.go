package source

import (
	"errors"
	"math"

	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

var errType = errors.New("neither file, directory, symbolic link, fifo, socket nor device")

// Meta is what one stat tells of an object. Times are nanoseconds since 1970 UTC, the earliest or latest that an int64
// holds (in 1677 and 2262) for those beyond.
type Meta struct {
	Type   tree.Type
	Mode   uint32 // permission bits, 07777
	UID    uint32
	GID    uint32
	Size   uint64 // bytes of a file, holes included; 0 for everything else
	MTime  int64
	CTime  int64
	Inode  uint64
	Dev    uint64 // st_dev of the file system
	Nlink  uint64
	Blocks int64     // of 512 bytes, allocated
	Rdev   [2]uint32 // major and minor of a device
}

// metaOf translates st; the type is 0 if the format does not know it.
func metaOf(st *unix.Stat_t) Meta {
	m := Meta{
		Type:   typeOf(st.Mode),
		Mode:   st.Mode & 07777,
		UID:    st.Uid,
		GID:    st.Gid,
		MTime:  nanoseconds(int64(st.Mtim.Sec), int64(st.Mtim.Nsec)), // 32 bits wide on some architectures
		CTime:  nanoseconds(int64(st.Ctim.Sec), int64(st.Ctim.Nsec)),
		Inode:  st.Ino,
		Dev:    uint64(st.Dev),
		Nlink:  uint64(st.Nlink),
		Blocks: st.Blocks,
	}
	switch m.Type {
	case tree.File:
		m.Size = uint64(max(st.Size, 0))
	case tree.CharDevice, tree.BlockDevice:
		rdev := uint64(st.Rdev)
		m.Rdev = [2]uint32{unix.Major(rdev), unix.Minor(rdev)}
	}
	return m
}

// nanoseconds returns a time as one number, or the nearest that there is.
func nanoseconds(sec, nsec int64) int64 {
	const second = 1_000_000_000
	switch {
	case sec >= math.MaxInt64/second:
		return math.MaxInt64
	case sec <= math.MinInt64/second:
		return math.MinInt64
	}
	return sec*second + nsec
}

// statFD returns the Meta of an open object, or the bare error of fstat.
func statFD(fd int) (Meta, error) {
	var st unix.Stat_t
	_, err := retry(func() (struct{}, error) { return struct{}{}, unix.Fstat(fd, &st) })
	return metaOf(&st), err
}
