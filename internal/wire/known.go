package wire

import (
	"reflect"
	"strconv"
	"strings"
)

// knownOnly returns b without the optional fields that t does not have, or an
// error that wraps ErrNewer if there is a critical one. b has passed Check.
func knownOnly(b []byte, t reflect.Type) ([]byte, error) {
	f := filter{r: NewReader(b)}
	out := f.item(make([]byte, 0, len(b)), t)
	return out, f.r.Done()
}

type filter struct{ r Reader }

// item appends the next item to dst, filtered as type t wants. An item that
// cannot become a t is taken over: decoding it will fail.
func (f *filter) item(dst []byte, t reflect.Type) []byte {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch major := f.r.major(); {
	case t.Kind() == reflect.Struct && major == majorMap:
		return f.fields(dst, fieldsOf(t))
	case t.Kind() == reflect.Struct && major == majorArray:
		return f.tuple(dst, t)
	case (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && major == majorArray:
		n := f.r.Array()
		dst = AppendArray(dst, n)
		for range n {
			dst = f.item(dst, t.Elem())
		}
		return dst
	}
	return append(dst, f.r.Raw()...)
}

// tuple filters an array whose elements become the fields of a struct.
func (f *filter) tuple(dst []byte, t reflect.Type) []byte {
	n := f.r.Array()
	dst = AppendArray(dst, n)
	i := 0
	for field := range t.Fields() {
		if field.IsExported() && i < n {
			dst = f.item(dst, field.Type)
			i++
		}
	}
	for ; i < n; i++ {
		dst = append(dst, f.r.Raw()...)
	}
	return dst
}

func (f *filter) fields(dst []byte, known map[int64]reflect.Type) []byte {
	n := f.r.Map()
	kept := 0
	var body []byte
	for range n {
		start := f.r.off
		key := f.r.anyKey()
		head := f.r.b[start:f.r.off]
		t, ok := known[key.int()]
		switch {
		case ok:
			body = f.item(append(body, head...), t)
			kept++
		case key.int() < FirstOptional:
			f.r.Fail(newer(key.int()))
			return nil
		default:
			f.r.Skip()
		}
	}
	return append(AppendMap(dst, kept), body...)
}

// fieldsOf returns the types of the fields of t by their keys.
func fieldsOf(t reflect.Type) map[int64]reflect.Type {
	known := make(map[int64]reflect.Type, t.NumField())
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("cbor"), ",")
		if key, err := strconv.ParseInt(name, 10, 64); err == nil && field.IsExported() {
			known[key] = field.Type
		}
	}
	return known
}
