package wire

import "encoding/binary"

// AppendUint appends the integer v.
func AppendUint(dst []byte, v uint64) []byte { return appendHead(dst, majorUint, v) }

// AppendInt appends the integer v.
func AppendInt(dst []byte, v int64) []byte {
	if v < 0 {
		return appendHead(dst, majorNegint, uint64(^v))
	}
	return appendHead(dst, majorUint, uint64(v))
}

// AppendBytes appends v, a string or a slice of bytes, as a byte string.
func AppendBytes[T string | []byte](dst []byte, v T) []byte {
	return append(appendHead(dst, majorBytes, uint64(len(v))), v...)
}

// AppendText appends v as a text string; it must be valid UTF-8.
func AppendText(dst []byte, v string) []byte {
	return append(appendHead(dst, majorText, uint64(len(v))), v...)
}

// AppendArray appends the start of an array; its n elements are to follow.
func AppendArray(dst []byte, n int) []byte { return appendHead(dst, majorArray, uint64(n)) }

// AppendMap appends the start of a map; its n keys, in ascending order, and
// after each its value, are to follow.
func AppendMap(dst []byte, n int) []byte { return appendHead(dst, majorMap, uint64(n)) }

func appendHead(dst []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n < 1<<8:
		return append(dst, major|24, byte(n))
	case n < 1<<16:
		return append(dst, major|25, byte(n>>8), byte(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}
