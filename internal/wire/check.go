package wire

import "unicode/utf8"

// Check reports whether b is exactly one item of the subset; the error wraps
// [ErrMalformed]. It allocates nothing unless it fails.
func Check(b []byte) error {
	r := NewReader(b)
	r.Skip()
	return r.Done()
}

// Skip reads one item of any type, whatever lies in it, and checks all of it.
func (r *Reader) Skip() { r.skip(r.depth) }

// Raw reads one item as [Reader.Skip] does and returns its encoding, a part of
// the Reader's bytes.
func (r *Reader) Raw() []byte {
	start := r.off
	r.skip(r.depth)
	if r.err != nil {
		return nil
	}
	return r.b[start:r.off:r.off]
}

// skip checks one item that lies in depth arrays and maps.
func (r *Reader) skip(depth int) {
	switch r.major() {
	case majorUint:
		r.Uint()
	case majorNegint:
		r.signed(majorNegint)
	case majorBytes:
		r.Bytes()
	case majorText:
		if !utf8.Valid(r.take(r.head(majorText, ""))) {
			r.Malformed("text is not UTF-8")
		}
	case majorArray:
		r.skipArray(depth + 1)
	case majorMap:
		r.skipMap(depth + 1)
	case majorSimple:
		r.skipSimple()
	default:
		r.Malformed("want an item without a tag")
	}
}

// major returns the major type of the next item, or one that no item has.
func (r *Reader) major() byte {
	if r.err != nil || r.off >= len(r.b) {
		return 8
	}
	return r.b[r.off] >> 5
}

func (r *Reader) skipArray(depth int) {
	if !r.allows(depth) {
		return
	}
	for n := r.Array(); n > 0 && r.err == nil; n-- {
		r.skip(depth)
	}
}

func (r *Reader) skipMap(depth int) {
	if !r.allows(depth) {
		return
	}
	n := r.Map()
	var prev mapKey
	for i := 0; i < n && r.err == nil; i++ {
		key := r.anyKey()
		if i > 0 && !prev.before(key) {
			r.Malformed("map keys are not in ascending order")
			return
		}
		prev = key
		r.skip(depth)
	}
}

// mapKey is a key as it sorts: shortest encodings of one major type are in
// the order of their numbers.
type mapKey struct {
	major byte
	n     uint64
}

func (k mapKey) before(o mapKey) bool {
	return k.major < o.major || k.major == o.major && k.n < o.n
}

// int returns the key as a number; those over 63 bits as the largest.
func (k mapKey) int() int64 {
	n := int64(min(k.n, 1<<63-1))
	if k.major == majorNegint {
		return ^n
	}
	return n
}

func (r *Reader) anyKey() mapKey {
	switch m := r.major(); m {
	case majorUint:
		return mapKey{m, r.Uint()}
	case majorNegint:
		return mapKey{m, r.signed(m)}
	}
	r.Malformed("map key is not an integer")
	return mapKey{}
}

func (r *Reader) allows(depth int) bool {
	if depth > MaxDepth {
		r.Malformed("arrays and maps are nested too deeply")
	}
	return r.err == nil
}

func (r *Reader) skipSimple() {
	switch r.b[r.off] {
	case simpleFalse, simpleTrue:
		r.off++
	default:
		r.Malformed("float, null or another simple value")
	}
}
