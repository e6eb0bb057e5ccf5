package wire

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestReaderReadsWhatAppendWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, i := rapid.Uint64().Draw(t, "u"), rapid.Int64().Draw(t, "i")
		s, p := rapid.String().Draw(t, "s"), rapid.SliceOfN(rapid.Byte(), 0, 70_000).Draw(t, "p")
		b := AppendArray(nil, 6)
		b = AppendMap(b, 1)
		b = AppendUint(AppendUint(b, 1<<40), 1)
		b = AppendBytes(AppendText(AppendInt(AppendUint(b, u), i), s), p)
		b = AppendBytes(b, string(p))
		if err := Check(b); err != nil {
			t.Fatal(err)
		}
		r := NewReader(b)
		if r.Array() != 6 || r.Map() != 1 || r.Key(-1) != 1<<40 || r.Uint32() != 1 ||
			r.Uint() != u || r.Int() != i || r.Text() != s || !bytes.Equal(r.Bytes(), p) {
			t.Fatalf("read differs, %v", r.Err())
		}
		if raw := r.Raw(); !bytes.Equal(raw, AppendBytes(nil, p)) {
			t.Fatalf("Raw = %x", raw)
		}
		if err := r.Done(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestReaderErrorStays(t *testing.T) {
	r := NewReader([]byte{0x01, 0x41, 0x61, 0x02})
	if v := r.Uint(); v != 1 || r.Text() != "" {
		t.Fatalf("read %d and text", v)
	}
	first := r.Err()
	if !errors.Is(first, ErrMalformed) {
		t.Fatalf("text from bytes: %v", first)
	}
	r.Newer(7)
	r.Fail(errors.New("other"))
	got := []bool{r.Bytes() == nil, r.Uint() == 0, r.Int() == 0, r.Array() == 0, r.Map() == 0, r.Raw() == nil, r.Key(-1) == 0}
	for i, zero := range got {
		if !zero {
			t.Errorf("read %d after an error is not zero", i)
		}
	}
	if r.Err() != first || r.Done() != first {
		t.Errorf("the error changed to %v", r.Err())
	}
}

func TestReaderRefuses(t *testing.T) {
	for name, read := range map[string]func(*Reader){
		"key not after":     func(r *Reader) { r.Key(1) },
		"bytes left":        func(r *Reader) { r.Skip() },
		"array over bytes":  func(r *Reader) { r.Uint(); r.Array() },
		"uint is an array":  func(r *Reader) { r.Uint(); r.Uint() },
		"text is not UTF-8": func(r *Reader) { r.Within(MaxDepth); r.Skip(); r.Skip() },
	} {
		r := NewReader([]byte{0x01, 0x83, 0x01, 0x02})
		read(&r)
		if err := r.Done(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := NewReader(AppendUint(nil, 1<<32))
	if r.Uint32(); !errors.Is(r.Err(), ErrMalformed) {
		t.Errorf("Uint32 of 2^32: %v", r.Err())
	}
}

func TestReaderWithin(t *testing.T) {
	b := []byte{0x81, 0x81, 0x00}
	for within, ok := range map[int]bool{MaxDepth - 2: true, MaxDepth - 1: false} {
		r := NewReader(b)
		r.Within(within)
		if r.Raw(); (r.Done() == nil) != ok {
			t.Errorf("two arrays within %d: %v", within, r.Err())
		}
	}
}

func TestReaderCountsAgainstBytes(t *testing.T) {
	for _, b := range [][]byte{{0x84, 1, 2, 3}, {0x9b, 0, 0, 0, 1, 0, 0, 0, 0, 1}, {0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}} {
		r := NewReader(b)
		if n := r.Array(); n != 0 || !errors.Is(r.Err(), ErrMalformed) {
			t.Errorf("array in %x: %d, %v", b, n, r.Err())
		}
		b[0] += 0x20
		r = NewReader(b)
		if n := r.Map(); n != 0 || !errors.Is(r.Err(), ErrMalformed) {
			t.Errorf("map in %x: %d, %v", b, n, r.Err())
		}
	}
	r := NewReader([]byte{0xa2, 1, 2, 3})
	if n := r.Map(); n != 0 || r.Err() == nil {
		t.Errorf("map of two pairs in three bytes: %d", n)
	}
}
