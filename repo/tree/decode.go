package tree

import (
	"bytes"
	"math"

	"savepoint/internal/wire"
)

// DecodeEntry decodes one entry and checks every rule of the format that can
// be checked in it alone. The error wraps [ErrCorrupt], or [ErrNewer] for a
// critical field that is not known. Nothing in the entry refers to b.
func DecodeEntry(b []byte) (Entry, error) {
	var e Entry
	r := wire.NewReader(b)
	readEntry(&r, &e)
	if err := r.Done(); err != nil {
		return Entry{}, corrupt("decode entry", err)
	}
	return e, nil
}

// readEntry reads an entry into e, which is zero, and validates it.
func readEntry(r *wire.Reader, e *Entry) {
	r.Within(extraDepth)
	start, n := r.Offset(), r.Map()
	key := int64(-1)
	for i := 0; i < n && r.Err() == nil; i++ {
		key = r.Key(key)
		if key <= keyMTime {
			readCommon(r, e, key)
		} else {
			readRest(r, e, key)
		}
	}
	if r.Offset()-start > MaxEntry {
		r.Malformed("entry is over 1 MiB")
	}
	if r.Err() == nil {
		r.Fail(e.Validate())
	}
}

func readCommon(r *wire.Reader, e *Entry, key int64) {
	switch key {
	case keyName:
		e.Name = readString(r)
	case keyType:
		e.Type = Type(readSmall(r, math.MaxUint8))
	case keyMode:
		e.Mode = readSmall(r, modeBits)
	case keyUID:
		e.UID = readSmall(r, math.MaxUint32)
	case keyGID:
		e.GID = readSmall(r, math.MaxUint32)
	case keySize:
		e.Size = readNonzero(r)
	case keyMTime:
		e.MTime = readTime(r)
	default:
		r.Newer(uint64(key))
	}
}

func readRest(r *wire.Reader, e *Entry, key int64) {
	switch key {
	case keyContent:
		readContent(r, e)
	case keyTarget:
		e.Target = readString(r)
	case keyRdev:
		readPair(r)
		e.Rdev = [2]uint32{r.Uint32(), r.Uint32()}
		if e.Rdev == [2]uint32{} {
			zero(r)
		}
	case keyXattrs:
		readXattrs(r, e)
	case keyLink:
		readPair(r)
		e.Link = &Link{Device: r.Uint32(), Inode: r.Uint()}
	case keySplitter:
		e.Splitter = readSmall(r, maxDataChunk)
	case keyFault:
		e.Fault = uint8(readSmall(r, math.MaxUint8))
	case keyInode:
		e.Inode = readNonzero(r)
	case keyCTime:
		e.CTime = readTime(r)
	default:
		if key < wire.FirstOptional {
			r.Newer(uint64(key))
			return
		}
		e.Extra = append(e.Extra, ExtraField{Key: uint64(key), Value: bytes.Clone(r.Raw())})
	}
}

func readContent(r *wire.Reader, e *Entry) {
	// The type has a lower key, so it is known here.
	if e.Type != File && e.Type != Directory {
		r.Malformed("content, but neither file nor directory")
		return
	}
	e.Content = readElements(r, e.Type, MaxContent)
}

func readXattrs(r *wire.Reader, e *Entry) {
	n := r.Array()
	if n == 0 {
		zero(r)
	}
	e.Xattrs = make([]Xattr, 0, min(n, 16))
	for i := 0; i < n && r.Err() == nil; i++ {
		readPair(r)
		e.Xattrs = append(e.Xattrs, Xattr{Name: string(r.Bytes()), Value: string(r.Bytes())})
	}
}

func readPair(r *wire.Reader) {
	if r.Array() != 2 {
		r.Malformed("want a pair")
	}
}

func readString(r *wire.Reader) string {
	b := r.Bytes()
	if len(b) == 0 {
		zero(r)
	}
	return string(b)
}

func readNonzero(r *wire.Reader) uint64 {
	v := r.Uint()
	if v == 0 {
		zero(r)
	}
	return v
}

func readSmall(r *wire.Reader, limit uint64) uint32 {
	v := readNonzero(r)
	if v > limit {
		r.Malformed("number is over its limit")
		return 0
	}
	return uint32(v)
}

func readTime(r *wire.Reader) int64 {
	v := r.Int()
	if v == 0 {
		zero(r)
	}
	return v
}

func zero(r *wire.Reader) { r.Malformed("field is zero or empty, and so to be left out") }
