package wire

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// maxElements bounds arrays and maps in the library. It must not be what stops
// a valid object: those are bounded in bytes, and checked before.
const maxElements = 16 << 20

var (
	encoder = newEncoder()
	decoder = newDecoder()
)

func newEncoder() cbor.EncMode {
	o := cbor.CoreDetEncOptions()
	o.NilContainers = cbor.NilContainerAsEmpty
	m, err := o.EncMode()
	if err != nil { // the options are constant
		panic("wire: encoder options: " + err.Error())
	}
	return m
}

func newDecoder() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxNestedLevels:  2 * MaxDepth,
		MaxArrayElements: maxElements,
		MaxMapPairs:      maxElements,
	}.DecMode()
	if err != nil { // the options are constant
		panic("wire: decoder options: " + err.Error())
	}
	return m
}

// RawItem is an encoded item that is taken over as it is, in structs given to
// [Marshal] and [Unmarshal].
type RawItem = cbor.RawMessage

// Marshal encodes v: structs with tags `cbor:"N,keyasint,omitempty"`, or with
// omitzero for arrays and structs, as maps; structs with
// `_ struct{} cbor:",toarray"` as arrays; []byte and arrays of bytes as byte
// strings; string as text. Without omitempty or omitzero a field is always
// written. A value that is not of the subset, such as text that is not UTF-8
// or a float, is an error.
func Marshal(v any) ([]byte, error) {
	b, err := encoder.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	if err := Check(b); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b, nil
}

// Unmarshal decodes b into what v points to, which is set to zero first. It
// accepts exactly what [Marshal] makes of that type and, in maps that become
// structs at any depth, keys of 64 and above that the struct does not have:
// these are ignored. A key below 64 that the struct does not have is an error
// that wraps [ErrNewer]. All other errors wrap [ErrMalformed]; among them are
// fields with a zero value that is to be left out, and byte strings that do
// not fill an array exactly. After an error the content of v is undefined.
// Nothing in v refers to b.
func Unmarshal(b []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return errors.New("decode: the destination is not a pointer")
	}
	if err := Check(b); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	if unmarshal(b, p.Elem()) == nil {
		return nil // which is what nearly all objects come to: every field is known
	}
	known, err := knownOnly(b, p.Type().Elem())
	if err == nil {
		err = unmarshal(known, p.Elem())
	}
	if err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

// unmarshal decodes b into v if it is exactly what Marshal makes of the result, so that b has no field which v has not. The library is
// lenient where types differ a little: it cuts or pads byte strings for arrays, takes null for anything and arrays for bytes.
func unmarshal(b []byte, v reflect.Value) error {
	v.SetZero()
	if err := decoder.Unmarshal(b, v.Addr().Interface()); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	again, err := encoder.Marshal(v.Addr().Interface())
	if err != nil || !bytes.Equal(again, b) {
		return fmt.Errorf("%w: not in the form that is written", ErrMalformed)
	}
	return nil
}
