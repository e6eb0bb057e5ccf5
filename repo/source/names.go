package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

const (
	direntBuffer = 64 << 10
	direntName   = 19 // offset of the name in linux_dirent64: inode 8, offset 8, length 2, type 1

	blockBits  = 18
	blockSize  = 1 << blockBits // bytes of a full block of the arena
	blockLimit = 1 << (32 - blockBits)
)

var (
	errDirents = errors.New("directory listing is malformed")
	errNames   = errors.New("directory has more than 4 GiB of names")
)

// Names are the names in one directory in byte order, each once, "." and ".." left out. It does not change; its methods
// may be called from several goroutines.
type Names struct {
	// An entry in the arena is its type, the length of its name and the name. A length over 255 is a zero byte and two
	// bytes. No entry straddles two blocks; only the first block, as long as it is the only one, grows by copying.
	blocks [][]byte
	refs   []uint32 // block number << blockBits | offset of the entry
}

// Names lists the directory. A file that is made, renamed or deleted meanwhile may be listed or not; one that is left
// alone is listed once. A name may be longer than the 255 bytes that a snapshot has room for, as on file systems that
// count UTF-16: Stat and Open refuse it, and it spoils none of its neighbours.
func (d *Dir) Names(ctx context.Context) (*Names, error) {
	buf := d.env.buffers.Get().(*[direntBuffer]byte)
	defer d.env.buffers.Put(buf)
	if _, err := unix.Seek(d.fd, 0, 0); err != nil {
		return nil, newError("list", d.Path(), err)
	}
	n, err := readNames(ctx, buf[:], func(p []byte) (int, error) {
		return retry(func() (int, error) { return unix.Getdents(d.fd, p) })
	})
	if err != nil && ctx.Err() == nil {
		return nil, newError("list", d.Path(), err)
	}
	return n, err
}

// readNames collects what next, which fills a buffer as getdents64 does, returns until it returns 0.
func readNames(ctx context.Context, buf []byte, next func([]byte) (int, error)) (*Names, error) {
	var names Names
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := next(buf)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			names.sort()
			return &names, nil
		}
		if err := names.addAll(buf[:n]); err != nil {
			return nil, err
		}
	}
}

// addAll adds the entries of one buffer of getdents64.
func (n *Names) addAll(buf []byte) error {
	for len(buf) > 0 {
		if len(buf) < direntName {
			return errDirents
		}
		size := int(binary.NativeEndian.Uint16(buf[16:]))
		if size <= direntName || size > len(buf) {
			return errDirents
		}
		name, _, ok := bytes.Cut(buf[direntName:size], []byte{0})
		if !ok || len(name) == 0 || bytes.IndexByte(name, '/') >= 0 {
			return errDirents
		}
		kind := buf[18]
		buf = buf[size:]
		if string(name) == "." || string(name) == ".." {
			continue
		}
		if err := n.add(name, typeOf(uint32(kind)<<12)); err != nil {
			return err
		}
	}
	return nil
}

// add appends one entry to the arena.
func (n *Names) add(name []byte, t tree.Type) error {
	need := 4 + len(name)
	last := len(n.blocks) - 1
	if last < 0 || len(n.blocks[last])+need > blockSize {
		if last+1 == blockLimit {
			return errNames
		}
		size := blockSize
		if last < 0 {
			size = 256
		}
		n.blocks = append(n.blocks, make([]byte, 0, size))
		last++
	}
	b := n.blocks[last]
	n.refs = append(n.refs, uint32(last)<<blockBits|uint32(len(b)))
	b = append(b, byte(t))
	if len(name) <= math.MaxUint8 {
		b = append(b, byte(len(name)))
	} else {
		b = binary.NativeEndian.AppendUint16(append(b, 0), uint16(len(name))) // it came in a record of 64 KiB at most
	}
	n.blocks[last] = append(b, name...)
	return nil
}

// sort puts the names in byte order and drops those that were listed twice, as some file systems do when the directory
// changes meanwhile.
func (n *Names) sort() {
	slices.SortFunc(n.refs, func(a, b uint32) int { return bytes.Compare(n.at(a), n.at(b)) })
	n.refs = slices.CompactFunc(n.refs, func(a, b uint32) bool { return bytes.Equal(n.at(a), n.at(b)) })
}

// at returns the name of an entry.
func (n *Names) at(ref uint32) []byte {
	b := n.blocks[ref>>blockBits][ref&(blockSize-1):]
	if b[1] != 0 {
		return b[2 : 2+int(b[1])]
	}
	return b[4 : 4+int(binary.NativeEndian.Uint16(b[2:]))]
}

// Len returns how many names there are.
func (n *Names) Len() int { return len(n.refs) }

// Name returns a copy of the i-th name.
func (n *Names) Name(i int) string { return string(n.at(n.refs[i])) }

// DType returns the type that the listing gave for the i-th name, or 0 if it gave none. [Dir.Stat] is the truth.
func (n *Names) DType(i int) tree.Type {
	ref := n.refs[i]
	return tree.Type(n.blocks[ref>>blockBits][ref&(blockSize-1)])
}

// Has reports whether name is among them.
func (n *Names) Has(name string) bool {
	want := []byte(name)
	_, ok := slices.BinarySearchFunc(n.refs, want, func(ref uint32, want []byte) int { return bytes.Compare(n.at(ref), want) })
	return ok
}
