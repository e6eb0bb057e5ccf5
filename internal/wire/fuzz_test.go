package wire

import (
	"bytes"
	"errors"
	"testing"
)

func seeds(f *testing.F) {
	for _, s := range []string{"00", "3903e7", "43010203", "63e282ac", "820102", "a201022003", "f6", "8181a10180",
		"a801010261780344010203040441ff05380306a1010907818241" + "61a1026162184607", "1bffffffffffffffff"} {
		f.Add(unhex(f, s))
	}
}

func FuzzCheck(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := Check(b); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error wraps nothing: %v", err)
			}
			return
		}
		var v any
		if err := decoder.Unmarshal(b, &v); err != nil {
			t.Fatalf("the library refuses %x: %v", b, err)
		}
		again, err := encoder.Marshal(v)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var o object
		if err := Unmarshal(b, &o); err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrNewer) {
				t.Fatalf("error wraps nothing: %v", err)
			}
			return
		}
		again, err := Marshal(&o)
		if err != nil || len(again) > len(b) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}

// FuzzReader drives a Reader with calls that the second argument chooses.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0x82, 0x01, 0xa1, 0x02, 0x41, 0x61}, []byte{4, 0, 5, 6, 2})
	f.Fuzz(func(t *testing.T, b, calls []byte) {
		r := NewReader(b)
		for _, c := range calls {
			before, failed := r.Offset(), r.Err() != nil
			switch c % 10 {
			case 0:
				r.Uint()
			case 1:
				r.Int()
			case 2:
				if p := r.Bytes(); len(p) != cap(p) {
					t.Fatal("bytes can be appended to in place")
				}
			case 3:
				r.Text()
			case 4:
				if n := r.Array(); n > len(b)-r.Offset() {
					t.Fatalf("array of %d in %d bytes", n, len(b)-r.Offset())
				}
			case 5:
				if n := r.Map(); 2*n > len(b)-r.Offset() {
					t.Fatalf("map of %d in %d bytes", n, len(b)-r.Offset())
				}
			case 6:
				r.Key(-1)
			case 7:
				if raw := r.Raw(); r.Err() == nil && Check(raw) != nil {
					t.Fatalf("Raw returned %x", raw)
				}
			case 8:
				r.Uint32()
			}
			if failed && r.Offset() != before || r.Offset() > len(b) || r.Err() == nil && r.Offset() == before {
				t.Fatalf("offset went from %d to %d (%v)", before, r.Offset(), r.Err())
			}
		}
	})
}
