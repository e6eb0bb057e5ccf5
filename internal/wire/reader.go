package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// Reader reads items one after another from bytes. The first failure stays:
// every later read returns zero, and [Reader.Err] and [Reader.Done] return the
// failure, so a codec checks once at its end. Loops over a count that was read
// should stop at an error. One goroutine may use a Reader at a time.
type Reader struct {
	b     []byte
	off   int
	depth int
	err   error
}

// NewReader returns a Reader over b, which must not change while it is in use.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Within says that the next items lie in n arrays and maps: [Reader.Skip] and
// [Reader.Raw] count nesting from there.
func (r *Reader) Within(n int) { r.depth = n }

// Err returns the first failure, or nil.
func (r *Reader) Err() error { return r.err }

// Done returns the first failure, or an error if bytes are left.
func (r *Reader) Done() error {
	if r.err == nil && r.off < len(r.b) {
		r.Malformed("bytes follow the end")
	}
	return r.err
}

// Offset returns how many bytes have been read.
func (r *Reader) Offset() int { return r.off }

// Fail makes err the failure unless there is one already.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Malformed fails with an error that wraps [ErrMalformed] and says what is
// wrong, and where reading has come to.
func (r *Reader) Malformed(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w at byte %d: %s", ErrMalformed, r.off, what)
	}
}

// Newer fails because the critical field key is not known. The error wraps
// [ErrNewer].
func (r *Reader) Newer(key uint64) {
	if r.err == nil {
		r.err = newer(int64(min(key, math.MaxInt64)))
	}
}

func newer(key int64) error { return fmt.Errorf("field %d is not known: %w", key, ErrNewer) }

// Uint reads an integer that is not negative.
func (r *Reader) Uint() uint64 { return r.head(majorUint, "want an unsigned integer") }

// Uint32 reads an integer of 0 to 2^32-1.
func (r *Reader) Uint32() uint32 {
	v := r.Uint()
	if v > math.MaxUint32 {
		r.Malformed("integer is over 32 bits")
		return 0
	}
	return uint32(v)
}

// Int reads an integer that fits 64 bits with a sign.
func (r *Reader) Int() int64 {
	if r.err == nil && r.off < len(r.b) && r.b[r.off]>>5 == majorNegint {
		return ^int64(r.signed(majorNegint))
	}
	return int64(r.signed(majorUint))
}

func (r *Reader) signed(major byte) uint64 {
	v := r.head(major, "want an integer")
	if v > math.MaxInt64 {
		r.Malformed("integer is over 64 bits with a sign")
		return 0
	}
	return v
}

// Bytes reads a byte string. The result is a part of the Reader's bytes.
func (r *Reader) Bytes() []byte {
	return r.take(r.head(majorBytes, "want a byte string"))
}

// Text reads a text string.
func (r *Reader) Text() string {
	b := r.take(r.head(majorText, "want text"))
	if !utf8.Valid(b) {
		r.Malformed("text is not UTF-8")
		return ""
	}
	return string(b)
}

// Array reads the start of an array and returns the number of its elements,
// which is at most the number of bytes left.
func (r *Reader) Array() int {
	return r.count(r.head(majorArray, "want an array"), 1)
}

// Map reads the start of a map and returns the number of its pairs, which is
// at most half the number of bytes left. The order of keys is the caller's to
// check; [Reader.Key] helps.
func (r *Reader) Map() int {
	return r.count(r.head(majorMap, "want a map"), 2)
}

// Key reads a map key that is not negative and follows the one before it in
// the same map, prev: -1 for the first.
func (r *Reader) Key(prev int64) int64 {
	k := int64(r.signed(majorUint))
	if r.err == nil && k <= prev {
		r.Malformed("map keys are not in ascending order")
	}
	return k
}

func (r *Reader) count(n uint64, each int) int {
	if n > uint64(len(r.b)-r.off)/uint64(each) {
		r.Malformed("more elements than bytes")
		return 0
	}
	return int(n)
}

func (r *Reader) take(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.b)-r.off) {
		r.Malformed("string is longer than what is left")
		return nil
	}
	start := r.off
	r.off += int(n)
	return r.b[start:r.off:r.off]
}

// head reads the first byte of an item, which must be of that major type, and
// the number that belongs to it.
func (r *Reader) head(major byte, want string) uint64 {
	if r.err != nil {
		return 0
	}
	if r.off >= len(r.b) || r.b[r.off]>>5 != major {
		r.Malformed(want)
		return 0
	}
	if v := r.b[r.off] & 31; v < 24 {
		r.off++
		return uint64(v)
	}
	return r.longHead()
}

// longHead reads a head whose number lies in the 1, 2, 4 or 8 bytes after it.
func (r *Reader) longHead() uint64 {
	info := r.b[r.off] & 31
	if info > 27 {
		r.Malformed("indefinite or reserved length")
		return 0
	}
	size := 1 << (info - 24)
	rest := r.b[r.off+1:]
	if len(rest) < size {
		r.Malformed("cut off")
		return 0
	}
	var v, least uint64
	switch size {
	case 1:
		v, least = uint64(rest[0]), 24
	case 2:
		v, least = uint64(binary.BigEndian.Uint16(rest)), 1<<8
	case 4:
		v, least = uint64(binary.BigEndian.Uint32(rest)), 1<<16
	case 8:
		v, least = binary.BigEndian.Uint64(rest), 1<<32
	}
	if v < least {
		r.Malformed("number is not in its shortest form")
		return 0
	}
	r.off += 1 + size
	return v
}
